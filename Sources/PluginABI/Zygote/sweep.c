/* sweep.c - stop-and-kill.
 *
 * A list of pids cannot be trusted: its processes fork, end, and their numbers are given out again. So each process
 * found is pinned by a pidfd, and only counts if its parent is then still the one it was found under, which in turn
 * is pinned. It is stopped at once: it forks no more, reaps no more, and its children keep their numbers. When no
 * new one turns up, all are killed; orphans come to the subreaper, which reaps them. */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 32      /* of looking for new ones before the kill; the caller comes again */
#define PROCESSES_MAX 4096 /* pinned at once; the rest is found in the next pass */
#define REAPED_MAX 4096    /* in one call */

typedef struct pinned {
    pid_t pid;
    int fd;
    bool was_stopped; /* before it was found */
} pinned;

typedef struct found {
    pinned *items;
    size_t count, capacity;
} found;

typedef void each_child(pid_t child, void *context);

/* State and parent of a process; false where it is gone. */
static bool look_up(pid_t pid, char *state, pid_t *parent) {
    char path[32], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t length = read(fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0) return false;
    line[length] = 0;
    const char *behind = strrchr(line, ')'); /* the name may hold anything, brackets too */
    return behind != NULL && sscanf(behind + 1, " %c %d", state, parent) == 2;
}

/* Children of one process from /proc/PID/task/TID/children. False where the kernel does not offer that file. */
static bool children_by_task(pid_t pid, each_child *visit, void *context) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    /* Gone, or not to be read for want of descriptors or memory: then the slower way is tried. */
    if (tasks == NULL) return errno == ENOENT || errno == ESRCH;
    bool offered = true;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char file[96];
        snprintf(file, sizeof file, "/proc/%d/task/%.20s/children", pid, entry->d_name);
        FILE *list = fopen(file, "re");
        if (list == NULL) {
            snprintf(file, sizeof file, "/proc/%d/task/%.20s", pid, entry->d_name);
            if (errno == ENOENT && access(file, F_OK) == 0) offered = false;
            continue;
        }
        for (int child; fscanf(list, "%d", &child) == 1;) visit(child, context);
        fclose(list);
    }
    closedir(tasks);
    return offered;
}

static void children_by_scan(pid_t pid, each_child *visit, void *context) {
    DIR *all = opendir("/proc");
    if (all == NULL) return;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char state;
        pid_t parent, candidate = (pid_t)strtol(entry->d_name, NULL, 10);
        if (candidate > 0 && look_up(candidate, &state, &parent) && parent == pid) visit(candidate, context);
    }
    closedir(all);
}

static void for_each_child(pid_t pid, each_child *visit, void *context) {
    if (!children_by_task(pid, visit, context)) children_by_scan(pid, visit, context);
}

typedef struct pids {
    pid_t *items;
    size_t count, capacity;
} pids;

static void collect(pid_t child, void *context) {
    pids *list = context;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        pid_t *items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL) return; /* found in the next pass, when memory is back */
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = child;
}

static bool known(const found *f, pid_t pid) {
    for (size_t i = 0; i < f->count; i++) if (f->items[i].pid == pid) return true;
    return false;
}

/* Pins and stops `pid` if it lives and `parent` is its parent. */
static bool pin(found *f, pid_t pid, pid_t parent) {
    if (f->count >= PROCESSES_MAX) return false;
    if (f->count == f->capacity) {
        size_t capacity = f->capacity == 0 ? 64 : f->capacity * 2;
        pinned *items = realloc(f->items, capacity * sizeof *items);
        if (items == NULL) return false;
        f->items = items;
        f->capacity = capacity;
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    char state;
    pid_t its_parent;
    if (fd < 0) return false;
    if (!look_up(pid, &state, &its_parent) || its_parent != parent || state == 'Z' || state == 'X') {
        close(fd);
        return false;
    }
    syscall(SYS_pidfd_send_signal, fd, SIGSTOP, NULL, 0);
    f->items[f->count++] = (pinned){pid, fd, state == 'T' || state == 't'};
    return true;
}

/* Pins what is new among the children of `parent`. */
static bool pin_children(found *f, pid_t parent, sweep_spared *spared, void *context) {
    pids children = {0};
    bool any = false;
    for_each_child(parent, collect, &children);
    for (size_t i = 0; i < children.count; i++) {
        pid_t child = children.items[i];
        if (spared != NULL && spared(child, context)) continue;
        if (!known(f, child) && pin(f, child, parent)) any = true;
    }
    free(children.items);
    return any;
}

/* Pins and stops all that descends from the caller. False if it was finding more until it gave up. */
static bool pin_all(found *f, sweep_spared *spared, void *context) {
    pid_t self = getpid();
    bool any = true;
    for (int round = 0; any && round < ROUNDS_MAX; round++) {
        any = pin_children(f, self, spared, context);
        for (size_t i = 0; i < f->count; i++)
            if (pin_children(f, f->items[i].pid, NULL, NULL)) any = true;
    }
    return !any;
}

static found frozen;

bool sweep_freeze(void) {
    size_t before = frozen.count;
    return pin_all(&frozen, NULL, NULL) && frozen.count == before;
}

void sweep_thaw(void) {
    for (size_t i = 0; i < frozen.count; i++) {
        if (!frozen.items[i].was_stopped) syscall(SYS_pidfd_send_signal, frozen.items[i].fd, SIGCONT, NULL, 0);
        close(frozen.items[i].fd);
    }
    free(frozen.items);
    frozen = (found){0};
}

size_t sweep_descendants(sweep_spared *spared, void *context) {
    found f = {0};
    pin_all(&f, spared, context);
    for (size_t i = 0; i < f.count; i++) {
        syscall(SYS_pidfd_send_signal, f.items[i].fd, SIGKILL, NULL, 0);
        close(f.items[i].fd);
    }
    free(f.items);
    return f.count;
}

static int as_waitpid(const siginfo_t *info) {
    if (info->si_code == CLD_EXITED) return (info->si_status & 0xFF) << 8;
    return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static bool reap(pid_t child, int flags, sweep_reaped *reaped, void *context) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | flags) != 0 || info.si_pid == 0) return false;
    reaped(info.si_pid, as_waitpid(&info), context);
    return true;
}

/* A handler may leave tens of thousands of dead behind: each look must be worth many of them, and between two the caller
 * hears its host. */
bool sweep_reap(sweep_spared *spared, sweep_reaped *reaped, void *context) {
    size_t count = 0;
    for (;;) {
        siginfo_t info = {0};
        /* Children of clone3 are not seen by this call, so mostly there is nobody, or an orphan. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return true;
        if (spared(info.si_pid, context)) break;
        if (!reap(info.si_pid, 0, reaped, context)) return true;
        if (++count == REAPED_MAX) return false;
    }
    /* A held leader that was forked by the C library, or has called exec, hides others. */
    pids children = {0};
    for_each_child(getpid(), collect, &children);
    for (size_t i = 0; i < children.count && count < REAPED_MAX; i++)
        if (!spared(children.items[i], context) && reap(children.items[i], __WALL, reaped, context)) count++;
    free(children.items);
    return count < REAPED_MAX;
}

/* What is found among the direct children. */
typedef struct search {
    sweep_spared *spared;
    void *context;
    bool any;  /* a child that is not spared */
    bool seen; /* any child at all */
} search;

static void note_unspared(pid_t child, void *context) {
    search *s = context;
    s->seen = true;
    if (s->spared == NULL || !s->spared(child, s->context)) s->any = true;
}

bool sweep_any_child(sweep_spared *spared, void *context) {
    siginfo_t info;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 && errno == ECHILD) return false;
    search s = {.spared = spared, .context = context};
    for_each_child(getpid(), note_unspared, &s);
    /* The kernel says that there are children, and /proc shows none: it could not be read, so some may be ours. */
    return s.any || !s.seen;
}
