/* frames.h - the child's side of the data socket: whole frames out, from any thread, and a reader for what comes in. */
#ifndef PAWL_FRAMES_H
#define PAWL_FRAMES_H

#include <sys/uio.h>

#include "zygote.h"

#define FRAMES_MAX_PARTS 8

/* Once per child, before any other call. */
void frames_init(uint64_t run_id);
/* From here on frames are of this run; their count goes on. */
void frames_set_run(uint64_t run_id);

/* Where there is no host: every frame goes to `to`, whole, one at a time, on the thread that sends it. Before any thread. */
typedef void frames_reader(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count);
void frames_divert(frames_reader *to);

/* Whether this is the process that speaks for the run, and not one that the handler forked. */
bool frames_are_mine(void);

/* Sends one frame made of up to FRAMES_MAX_PARTS parts (together at most PAWL_FRAME_MAX bytes); waits while the
 * socket is full. Ends the process where the host is gone. Any thread but the supervising one; ignored in processes
 * that the handler forked. */
void frames_send(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count);

/* As frames_send, but nothing is sent, and false returned, where the run of this handle is over: a call that was under way
 * when the handler returned must not speak into the next run. */
bool frames_send_for(const pawl_attempt *handle, uint16_t kind, const struct iovec *parts, size_t count);

/* As frames_send, but the frame may wait for the next one and go out with it; for a small frame that is followed soon. */
void frames_send_soon(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count);

/* Sends what frames_send_soon has kept. As frames_send. */
void frames_send_kept(void);

/* As frames_send without ever waiting, for the supervising thread: false where it would have had to, and nothing was sent.
 * Where the run is over nothing is sent, and nothing is left to do. */
bool frames_try_send(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count);

/* Whether a frame of frames_try_send is still partly unsent; then call frames_flush when the socket takes more. */
bool frames_unsent(void);
void frames_flush(void);

/* Reads what is there, without waiting if `wait` is false. False: the host is gone. */
bool frames_fill(bool wait);
/* The descriptor that came with what was read, now the caller's; -1: none. */
int frames_take_descriptor(void);
/* The next whole frame; its payload is valid until the next call of frames_fill. False: more must be read first. */
bool frames_next(pawl_frame *head, const char **payload);

#endif
