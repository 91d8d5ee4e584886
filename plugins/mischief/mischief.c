/* mischief.c - a plugin of bad manners, for tests and demonstrations: what handlers should not do, and what Pawl
 * does then.
 *
 * well_behaved.c is what they should do, dying.c how they end, staying.c how they refuse to. */
#include "mischief.h"

const pawl_ext_args *args;

#define NO_ARGS "{\"type\":\"object\",\"additionalProperties\":false}"
#define ONE_NUMBER(name, minimum)                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"" name "\":{\"type\":\"integer\",\"minimum\":" minimum "}},"              \
    "\"additionalProperties\":false}"
#define HANDLER(function, words, schema)                                                                              \
    {.struct_size = sizeof(pawl_handler), .name = "mischief." #function, .description = words, .args_schema = schema, \
     .run = mischief_##function}

static const pawl_handler handlers[] = {
    HANDLER(noop, "Does nothing, and does it well.", "{\"type\":\"object\"}"),
    HANDLER(sleep, "Sleeps ms milliseconds, or until it is cancelled.", ONE_NUMBER("ms", "0")),
    HANDLER(progress, "Takes steps of ms milliseconds each and tells of them.",
            "{\"type\":\"object\",\"properties\":{\"steps\":{\"type\":\"integer\",\"minimum\":0},"
            "\"ms\":{\"type\":\"integer\",\"minimum\":0},\"unknown_total\":{\"type\":\"boolean\"}},"
            "\"additionalProperties\":false}"),
    HANDLER(log, "Writes lines to its log.", ONE_NUMBER("lines", "0")),
    HANDLER(echo, "Returns its args.", "{\"type\":\"object\"}"),
    HANDLER(latency, "Returns the first clock reading that it took.", "{\"type\":\"object\"}"),
    HANDLER(fail, "Fails with a message.",
            "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},"
            "\"final\":{\"type\":\"boolean\"}},\"additionalProperties\":false}"),
    HANDLER(snooze, "Asks to be run again in ms milliseconds.", ONE_NUMBER("ms", "0")),
    HANDLER(result, "Returns a JSON string of so many bytes.", ONE_NUMBER("bytes", "0")),
    HANDLER(bytes, "Returns so many bytes that are no JSON.", ONE_NUMBER("bytes", "0")),
    HANDLER(facts, "Returns what it was given: ids, paths, descriptors, environment, thread.", "{\"type\":\"object\"}"),
    HANDLER(segv, "Writes to an address that is not there.", NO_ARGS),
    HANDLER(abort, "Calls abort().", NO_ARGS),
    HANDLER(overflow, "Calls itself until the stack is full.", NO_ARGS),
    HANDLER(jump, "Calls a function at an address where none is.", NO_ARGS),
    HANDLER(thread_segv, "Crashes in a thread of its own.", NO_ARGS),
    HANDLER(exit, "Ends its process with a code, without a result.",
            "{\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255}},"
            "\"additionalProperties\":false}"),
    HANDLER(hog, "Takes mb MiB of memory and touches all of it; aborts where it gets none.", ONE_NUMBER("mb", "0")),
    HANDLER(flood, "Writes bytes to stdout.", ONE_NUMBER("bytes", "0")),
    HANDLER(late, "Returns, and leaves a thread behind that goes on calling the host.", NO_ARGS),
    HANDLER(spin, "Loops for ever and hears nobody, but does not resist SIGTERM.", NO_ARGS),
    HANDLER(deaf, "Ignores SIGTERM and cancellation, for ever.", NO_ARGS),
    HANDLER(escape, "Forks children into sessions of their own that ignore SIGTERM, then does so itself.",
            ONE_NUMBER("children", "0")),
    HANDLER(leave, "Forks children into sessions of their own, and returns a result at once.",
            ONE_NUMBER("children", "0")),
    HANDLER(exec, "Becomes another program: sleep.", NO_ARGS),
};

static const pawl_plugin plugin = {
    .struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler), .name = "mischief", .version = "1.0.0", .handlers = handlers,
    .handler_count = sizeof handlers / sizeof handlers[0]};

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                     uint32_t host_size) {
    (void)abi_minor;
    (void)host_size;
    if (abi_major != PAWL_ABI_MAJOR) return NULL;
    args = host->get_extension(host, PAWL_EXT_ARGS);
    if (args == NULL) host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("this host has no pawl.args/1"), PAWL_NO_STR);
    return args == NULL ? NULL : &plugin;
}
