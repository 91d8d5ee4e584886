/* spawn.c - clone3 as glibc's fork would do it.
 *
 * A raw clone3 leaves glibc's cached thread id stale in the child: mutexes would name a wrong owner. CHILD_SETTID and
 * CHILD_CLEARTID at the address that PR_GET_TID_ADDRESS tells do what glibc's own fork does. What is skipped are the
 * pthread_atfork handlers; plugins that need those say PAWL_PF_NEEDS_ATFORK. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "fault.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* linux/sched.h of older systems ends before `cgroup`. */
struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
} __attribute__((aligned(8)));

static uint64_t tid_address(void) {
    static uint64_t address; /* of the main thread; the same in all forks */
    if (address == 0 && prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) != 0) address = 0;
    return address;
}

uint32_t spawn_mode(bool atfork) { return atfork || tid_address() == 0 ? PAWL_FORK_GLIBC : PAWL_FORK_CLONE3; }

/* The pid, 0 in the child, or -1 with errno. */
static pid_t fork_by_clone3(int cgroup, int *pidfd) {
    struct clone_request request = {
        .flags = CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd, .child_tid = tid_address(), .exit_signal = 0,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0};
    /* Without a cgroup the structure ends before it: kernels older than 5.7 know it so. */
    return (pid_t)syscall(SYS_clone3, &request, cgroup >= 0 ? sizeof request : offsetof(struct clone_request, cgroup));
}

static pid_t fork_by_libc(int cgroup, int *pidfd) {
    pid_t pid = fork();
    if (pid == 0) {
        if (cgroup >= 0 && cgroup_join(cgroup) != 0) {
            complain("pawl: cannot enter the attempt's cgroup");
            _exit(EXIT_SETUP);
        }
        return 0;
    }
    if (pid > 0) {
        *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (*pidfd < 0) { /* without it nobody would hear of its end */
            int error = errno;
            kill(pid, SIGKILL);
            siginfo_t info;
            waitid(P_PID, (id_t)pid, &info, WEXITED | __WALL);
            errno = error;
            return -1;
        }
        fcntl(*pidfd, F_SETFD, FD_CLOEXEC);
    }
    return pid;
}

int spawn_fork(int cgroup, bool atfork, forked *child) {
    sigset_t all, before;
    sigfillset(&all);
    /* A handler that runs in the child before its set-up, or in the parent between fork and bookkeeping, sees lies. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    child->pidfd = -1;
    pid_t pid = -1;
    bool by_libc = spawn_mode(atfork) == PAWL_FORK_GLIBC;
    if (fault_error("zygote.fork") != 0) {
        int injected = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -injected;
    }
    if (!by_libc) {
        pid = fork_by_clone3(cgroup, &child->pidfd);
        /* ENOSYS, EPERM: old kernel or a sandbox's filter. EOPNOTSUPP, E2BIG, EINVAL: no CLONE_INTO_CGROUP. */
        if (pid < 0 && (errno == ENOSYS || errno == EPERM || errno == EOPNOTSUPP || errno == E2BIG || errno == EINVAL))
            by_libc = true;
    }
    if (by_libc) pid = fork_by_libc(cgroup, &child->pidfd);
    if (pid == 0) return 1;
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    child->pid = pid;
    return pid < 0 ? -error : 0;
}
