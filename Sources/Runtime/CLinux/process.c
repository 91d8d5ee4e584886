#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int linux_pidfd_open(pid_t pid) {
    // Not glibc's pidfd_open: it came with 2.36 only.
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int linux_pidfd_send_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int linux_wait_pidfd(int pidfd, bool keep, linux_exit *out) {
    siginfo_t info;
    int result;
    do {
        memset(&info, 0, sizeof info);
        result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | (keep ? WNOWAIT : 0));
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        // libuv makes polled descriptors non-blocking; a non-blocking pidfd says EAGAIN where others say "nothing yet".
        return errno == EAGAIN ? 0 : -errno;
    }
    if (info.si_pid == 0) {
        return 0;
    }
    *out = (linux_exit){.pid = info.si_pid, .code = info.si_code, .status = info.si_status};
    return 1;
}

void linux_trim_heap(void) { malloc_trim(0); }

int linux_set_subreaper(bool on) {
    return prctl(PR_SET_CHILD_SUBREAPER, on ? 1UL : 0UL, 0UL, 0UL, 0UL) < 0 ? -errno : 0;
}

static int add_file_actions(posix_spawn_file_actions_t *actions, const linux_spawn_request *request) {
    for (size_t i = 0; i < request->fd_count; i++) {
        int error;
        if (request->parent_fds[i] < 0) {
            error = posix_spawn_file_actions_addclose(actions, (int)i);
        } else if ((size_t)request->parent_fds[i] < request->fd_count) {
            error = EINVAL;
        } else {
            error = posix_spawn_file_actions_adddup2(actions, request->parent_fds[i], (int)i);
        }
        if (error != 0) {
            return error;
        }
    }
    if (request->directory != NULL) {
        int error = posix_spawn_file_actions_addchdir_np(actions, request->directory);
        if (error != 0) {
            return error;
        }
    }
    return posix_spawn_file_actions_addclosefrom_np(actions, (int)request->fd_count);
}

static int set_attributes(posix_spawnattr_t *attributes, const linux_spawn_request *request) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setsigdefault(attributes, &all);
    if (error == 0) {
        error = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (error == 0) {
        int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
        if (request->flags & LINUX_SPAWN_SETSID) {
            flags |= POSIX_SPAWN_SETSID;
        }
        error = posix_spawnattr_setflags(attributes, (short)flags);
    }
    return error;
}

pid_t linux_spawn(const linux_spawn_request *request) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return -error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = add_file_actions(&actions, request);
        if (error == 0) {
            error = set_attributes(&attributes, request);
        }
        if (error == 0) {
            error = posix_spawn(&pid, request->path, &actions, &attributes, request->argv, request->envp);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? pid : -error;
}
