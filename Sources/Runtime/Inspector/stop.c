/* stop.c - PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, so no system call of a healthy handler returns EINTR that would
 * not be restarted, and a thread that was stopped by SIGSTOP stays so after the detach. Should this process be killed, the
 * kernel lets the threads go on. */
#include "stop.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

static unsigned long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec;
}

static held_thread *find(held_process *held, pid_t tid) {
    for (size_t i = 0; i < held->count; i++)
        if (held->threads[i].tid == tid) return &held->threads[i];
    return NULL;
}

/* Attaches to those that are not known yet; true if there were any. */
static bool attach_new(pid_t pid, held_process *held) {
    char path[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return false;
    struct dirent *entry;
    while ((entry = readdir(tasks)) != NULL) {
        pid_t tid = atoi(entry->d_name);
        if (tid <= 0 || find(held, tid) != NULL) continue;
        if (held->count == THREADS_MAX) {
            held->more = true;
            break;
        }
        held_thread *thread = &held->threads[held->count++];
        *thread = (held_thread){.tid = tid};
        found = true;
        if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) {
            thread->error = errno;
            continue;
        }
        thread->attached = true;
        if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0) thread->error = errno;
    }
    closedir(tasks);
    return found;
}

/* True when every attached thread stands still or is gone. */
static bool gather(held_process *held) {
    bool all = true;
    for (size_t i = 0; i < held->count; i++) {
        held_thread *thread = &held->threads[i];
        if (!thread->attached || thread->stopped) continue;
        int status;
        pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);
        if (got == thread->tid && WIFSTOPPED(status)) {
            thread->stopped = true;
            /* It was about to take a signal: that one is given back to it at the detach. */
            int signal = WSTOPSIG(status);
            if (status >> 16 == 0) thread->error = -signal;
        } else if (got == thread->tid || (got < 0 && errno == ECHILD)) thread->attached = false; /* it has ended */
        else all = false;
    }
    return all;
}

void stop_process(pid_t pid, unsigned long long deadline_ns, held_process *held) {
    held->count = 0;
    held->more = false;
    /* A running thread may make others while it is being attached to: until none is new. */
    for (bool again = true; again && now_ns() < deadline_ns;) {
        again = attach_new(pid, held);
        while (!gather(held) && now_ns() < deadline_ns) nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

void stop_release(held_process *held) {
    for (size_t i = 0; i < held->count; i++) {
        held_thread *thread = &held->threads[i];
        if (!thread->attached) continue;
        long signal = thread->error < 0 ? -thread->error : 0;
        if (ptrace(PTRACE_DETACH, thread->tid, NULL, (void *)signal) != 0 && errno == ESRCH) {
            /* Not stopped in time: the kernel detaches when this process ends. */
            thread->attached = false;
        }
    }
}
