/* reuse.c - the audit: cheap questions after each run, and a look at the details only where something has changed. */
#include "reuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agenda.h"
#include "census.h"
#include "environment.h"

#define LAST_SIGNAL 31
#define BUSY_MIN_NS UINT64_C(2000000)
#define PROCESSORS_MAX 16 /* that one run's left-over task may keep busy between two runs */
#define PEAK_SLACK_BYTES (UINT64_C(1) << 20)

static struct {
    bool remembered;
    struct sigaction actions[LAST_SIGNAL + 1];
    char *locale;
    locale_t thread_locale;
    struct stat directory; /* the working directory before the run */
    bool is_telling;       /* a change of it shows in its times */
    int statm; /* of /proc/self, kept open: finding it would cost more than the answer */
    bool has_directory; /* the working directory is as it should be */
    bool is_limited;    /* RLIMIT_CPU is another than the inherited one */
    bool is_busy;       /* something went on working between the last two runs */
    uint64_t idle_at_ns, idle_cpu_ns; /* when the last audit ended */
    uint64_t resident, peak; /* as last seen */
} kept = {.statm = -1};

/* ---- memory ---- */

/* `peak`: of the resident size so far. As long as it has not risen, neither has the size beyond it. */
static uint64_t resident_bytes(uint64_t peak) {
    char line[64], *end;
    if (peak == kept.peak && kept.resident > 0) return kept.resident;
    ssize_t length = kept.statm < 0 ? -1 : pread(kept.statm, line, sizeof line - 1, 0);
    if (length <= 0) return 0;
    line[length] = 0;
    strtoull(line, &end, 10); /* the size of the address space comes first */
    kept.resident = strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    kept.peak = peak;
    return kept.resident;
}

/* So that the next run's peak is its own. Where it cannot be written, the largest of all runs stands for each. */
static void forget_peak(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, "5", 1) < 0) complain("pawl: the memory's peak cannot be reset");
    close(fd);
    kept.peak = 0;
}

/* ---- what is put back ---- */

static bool restore_signals(void) {
    bool changed = alarm(0) != 0;
    sigset_t mask, none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &mask);
    for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
        struct sigaction now;
        if (sigismember(&mask, signal) == 1) changed = true;
        if (signal == SIGKILL || signal == SIGSTOP || sigaction(signal, NULL, &now) != 0) continue;
        const struct sigaction *then = &kept.actions[signal];
        if (now.sa_handler == then->sa_handler && now.sa_flags == then->sa_flags) continue;
        sigaction(signal, then, NULL);
        changed = true;
    }
    return changed;
}

static bool restore_locale(uint32_t *flags) {
    bool changed = false;
    const char *now = setlocale(LC_ALL, NULL);
    if (kept.locale != NULL && now != NULL && strcmp(now, kept.locale) != 0) {
        changed = true;
        if (setlocale(LC_ALL, kept.locale) == NULL) *flags |= PAWL_IDLE_UNFIT;
    }
    if (uselocale((locale_t)0) != kept.thread_locale) {
        changed = true;
        uselocale(kept.thread_locale);
    }
    return changed;
}

/* File systems stamp changes with a clock of up to 10 ms (HZ=100): a change within the same tick does not show. */
#define TICK_NS INT64_C(20000000)

static int64_t nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }

static int64_t changed_at(const struct stat *status) {
    int64_t content = nanoseconds(status->st_mtim), rest = nanoseconds(status->st_ctim);
    return content > rest ? content : rest;
}

static void keep_directory(const struct stat *status) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    kept.directory = *status;
    kept.is_telling = nanoseconds(now) - changed_at(status) > TICK_NS;
}

static bool is_same_directory(const struct stat *status) {
    return status->st_dev == kept.directory.st_dev && status->st_ino == kept.directory.st_ino;
}

/* Nothing is in the working directory, which is the run's own; as the host sees it before it lends it again. */
static bool is_directory_empty(const struct stat *status) {
    if (kept.is_telling && changed_at(status) == changed_at(&kept.directory)) return true;
    if (status->st_mode != kept.directory.st_mode || status->st_uid != kept.directory.st_uid) return false;
    DIR *all = opendir(".");
    if (all == NULL) return false;
    bool empty = true;
    for (struct dirent *entry; empty && (entry = readdir(all)) != NULL;)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(all);
    return empty;
}

/* Whatever the run has written, the host has read. */
static bool is_output_read(void) {
    int out = 0, err = 0;
    return ioctl(STDOUT_FILENO, FIONREAD, &out) == 0 && out == 0 && ioctl(STDERR_FILENO, FIONREAD, &err) == 0 && err == 0;
}

/* Reaps what has ended and counts what has not. */
static uint32_t living_descendants(void) {
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) != 0) {
            if (errno == EINTR) continue;
            return errno == ECHILD ? 0 : 1;
        }
        if (info.si_pid == 0) return 1; /* at least; whoever ends the child counts them */
    }
}

/* ---- the calls ---- */

#define ORPHANS_LOOK_MS 100
#define ORPHANS_MAX 64 /* so many may lie unreaped until the audit */

/* A subreaper's adopted children are those of its main thread, and so are the children of threads that have ended: these
 * somebody may still want to wait for, so nothing is reaped until there are too many. A handler that forks without end would
 * otherwise fill the machine's table of processes with its dead. */
int reuse_reap_orphans(void) {
    static uint64_t looked;
    char list[2048];
    if (kept.statm < 0) return -1;
    uint64_t now = monotonic_ns();
    if (now - looked < ORPHANS_LOOK_MS * 1000000ull) return ORPHANS_LOOK_MS;
    looked = now;
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ORPHANS_LOOK_MS;
    ssize_t length = read(fd, list, sizeof list);
    close(fd);
    size_t count = 0;
    for (ssize_t i = 0; i < length; i++) count += list[i] == ' ';
    if (count <= ORPHANS_MAX) return ORPHANS_LOOK_MS;
    for (siginfo_t info = {0}; waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL | __WNOTHREAD) == 0 && info.si_pid != 0;)
        info.si_pid = 0;
    return ORPHANS_LOOK_MS;
}

void reuse_prepare(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    kept.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    census_open();
}

/* After child_start, so that what that has set up is how it should be. */
static void remember(void) {
    kept.remembered = true;
    census_remember();
    for (int signal = 1; signal <= LAST_SIGNAL; signal++) sigaction(signal, NULL, &kept.actions[signal]);
    const char *locale = setlocale(LC_ALL, NULL);
    kept.locale = locale == NULL ? NULL : strdup(locale);
    kept.thread_locale = uselocale((locale_t)0);
}

/* The kernel counts whole seconds of the process; the host measures closer. Only the soft limit moves: a hard one could
 * not be raised again. */
static void limit_cpu(uint64_t cpu_ms) {
    struct rlimit now;
    struct rusage used;
    if (cpu_ms == 0 && !kept.is_limited) return;
    kept.is_limited = cpu_ms > 0;
    if (getrlimit(RLIMIT_CPU, &now) != 0 || getrusage(RUSAGE_SELF, &used) != 0) return;
    rlim_t soft = now.rlim_max;
    if (cpu_ms > 0) {
        uint64_t used_us = ((uint64_t)used.ru_utime.tv_sec + (uint64_t)used.ru_stime.tv_sec) * 1000000u +
            (uint64_t)used.ru_utime.tv_usec + (uint64_t)used.ru_stime.tv_usec;
        rlim_t wanted = (rlim_t)((used_us + cpu_ms * 1000u + 999999u) / 1000000u);
        if (wanted < soft) soft = wanted;
    }
    if (soft == now.rlim_cur) return;
    now.rlim_cur = soft;
    setrlimit(RLIMIT_CPU, &now);
}

static uint64_t cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* A task that outlives its run on a runtime's thread shows only in what it uses while nothing should run. */
static bool worked_meanwhile(void) {
    if (kept.idle_at_ns == 0) return false;
    uint64_t waited = monotonic_ns() - kept.idle_at_ns;
    /* Too short a time to use so much of, even on many processors: not worth the question. */
    if (waited < BUSY_MIN_NS / PROCESSORS_MAX) return false;
    uint64_t used = cpu_ns() - kept.idle_cpu_ns;
    /* A runtime's threads go to sleep within microseconds; on a busy machine the task does not get a whole processor. */
    return used > BUSY_MIN_NS && used > waited / 10;
}

bool reuse_begin(const char *directory, uint64_t cpu_ms) {
    static char present[PATH_MAX];
    struct stat status;
    if (!kept.remembered) remember();
    kept.is_busy = worked_meanwhile();
    limit_cpu(cpu_ms);
    if (kept.has_directory && strcmp(present, directory) == 0) return true;
    if (directory[0] != 0 && chdir(directory) != 0) return false;
    if (stat(".", &status) != 0) return false;
    keep_directory(&status);
    kept.has_directory = true;
    snprintf(present, sizeof present, "%s", directory);
    return true;
}

static uint64_t microseconds(const struct timeval *a, const struct timeval *b) {
    return (uint64_t)(a->tv_sec + b->tv_sec) * 1000000u + (uint64_t)(a->tv_usec + b->tv_usec);
}

static void fill_usage(pawl_f_idle *found) {
    struct rusage own, ended;
    if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &ended) != 0) return;
    found->user_us = microseconds(&own.ru_utime, &ended.ru_utime);
    found->system_us = microseconds(&own.ru_stime, &ended.ru_stime);
    found->max_rss_bytes = (uint64_t)(own.ru_maxrss > ended.ru_maxrss ? own.ru_maxrss : ended.ru_maxrss) * 1024u;
    found->minor_faults = (uint64_t)(own.ru_minflt + ended.ru_minflt);
    found->major_faults = (uint64_t)(own.ru_majflt + ended.ru_majflt);
    found->blocks_in = (uint64_t)(own.ru_inblock + ended.ru_inblock);
    found->blocks_out = (uint64_t)(own.ru_oublock + ended.ru_oublock);
    found->voluntary_switches = (uint64_t)(own.ru_nvcsw + ended.ru_nvcsw);
    found->involuntary_switches = (uint64_t)(own.ru_nivcsw + ended.ru_nivcsw);
    /* For the next run's question whether something went on: the clock would cost as much again. */
    kept.idle_cpu_ns = microseconds(&own.ru_utime, &own.ru_stime) * 1000u;
    uint64_t peak = (uint64_t)own.ru_maxrss * 1024u;
    found->rss_bytes = resident_bytes(peak);
    if (found->rss_bytes > 0 && peak > found->rss_bytes + PEAK_SLACK_BYTES) forget_peak();
}

static bool is_clean(const pawl_f_idle *found, const struct stat *directory) {
    return (found->flags & PAWL_IDLE_UNFIT) == 0 && found->reset_status == 0 && found->processes == 0
        && found->descriptors == 0 && found->threads == 0 && kept.has_directory && is_directory_empty(directory)
        && is_output_read();
}

void reuse_audit(pawl_f_idle *found) {
    struct stat directory;
    kept.has_directory = stat(".", &directory) == 0 && is_same_directory(&directory);
    if (!kept.has_directory) found->flags |= PAWL_IDLE_CWD; /* the next run begins with a chdir */
    if (umask(022) != 022) found->flags |= PAWL_IDLE_UMASK;
    if (!environment_is_unchanged()) found->flags |= PAWL_IDLE_ENVIRONMENT; /* the next run gets its own */
    if (restore_signals()) found->flags |= PAWL_IDLE_SIGNALS;
    if (restore_locale(&found->flags)) found->flags |= PAWL_IDLE_LOCALE;
    found->processes = living_descendants();
    found->threads = census_new_threads();
    found->descriptors = census_new_descriptors();
    if (kept.is_busy) found->threads++;
    fill_usage(found);
    if (agenda_has_board() && is_clean(found, &directory)) found->flags |= PAWL_IDLE_CLEAN;
    if (kept.has_directory) keep_directory(&directory);
    kept.idle_at_ns = monotonic_ns();
}
