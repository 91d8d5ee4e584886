/*
 * pawl_sandbox.h - what a child is kept from: the request that SPAWN carries, and the system calls of the deny list.
 *
 * Private, as pawl_wire.h is. Both sides use the list: the child makes its filter from it, the host finds the name of the
 * call that a child died of.
 */
#ifndef PAWL_SANDBOX_H
#define PAWL_SANDBOX_H

#include <stdint.h>

/* The sandbox text of SPAWN: this, then `path_count` times a pawl_sandbox_path followed by its path, not terminated.
 * No text at all: profile basic. */
typedef struct pawl_sandbox {
    uint32_t profile;    /* PAWL_SANDBOX_STRICT; others are an error, never ignored */
    uint32_t flags;      /* PAWL_SANDBOX_* */
    uint32_t uid;        /* of the child, with groups of its own; PAWL_SANDBOX_SAME: the host's */
    uint32_t gid;
    uint32_t path_count;
    uint32_t reserved;   /* 0 */
} pawl_sandbox;

#define PAWL_SANDBOX_STRICT 1u
#define PAWL_SANDBOX_NETWORK 1u     /* flag: sockets of the Internet and local ones are allowed */
#define PAWL_SANDBOX_SAME 0xffffffffu
#define PAWL_SANDBOX_PATHS_MAX 160u

typedef struct pawl_sandbox_path {
    uint32_t access;     /* PAWL_SANDBOX_READ or _WRITE */
    uint32_t length;
} pawl_sandbox_path;

#define PAWL_SANDBOX_READ 1u        /* read and execute */
#define PAWL_SANDBOX_WRITE 2u       /* everything */

/* Exit code of a child whose sandbox could not be built; its stderr says why, in a line that begins so. */
#define PAWL_EXIT_SANDBOX 73
#define PAWL_SANDBOX_COMPLAINT "pawl: sandbox: "

/*
 * No program calls these by accident, and none of them works for a user without rights: SIGSYS, and with it the end, as
 * crash {sandbox}. X(name), for both machines.
 */
#define PAWL_CALLS_TRAPPED(X) \
    X(ptrace) X(process_vm_writev) X(kexec_load) X(kexec_file_load) X(mount) X(umount2) X(pivot_root) X(move_mount) \
    X(open_tree) X(fsopen) X(fsconfig) X(fsmount) X(fspick) X(mount_setattr) X(bpf) X(init_module) X(finit_module) \
    X(delete_module) X(reboot) X(swapon) X(swapoff) X(setns) X(open_by_handle_at) X(quotactl) X(quotactl_fd) X(acct) \
    X(settimeofday) X(clock_settime)
/* Of one machine. */
#if defined(__x86_64__)
#define PAWL_CALLS_TRAPPED_HERE(X) X(ioperm) X(iopl)
#else
#define PAWL_CALLS_TRAPPED_HERE(X)
#endif

/* Libraries try these and go on without: EPERM. */
#define PAWL_CALLS_REFUSED(X) \
    X(add_key) X(request_key) X(keyctl) X(userfaultfd) X(perf_event_open) X(adjtimex) X(clock_adjtime) X(chroot) \
    X(fanotify_init) X(pidfd_getfd) X(kcmp) X(process_madvise) X(syslog) X(vhangup) X(sethostname) X(setdomainname) \
    X(shmget) X(shmat) X(shmctl) X(semget) X(semop) X(semctl) X(semtimedop) X(msgget) X(msgsnd) X(msgrcv) X(msgctl) \
    X(mq_open) X(mq_unlink)

/* ENOSYS: their arguments lie where a filter cannot see them, and there are older calls for the same. */
#define PAWL_CALLS_MISSING(X) X(clone3) X(io_uring_setup) X(io_uring_enter) X(io_uring_register)

/* The name of a system call that is trapped, by this machine's number; NULL for any other. */
const char *pawl_trapped_call(uint64_t number);

#ifndef __cplusplus
_Static_assert(sizeof(pawl_sandbox) == 24 && sizeof(pawl_sandbox_path) == 8, "padding");
#endif

#endif /* PAWL_SANDBOX_H */
