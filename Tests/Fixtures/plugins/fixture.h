/* fixture.h - what the tests' plugins have in common. Each is broken, or odd, in one way; its first line says which. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <pawl.h>

/* A handler that works. */
static inline int32_t fixture_run(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    return attempt->host->result_json(attempt, PAWL_STR("\"it ran\""));
}

#define FIXTURE_HANDLER(handler_name) {.struct_size = sizeof(pawl_handler), .name = handler_name, .run = fixture_run}

/* A descriptor with one handler; what follows overrides members. */
#define FIXTURE_DESCRIPTOR(plugin_name, ...)                                                                          \
    static const pawl_handler handlers[] = {FIXTURE_HANDLER("fixture.run")};                                          \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverride-init\"")                             \
    static const pawl_plugin plugin = {                                                                               \
        .struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,                       \
        .handler_size = sizeof(pawl_handler), .name = plugin_name, .version = "1.0.0", .handlers = handlers,          \
        .handler_count = 1, __VA_ARGS__};                                                                             \
    _Pragma("GCC diagnostic pop")

/* The entry around a descriptor; `body` runs first. */
#define FIXTURE_ENTRY(body)                                                                                           \
    const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,               \
                                         uint32_t host_size) {                                                        \
        (void)host, (void)abi_major, (void)abi_minor, (void)host_size;                                                \
        body return &plugin;                                                                                          \
    }

#endif
