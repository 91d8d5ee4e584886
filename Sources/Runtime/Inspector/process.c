/* process.c - facts first, while it is not disturbed; then all threads are held still for as long as unwinding takes, and let go
 * before anything is named: naming reads debug information, which is slow. */
#include "process.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "facts.h"
#include "output.h"
#include "places.h"
#include "stop.h"

#define FRAMES_MAX 128

typedef struct {
    pid_t tid;
    size_t count;
    const char *problem;
    Dwarf_Addr addresses[FRAMES_MAX];
    bool is_call[FRAMES_MAX]; /* the address is the one behind a call */
} stack;

static char *debug_path;
static const Dwfl_Callbacks live = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &debug_path,
};

static unsigned long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000ull + (unsigned long long)now.tv_nsec;
}

static int on_frame(Dwfl_Frame *frame, void *context) {
    stack *s = context;
    bool activation;
    Dwarf_Addr pc;
    if (!dwfl_frame_pc(frame, &pc, &activation)) return DWARF_CB_ABORT;
    s->is_call[s->count] = !activation;
    s->addresses[s->count++] = pc;
    return s->count < FRAMES_MAX ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static void unwind(Dwfl *dwfl, const held_thread *thread, stack *s) {
    *s = (stack){.tid = thread->tid};
    if (!thread->attached) s->problem = thread->error == EPERM ? "no permission to look at it" : "it has ended";
    else if (!thread->stopped) s->problem = "it does not stand still: frozen, or in uninterruptible sleep";
    else if (dwfl_getthread_frames(dwfl, thread->tid, on_frame, s) != 0 && s->count == 0) s->problem = dwfl_errmsg(-1);
}

typedef struct {
    Dwarf_Addr address;
    Dwfl_Module *module;
} place;

static void write_common(void *context) {
    const place *p = context;
    out_address("address", p->address);
    if (p->module == NULL) return;
    const char *path = NULL;
    char build_id[65];
    dwfl_module_info(p->module, NULL, NULL, NULL, NULL, NULL, &path, NULL);
    if (path == NULL) path = dwfl_module_info(p->module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    if (path != NULL) out_text("module", path);
    if (places_build_id(p->module, build_id)) out_text("build_id", build_id);
}

static void write_stack(Dwfl *dwfl, const stack *s, unsigned long long deadline) {
    if (s->problem != NULL) out_text("error", s->problem);
    out_open("frames", '[');
    for (size_t i = 0; i < s->count; i++) {
        Dwarf_Addr code = s->addresses[i] - (s->is_call[i] ? 1 : 0);
        place p = {s->addresses[i], now_ns() < deadline ? dwfl_addrmodule(dwfl, code) : NULL};
        if (p.module != NULL) places_write(p.module, code, write_common, &p);
        else {
            out_open(NULL, '{');
            write_common(&p);
            out_close('}');
        }
    }
    out_close(']');
    if (s->count == FRAMES_MAX) out_true("deeper");
}

/* What the threads are doing, by facts taken before and stacks. */
static void write_threads(Dwfl *dwfl, const thread_facts *facts, size_t fact_count, const stack *stacks, size_t stack_count,
                          unsigned long long deadline) {
    out_open("threads", '[');
    for (size_t i = 0; i < stack_count; i++) {
        out_open(NULL, '{');
        out_number("tid", stacks[i].tid);
        for (size_t k = 0; k < fact_count; k++)
            if (facts[k].tid == stacks[i].tid) facts_write_thread(&facts[k]);
        write_stack(dwfl, &stacks[i], deadline);
        out_close('}');
    }
    out_close(']');
}

static void inspect(pid_t pid, unsigned long long hold_until, unsigned long long deadline) {
    static held_process held;
    static thread_facts facts[THREADS_MAX];
    out_open(NULL, '{');
    out_number("pid", pid);
    facts_process(pid);
    size_t fact_count = facts_threads(pid, facts, THREADS_MAX);
    stack *stacks = calloc(THREADS_MAX, sizeof *stacks);
    Dwfl *dwfl = stacks == NULL ? NULL : dwfl_begin(&live);
    const char *problem = NULL;
    size_t count = 0;
    unsigned long long held_since = now_ns();
    if (dwfl == NULL) problem = "no memory";
    else {
        stop_process(pid, hold_until, &held);
        if (dwfl_linux_proc_report(dwfl, pid) != 0 || dwfl_report_end(dwfl, NULL, NULL) != 0)
            problem = "its memory map cannot be read";
        else if (dwfl_linux_proc_attach(dwfl, pid, true) != 0) problem = dwfl_errmsg(-1);
        for (; count < held.count; count++) {
            if (problem == NULL && now_ns() < deadline) unwind(dwfl, &held.threads[count], &stacks[count]);
            else stacks[count] = (stack){.tid = held.threads[count].tid, .problem = problem != NULL ? problem : "no time left"};
        }
        stop_release(&held);
    }
    out_number("held_us", (int64_t)((now_ns() - held_since) / 1000));
    if (problem != NULL) out_text("stacks_error", problem);
    write_threads(dwfl, facts, fact_count, stacks, count, deadline);
    if (dwfl != NULL && held.more) out_true("more_threads");
    if (dwfl != NULL) dwfl_end(dwfl);
    free(stacks);
    out_close('}');
}

int inspect_processes(const pid_t *pids, size_t count, unsigned limit_ms) {
    unsigned long long start = now_ns(), limit = limit_ms * 1000000ull, deadline = start + limit;
    /* Whatever a file of debug information may do to its reader, this ends: by SIGALRM, and the kernel lets all threads go. */
    unsigned hard_ms = limit_ms + 10000;
    struct itimerval end = {.it_value = {hard_ms / 1000, hard_ms % 1000 * 1000}};
    setitimer(ITIMER_REAL, &end, NULL);
    out_open(NULL, '{');
    out_open("processes", '[');
    for (size_t i = 0; i < count && now_ns() < deadline; i++) {
        /* A third of what is left for making one stand still: the others want their turn, and names take time. */
        unsigned long long now = now_ns();
        inspect(pids[i], now + (deadline - now) / 3, deadline);
    }
    out_close(']');
    out_close('}');
    putchar('\n');
    return fflush(stdout) == 0 ? 0 : 74;
}
