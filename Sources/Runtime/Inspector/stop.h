/* stop.h - holds the threads of a process still while they are looked at. */
#ifndef PAWL_INSPECT_STOP_H
#define PAWL_INSPECT_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define THREADS_MAX 512

typedef struct {
    pid_t tid;
    bool attached; /* ours to let go */
    bool stopped;
    int error; /* why it could not be attached; 0 */
} held_thread;

typedef struct {
    held_thread threads[THREADS_MAX];
    size_t count;
    bool more; /* it has more than THREADS_MAX */
} held_process;

/* Attaches to all threads of `pid` and waits until they stand still or `deadline_ns` (monotonic) has come. A thread in a frozen
 * cgroup, or in uninterruptible sleep, does not stop. */
void stop_process(pid_t pid, unsigned long long deadline_ns, held_process *held);
/* Lets all go on as they were. */
void stop_release(held_process *held);

#endif
