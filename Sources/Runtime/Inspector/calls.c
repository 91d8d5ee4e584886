/* calls.c - the calls that wait, and those that a busy process is caught in: numbers differ between machines, names do not. */
#include "calls.h"

#include <stddef.h>
#include <sys/syscall.h>

#define CALL(name) {SYS_##name, #name}

static const struct {
    int number;
    const char *name;
} calls[] = {
    CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev),
    CALL(futex), CALL(ppoll), CALL(pselect6), CALL(epoll_pwait), CALL(nanosleep), CALL(clock_nanosleep), CALL(wait4),
    CALL(waitid), CALL(accept), CALL(accept4), CALL(connect), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg), CALL(sendto),
    CALL(sendmsg), CALL(sendmmsg), CALL(openat), CALL(close), CALL(fsync), CALL(fdatasync), CALL(flock), CALL(fcntl),
    CALL(ioctl), CALL(mmap), CALL(munmap), CALL(mprotect), CALL(madvise), CALL(brk), CALL(msync), CALL(rt_sigsuspend),
    CALL(rt_sigtimedwait), CALL(rt_sigreturn), CALL(restart_syscall), CALL(getrandom), CALL(splice), CALL(sendfile),
    CALL(copy_file_range), CALL(clone), CALL(clone3), CALL(execve), CALL(exit_group), CALL(sched_yield), CALL(semtimedop),
    CALL(msgrcv), CALL(msgsnd), CALL(io_getevents), CALL(io_uring_enter), CALL(getdents64), CALL(unlinkat), CALL(renameat2),
#ifdef SYS_poll /* machines with a long history */
    CALL(poll), CALL(select), CALL(epoll_wait), CALL(pause), CALL(open), CALL(fork), CALL(vfork),
#endif
};

const char *call_name(int number) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number) return calls[i].name;
    return NULL;
}
