/* mischief.c - a plugin of bad manners, for tests and demonstrations: what handlers should not do, and what Pawl
 * does then.
 *
 * well_behaved.c is what they should do, dying.c, signals.c and heap.c how they end, staying.c, waiting.c and forking.c
 * how they refuse to, resources.c what they take too much of, speaking.c what they tell the host past the header. */
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
    HANDLER(print, "Prints numbered lines to stdout.", ONE_NUMBER("lines", "0")),
    HANDLER(late, "Returns, and leaves a thread behind that goes on calling the host.", NO_ARGS),
    HANDLER(spin, "Loops for ever and hears nobody, but does not resist SIGTERM.", NO_ARGS),
    HANDLER(deaf, "Ignores SIGTERM and cancellation, for ever.", NO_ARGS),
    HANDLER(escape, "Forks children into sessions of their own that ignore SIGTERM, then does so itself.",
            ONE_NUMBER("children", "0")),
    HANDLER(leave, "Forks children into sessions of their own, and returns a result at once.",
            ONE_NUMBER("children", "0")),
    HANDLER(exec, "Becomes another program: sleep.", NO_ARGS),
    HANDLER(crash_after_result, "Gives its result, and crashes: before it returns, or (later) from a thread that it leaves.",
            "{\"type\":\"object\",\"properties\":{\"later\":{\"type\":\"boolean\"}},\"additionalProperties\":false}"),
    HANDLER(signal, "Gets a signal in a thread: worker, other, or main.",
            "{\"type\":\"object\",\"properties\":{\"signal\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":64},"
            "\"thread\":{\"enum\":[\"worker\",\"other\",\"main\"]}},\"additionalProperties\":false}"),
    HANDLER(handler_overflow, "Fills the stack from within a signal handler.", NO_ARGS),
    HANDLER(double_free, "Frees the same memory twice.", NO_ARGS),
    HANDLER(smash, "Writes over its heap, and goes on using it.", NO_ARGS),
    HANDLER(roll, "Starts chains of processes in which each forks the next and ends.", ONE_NUMBER("chains", "0")),
    HANDLER(bomb, "Forks until it has so many processes, or gets no more, and says which.", ONE_NUMBER("processes", "0")),
    HANDLER(hold, "Returns at once; a process that it leaves keeps stdout open.", NO_ARGS),
    HANDLER(garbage, "Writes to Pawl's own connection what does not belong there.",
            "{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\"},\"length\":{\"type\":\"integer\","
            "\"minimum\":0}},\"additionalProperties\":false}"),
    HANDLER(narrow, "Makes the connection's buffers 4 KiB, then logs and returns a string of bytes.", ONE_NUMBER("bytes", "0")),
    HANDLER(binary, "Writes to stdout what is no text.", NO_ARGS),
    HANDLER(open, "Opens files and keeps them: so many, or as many as it gets.", ONE_NUMBER("files", "0")),
    HANDLER(write, "Writes bytes to a file.",
            "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\",\"minimum\":0},"
            "\"path\":{\"type\":\"string\"}},\"additionalProperties\":false}"),
    HANDLER(burn, "Uses processor time for ever, here or in a process of its own.",
            "{\"type\":\"object\",\"properties\":{\"in_child\":{\"type\":\"boolean\"}},\"additionalProperties\":false}"),
    HANDLER(threads, "Starts threads that stay.", ONE_NUMBER("threads", "0")),
    HANDLER(stop, "Stops its own process.", NO_ARGS),
    HANDLER(read, "Reads where nothing comes.",
            "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},\"additionalProperties\":false}"),
    HANDLER(deadlock, "Has two threads wait for each other's lock.", NO_ARGS),
    HANDLER(move, "Tries to move itself into another control group.",
            "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},\"additionalProperties\":false}"),
};

static const pawl_plugin plugin = {
    .struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler), .name = "mischief", .version = "1.0.0", .handlers = handlers,
    .handler_count = sizeof handlers / sizeof handlers[0],
    /* Most handlers leave something behind; then the host ends the child. */
    .flags = PAWL_PF_REUSABLE};

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                     uint32_t host_size) {
    (void)abi_minor;
    (void)host_size;
    if (abi_major != PAWL_ABI_MAJOR) return NULL;
    args = host->get_extension(host, PAWL_EXT_ARGS);
    if (args == NULL) host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("this host has no pawl.args/1"), PAWL_NO_STR);
    return args == NULL ? NULL : &plugin;
}
