/* control.c - SEQPACKET frames with SCM_RIGHTS. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

struct control_pending {
    control_pending *next;
    size_t length;
    size_t fd_count;
    int fds[CONTROL_MAX_FDS];
    char bytes[];
};

/* One control socket is read at a time in a process, so one buffer serves all. */
static char buffer[PAWL_CONTROL_MAX + 1];

void control_init(control *c, int fd) {
    *c = (control){.fd = fd};
    c->last = &c->first;
}

/* 1 sent or peer gone, 0 the socket is full. */
static int send_now(int fd, struct iovec *parts, size_t part_count, const int *fds, size_t fd_count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_MAX_FDS)];
        struct cmsghdr align;
    } space;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = part_count};
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
    ssize_t sent;
    do sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS) ? 1 : 0;
}

void control_flush(control *c) {
    while (c->first != NULL) {
        control_pending *p = c->first;
        struct iovec part = {p->bytes, p->length};
        if (!send_now(c->fd, &part, 1, p->fds, p->fd_count)) return;
        for (size_t i = 0; i < p->fd_count; i++) close(p->fds[i]);
        c->first = p->next;
        if (c->first == NULL) c->last = &c->first;
        c->pending--;
        free(p);
    }
}

void control_send(control *c, uint16_t kind, uint32_t slot, const void *body, size_t length, const void *more,
                  size_t more_length, const int *fds, size_t fd_count) {
    pawl_control head = {.kind = kind, .slot = slot};
    if (more_length > PAWL_CONTROL_MAX - sizeof head - length) more_length = PAWL_CONTROL_MAX - sizeof head - length;
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)(uintptr_t)body, length},
                             {(void *)(uintptr_t)more, more_length}};
    control_flush(c); /* order */
    if (c->first == NULL && send_now(c->fd, parts, 3, fds, fd_count)) return;
    control_pending *p = malloc(sizeof *p + sizeof head + length + more_length);
    if (p == NULL) {
        complain("pawl-zygote: out of memory; a frame to the host is lost");
        _exit(EXIT_SETUP); /* a lost EXITED would leave the host waiting for ever; a dead keeper it notices */
    }
    p->next = NULL;
    p->length = 0;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].iov_len > 0) memcpy(p->bytes + p->length, parts[i].iov_base, parts[i].iov_len);
        p->length += parts[i].iov_len;
    }
    p->fd_count = 0;
    for (size_t i = 0; i < fd_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (copy >= 0) p->fds[p->fd_count++] = copy;
    }
    *c->last = p;
    c->last = &p->next;
    c->pending++;
}

int control_receive(control *c, control_message *m) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CONTROL_MAX_FDS)];
        struct cmsghdr align;
    } space;
    struct iovec part = {buffer, PAWL_CONTROL_MAX};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t length;
    do length = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0) return errno == EAGAIN ? 0 : -1;
    m->fd_count = 0;
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of != NULL; part_of = CMSG_NXTHDR(&message, part_of)) {
        if (part_of->cmsg_level != SOL_SOCKET || part_of->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (part_of->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(m->fds, CMSG_DATA(part_of), count * sizeof(int));
        m->fd_count = count;
    }
    if (length == 0 && m->fd_count == 0) return -1;
    if (fault_error("zygote.receive") != 0) message.msg_flags |= MSG_CTRUNC; /* as without descriptors to spare */
    bool whole = (message.msg_flags & MSG_CTRUNC) == 0;
    if ((size_t)length < sizeof m->head || (message.msg_flags & MSG_TRUNC) != 0 || !whole) control_close_fds(m, 0);
    if ((size_t)length < sizeof m->head || (message.msg_flags & MSG_TRUNC) != 0) return -2;
    memcpy(&m->head, buffer, sizeof m->head);
    buffer[length] = 0;
    m->body = buffer + sizeof m->head;
    m->length = (size_t)length - sizeof m->head;
    return whole ? 1 : -3;
}

void control_close_fds(control_message *m, size_t from) {
    for (size_t i = from; i < m->fd_count; i++) close(m->fds[i]);
    if (m->fd_count > from) m->fd_count = from;
}
