/* versions.c - a plugin to be made many versions of: by reloads.py and by the fault tests.
 *
 *   -DVERSION=7      what its handlers say
 *   -DBREAK=NAME     one way to be broken, below
 *   -DCRASH_PERCENT  share of the runs of swap.fork that crash
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pawl.h"

#define NONE 0
#define WRONG_MAJOR 1
#define MISSING_SYMBOL 2
#define CRASH_IN_ENTRY 3
#define CRASH_IN_INIT 4
#define HANG_IN_INIT 5
#define INIT_REFUSES 6
#define FIRST_RUN_CRASHES 7
#define REMOVED_HANDLER 8
#define OTHER_ARGS 9

#ifndef BREAK
#define BREAK NONE
#endif
#ifndef VERSION
#define VERSION 1
#endif
#ifndef CRASH_PERCENT
#define CRASH_PERCENT 0
#endif
#define TEXT(x) #x
#define LITERAL(x) TEXT(x)

static const pawl_ext_args *args;

static int32_t say(pawl_attempt *attempt) {
    static const char text[] = "{\"version\":" LITERAL(VERSION) "}";
    return attempt->host->result_json(attempt, (pawl_str){text, sizeof text - 1});
}

static int32_t quick(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    return say(attempt);
}

static int32_t maybe_crash(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_nsec / 1000 % 100 < CRASH_PERCENT) raise(SIGSEGV);
    return say(attempt);
}

static int32_t nap(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t ms = 100;
    int32_t status = args->get_int(attempt, "ms", 0, 600000, &ms);
    if (status != PAWL_OK && status != PAWL_E_NOT_FOUND) return status;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    return say(attempt);
}

#if BREAK == OTHER_ARGS
#define ARGS "{\"type\":\"object\",\"required\":[\"address\"],\"properties\":{\"address\":{\"type\":\"string\"}}}"
#else
#define ARGS "{\"type\":\"object\"}"
#endif

#define HANDLER(title, function, schema) \
    {.struct_size = sizeof(pawl_handler), .name = title, .description = "Says its version.", .args_schema = schema, \
     .run = function}

static const pawl_handler handlers[] = {
    HANDLER("swap.pool", quick, NULL),
    HANDLER("swap.fork", maybe_crash, NULL),
    HANDLER("swap.nap", nap, NULL),
#if BREAK != REMOVED_HANDLER
    HANDLER("swap.later", quick, ARGS),
#endif
};

static int32_t init(const pawl_host *host) {
    (void)host;
#if BREAK == CRASH_IN_INIT
    abort();
#elif BREAK == HANG_IN_INIT
    for (;;) pause();
#elif BREAK == INIT_REFUSES
    return PAWL_E_FAILED;
#endif
    return PAWL_OK;
}

static int32_t child_start(void) {
#if BREAK == FIRST_RUN_CRASHES
    raise(SIGSEGV);
#endif
    return PAWL_OK;
}

static const pawl_plugin plugin = {
    .struct_size = sizeof(pawl_plugin),
#if BREAK == WRONG_MAJOR
    .abi_major = PAWL_ABI_MAJOR + 1,
#else
    .abi_major = PAWL_ABI_MAJOR,
#endif
    .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler),
    .flags = PAWL_PF_REUSABLE,
    .name = "swap",
    .version = LITERAL(VERSION),
    .handlers = handlers,
    .handler_count = sizeof handlers / sizeof *handlers,
    .init = init,
    .child_start = child_start,
};

#if BREAK == MISSING_SYMBOL
extern int nobody_has_this(void);
#endif

PAWL_EXPORT const pawl_plugin *pawl_plugin_entry(
    const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size) {
    (void)abi_major, (void)abi_minor, (void)host_size;
#if BREAK == CRASH_IN_ENTRY
    raise(SIGSEGV);
#elif BREAK == MISSING_SYMBOL
    if (nobody_has_this() != 0) return NULL;
#endif
    args = host->get_extension(host, PAWL_EXT_ARGS);
    return &plugin;
}
