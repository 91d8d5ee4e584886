/* layout.c - freezes the layout of include/pawl.h at 1.0. Members may be added behind these, never moved.
 * Each line is a promise to every plugin ever built; a release adds lines and never edits one. */
#include "pawl.h"

#define OFFSET(type, member, value) _Static_assert(offsetof(type, member) == (value), #type "." #member " moved")
#define AT_LEAST(type, value) _Static_assert(sizeof(type) >= (value), #type " shrank")

#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(pawl_str) == 16 && sizeof(pawl_bytes) == 16, "pawl_str and pawl_bytes are passed by value");
OFFSET(pawl_attempt, host, 0);

OFFSET(pawl_failure, struct_size, 0);
OFFSET(pawl_failure, retry, 4);
OFFSET(pawl_failure, code, 8);
OFFSET(pawl_failure, message, 24);
OFFSET(pawl_failure, details_json, 40);
OFFSET(pawl_failure, not_before_unix_ms, 56);
AT_LEAST(pawl_failure, 64);

OFFSET(pawl_host, struct_size, 0);
OFFSET(pawl_host, abi_major, 4);
OFFSET(pawl_host, abi_minor, 8);
OFFSET(pawl_host, get_extension, 16);
OFFSET(pawl_host, run_id, 24);
OFFSET(pawl_host, job_name, 32);
OFFSET(pawl_host, attempt_number, 40);
OFFSET(pawl_host, deadline_ns, 48);
OFFSET(pawl_host, now_ns, 56);
OFFSET(pawl_host, scratch_dir, 64);
OFFSET(pawl_host, traceparent, 72);
OFFSET(pawl_host, is_cancelled, 80);
OFFSET(pawl_host, cancel_fd, 88);
OFFSET(pawl_host, log, 96);
OFFSET(pawl_host, set_progress, 104);
OFFSET(pawl_host, set_stage, 112);
OFFSET(pawl_host, set_total, 120);
OFFSET(pawl_host, advance, 128);
OFFSET(pawl_host, set_message, 136);
OFFSET(pawl_host, count, 144);
OFFSET(pawl_host, result_json, 152);
OFFSET(pawl_host, result_bytes, 160);
OFFSET(pawl_host, fail, 168);
OFFSET(pawl_host, snooze, 176);
AT_LEAST(pawl_host, 184);

OFFSET(pawl_limits, struct_size, 0);
OFFSET(pawl_limits, attempts, 4);
OFFSET(pawl_limits, wall_ms, 8);
OFFSET(pawl_limits, cpu_ms, 16);
OFFSET(pawl_limits, memory_bytes, 24);
OFFSET(pawl_limits, output_bytes, 32);
OFFSET(pawl_limits, file_bytes, 40);
OFFSET(pawl_limits, open_files, 48);
OFFSET(pawl_limits, processes, 52);
OFFSET(pawl_limits, cancel_grace_ms, 56);
OFFSET(pawl_limits, term_grace_ms, 64);
AT_LEAST(pawl_limits, 72);

OFFSET(pawl_handler, struct_size, 0);
OFFSET(pawl_handler, flags, 8);
OFFSET(pawl_handler, name, 16);
OFFSET(pawl_handler, description, 24);
OFFSET(pawl_handler, args_schema, 32);
OFFSET(pawl_handler, result_schema, 40);
OFFSET(pawl_handler, limits, 48);
OFFSET(pawl_handler, user, 56);
OFFSET(pawl_handler, run, 64);
OFFSET(pawl_handler, reset, 72);
AT_LEAST(pawl_handler, 80);

OFFSET(pawl_plugin, struct_size, 0);
OFFSET(pawl_plugin, abi_major, 4);
OFFSET(pawl_plugin, abi_minor, 8);
OFFSET(pawl_plugin, handler_size, 12);
OFFSET(pawl_plugin, flags, 16);
OFFSET(pawl_plugin, name, 24);
OFFSET(pawl_plugin, version, 32);
OFFSET(pawl_plugin, handlers, 40);
OFFSET(pawl_plugin, handler_count, 48);
OFFSET(pawl_plugin, init, 56);
OFFSET(pawl_plugin, prefork, 64);
OFFSET(pawl_plugin, child_start, 72);
OFFSET(pawl_plugin, get_extension, 80);
AT_LEAST(pawl_plugin, 88);

OFFSET(pawl_ext_args, struct_size, 0);
OFFSET(pawl_ext_args, get_str, 8);
OFFSET(pawl_ext_args, get_int, 16);
OFFSET(pawl_ext_args, get_double, 24);
OFFSET(pawl_ext_args, get_bool, 32);
OFFSET(pawl_ext_args, get_json, 40);
OFFSET(pawl_ext_args, array_count, 48);
OFFSET(pawl_ext_args, array_str, 56);
OFFSET(pawl_ext_args, only, 64);
OFFSET(pawl_ext_thread_check, which_thread, 8);
OFFSET(pawl_ext_config, text, 8);
OFFSET(pawl_ext_main_queue, port, 8);
OFFSET(pawl_ext_main_queue, pump, 16);
OFFSET(pawl_ext_cancel, cancelled, 8);
OFFSET(pawl_ext_follow_up, enqueue, 8);
OFFSET(pawl_follow_up, struct_size, 0);
OFFSET(pawl_follow_up, job, 8);
OFFSET(pawl_follow_up, args_json, 24);
OFFSET(pawl_follow_up, options_json, 40);
AT_LEAST(pawl_follow_up, 56);
#endif

/* A translation unit must not be empty. */
extern const uint32_t pawl_layout_checked;
