#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int linux_memfd(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int linux_close_range(unsigned int first, unsigned int last) {
    return close_range(first, last, 0) < 0 ? -errno : 0;
}

int linux_pipe(int fds[2], bool nonblocking_read_end) {
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -errno;
    }
    if (nonblocking_read_end && fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        int error = errno;
        close(fds[0]);
        close(fds[1]);
        return -error;
    }
    return 0;
}

int linux_seqpacket_pair(int fds[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

ssize_t linux_send_fds(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count) {
    if (fd_count > LINUX_MAX_PASSED_FDS) {
        return -EINVAL;
    }
    union {
        struct cmsghdr header;  // Aligns the buffer.
        char bytes[CMSG_SPACE(LINUX_MAX_PASSED_FDS * sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t linux_receive_fds(
    int socket, void *bytes, size_t capacity, int fds[LINUX_MAX_PASSED_FDS], size_t *fd_count, bool *truncated) {
    union {
        struct cmsghdr header;  // Aligns the buffer.
        char bytes[CMSG_SPACE(LINUX_MAX_PASSED_FDS * sizeof(int))];
    } control;
    struct iovec vector = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t received;
    *fd_count = 0;
    *truncated = false;
    do {
        received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return -errno;
    }
    /* Not for MSG_CTRUNC: descriptors that we have no room for are missing, and the bytes are whole. */
    *truncated = (message.msg_flags & MSG_TRUNC) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (*fd_count < LINUX_MAX_PASSED_FDS) {
                fds[(*fd_count)++] = fd;
            } else {
                close(fd);
                *truncated = true;
            }
        }
    }
    return received;
}
