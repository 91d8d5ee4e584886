/* frames.c - framing over the stream socket.
 *
 * Frames of different threads must not mix, so a mutex is held while one is written. The supervising thread must never
 * wait for it (it has CANCEL to hear): it tries, and what the socket did not take of its frame stays in `tail`, which
 * whoever writes next sends first. */
#include "frames.h"

#include "attempt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t run_id;   /* under lock */
static uint32_t sequence; /* under lock */
static pid_t owner;
static char *tail; /* under lock */
static size_t tail_at, tail_length;

#define SOON_MAX 4096u

static char *incoming;
static size_t incoming_at, incoming_length, incoming_capacity;
static int incoming_descriptor = -1;

void frames_init(uint64_t run) {
    run_id = run;
    owner = getpid();
}

bool frames_are_mine(void) { return getpid() == owner; }

void frames_set_run(uint64_t run) {
    pthread_mutex_lock(&lock);
    run_id = run;
    pthread_mutex_unlock(&lock);
}

static frames_reader *reader; /* set before any thread */

void frames_divert(frames_reader *to) { reader = to; }

/* True where there is no host, and the frame has been taken otherwise. */
static bool diverted(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    if (reader == NULL) return false;
    pthread_mutex_lock(&lock);
    reader(kind, flags, parts, count);
    pthread_mutex_unlock(&lock);
    return true;
}

static _Noreturn void host_gone(void) { _exit(EXIT_HOST_GONE); }

/* Sends what it can; advances the parts. False: the socket is full (only without waiting). */
static bool push(struct iovec *parts, size_t count, bool wait) {
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++;
            count--;
            continue;
        }
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        ssize_t sent = sendmsg(PAWL_CHILD_FD_DATA, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) host_gone();
            if (!wait) return false;
            struct pollfd writable = {.fd = PAWL_CHILD_FD_DATA, .events = POLLOUT};
            poll(&writable, 1, -1);
            continue;
        }
        for (size_t left = (size_t)sent; left > 0;) {
            size_t part = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = (char *)parts->iov_base + part;
            parts->iov_len -= part;
            left -= part;
            if (parts->iov_len == 0 && count > 1) {
                parts++;
                count--;
            }
        }
    }
    return true;
}

static bool push_tail(bool wait) {
    if (tail_length == tail_at) return true;
    struct iovec rest = {tail + tail_at, tail_length - tail_at};
    bool done = push(&rest, 1, wait);
    tail_at = tail_length - rest.iov_len;
    return done;
}

static size_t compose(struct iovec *all, pawl_frame *head, uint16_t kind, uint16_t flags, const struct iovec *parts,
                      size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        all[i + 1] = parts[i];
        length += parts[i].iov_len;
    }
    *head = (pawl_frame){
        .length = (uint32_t)length, .kind = kind, .flags = flags, .run_id = run_id, .sequence = sequence};
    all[0] = (struct iovec){head, sizeof *head};
    return length + sizeof *head;
}

static void send_frame(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    struct iovec all[FRAMES_MAX_PARTS + 2];
    pawl_frame head;
    /* What is kept goes first, in the same call. */
    all[0] = (struct iovec){tail == NULL ? NULL : tail + tail_at, tail_length - tail_at};
    compose(all + 1, &head, kind, flags, parts, count);
    sequence++;
    push(all, count + 2, true);
    tail_at = tail_length;
}

void frames_send(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    if (getpid() != owner || diverted(kind, flags, parts, count)) return;
    pthread_mutex_lock(&lock);
    send_frame(kind, flags, parts, count);
    pthread_mutex_unlock(&lock);
}

static bool is_over(const pawl_attempt *handle) {
    const attempt *a = &the_attempt;
    return atomic_load(&a->phase) >= ATTEMPT_OVER || (handle != NULL && handle != atomic_load(&a->handle));
}

bool frames_send_for(const pawl_attempt *handle, uint16_t kind, const struct iovec *parts, size_t count) {
    if (getpid() != owner) return false;
    if (diverted(kind, 0, parts, count)) return true;
    pthread_mutex_lock(&lock);
    bool over = is_over(handle); /* here, because the worker sends the end under this lock after the phase has changed */
    if (!over) send_frame(kind, 0, parts, count);
    pthread_mutex_unlock(&lock);
    return !over;
}

void frames_send_soon(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    struct iovec all[FRAMES_MAX_PARTS + 1];
    pawl_frame head;
    if (getpid() != owner || diverted(kind, flags, parts, count)) return;
    pthread_mutex_lock(&lock);
    size_t length = compose(all, &head, kind, flags, parts, count), left = tail_length - tail_at;
    char *kept = left + length > SOON_MAX ? NULL : malloc(left + length);
    if (kept == NULL) {
        send_frame(kind, flags, parts, count);
    } else {
        sequence++;
        if (left > 0) memcpy(kept, tail + tail_at, left);
        tail_length = left;
        for (size_t i = 0; i <= count; i++) {
            if (all[i].iov_len > 0) memcpy(kept + tail_length, all[i].iov_base, all[i].iov_len);
            tail_length += all[i].iov_len;
        }
        free(tail);
        tail = kept;
        tail_at = 0;
    }
    pthread_mutex_unlock(&lock);
}

bool frames_try_send(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    struct iovec all[FRAMES_MAX_PARTS + 1];
    pawl_frame head;
    if (getpid() != owner) return false;
    if (diverted(kind, flags, parts, count)) return true;
    if (pthread_mutex_trylock(&lock) != 0) return false;
    bool over = is_over(NULL), sent = over;
    /* The last picture of a run is the worker's to send, with the end: it is not taken from it here. */
    if (over && kind == PAWL_F_PROGRESS) sent = false;
    if (!over && push_tail(false)) {
        size_t length = compose(all, &head, kind, flags, parts, count);
        char *rest = malloc(length); /* beforehand: half a frame that cannot be kept could not be taken back */
        if (rest != NULL) {
            if (!push(all, count + 1, false)) {
                size_t left = 0;
                for (size_t i = 0; i <= count; i++) {
                    if (all[i].iov_len > 0) memcpy(rest + left, all[i].iov_base, all[i].iov_len);
                    left += all[i].iov_len;
                }
                if (left < length) {
                    free(tail);
                    tail = rest;
                    tail_at = 0;
                    tail_length = left;
                    rest = NULL;
                    sent = true;
                }
            } else {
                sent = true;
            }
            if (sent) sequence++;
            free(rest);
        }
    }
    pthread_mutex_unlock(&lock);
    return sent;
}

bool frames_unsent(void) {
    if (pthread_mutex_trylock(&lock) != 0) return false; /* its holder sends the tail */
    bool unsent = tail_length > tail_at;
    pthread_mutex_unlock(&lock);
    return unsent;
}

void frames_flush(void) {
    if (pthread_mutex_trylock(&lock) != 0) return;
    push_tail(false);
    pthread_mutex_unlock(&lock);
}

void frames_send_kept(void) {
    if (getpid() != owner) return;
    pthread_mutex_lock(&lock);
    push_tail(true);
    pthread_mutex_unlock(&lock);
}

/* Reads bytes, and keeps the descriptor that may come with them. */
static ssize_t receive(char *into, size_t room, int flags) {
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {into, room};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do got = recvmsg(PAWL_CHILD_FD_DATA, &message, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    const struct cmsghdr *head = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
        if (incoming_descriptor >= 0) give_up("pawl: the host sent two descriptors");
        memcpy(&incoming_descriptor, CMSG_DATA(head), sizeof incoming_descriptor);
    } else if (got >= 0 && (message.msg_flags & MSG_CTRUNC) != 0) {
        give_up("pawl: no descriptor is free for what the host sent");
    }
    return got;
}

int frames_take_descriptor(void) {
    int fd = incoming_descriptor;
    incoming_descriptor = -1;
    return fd;
}

bool frames_fill(bool wait) {
    if (incoming_at > 0) {
        memmove(incoming, incoming + incoming_at, incoming_length - incoming_at);
        incoming_length -= incoming_at;
        incoming_at = 0;
    }
    if (incoming_capacity - incoming_length < 32768) {
        size_t capacity = incoming_capacity == 0 ? 65536 : incoming_capacity * 2;
        char *larger = realloc(incoming, capacity);
        if (larger == NULL) give_up("pawl: out of memory for a frame of the host");
        incoming = larger;
        incoming_capacity = capacity;
    }
    ssize_t got = receive(incoming + incoming_length, incoming_capacity - incoming_length, wait ? 0 : MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN;
    incoming_length += (size_t)got;
    return got > 0;
}

bool frames_next(pawl_frame *head, const char **payload) {
    if (incoming_length - incoming_at < sizeof *head) return false;
    memcpy(head, incoming + incoming_at, sizeof *head);
    if (head->length > PAWL_FRAME_MAX) give_up("pawl: the host sent a frame that is too long");
    if (incoming_length - incoming_at - sizeof *head < head->length) return false;
    *payload = incoming + incoming_at + sizeof *head;
    incoming_at += sizeof *head + head->length;
    return true;
}
