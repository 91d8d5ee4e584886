/* 1.0.c - the layout and the constants of ABI 1.0 on 64-bit machines, never edited: its SHA-256 stands in SHA256SUMS.
 *
 * Against the released header sizes are exact (FROZEN_EXACT); a later header may have grown at the ends of what grows. */
#include "pawl.h"

#ifdef __cplusplus
#define FROZEN(condition, words) static_assert(condition, words)
#else
#define FROZEN(condition, words) _Static_assert(condition, words)
#endif
#ifdef FROZEN_EXACT
#define SIZE(type, value) FROZEN(sizeof(type) == (value), #type " is not what was released")
#else
#define SIZE(type, value) FROZEN(sizeof(type) >= (value), #type " shrank")
#endif
#define OFFSET(type, member, value) FROZEN(offsetof(type, member) == (value), #type "." #member " moved")
#define CONSTANT(name, value) FROZEN((uint64_t)(name) == (value), #name " changed")
/* gcc and clang fold this comparison of literals; in C++ only the length is compared. */
#ifdef __cplusplus
#define TEXT(name, value) FROZEN(sizeof(name) == sizeof(value), #name " changed")
#else
#define TEXT(name, value) char frozen_##name[__builtin_strcmp(name, value) == 0 ? 1 : -1]
#endif

FROZEN(sizeof(void *) == 8, "these are the offsets of 64-bit machines");
FROZEN(sizeof(pawl_str) == 16 && sizeof(pawl_bytes) == 16, "these are passed by value: they never grow");

OFFSET(pawl_str, ptr, 0);
OFFSET(pawl_str, len, 8);
SIZE(pawl_str, 16);

OFFSET(pawl_bytes, ptr, 0);
OFFSET(pawl_bytes, len, 8);
SIZE(pawl_bytes, 16);

OFFSET(pawl_attempt, host, 0);
SIZE(pawl_attempt, 8);

OFFSET(pawl_failure, struct_size, 0);
OFFSET(pawl_failure, retry, 4);
OFFSET(pawl_failure, code, 8);
OFFSET(pawl_failure, message, 24);
OFFSET(pawl_failure, details_json, 40);
OFFSET(pawl_failure, not_before_unix_ms, 56);
SIZE(pawl_failure, 64);

OFFSET(pawl_host, struct_size, 0);
OFFSET(pawl_host, abi_major, 4);
OFFSET(pawl_host, abi_minor, 8);
OFFSET(pawl_host, reserved0, 12);
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
SIZE(pawl_host, 184);

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
SIZE(pawl_limits, 72);

OFFSET(pawl_handler, struct_size, 0);
OFFSET(pawl_handler, reserved0, 4);
OFFSET(pawl_handler, flags, 8);
OFFSET(pawl_handler, name, 16);
OFFSET(pawl_handler, description, 24);
OFFSET(pawl_handler, args_schema, 32);
OFFSET(pawl_handler, result_schema, 40);
OFFSET(pawl_handler, limits, 48);
OFFSET(pawl_handler, user, 56);
OFFSET(pawl_handler, run, 64);
OFFSET(pawl_handler, reset, 72);
SIZE(pawl_handler, 80);

OFFSET(pawl_plugin, struct_size, 0);
OFFSET(pawl_plugin, abi_major, 4);
OFFSET(pawl_plugin, abi_minor, 8);
OFFSET(pawl_plugin, handler_size, 12);
OFFSET(pawl_plugin, flags, 16);
OFFSET(pawl_plugin, name, 24);
OFFSET(pawl_plugin, version, 32);
OFFSET(pawl_plugin, handlers, 40);
OFFSET(pawl_plugin, handler_count, 48);
OFFSET(pawl_plugin, reserved0, 52);
OFFSET(pawl_plugin, init, 56);
OFFSET(pawl_plugin, prefork, 64);
OFFSET(pawl_plugin, child_start, 72);
OFFSET(pawl_plugin, get_extension, 80);
SIZE(pawl_plugin, 88);

OFFSET(pawl_ext_args, struct_size, 0);
OFFSET(pawl_ext_args, reserved0, 4);
OFFSET(pawl_ext_args, get_str, 8);
OFFSET(pawl_ext_args, get_int, 16);
OFFSET(pawl_ext_args, get_double, 24);
OFFSET(pawl_ext_args, get_bool, 32);
OFFSET(pawl_ext_args, get_json, 40);
OFFSET(pawl_ext_args, array_count, 48);
OFFSET(pawl_ext_args, array_str, 56);
OFFSET(pawl_ext_args, only, 64);
SIZE(pawl_ext_args, 72);

OFFSET(pawl_ext_thread_check, struct_size, 0);
OFFSET(pawl_ext_thread_check, reserved0, 4);
OFFSET(pawl_ext_thread_check, which_thread, 8);
SIZE(pawl_ext_thread_check, 16);

OFFSET(pawl_ext_config, struct_size, 0);
OFFSET(pawl_ext_config, reserved0, 4);
OFFSET(pawl_ext_config, text, 8);
SIZE(pawl_ext_config, 16);

OFFSET(pawl_ext_main_queue, struct_size, 0);
OFFSET(pawl_ext_main_queue, reserved0, 4);
OFFSET(pawl_ext_main_queue, port, 8);
OFFSET(pawl_ext_main_queue, pump, 16);
SIZE(pawl_ext_main_queue, 24);

OFFSET(pawl_ext_cancel, struct_size, 0);
OFFSET(pawl_ext_cancel, reserved0, 4);
OFFSET(pawl_ext_cancel, cancelled, 8);
SIZE(pawl_ext_cancel, 16);

CONSTANT(PAWL_ABI_MAJOR, 1);
CONSTANT(PAWL_OK, 0);
CONSTANT(PAWL_E_FAILED, 1);
CONSTANT(PAWL_E_RETRY, 2);
CONSTANT(PAWL_E_CANCELLED, 3);
CONSTANT(PAWL_E_TIMEOUT, 4);
CONSTANT(PAWL_E_INVALID_INPUT, 5);
CONSTANT(PAWL_E_UNSUPPORTED, 6);
CONSTANT(PAWL_E_LIMIT, 7);
CONSTANT(PAWL_E_INTERNAL, 8);
CONSTANT(PAWL_E_STATE, 9);
CONSTANT(PAWL_E_NOT_FOUND, 10);
CONSTANT(PAWL_LOG_DEBUG, 0);
CONSTANT(PAWL_LOG_INFO, 1);
CONSTANT(PAWL_LOG_WARNING, 2);
CONSTANT(PAWL_LOG_ERROR, 3);
CONSTANT(PAWL_TOTAL_UNKNOWN, UINT64_C(18446744073709551615));
CONSTANT(PAWL_RETRY_BY_POLICY, 0);
CONSTANT(PAWL_RETRY_NEVER, 1);
CONSTANT(PAWL_RETRY_YES, 2);
CONSTANT(PAWL_PF_REUSABLE, 1);
CONSTANT(PAWL_PF_NEEDS_ATFORK, 2);
CONSTANT(PAWL_PF_NO_FORK, 4);
CONSTANT(PAWL_PF_NEEDS_MAIN_QUEUE, 8);
CONSTANT(PAWL_THREAD_ZYGOTE, 1);
CONSTANT(PAWL_THREAD_WORKER, 2);
CONSTANT(PAWL_THREAD_OTHER, 3);

TEXT(PAWL_EXT_ARGS, "pawl.args/1");
TEXT(PAWL_EXT_THREAD_CHECK, "pawl.thread-check/1");
TEXT(PAWL_EXT_CONFIG, "pawl.config/1");
TEXT(PAWL_EXT_MAIN_QUEUE, "pawl.main-queue/1");
TEXT(PAWL_EXT_CANCEL, "pawl.cancel/1");

/* The entry's type, and those of functions called by value. */
#ifndef __cplusplus
FROZEN(_Generic(&pawl_plugin_entry, const pawl_plugin *(*)(const pawl_host *, uint32_t, uint32_t, uint32_t): 1, default: 0),
       "the entry's type changed");
#endif
