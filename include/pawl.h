/*
 * pawl.h - the C ABI between Pawl and its plugins, version 1.0.
 *
 * Pawl runs functions of shared libraries ("handlers") as supervised background jobs. A plugin is one shared library
 * that exports one function, pawl_plugin_entry. It is loaded into a small process of its own (the zygote), never into
 * the host; every attempt of a run executes in a child forked from it. Whatever a handler does, it can only hurt its
 * own attempt.
 *
 * The shortest plugin:
 *
 *     #include <pawl.h>
 *     static int32_t hello(void *user, pawl_attempt *attempt, pawl_bytes args) {
 *         (void)user; (void)args;
 *         attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("hello"), PAWL_NO_STR);
 *         return attempt->host->result_json(attempt, PAWL_STR("{\"greeting\":\"hello\"}"));
 *     }
 *     static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "hello.world", .run = hello}};
 *     PAWL_PLUGIN("hello", "1.0.0", handlers)
 *
 *     cc -shared -fPIC -fvisibility=hidden -I include -o hello.so hello.c
 *
 * How to read this file: 1 words, 2 what a handler gets, 3 what it may say while it works, 4 how it ends, 5 the host's
 * table, 6 what a plugin declares, 7 the entry, 8 extensions, 9 sugar.
 *
 * Rules that hold everywhere
 *
 *  Ownership  Every pointer passed in either direction is borrowed until the call returns. Every pointer inside a
 *             descriptor (pawl_plugin, pawl_handler, pawl_limits) lives until the process ends. Nobody ever frees the
 *             other side's memory.
 *  Threads    [zygote]  on the zygote's only thread, before any fork. Must not start threads: fork would lose them.
 *             [worker]  on the thread that runs the handler, in the child.
 *             [any]     from any thread of the child, from the start of run() until it returns. A call after that is
 *                       ignored and reported as misbehaviour of the plugin: it returns PAWL_E_STATE.
 *  Errors     A status (int32_t), never errno, never an exception, a panic or a longjmp across this border.
 *  Growth     Structures begin with struct_size and only ever grow at the end. A reader takes min(struct_size, its own
 *             size) and treats what is missing as zero. Of a flag word the low 32 bits must be understood (an unknown
 *             one is refused with a clear message), the high 32 may be ignored. Optional features are extensions,
 *             looked up by a string that is never renamed. A plugin built against 1.x loads into every later 1.y host.
 *  Text       UTF-8. What is not valid UTF-8 is repaired with U+FFFD by the host, never refused.
 *
 * C11 and C++17, no dependency beyond the two headers below. LP64 and ILP32 little-endian targets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PAWL_H
#define PAWL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A different major is refused. A higher minor adds members at the end of structures and constants; both sides cope. */
#define PAWL_ABI_MAJOR 1u
#define PAWL_ABI_MINOR 0u

#if defined(__GNUC__) || defined(__clang__)
#define PAWL_EXPORT __attribute__((visibility("default")))
#else
#define PAWL_EXPORT
#endif

/* ---------------------------------------------------------------------------------------------------------------- */
/* 1  Words                                                                                                         */

/* Text: len bytes of UTF-8 at ptr, not terminated. {NULL, 0} is the empty text and means "none" where it may. */
typedef struct pawl_str {
    const char *ptr;
    size_t len;
} pawl_str;

/* Bytes, any content. */
typedef struct pawl_bytes {
    const void *ptr;
    size_t len;
} pawl_bytes;

typedef struct pawl_host pawl_host;

/* One attempt of one run: a handle, valid from the start of run() until it returns. Only its first member is public;
 * what follows is the host's. */
typedef struct pawl_attempt {
    const pawl_host *host; /* the host's table, for calls like attempt->host->log(attempt, ...) */
} pawl_attempt;

/* Status codes. A handler's return value, and the answer of most host functions. 1 to 999 are Pawl's; 1000 and above are
 * the plugin's own and count as PAWL_E_FAILED; an unknown one counts as PAWL_E_FAILED too. */
#define PAWL_OK 0
#define PAWL_E_FAILED 1        /* it did not work; retried as the job's policy says */
#define PAWL_E_RETRY 2         /* it did not work, but is worth another attempt */
#define PAWL_E_CANCELLED 3     /* stopped because is_cancelled() said so */
#define PAWL_E_TIMEOUT 4       /* something the handler waited for took too long */
#define PAWL_E_INVALID_INPUT 5 /* the args are wrong: never retried */
#define PAWL_E_UNSUPPORTED 6   /* this host or machine lacks something */
#define PAWL_E_LIMIT 7         /* a limit was reached; the call had no effect */
#define PAWL_E_INTERNAL 8      /* a bug on the answering side */
#define PAWL_E_STATE 9         /* not allowed now, e.g. a call after run() returned or a second result */
#define PAWL_E_NOT_FOUND 10    /* asked for something that is not there */

/* Log levels. */
#define PAWL_LOG_DEBUG 0
#define PAWL_LOG_INFO 1
#define PAWL_LOG_WARNING 2
#define PAWL_LOG_ERROR 3

/* "Not known" for totals. */
#define PAWL_TOTAL_UNKNOWN UINT64_MAX

/* ---------------------------------------------------------------------------------------------------------------- */
/* 4  How it ends (the structure; the functions stand in the host's table)                                          */

/* What to do with the run after a failure. */
#define PAWL_RETRY_BY_POLICY 0 /* as the job's policy and the number of attempts say */
#define PAWL_RETRY_NEVER 1     /* final: the run ends failed at once */
#define PAWL_RETRY_YES 2       /* by policy, also where the policy would not retry this code */

/* Why an attempt failed; given to fail(). All members but struct_size may be zero. */
typedef struct pawl_failure {
    uint32_t struct_size;      /* sizeof(pawl_failure) */
    int32_t retry;             /* PAWL_RETRY_* */
    pawl_str code;             /* short and stable, e.g. "http_503"; groups failures; at most 128 bytes are kept */
    pawl_str message;          /* for people; at most 16 KiB are kept */
    pawl_str details_json;     /* a JSON value with whatever helps, or none; at most 64 KiB, else dropped with a note */
    int64_t not_before_unix_ms; /* earliest time of the next attempt, ms since 1970 UTC; 0: by policy */
} pawl_failure;

/* ---------------------------------------------------------------------------------------------------------------- */
/* 5  The host's table: all that a plugin may call                                                                  */

/* Given to pawl_plugin_entry; lives until the process ends, at the same address in every child. A function beyond
 * struct_size does not exist: compare before calling one that was added after 1.0 (PAWL_HOST_HAS does). */
struct pawl_host {
    uint32_t struct_size; /* size of this table in the running host */
    uint32_t abi_major;   /* of the running host */
    uint32_t abi_minor;
    uint32_t reserved0;

    /* An extension's table by its id (section 8), or NULL where this host has none. The table lives until the process
     * ends. [zygote, any] */
    const void *(*get_extension)(const pawl_host *host, const char *id);

    /* -- 2  What a handler gets -- */

    /* The run's id, as outside: "run_" and 13 characters. Borrowed until run() returns. [any] */
    pawl_str (*run_id)(const pawl_attempt *attempt);
    /* The job's name; usually the handler's own, but several jobs may share a handler. Until run() returns. [any] */
    pawl_str (*job_name)(const pawl_attempt *attempt);
    /* 1 for the first attempt, growing by one; it may skip numbers (attempts lost with their host). [any] */
    uint32_t (*attempt_number)(const pawl_attempt *attempt);
    /* The attempt's deadline on CLOCK_MONOTONIC in ns (compare with now_ns), or INT64_MAX for none. The host may move
     * it while the handler runs: ask again. [any] */
    int64_t (*deadline_ns)(const pawl_attempt *attempt);
    /* CLOCK_MONOTONIC now, in ns. [any] */
    int64_t (*now_ns)(void);
    /* A private directory of this attempt, writable and empty at the start, removed afterwards; none where the host
     * could not make one. Until run() returns. [any] */
    pawl_str (*scratch_dir)(const pawl_attempt *attempt);
    /* The caller's W3C traceparent, or none. Until run() returns. [any] */
    pawl_str (*traceparent)(const pawl_attempt *attempt);

    /* Whether somebody asked this attempt to stop: 0 or 1, from then on for ever 1. Cheap (one atomic load): ask in
     * every loop. After the grace period the process gets SIGTERM, then an end it cannot refuse. [any] */
    int32_t (*is_cancelled)(const pawl_attempt *attempt);
    /* A descriptor that becomes readable at cancellation, for poll() and friends; the host's: never read or close it.
     * Always the same one, or -1 where none could be made. [any] */
    int32_t (*cancel_fd)(const pawl_attempt *attempt);

    /* -- 3  What it may say while it works -- */

    /* Writes one line to the run's log. fields_json: a JSON object, or none; if it is not an object the line is kept and
     * the fields are stored as text. A message over 64 KiB is cut, with a mark. Where the host cannot keep up lines are
     * dropped and counted; PAWL_E_LIMIT says so. [any] */
    int32_t (*log)(pawl_attempt *attempt, int32_t level, pawl_str message, pawl_str fields_json);

    /* Progress. The host keeps one picture per attempt: stage, current, total, unit, message and counters, and renders
     * "Processing users (1,250 / 5,000)" with 25 %, or "Scanning (1,250 processed)" while the total is not known. Calls
     * are cheap and coalesced: make one per item. None of them fails for a reason that a handler could mend. */

    /* Sets all three at once. total may be PAWL_TOTAL_UNKNOWN; an empty message keeps the old one. [any] */
    int32_t (*set_progress)(pawl_attempt *attempt, uint64_t current, uint64_t total, pawl_str message);
    /* Begins a stage: current goes to 0, the total becomes unknown, unit and message are emptied; counters stay. [any] */
    int32_t (*set_stage)(pawl_attempt *attempt, pawl_str stage);
    /* Sets the stage's total, and its unit ("rows", "bytes"; none keeps the old one). [any] */
    int32_t (*set_total)(pawl_attempt *attempt, uint64_t total, pawl_str unit);
    /* Adds n to current. [any] */
    int32_t (*advance)(pawl_attempt *attempt, uint64_t n);
    /* Sets the message beside the bar. [any] */
    int32_t (*set_message)(pawl_attempt *attempt, pawl_str message);
    /* Adds n to the counter `kind` ("inserts", "errors", ...); at most 64 kinds of at most 64 bytes, over that
     * PAWL_E_LIMIT. They stand in the outcome summary at every end, a crash included. [any] */
    int32_t (*count)(pawl_attempt *attempt, pawl_str kind, int64_t n);

    /* -- 4  How it ends: at most one of these, then return -- */

    /* The run's result as JSON text (checked for validity: PAWL_E_INVALID_INPUT). The text is copied. A handler that
     * returns PAWL_OK without one has the result null. At most 64 MiB. [any, once] */
    int32_t (*result_json)(pawl_attempt *attempt, pawl_str json);
    /* The run's result as bytes of a media type ("image/png"; none: application/octet-stream). [any, once] */
    int32_t (*result_bytes)(pawl_attempt *attempt, pawl_bytes bytes, pawl_str media_type);
    /* Says why the attempt fails, in full. Returns PAWL_E_FAILED, so that a handler can write
     * `return attempt->host->fail(...)`; PAWL_E_STATE after a result. [any, once] */
    int32_t (*fail)(pawl_attempt *attempt, const pawl_failure *failure);
    /* Puts the run back until the given time, without using up an attempt. Return PAWL_OK after it. [any, once] */
    int32_t (*snooze)(pawl_attempt *attempt, int64_t until_unix_ms);

    /* Members are added here, never above. */
};

/* ---------------------------------------------------------------------------------------------------------------- */
/* 6  What a plugin declares                                                                                        */

/* Default limits of a handler; the host's settings override them. 0 in any member: the host's default. */
typedef struct pawl_limits {
    uint32_t struct_size;     /* sizeof(pawl_limits) */
    uint32_t attempts;        /* at most this many, the first included */
    uint64_t wall_ms;         /* from STARTED to the end */
    uint64_t cpu_ms;          /* user + system CPU of the process */
    uint64_t memory_bytes;    /* address space and, where cgroups account for it, resident memory */
    uint64_t output_bytes;    /* stdout and stderr together */
    uint64_t file_bytes;      /* size of one file */
    uint32_t open_files;
    uint32_t processes;       /* of the whole tree, where the machine can count it */
    uint64_t cancel_grace_ms; /* from CANCEL to SIGTERM */
    uint64_t term_grace_ms;   /* from SIGTERM to the kill */
} pawl_limits;

/* A function that people can run as a job. */
typedef struct pawl_handler {
    uint32_t struct_size;    /* sizeof(pawl_handler) */
    uint32_t reserved0;      /* 0 */
    uint64_t flags;          /* PAWL_HF_*; none yet: 0 */
    const char *name;        /* dotted, [a-z0-9_]+(\.[a-z0-9_]+)+, at most 120 bytes, e.g. "csv.to_jsonl"; terminated */
    const char *description; /* one sentence, or NULL */
    const char *args_schema; /* JSON Schema 2020-12 of the args, or NULL: anything */
    const char *result_schema; /* of the result, or NULL */
    const pawl_limits *limits; /* defaults, or NULL */
    void *user;              /* given back to run() and reset() */

    /* Does the work. args: the run's args as JSON text (an object), borrowed until return. Returns PAWL_OK after a result
     * (or none) or a snooze, else PAWL_E_*. [worker] */
    int32_t (*run)(void *user, pawl_attempt *attempt, pawl_bytes args);
    /* Between two attempts in a reused child: give back what run() took. Anything but PAWL_OK retires the child. NULL
     * where there is nothing to do. Only with PAWL_PF_REUSABLE. [worker] */
    int32_t (*reset)(void *user);

    /* Members are added here, never above. */
} pawl_handler;

/* Plugin flags, low word: must be understood by the host. */
#define PAWL_PF_REUSABLE UINT64_C(1)         /* a child may run several attempts, one after the other */
#define PAWL_PF_NEEDS_ATFORK UINT64_C(2)     /* relies on pthread_atfork handlers: forked through the C library */
#define PAWL_PF_NO_FORK UINT64_C(4)          /* must not be forked after loading: every attempt loads the plugin afresh */
#define PAWL_PF_NEEDS_MAIN_QUEUE UINT64_C(8) /* Swift: @MainActor and the main dispatch queue must run */

/* The plugin's descriptor; immortal. Optional functions are NULL where there is nothing to do. */
typedef struct pawl_plugin {
    uint32_t struct_size;   /* sizeof(pawl_plugin) */
    uint32_t abi_major;     /* PAWL_ABI_MAJOR, PAWL_ABI_MINOR of the header it was built with; */
    uint32_t abi_minor;     /* the host behaves as that minor did */
    uint32_t handler_size;  /* sizeof(pawl_handler): the stride of the array below */
    uint64_t flags;         /* PAWL_PF_* */
    const char *name;       /* [a-z0-9_.-]+, at most 64 bytes; terminated */
    const char *version;    /* for people, e.g. "1.4.2", at most 64 bytes; terminated */
    const pawl_handler *handlers;
    uint32_t handler_count; /* 1 to 1000 */
    uint32_t reserved0;     /* 0 */

    /* Once, after the entry: read configuration, build tables that only get read. Not PAWL_OK: the plugin is refused,
     * and the text given to log() with a NULL attempt says why. No threads, no connections. [zygote] */
    int32_t (*init)(const pawl_host *host);
    /* Once, after init: touch what every attempt will need (run a JSON coder once), so that children inherit it warm.
     * [zygote] */
    int32_t (*prefork)(void);
    /* First thing in every child: reseed random generators, open connections, start threads. Not PAWL_OK: the attempt
     * is given to another child, and the plugin is reported. [worker] */
    int32_t (*child_start)(void);
    /* The plugin's side of extensions (section 8); NULL for an unknown id. [zygote, worker] */
    const void *(*get_extension)(const char *id);

    /* Members are added here, never above. */
} pawl_plugin;

/* ---------------------------------------------------------------------------------------------------------------- */
/* 7  The entry: the only symbol that a plugin exports                                                              */

/* Called once, right after loading. abi_major, abi_minor and host_size (= sizeof(pawl_host)) are the running host's.
 * Returns the descriptor, or NULL to refuse (log() with a NULL attempt says why). It is a function, not data, because
 * not every language can export data. Must not start threads, must not exit. [zygote] */
PAWL_EXPORT const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                                 uint32_t host_size);

/* ---------------------------------------------------------------------------------------------------------------- */
/* 8  Extensions                                                                                                    */
/* Ids are "name/revision". A table begins with struct_size and grows at its end; a break gets a new revision.      */

/* Host: reads members of the args object, so that a handler in C needs no JSON library of its own. `key` names a member
 * of the top-level object. Every getter returns PAWL_OK, PAWL_E_NOT_FOUND (absent or null; *out is untouched, so
 * that a default set before stays), or PAWL_E_INVALID_INPUT (another type, or out of range): then the attempt carries
 * a message that names the key and what is allowed, and the handler just returns the status. */
#define PAWL_EXT_ARGS "pawl.args/1"
typedef struct pawl_ext_args {
    uint32_t struct_size;
    uint32_t reserved0;
    /* Unescaped UTF-8, terminated by a zero byte that len does not count; until run() returns. [any] */
    int32_t (*get_str)(pawl_attempt *attempt, const char *key, pawl_str *out);
    int32_t (*get_int)(pawl_attempt *attempt, const char *key, int64_t minimum, int64_t maximum, int64_t *out);
    int32_t (*get_double)(pawl_attempt *attempt, const char *key, double *out);
    int32_t (*get_bool)(pawl_attempt *attempt, const char *key, int32_t *out);
    /* The member's JSON text as it stands, of any type; borrowed until run() returns. [any] */
    int32_t (*get_json)(pawl_attempt *attempt, const char *key, pawl_str *out);
    /* Number of elements of an array member, and one of them, which must be a string, as get_str gives it. [any] */
    int32_t (*array_count)(pawl_attempt *attempt, const char *key, size_t *out);
    int32_t (*array_str)(pawl_attempt *attempt, const char *key, size_t index, pawl_str *out);
    /* Fails with PAWL_E_INVALID_INPUT if the object has a member that is not among the `count` names. [any] */
    int32_t (*only)(pawl_attempt *attempt, const char *const *names, size_t count);
} pawl_ext_args;

/* Host: which of the threads of "Rules" this is, for assertions in debug builds. [any] */
#define PAWL_EXT_THREAD_CHECK "pawl.thread-check/1"
#define PAWL_THREAD_ZYGOTE 1
#define PAWL_THREAD_WORKER 2
#define PAWL_THREAD_OTHER 3
typedef struct pawl_ext_thread_check {
    uint32_t struct_size;
    uint32_t reserved0;
    int32_t (*which_thread)(void); /* PAWL_THREAD_* */
} pawl_ext_thread_check;

/* Host: the configuration text that came with the plugin (for pawl-ffi: the manifest of the functions to call). */
#define PAWL_EXT_CONFIG "pawl.config/1"
typedef struct pawl_ext_config {
    uint32_t struct_size;
    uint32_t reserved0;
    pawl_str (*text)(void); /* lives until the process ends; none where there is no configuration. [zygote, any] */
} pawl_ext_config;

/* Plugin: how the child's main thread pumps the plugin's main queue, for PAWL_PF_NEEDS_MAIN_QUEUE where the symbols of
 * libdispatch are hidden in the plugin. port: a descriptor that is readable when there is work, pump: does it. Called on
 * the child's main thread only. */
#define PAWL_EXT_MAIN_QUEUE "pawl.main-queue/1"
typedef struct pawl_ext_main_queue {
    uint32_t struct_size;
    uint32_t reserved0;
    int32_t (*port)(void);
    void (*pump)(void);
} pawl_ext_main_queue;

/* Plugin: told once when its attempt is cancelled, so that no thread has to wait for cancel_fd. Looked up in the zygote,
 * after prefork. Called on a thread of the host's own, not the worker, possibly before run() began or after it returned:
 * is_cancelled tells the rest. Returns at once. [any] */
#define PAWL_EXT_CANCEL "pawl.cancel/1"
typedef struct pawl_ext_cancel {
    uint32_t struct_size;
    uint32_t reserved0;
    void (*cancelled)(pawl_attempt *attempt);
} pawl_ext_cancel;

/* Host: runs of other jobs (or of the same one) that follow this run. They belong to the attempt's outcome: they are made
 * in the same transaction that writes down its success, each exactly once, and not at all where the attempt fails, crashes,
 * snoozes or is cancelled, whatever it has asked for. What the job does not take (there is no such job, its schema refuses
 * the args) ends this run failed, code "follow_up_refused": its work is done, so it is not repeated. */
#define PAWL_EXT_FOLLOW_UP "pawl.follow-up/1"
#define PAWL_FOLLOW_UPS_MAX 100u              /* of one attempt */
#define PAWL_FOLLOW_UP_BYTES_MAX (512u << 10) /* of their names, args and options together */
typedef struct pawl_follow_up {
    uint32_t struct_size;  /* sizeof(pawl_follow_up) */
    uint32_t reserved0;    /* 0 */
    pawl_str job;          /* the job's name, 1 to 200 bytes */
    pawl_str args_json;    /* a JSON object; none: {} */
    pawl_str options_json; /* a JSON object, or none. Members, each optional, no others: delay_ms (from this run's end;
                              0 to ten years), priority (-1000000 to 1000000, higher first), attempts (1 to 1000), queue
                              (1 to 120 bytes), title (at most 1000 bytes), labels (an object of strings) */
} pawl_follow_up;
typedef struct pawl_ext_follow_up {
    uint32_t struct_size;
    uint32_t reserved0;
    /* Asks for one. Everything is copied. PAWL_E_INVALID_INPUT: something in it is wrong; PAWL_E_LIMIT: one too many, or
     * too large. *why (or NULL: not wanted) then says what, for people, until the same thread's next call. [any] */
    int32_t (*enqueue)(pawl_attempt *attempt, const pawl_follow_up *follow_up, pawl_str *why);
} pawl_ext_follow_up;

/* ---------------------------------------------------------------------------------------------------------------- */
/* 9  Sugar: macros only, nothing here is part of the ABI                                                           */

/* A string literal as a pawl_str, and none. */
#ifdef __cplusplus
#define PAWL_STR(literal) (pawl_str{(literal), sizeof(literal) - 1})
#define PAWL_NO_STR (pawl_str{nullptr, 0})
#define PAWL_NULL nullptr
#else
#define PAWL_STR(literal) ((pawl_str){(literal), sizeof(literal) - 1})
#define PAWL_NO_STR ((pawl_str){NULL, 0})
#define PAWL_NULL NULL
#endif

/* The whole entry of a plugin without hooks: a name, a version, and an array of pawl_handler. */
#define PAWL_PLUGIN(plugin_name, plugin_version, handler_array)                                                       \
    const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,              \
                                         uint32_t host_size) {                                                        \
        static const pawl_plugin pawl_plugin_descriptor = {                                                           \
            sizeof(pawl_plugin), PAWL_ABI_MAJOR, PAWL_ABI_MINOR, sizeof(pawl_handler), 0,                             \
            (plugin_name), (plugin_version), (handler_array),                                                         \
            sizeof(handler_array) / sizeof((handler_array)[0]), 0, PAWL_NULL, PAWL_NULL, PAWL_NULL, PAWL_NULL};       \
        (void)host;                                                                                                   \
        (void)abi_minor;                                                                                              \
        (void)host_size;                                                                                              \
        return abi_major == PAWL_ABI_MAJOR ? &pawl_plugin_descriptor : PAWL_NULL;                                     \
    }

/* Whether the running host has a member of its table. */
#define PAWL_HOST_HAS(host, member) ((host)->struct_size >= offsetof(pawl_host, member) + sizeof((host)->member))

#ifdef __cplusplus
}
#endif

#endif /* PAWL_H */
