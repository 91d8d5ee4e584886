// Linux calls that Swift cannot reach: variadic or raw system calls, macros with arguments, and glibc's extensions.
//
// Conventions, unless a function says otherwise: any thread; no allocation; never sets errno for the caller to read,
// but returns a negated errno; every descriptor that is handed out is close-on-exec and belongs to the caller.
#ifndef PAWL_CLINUX_H
#define PAWL_CLINUX_H

#include "swift_hooks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Processes by descriptor

/// How a process ended, as waitid(2) tells it.
typedef struct {
    /// The process id that the exit belongs to. Informative only: once reaped, the number may belong to another
    /// process.
    pid_t pid;
    /// CLD_EXITED (1), CLD_KILLED (2) or CLD_DUMPED (3).
    int code;
    /// The exit code for CLD_EXITED, else the signal number.
    int status;
} linux_exit;

/// Opens a descriptor for process `pid`, readable once it has ended (all its threads). Returns the descriptor (caller
/// closes) or -ESRCH, -EMFILE, -ENFILE, -ENOMEM. Race free only while `pid` is an unreaped child of the caller.
int linux_pidfd_open(pid_t pid);

/// Sends `signal` to the process behind `pidfd`. Never hits another process that got the same number later.
/// Returns 0 or -ESRCH (already reaped), -EPERM, -EBADF, -EINVAL.
int linux_pidfd_send_signal(int pidfd, int signal);

/// Asks, without blocking, whether the child behind `pidfd` has ended, and reaps it unless `keep` is set (WNOWAIT: it
/// stays a zombie and can be asked again). Only its parent may ask. Returns 1 and fills `out` when it has ended, 0 when
/// it has not, or -ECHILD (not our child, or reaped), -EBADF.
int linux_wait_pidfd(int pidfd, bool keep, linux_exit *out);

/// Makes the calling process adopt orphaned descendants instead of init (PR_SET_CHILD_SUBREAPER). Returns 0 or -errno.
int linux_set_subreaper(bool on);

/// Gives memory that the allocator keeps for later back to the system (malloc_trim): a few milliseconds of a large heap.
void linux_trim_heap(void);

// MARK: Spawning

/// Starts a new session (and with it a new process group) in the child.
#define LINUX_SPAWN_SETSID 0x1u

/// What linux_spawn starts. All pointers are borrowed for the call.
typedef struct {
    /// Path of the program; no search along PATH.
    const char *path;
    /// NULL-terminated, argv[0] included.
    char *const *argv;
    /// NULL-terminated "NAME=value"; the child sees nothing else.
    char *const *envp;
    /// Working directory, or NULL for the caller's.
    const char *directory;
    /// The child's descriptor i is parent_fds[i], for i < fd_count; -1 leaves i closed. Each must be >= fd_count, so
    /// that no entry overwrites the source of a later one (dup them upward with F_DUPFD_CLOEXEC first). Everything else
    /// is closed in the child, close-on-exec or not.
    const int *parent_fds;
    /// Number of entries in parent_fds.
    size_t fd_count;
    /// LINUX_SPAWN_* bits.
    uint32_t flags;
} linux_spawn_request;

/// posix_spawn(3) with all signals at their default action (but glibc's own, 32 and 33: ignored) and none blocked.
/// Returns Returns the pid (the caller must wait for it) or a negated errno of the spawn or of the exec (-ENOENT,
/// -EACCES, ...).
pid_t linux_spawn(const linux_spawn_request *request);

// MARK: Descriptors

/// O_PATH and O_TMPFILE of open(2), which need _GNU_SOURCE before the first system header. The kernel's values; O_TMPFILE
/// has to be combined with O_DIRECTORY, whose number depends on the machine.
#define LINUX_O_PATH 010000000
#define LINUX_O_TMPFILE_BIT 020000000

/// memfd_create(2): an anonymous file in memory; `name` shows in /proc only. Returns the descriptor or -errno.
int linux_memfd(const char *name);

/// Closes every descriptor from `first` to `last`, both included. Returns 0 or -errno.
int linux_close_range(unsigned int first, unsigned int last);

/// pipe2(2), both ends close-on-exec; `nonblocking_read_end` sets O_NONBLOCK on fds[0] only. Returns 0 or -errno.
int linux_pipe(int fds[2], bool nonblocking_read_end);

/// A connected pair of Unix sockets of type SOCK_SEQPACKET, close-on-exec and blocking. Returns 0 or -errno.
int linux_seqpacket_pair(int fds[2]);

/// The largest number of descriptors that one message carries here.
#define LINUX_MAX_PASSED_FDS 8

/// Shared memory of so many bytes, filled with zeros, whose size nobody can change. Returns a descriptor for whoever shares it, or
/// -errno; the memory is the caller's until `linux_board_remove`.
int linux_board(size_t bytes, void **memory);
void linux_board_remove(void *memory, size_t bytes);
/// One of its words of 32 bits.
void linux_board_set(void *memory, size_t word, uint32_t value);
/// False, and nothing is changed, if it is not `from`.
bool linux_board_change(void *memory, size_t word, uint32_t from, uint32_t to);

/// Sends one message of `length` bytes with `fd_count` descriptors attached (at most LINUX_MAX_PASSED_FDS; borrowed,
/// the receiver gets copies) without blocking and without SIGPIPE. A message with descriptors needs at least one byte.
/// Returns the bytes sent or -EAGAIN, -EPIPE, -ECONNRESET, -EMSGSIZE, -EINVAL (too many descriptors), ...
ssize_t linux_send_fds(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);

/// Receives one message without blocking. `fds` has room for LINUX_MAX_PASSED_FDS; `*fd_count` says how many came, all
/// close-on-exec, owned by the caller. `*truncated` is set when the message was longer than `capacity` or carried more
/// than LINUX_MAX_PASSED_FDS descriptors: such a message must be treated as a protocol error, and the descriptors that did
/// come still have to be closed. A process that has no descriptors left gets the message whole and fewer of them.
/// Returns the bytes received, 0 for end of file, or -EAGAIN, -ECONNRESET, ...
ssize_t linux_receive_fds(
    int socket, void *bytes, size_t capacity, int fds[LINUX_MAX_PASSED_FDS], size_t *fd_count, bool *truncated);

// MARK: Threads

/// The kernel's id of the calling thread.
pid_t linux_gettid(void);

/// Names the calling thread; only the first 15 bytes are kept.
void linux_set_thread_name(const char *name);

/// How many threads this process has (Threads: in /proc/self/status), or -errno when /proc cannot be read.
int linux_thread_count(void);

#ifdef __cplusplus
}
#endif

#endif
