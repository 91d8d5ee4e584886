/* progress.c - the picture under one mutex; frames are built from a copy, so that no handler waits for the socket. */
#include "progress.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"

#define UNIT_MAX 64
#define MESSAGE_MAX 4096
#define COUNTERS_MAX 64
#define KIND_MAX 64

typedef struct counter {
    int64_t value;
    uint16_t length;
    char kind[KIND_MAX];
} counter;

typedef struct picture {
    uint64_t current, total;
    uint16_t stage_length, unit_length;
    uint32_t message_length, counter_count;
    char stage[PROGRESS_STAGE_MAX], unit[UNIT_MAX], message[MESSAGE_MAX];
    counter counters[COUNTERS_MAX];
} picture;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static picture now = {.total = PAWL_TOTAL_UNKNOWN};
static bool changed;      /* since the last frame */
static bool urgent;       /* the stage changed: do not wait for the interval */
static uint64_t sent_ns;  /* when the last frame went out */
static int wake = -1;

void progress_init(int wake_fd) { wake = wake_fd; }

void progress_renew(void) {
    pthread_mutex_lock(&lock);
    now.current = 0;
    now.total = PAWL_TOTAL_UNKNOWN;
    now.stage_length = now.unit_length = 0;
    now.message_length = now.counter_count = 0;
    changed = urgent = false;
    sent_ns = 0;
    pthread_mutex_unlock(&lock);
}

/* Call with the lock held, after a change. */
static void mark(bool at_once) {
    bool ring = !changed || (at_once && !urgent);
    changed = true;
    urgent = urgent || at_once;
    uint64_t one = 1;
    /* Cannot fail but by overflow, and then it is readable already. */
    if (ring && wake >= 0 && write(wake, &one, sizeof one) < 0) return;
}

static uint32_t keep(char *to, size_t limit, pawl_str text) {
    size_t length = text.ptr == NULL ? 0 : utf8_cut(text.ptr, text.len, limit);
    if (length > 0) memcpy(to, text.ptr, length);
    return (uint32_t)length;
}

int32_t progress_set(uint64_t current, uint64_t total, pawl_str message) {
    pthread_mutex_lock(&lock);
    now.current = current;
    now.total = total;
    if (message.len > 0) now.message_length = keep(now.message, sizeof now.message, message);
    mark(false);
    pthread_mutex_unlock(&lock);
    return PAWL_OK;
}

int32_t progress_set_stage(pawl_str stage) {
    pthread_mutex_lock(&lock);
    now.stage_length = (uint16_t)keep(now.stage, sizeof now.stage, stage);
    now.current = 0;
    now.total = PAWL_TOTAL_UNKNOWN;
    now.unit_length = 0;
    now.message_length = 0;
    mark(true);
    pthread_mutex_unlock(&lock);
    return PAWL_OK;
}

int32_t progress_set_total(uint64_t total, pawl_str unit) {
    pthread_mutex_lock(&lock);
    now.total = total;
    if (unit.len > 0) now.unit_length = (uint16_t)keep(now.unit, sizeof now.unit, unit);
    mark(false);
    pthread_mutex_unlock(&lock);
    return PAWL_OK;
}

int32_t progress_advance(uint64_t n) {
    pthread_mutex_lock(&lock);
    now.current = now.current > UINT64_MAX - n ? UINT64_MAX : now.current + n;
    mark(false);
    pthread_mutex_unlock(&lock);
    return PAWL_OK;
}

int32_t progress_set_message(pawl_str message) {
    pthread_mutex_lock(&lock);
    now.message_length = keep(now.message, sizeof now.message, message);
    mark(false);
    pthread_mutex_unlock(&lock);
    return PAWL_OK;
}

int32_t progress_count(pawl_str kind, int64_t n) {
    if (kind.ptr == NULL || kind.len == 0) return PAWL_E_INVALID_INPUT;
    if (kind.len > KIND_MAX) return PAWL_E_LIMIT;
    int32_t status = PAWL_OK;
    pthread_mutex_lock(&lock);
    uint32_t i = 0;
    while (i < now.counter_count &&
           (now.counters[i].length != kind.len || memcmp(now.counters[i].kind, kind.ptr, kind.len) != 0)) i++;
    if (i == COUNTERS_MAX) {
        status = PAWL_E_LIMIT;
    } else {
        counter *c = &now.counters[i];
        if (i == now.counter_count) {
            c->value = 0;
            c->length = (uint16_t)keep(c->kind, KIND_MAX, kind);
            now.counter_count++;
        }
        if (__builtin_add_overflow(c->value, n, &c->value)) c->value = n > 0 ? INT64_MAX : INT64_MIN;
        mark(false);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

size_t progress_stage(char *stage) {
    pthread_mutex_lock(&lock);
    size_t length = now.stage_length;
    memcpy(stage, now.stage, length);
    pthread_mutex_unlock(&lock);
    return length;
}

/* Copies the picture as a frame's payload into `out` and returns its length. Call with the lock held. */
static size_t compose(char *out) {
    pawl_f_progress head = {.current = now.current, .total = now.total, .unix_us = unix_us(),
                            .stage_length = now.stage_length, .unit_length = now.unit_length,
                            .message_length = now.message_length, .counter_count = now.counter_count};
    char *to = out;
    memcpy(to, &head, sizeof head), to += sizeof head;
    memcpy(to, now.stage, now.stage_length), to += now.stage_length;
    memcpy(to, now.unit, now.unit_length), to += now.unit_length;
    memcpy(to, now.message, now.message_length), to += now.message_length;
    for (uint32_t i = 0; i < now.counter_count; i++) {
        const counter *c = &now.counters[i];
        memcpy(to, &c->value, sizeof c->value), to += sizeof c->value;
        memcpy(to, &c->length, sizeof c->length), to += sizeof c->length;
        memcpy(to, c->kind, c->length), to += c->length;
    }
    return (size_t)(to - out);
}

/* Room for the largest frame. */
typedef char frame_bytes[sizeof(pawl_f_progress) + sizeof(picture)];

int64_t progress_flush(void) {
    static frame_bytes bytes; /* the supervising thread's */
    pthread_mutex_lock(&lock);
    if (!changed) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    uint64_t at = monotonic_ns(), due = sent_ns + PROGRESS_INTERVAL_NS;
    if (!urgent && at < due) {
        pthread_mutex_unlock(&lock);
        return (int64_t)(due - at);
    }
    struct iovec part = {bytes, compose(bytes)};
    /* Under the lock, so that an older picture never follows the worker's last one. Nobody waits here. */
    bool sent = frames_try_send(PAWL_F_PROGRESS, 0, &part, 1);
    if (sent) changed = urgent = false;
    sent_ns = at; /* also where the socket was full: or this thread would spin */
    pthread_mutex_unlock(&lock);
    return sent ? -1 : (int64_t)PROGRESS_INTERVAL_NS;
}

void progress_flush_last(void) {
    static frame_bytes bytes; /* the worker's */
    pthread_mutex_lock(&lock);
    bool send = changed;
    struct iovec part = {bytes, send ? compose(bytes) : 0};
    changed = false;
    urgent = false;
    pthread_mutex_unlock(&lock);
    if (send) frames_send(PAWL_F_PROGRESS, 0, &part, 1);
}
