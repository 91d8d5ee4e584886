/* attempt.c - the attempt and its log lines. */
#include "attempt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "host_table.h"
#include "progress.h"

#define MESSAGE_MAX (64u << 10)
#define LOG_CUT 1u
#define LOG_FIELDS_NO_OBJECT 2u

attempt the_attempt = {
    .cancel_fd = -1, .wake_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .credit = PAWL_CREDIT_DEFAULT};

void attempt_forget(attempt *a) {
    char **texts[] = {&a->job, &a->traceparent, &a->scratch, &a->run_name, &a->environment, &a->args};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
    attempt_ending *e = &a->ending;
    text *said[] = {&e->media_type, &e->code, &e->message, &e->details, &a->args_fault};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) free(said[i]->bytes);
    free(e->bytes);
    *e = (attempt_ending){0};
    a->args_fault = (text){0};
    a->args_missing = false;
    a->follow_ups = 0;
    a->follow_up_bytes = 0;
}

void attempt_renew(attempt *a, uint64_t run_id) {
    pawl_attempt *last = a->handle;
    size_t next = last == NULL ? 0 : (size_t)(last - a->handles + 1) % ATTEMPT_HANDLES;
    a->handles[next].host = &host_table;
    a->handle = &a->handles[next];
    a->run_id = run_id;
    if (atomic_exchange(&a->cancelled, 0) != 0 && a->cancel_fd >= 0) {
        uint64_t rings;
        if (read(a->cancel_fd, &rings, sizeof rings) < 0) complain("pawl: the cancel descriptor is broken");
    }
    atomic_store(&a->credit, PAWL_CREDIT_DEFAULT);
    atomic_store(&a->dropped, 0);
}

void attempt_wake_main(attempt *a) {
    uint64_t one = 1;
    if (a->wake_fd >= 0 && write(a->wake_fd, &one, sizeof one) < 0) complain("pawl: the wake descriptor is broken");
}

void attempt_args_fault(attempt *a, const char *line, bool is_missing) {
    pthread_mutex_lock(&a->lock);
    a->args_fault.length = 0;
    text_add(&a->args_fault, line, strlen(line));
    a->args_missing = is_missing;
    pthread_mutex_unlock(&a->lock);
}

void attempt_args_found(attempt *a) {
    pthread_mutex_lock(&a->lock);
    if (a->args_missing) a->args_fault.length = 0;
    a->args_missing = false;
    pthread_mutex_unlock(&a->lock);
}

attempt *attempt_running(const pawl_attempt *handle) {
    attempt *a = &the_attempt;
    return handle == atomic_load_explicit(&a->handle, memory_order_relaxed) &&
            atomic_load_explicit(&a->phase, memory_order_acquire) == ATTEMPT_RUNNING
        ? a
        : NULL;
}

int32_t attempt_log(attempt *a, const pawl_attempt *handle, int32_t level, pawl_str message, pawl_str fields_json) {
    char stage[PROGRESS_STAGE_MAX];
    pawl_f_log log = {.unix_us = unix_us()};
    log.level = (uint8_t)(level < PAWL_LOG_DEBUG ? PAWL_LOG_DEBUG : level > PAWL_LOG_ERROR ? PAWL_LOG_ERROR : level);
    size_t length = message.ptr == NULL ? 0 : utf8_cut(message.ptr, message.len, MESSAGE_MAX);
    if (length < message.len) log.flags |= LOG_CUT;
    size_t fields = fields_json.ptr == NULL ? 0 : utf8_cut(fields_json.ptr, fields_json.len, MESSAGE_MAX);
    if (fields > 0 && json_check(fields_json.ptr, fields) != JSON_OBJECT) log.flags |= LOG_FIELDS_NO_OBJECT;
    log.stage_length = (uint16_t)progress_stage(stage);
    log.message_length = (uint32_t)length;
    log.fields_length = (uint32_t)fields;

    /* Credit counts payload bytes. The host gives back what it has worked off. */
    int64_t cost = (int64_t)(sizeof log + log.stage_length + length + fields);
    int64_t had = atomic_fetch_sub(&a->credit, cost);
    /* More of it may lie unread. */
    if (a->pooled && had - cost < PAWL_CREDIT_DEFAULT / 2 && !atomic_exchange(&a->main_reads, true)) attempt_wake_main(a);
    if (had < cost) {
        atomic_fetch_add(&a->credit, cost);
        atomic_fetch_add(&a->dropped, 1);
        return PAWL_E_LIMIT;
    }
    struct iovec parts[] = {{&log, sizeof log},
                            {stage, log.stage_length},
                            {(void *)(uintptr_t)message.ptr, length},
                            {(void *)(uintptr_t)fields_json.ptr, fields}};
    return frames_send_for(handle, PAWL_F_LOG, parts, 4) ? PAWL_OK : PAWL_E_STATE;
}
