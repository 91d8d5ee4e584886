/* refuses, and says why */
#include "fixture.h"
const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                     uint32_t host_size) {
    (void)abi_major, (void)abi_minor, (void)host_size;
    host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("no licence was found"), PAWL_NO_STR);
    return NULL;
}
