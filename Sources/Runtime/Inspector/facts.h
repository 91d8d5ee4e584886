/* facts.h - what /proc tells of a process, without disturbing it. */
#ifndef PAWL_INSPECT_FACTS_H
#define PAWL_INSPECT_FACTS_H

#include <stddef.h>
#include <sys/types.h>

/* "command", "state", "cpu_ms", "thread_count", "rss_bytes", "parent", "files", "children" of a process, into the open object. */
void facts_process(pid_t pid);
/* Of a thread, read while it is not held: afterwards it only waits for its tracer. */
typedef struct {
    pid_t tid;
    char name[64];
    const char *state;
    char wait_channel[64]; /* empty: none, or not readable */
    int system_call;       /* -1: none, or not readable */
    long long cpu_ms;
} thread_facts;

/* At most `capacity`; returns how many. */
size_t facts_threads(pid_t pid, thread_facts *threads, size_t capacity);
void facts_write_thread(const thread_facts *thread);

#endif
