/* control.h - a control socket: datagrams with descriptors in both directions, never blocking. */
#ifndef PAWL_CONTROL_H
#define PAWL_CONTROL_H

#include "zygote.h"

#define CONTROL_MAX_FDS 8

typedef struct control_pending control_pending;

typedef struct control {
    int fd;
    control_pending *first; /* frames that the socket would not take yet */
    control_pending **last;
    size_t pending;
} control;

typedef struct control_message {
    pawl_control head;
    const char *body;
    size_t length;
    int fds[CONTROL_MAX_FDS]; /* owned by the receiver */
    size_t fd_count;
} control_message;

void control_init(control *c, int fd);

/* Sends a frame of up to two parts, or keeps it (with duplicates of its descriptors) until the socket takes it. A peer
 * that is gone is noticed by control_receive, not here. Too much for a datagram is cut off the second part. */
void control_send(control *c, uint16_t kind, uint32_t slot, const void *body, size_t length, const void *more,
                  size_t more_length, const int *fds, size_t fd_count);

/* Sends what was kept, as far as the socket takes it. */
void control_flush(control *c);

/* Takes the next frame. 1: *m is filled, its body valid until the next call and followed by a zero byte. 0: nothing
 * there. -1: the peer is gone. -2: a frame that is none; its descriptors are closed. -3: as 1, but there was no room for
 * its descriptors: they are closed. */
int control_receive(control *c, control_message *m);

/* Closes the descriptors of a message from index `from` on. */
void control_close_fds(control_message *m, size_t from);

#endif
