/* exported.c - a library whose debug information holds every type of the header, for abidw and abidiff. */
#include "pawl.h"

#define REACHES(type) PAWL_EXPORT void reach_##type(const type *value); void reach_##type(const type *value) { (void)value; }
REACHES(pawl_str)
REACHES(pawl_bytes)
REACHES(pawl_attempt)
REACHES(pawl_failure)
REACHES(pawl_limits)
REACHES(pawl_handler)
REACHES(pawl_ext_args)
REACHES(pawl_ext_thread_check)
REACHES(pawl_ext_config)
REACHES(pawl_ext_main_queue)
REACHES(pawl_ext_cancel)

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size) {
    (void)host, (void)abi_major, (void)abi_minor, (void)host_size;
    return NULL;
}
