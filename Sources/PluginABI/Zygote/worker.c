/* worker.c - child_start, STARTED, run(), and the one frame of the end; in a pooled child reset(), the audit and IDLE.
 *
 * A fresh thread, because libdispatch caches the thread id of the one that loaded it, and the one that returned from
 * fork has another now. */
#include "worker.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agenda.h"
#include "crash.h"
#include "environment.h"
#include "fault.h"
#include "frames.h"
#include "progress.h"
#include "reuse.h"

#define STACK_BYTES (UINT64_C(8) << 20)
#define STACK_BYTES_MIN (UINT64_C(256) << 10)

static const char *status_code(int32_t status, char *room, size_t size) {
    static const char *const names[] = {
        "ok", "failed", "retry", "cancelled", "timeout", "invalid_input", "unsupported", "limit", "internal", "state",
        "not_found"};
    if (status >= 0 && (size_t)status < sizeof names / sizeof names[0]) return names[status];
    snprintf(room, size, "status_%d", status);
    return room;
}

/* What to do with the run where the handler said nothing about it. */
static int32_t retry_of(int32_t status, int32_t asked) {
    if (status == PAWL_E_INVALID_INPUT) return PAWL_RETRY_NEVER;
    if (status == PAWL_E_RETRY && asked == PAWL_RETRY_BY_POLICY) return PAWL_RETRY_YES;
    return asked;
}

/* How the end is sent: in a pooled child it goes out together with IDLE, where nothing of the plugin comes between. */
static void (*send_last)(uint16_t, uint16_t, const struct iovec *, size_t) = frames_send;

static void send_failure(int32_t status, int32_t retry, int64_t not_before, const char *code, size_t code_length,
                         const char *message, size_t message_length, const text *details) {
    pawl_f_failure head = {.status = status, .retry = retry, .not_before_unix_ms = not_before,
                           .code_length = (uint32_t)code_length, .message_length = (uint32_t)message_length,
                           .details_length = details == NULL ? 0 : (uint32_t)details->length};
    struct iovec parts[] = {{&head, sizeof head},
                            {(void *)(uintptr_t)code, code_length},
                            {(void *)(uintptr_t)message, message_length},
                            {details == NULL ? NULL : details->bytes, head.details_length}};
    send_last(PAWL_F_FAILURE, 0, parts, 4);
}

static void send_failed(attempt *a, int32_t status) {
    attempt_ending *e = &a->ending;
    bool said = e->kind == ENDING_FAILURE;
    char room[32], sentence[128];
    if (status == PAWL_OK) status = PAWL_E_FAILED; /* fail(), and then OK: the words count */
    const char *code = said && e->code.length > 0 ? e->code.bytes : status_code(status, room, sizeof room);
    size_t code_length = said && e->code.length > 0 ? e->code.length : strlen(code);
    const char *message = sentence;
    size_t message_length;
    if (said && e->message.length > 0) {
        message = e->message.bytes;
        message_length = e->message.length;
    } else if (a->args_fault.length > 0
               && (status == PAWL_E_INVALID_INPUT || status == (a->args_missing ? PAWL_E_NOT_FOUND : PAWL_E_LIMIT))) {
        message = a->args_fault.bytes;
        message_length = a->args_fault.length;
    } else if (status == PAWL_E_CANCELLED && atomic_load(&a->cancelled) != 0) {
        message = code;
        message_length = code_length;
    } else {
        message_length = (size_t)snprintf(sentence, sizeof sentence, "the handler returned %d (%s)", status,
                                          status_code(status, room, sizeof room));
    }
    send_failure(status, retry_of(status, said ? e->retry : PAWL_RETRY_BY_POLICY), said ? e->not_before_unix_ms : 0,
                 code, code_length, message, message_length, said ? &e->details : NULL);
}

static void send_result(const attempt_ending *e) {
    pawl_f_result head = {.is_json = e->kind == ENDING_JSON, .total_length = e->length,
                          .media_type_length = (uint32_t)e->media_type.length, .has_result = e->kind != ENDING_NONE};
    size_t sent = 0, room = PAWL_FRAME_MAX - sizeof head - e->media_type.length;
    size_t part = e->length < room ? e->length : room;
    struct iovec first[] = {{&head, sizeof head}, {e->media_type.bytes, e->media_type.length}, {e->bytes, part}};
    send_last(PAWL_F_RESULT, part < e->length ? PAWL_FLAG_MORE : 0, first, 3);
    for (sent = part; sent < e->length; sent += part) {
        part = e->length - sent < PAWL_FRAME_MAX ? e->length - sent : PAWL_FRAME_MAX;
        struct iovec more = {e->bytes + sent, part};
        frames_send(PAWL_F_RESULT, sent + part < e->length ? PAWL_FLAG_MORE : 0, &more, 1);
    }
}

static void send_end(attempt *a, int32_t status) {
    attempt_ending *e = &a->ending;
    pawl_f_dropped dropped = {.lines = atomic_load(&a->dropped)};
    progress_flush_last();
    if (dropped.lines > 0) {
        struct iovec part = {&dropped, sizeof dropped};
        frames_send(PAWL_F_DROPPED, 0, &part, 1);
    }
    if (status != PAWL_OK || e->kind == ENDING_FAILURE) {
        send_failed(a, status);
    } else if (e->kind == ENDING_SNOOZE) {
        pawl_f_snooze snooze = {.until_unix_ms = e->snooze_until_unix_ms};
        struct iovec part = {&snooze, sizeof snooze};
        send_last(PAWL_F_SNOOZE, 0, &part, 1);
    } else {
        send_result(e);
    }
}

_Noreturn void worker_cannot_start(const char *code, const char *message) {
    char fields[64];
    snprintf(fields, sizeof fields, "{\"code\":\"%s\"}", code);
    attempt_log(&the_attempt, NULL, PAWL_LOG_ERROR, (pawl_str){message, strlen(message)}, (pawl_str){fields, strlen(fields)});
    _exit(EXIT_SETUP);
}

/* Once per child, on the worker as the header promises. */
static void start_plugin(attempt *a) {
    if (a->plugin->plugin.child_start == NULL) return;
    int32_t status = a->plugin->plugin.child_start();
    if (status == PAWL_OK) return;
    char message[96];
    snprintf(message, sizeof message, "the plugin's child_start failed with status %d", status);
    worker_cannot_start("child_start", message);
}

/* What the process has of the run before the handler sees it. */
static void enter(attempt *a) {
    static bool is_started;
    if ((a->pooled || a->head.environment_length > 0) &&
        !environment_for_run(a->environment, a->head.environment_length))
        worker_cannot_start("environment", "no memory for the environment");
    if (!is_started) start_plugin(a);
    is_started = true;
    if (a->pooled && !reuse_begin(a->scratch, a->head.cpu_ms))
        worker_cannot_start("directory", "the attempt's directory cannot be entered");
}

/* All that comes before a handler, without one. */
static void try_out(attempt *a) {
    start_plugin(a);
    frames_send(PAWL_F_UP, 0, NULL, 0);
}

static void run(attempt *a) {
    const loaded_handler *handler = &a->plugin->handlers[a->head.handler_index];
    enter(a);
    fault_at("child.enter");
    pawl_f_started started = {.monotonic_ns = monotonic_ns(), .unix_us = unix_us()};
    struct iovec part = {&started, sizeof started};
    frames_send(PAWL_F_STARTED, 0, &part, 1);
    fault_at("child.started");
    atomic_store_explicit(&a->phase, ATTEMPT_RUNNING, memory_order_release);
    int32_t status = handler->run(handler->user, a->handle, (pawl_bytes){a->args, (size_t)a->head.args_length});
    fault_at("child.returned");
    /* From here on, host calls of threads that the handler left behind find no attempt. Those that are under way
     * hold the lock of what they change. */
    atomic_store_explicit(&a->phase, ATTEMPT_OVER, memory_order_release);
    send_last = a->pooled && handler->reset == NULL ? frames_send_soon : frames_send;
    pthread_mutex_lock(&a->lock);
    send_end(a, status);
    fault_at("child.ended");
    /* What printf() still holds is this run's output. Never exit(): destructors of a forked runtime would run. */
    fflush(stdout);
    if (!a->pooled || !frames_are_mine()) _exit(0); /* also where it is a fork of the handler that came back */
    attempt_forget(a);
    pthread_mutex_unlock(&a->lock);
    pawl_f_idle found = {0};
    fault_at("child.reset");
    if (handler->reset != NULL) found.reset_status = handler->reset(handler->user);
    reuse_audit(&found);
    if (agenda_has_board() && (found.flags & PAWL_IDLE_CLEAN) == 0) agenda_hold();
    part = (struct iovec){&found, sizeof found};
    /* With the next run's STARTED, if there is one already; next_run sees to it. */
    (agenda_has_board() ? frames_send_soon : frames_send)(PAWL_F_IDLE, 0, &part, 1);
    fault_at("child.idle");
    atomic_store_explicit(&a->phase, ATTEMPT_RESTING, memory_order_release);
}

/* Runs that wait for the worker: 0 or 1. A semaphore: a condition's mutex would be found locked by whoever is woken. */
static sem_t given;

static bool (*next_run)(attempt *a); /* set before the worker is there */

static void *work(void *context) {
    attempt *a = context;
    crash_thread_stack();
    prctl(PR_SET_NAME, "pawl-worker", 0, 0, 0);
    a->worker_tid = gettid();
    fault_at("child.worker");
    for (;;) {
        while (sem_wait(&given) != 0) {} /* EINTR */
        if (a->trial) {
            try_out(a);
            continue;
        }
        do run(a);
        while (next_run != NULL && next_run(a));
    }
    return NULL;
}

static bool start_thread(void *(*function)(void *), void *context, uint64_t stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_attr_setstacksize(&attributes, (size_t)stack) == 0
        && fault_error("child.thread") == 0 && pthread_create(&thread, &attributes, function, context) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

bool worker_take(attempt *a, bool (*next)(attempt *a)) {
    static bool is_there;
    if (!is_there) {
        next_run = next;
        sem_init(&given, 0, 0);
    }
    sem_post(&given);
    if (is_there) return true;
    uint64_t stack = a->stack_bytes == 0 ? STACK_BYTES : a->stack_bytes;
    if (stack < STACK_BYTES_MIN) stack = STACK_BYTES_MIN;
    is_there = start_thread(work, a, stack & ~UINT64_C(4095));
    return is_there;
}

static void *tell_cancelled(void *context) {
    pawl_attempt *handle = context; /* the run's own, should the next one have begun */
    crash_thread_stack();
    prctl(PR_SET_NAME, "pawl-cancel", 0, 0, 0);
    the_attempt.plugin->cancelled(handle);
    return NULL;
}

void worker_tell_cancelled(attempt *a) {
    /* Not on the main thread: locks of Swift's runtime there may remember the zygote's thread id, like
     * libdispatch's. */
    pawl_attempt *handle = atomic_load(&a->handle);
    if (a->plugin->cancelled != NULL && !start_thread(tell_cancelled, handle, STACK_BYTES_MIN)) tell_cancelled(handle);
}
