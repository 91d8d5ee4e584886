/* control.c - whatever a host may send a zygote: datagrams with descriptors, HELLO first. The input is a sequence of pieces:
 * length (two bytes, little-endian), number of descriptors, bytes. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define spawn_fork no_fork
#include "../../Sources/PluginABI/Zygote/zygote.c"
#include "../../Sources/PluginABI/Zygote/zygote_spawn.c"
#undef spawn_fork

#define FDS_MAX 8
#define PIECES_MAX 32

/* Everything up to the fork, and then none. */
int no_fork(int cgroup, bool atfork, forked *child) {
    (void)cgroup, (void)atfork, (void)child;
    return -EAGAIN;
}

static int lowest_free(void) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static void send_piece(int to, const uint8_t *bytes, size_t length, size_t fd_count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct cmsghdr align;
    } space;
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    int fds[FDS_MAX];
    for (size_t i = 0; i < fd_count; i++) fds[i] = STDIN_FILENO;
    if (fd_count > 0) {
        memset(&space, 0, sizeof space);
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void drop_answers(int fd) {
    static char buffer[PAWL_CONTROL_MAX];
    while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    int ends[2], before = lowest_free();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return 0;
    volatile size_t pieces = 0, sent = 0;
    memset(&z, 0, sizeof z);
    control_init(&z.host, ends[1]);
    for (volatile size_t at = 0; length - at >= 3 && pieces < PIECES_MAX; pieces++) {
        size_t size = bytes[at] | (size_t)bytes[at + 1] << 8, fds = bytes[at + 2] % FDS_MAX;
        at += 3;
        if (size > length - at) size = length - at;
        if (size == 0 && fds == 0) continue; /* would be the end of the host: every tree is killed then */
        send_piece(ends[0], bytes + at, size, fds);
        at += size;
        sent = pieces + 1;
        if (setjmp(over) == 0) {
            if (pieces == 0) hear_hello();
            else hear_host();
        } else {
            break; /* the zygote would have ended */
        }
        drop_answers(ends[0]);
    }
    (void)sent;
    must(z.runs.count == 0, "a run without a process");
    while (z.host.first != NULL) { /* nobody has read them */
        control_pending *p = z.host.first;
        (void)p;
        drop_answers(ends[0]);
        size_t pending = z.host.pending;
        control_flush(&z.host);
        if (z.host.pending == pending) break;
    }
    free(z.path);
    free(z.config);
    free(z.runs.items);
    /* What the zygote has not taken still holds descriptors: of the socket, not of this process. */
    close(ends[0]);
    close(ends[1]);
    must(lowest_free() == before, "a descriptor is left");
    return 0;
}
