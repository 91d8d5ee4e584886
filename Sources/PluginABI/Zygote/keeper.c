/* keeper.c - waitid with WNOWAIT, and signals to a group whose number is held. */
#include "keeper.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void keeper_announce(control *c, uint32_t slot, const forked *process, pid_t monitor, int monitor_pidfd) {
    pawl_c_spawned spawned = {
        .pid = (uint32_t)process->pid, .monitor_pid = (uint32_t)monitor, .monotonic_ns = monotonic_ns()};
    int fds[2] = {process->pidfd, monitor_pidfd};
    control_send(c, PAWL_C_SPAWNED, slot, &spawned, sizeof spawned, NULL, 0, fds, monitor_pidfd >= 0 ? 2 : 1);
}

static uint64_t microseconds(const struct timeval *t) { return (uint64_t)t->tv_sec * 1000000u + (uint64_t)t->tv_usec; }

bool keeper_notice(control *c, uint32_t slot, leader *l) {
    if (l->exited) return true;
    siginfo_t info;
    struct rusage used;
    memset(&info, 0, sizeof info);
    memset(&used, 0, sizeof used);
    /* The system call itself, because the C library's waitid has no place for the resource usage. */
    const int keep = WEXITED | WNOHANG | WNOWAIT | __WALL;
    if (syscall(SYS_waitid, P_PIDFD, l->process.pidfd, &info, keep, &used) != 0 || info.si_pid == 0) return false;
    pawl_c_exited exited = {
        .pid = (uint32_t)info.si_pid, .code = info.si_code, .status = info.si_status,
        .user_us = microseconds(&used.ru_utime), .system_us = microseconds(&used.ru_stime),
        .max_rss_bytes = (uint64_t)used.ru_maxrss * 1024, .minor_faults = (uint64_t)used.ru_minflt,
        .major_faults = (uint64_t)used.ru_majflt, .blocks_in = (uint64_t)used.ru_inblock,
        .blocks_out = (uint64_t)used.ru_oublock,
        .voluntary_switches = (uint64_t)used.ru_nvcsw, .involuntary_switches = (uint64_t)used.ru_nivcsw,
        .monotonic_ns = monotonic_ns()};
    l->exited = true;
    control_send(c, PAWL_C_EXITED, slot, &exited, sizeof exited, NULL, 0, NULL, 0);
    return true;
}

void keeper_signal(const leader *l, int signal) {
    if (l->reaped || signal <= 0 || signal >= NSIG) return;
    /* A child that has not come to setsid yet has no group of its own; its signals wait until it has set itself up. */
    if (kill(-l->process.pid, signal) != 0) kill(l->process.pid, signal);
    if (signal != SIGCONT && signal != SIGSTOP && kill(-l->process.pid, SIGCONT) != 0) kill(l->process.pid, SIGCONT);
}

void keeper_reap(leader *l) {
    siginfo_t info;
    if (l->reaped || !l->exited) return;
    waitid(P_PIDFD, (id_t)l->process.pidfd, &info, WEXITED | WNOHANG | __WALL);
    close(l->process.pidfd);
    l->process.pidfd = -1;
    l->reaped = true;
}
