/* call_filter.c - a program for the kernel's filter machine, put together by hand.
 *
 * One comparison after the other; the kernel remembers for each call whose arguments are not looked at that it is allowed,
 * so ordinary calls do not even come here. Answers: SIGSYS (crash.c makes a record with the call's number), EPERM, ENOSYS.
 * Calls of another machine's convention (32 bit, x32) end the process: their numbers mean something else. */
#include "call_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "pawl_sandbox.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#define FIRST_X32 0x40000000u
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#else
#error "no system call filter for this machine"
#endif

#define TRAP SECCOMP_RET_TRAP
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define MISSING (SECCOMP_RET_ERRNO | ENOSYS)

#define NAMESPACES (0x00020000u | 0x02000000u | 0x04000000u | 0x08000000u | 0x10000000u | 0x20000000u | 0x40000000u)
#define NEW_TIME 0x80u     /* a namespace too; unshare only: in clone its bit is of the signal's number */
#define AS_SIBLING 0x8000u /* CLONE_PARENT: the child would be the keeper's, past the audit of who started it */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define PRCTL_SET_PTRACER 0x59616d61u
#define TTY_PUSH_INPUT 0x5412u /* TIOCSTI */
#define TTY_LINUX 0x541cu      /* TIOCLINUX */

static struct sock_filter program[512];
static unsigned short length;

static void add(uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false) {
    if (length < sizeof program / sizeof program[0])
        program[length++] = (struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = k};
}

static void answer(uint32_t what) { add(BPF_RET | BPF_K, what, 0, 0); }
static void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }
/* The lower half of an argument, as the kernel sees an int. */
static void load_argument(unsigned n) { load(offsetof(struct seccomp_data, args) + 8 * n); }
static void load_argument_high(unsigned n) { load(offsetof(struct seccomp_data, args) + 8 * n + 4); }
static void answer_if_equal(uint32_t value, uint32_t what) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(what);
}
static void answer_if_any(uint32_t bits, uint32_t what) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    answer(what);
}

/* A call whose arguments matter: what is added until end() is for it only, and ends with an answer. */
static unsigned short begin(long number) {
    add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
    return (unsigned short)(length - 1);
}
static void end(unsigned short at, uint32_t otherwise) {
    answer(otherwise);
    program[at].jf = (uint8_t)(length - at - 1);
}

static void add_lists(void) {
#define TRAPPED(name) answer_if_equal((uint32_t)SYS_##name, TRAP);
#define REFUSED(name) answer_if_equal((uint32_t)SYS_##name, REFUSE);
#define ABSENT(name) answer_if_equal((uint32_t)SYS_##name, MISSING);
    PAWL_CALLS_TRAPPED(TRAPPED)
    PAWL_CALLS_TRAPPED_HERE(TRAPPED)
    PAWL_CALLS_REFUSED(REFUSED)
    PAWL_CALLS_MISSING(ABSENT)
}

static void add_processes(pid_t self) {
    unsigned short at = begin(SYS_clone);
    load_argument(0);
    answer_if_any(NAMESPACES | AS_SIBLING, REFUSE);
    end(at, SECCOMP_RET_ALLOW);
    at = begin(SYS_unshare);
    load_argument(0);
    answer_if_any(NAMESPACES | NEW_TIME, REFUSE);
    end(at, SECCOMP_RET_ALLOW);
    at = begin(SYS_prctl); /* the keeper's death stays its own, and the host may go on looking at it */
    load_argument(0);
    answer_if_equal(PR_SET_PDEATHSIG, REFUSE);
    answer_if_equal(PR_SET_DUMPABLE, REFUSE);
    answer_if_equal(PRCTL_SET_PTRACER, REFUSE);
    end(at, SECCOMP_RET_ALLOW);
    at = begin(SYS_personality);
    load_argument(0);
    answer_if_equal(0xffffffffu, SECCOMP_RET_ALLOW); /* the question */
    end(at, REFUSE);
    at = begin(SYS_process_vm_readv); /* the crash handler's way to look at memory that may not be there */
    load_argument(0);
    answer_if_equal((uint32_t)self, SECCOMP_RET_ALLOW);
    end(at, REFUSE);
    at = begin(SYS_ioctl);
    load_argument(1);
    answer_if_equal(TTY_PUSH_INPUT, REFUSE);
    answer_if_equal(TTY_LINUX, REFUSE);
    end(at, SECCOMP_RET_ALLOW);
}

/* socketpair() is left: nobody else is at its other end. */
static void add_sockets(bool network, bool loopback) {
    if (!network && !loopback) {
        answer_if_equal((uint32_t)SYS_socket, REFUSE);
        return;
    }
    unsigned short at = begin(SYS_socket);
    load_argument(0);
    answer_if_equal(AF_INET, SECCOMP_RET_ALLOW);
    answer_if_equal(AF_INET6, SECCOMP_RET_ALLOW);
    if (!network) {
        end(at, REFUSE);
        return;
    }
    answer_if_equal(AF_UNIX, SECCOMP_RET_ALLOW);
    add(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 1, 0);
    answer(REFUSE);
    load_argument(2); /* NETLINK_ROUTE: getaddrinfo asks it for the machine's addresses */
    answer_if_equal(0, SECCOMP_RET_ALLOW);
    end(at, REFUSE);
}

static void add_own_or_refuse(long number, unsigned argument, pid_t self) {
    unsigned short at = begin(number);
    load_argument(argument);
    answer_if_equal(0, SECCOMP_RET_ALLOW);
    answer_if_equal((uint32_t)self, SECCOMP_RET_ALLOW);
    end(at, REFUSE);
}

/* With the host's own user: Landlock knows nothing of modes, owners, times and attributes of files, nor of the limits and
 * priorities of other processes, and a user may change those of all that is its own. */
static void add_same_user(pid_t self) {
#define REFUSE_CALL(name) answer_if_equal((uint32_t)SYS_##name, REFUSE)
#ifdef SYS_chmod
    REFUSE_CALL(chmod);
    REFUSE_CALL(chown);
    REFUSE_CALL(lchown);
    REFUSE_CALL(utime);
    REFUSE_CALL(utimes);
    REFUSE_CALL(futimesat);
#endif
    REFUSE_CALL(fchmodat);
    REFUSE_CALL(fchownat);
    REFUSE_CALL(setxattr);
    REFUSE_CALL(lsetxattr);
    REFUSE_CALL(removexattr);
    REFUSE_CALL(lremovexattr);
    answer_if_equal(452, REFUSE); /* fchmodat2 */
    answer_if_equal(463, REFUSE); /* setxattrat */
    answer_if_equal(466, REFUSE); /* removexattrat */
    unsigned short at = begin(SYS_utimensat); /* without a path it is about an open file */
    load_argument(1);
    add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    answer(REFUSE);
    load_argument_high(1);
    answer_if_equal(0, SECCOMP_RET_ALLOW);
    end(at, REFUSE);
    add_own_or_refuse(SYS_prlimit64, 0, self);
    add_own_or_refuse(SYS_sched_setaffinity, 0, self);
    add_own_or_refuse(SYS_sched_setscheduler, 0, self);
    add_own_or_refuse(SYS_sched_setparam, 0, self);
    add_own_or_refuse(SYS_sched_setattr, 0, self);
    add_own_or_refuse(SYS_setpriority, 1, self);
    add_own_or_refuse(SYS_ioprio_set, 1, self);
}

static void add_cutting(void) {
    answer_if_equal((uint32_t)SYS_truncate, REFUSE);
    answer_if_equal(SYS_openat2, MISSING); /* its flags lie in memory */
    /* Opened for reading and cut off all the same. */
    static const struct {
        long number;
        unsigned flags;
    } opens[] = {
        {SYS_openat, 2},
#ifdef SYS_open
        {SYS_open, 1},
#endif
    };
    for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
        unsigned short at = begin(opens[i].number);
        load_argument(opens[i].flags);
        add(BPF_ALU | BPF_AND | BPF_K, O_TRUNC | O_ACCMODE, 0, 0);
        answer_if_equal(O_TRUNC | O_RDONLY, REFUSE);
        end(at, SECCOMP_RET_ALLOW);
    }
}

bool call_filter_enter(const call_filter *filter) {
    length = 0;
    load(offsetof(struct seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    answer(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(struct seccomp_data, nr));
#ifdef FIRST_X32
    add(BPF_JMP | BPF_JGE | BPF_K, FIRST_X32, 0, 1);
    answer(SECCOMP_RET_KILL_PROCESS);
#endif
    add_lists();
    add_processes(filter->self);
    add_sockets(filter->network, filter->loopback);
    if (!filter->own_user) add_same_user(filter->self);
    if (filter->cuts_files) add_cutting();
    answer(SECCOMP_RET_ALLOW);
    if (length >= sizeof program / sizeof program[0]) {
        errno = E2BIG;
        return false;
    }
    if (fault_error("child.seccomp") != 0) return false;
    struct sock_fprog whole = {.len = length, .filter = program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0u, &whole) == 0;
}

bool call_filter_is_there(void) {
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0u, &action) == 0;
}
