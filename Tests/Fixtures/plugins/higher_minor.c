/* was built for a later minor, with a larger descriptor: loads */
#include "fixture.h"
static const pawl_handler handlers[] = {FIXTURE_HANDLER("fixture.run")};
static const struct {
    pawl_plugin known;
    void *later[2];
} plugin = {{.struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = 99,
             .handler_size = sizeof(pawl_handler),
             .flags = UINT64_C(1) << 40, .name = "higher-minor", .version = "1.0.0", .handlers = handlers,
                 .handler_count = 1},
            {0, 0}};
const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                     uint32_t host_size) {
    (void)host, (void)abi_major, (void)abi_minor, (void)host_size;
    return &plugin.known;
}
