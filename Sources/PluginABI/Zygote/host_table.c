/* host_table.c - the functions of pawl_host. */
#include "host_table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "attempt.h"
#include "follow_up.h"
#include "progress.h"

#define LAST_WORDS_MAX 2048
#define CODE_MAX 128
#define FAILURE_MESSAGE_MAX (16u << 10)
#define DETAILS_MAX (64u << 10)
#define MEDIA_TYPE_MAX 255

static host_table_sink *sink;
static char last_words[LAST_WORDS_MAX + 1];
static pawl_str config;

void host_table_set_sink(host_table_sink *to) { sink = to; }
const char *host_table_last_words(void) { return last_words; }
void host_table_set_config(const char *words, size_t length) { config = (pawl_str){words, length}; }

static pawl_str terminated(const char *words) {
    return words == NULL ? PAWL_NO_STR : (pawl_str){words, strlen(words)};
}

/* ---- what a handler gets ---- */

static pawl_str run_id(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? PAWL_NO_STR : terminated(a->run_name);
}

static pawl_str job_name(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? PAWL_NO_STR : terminated(a->job);
}

static uint32_t attempt_number(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? 0 : a->head.attempt;
}

static int64_t deadline_ns(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? INT64_MAX : atomic_load_explicit(&a->deadline_ns, memory_order_relaxed);
}

static int64_t now_ns(void) { return (int64_t)monotonic_ns(); }

static pawl_str scratch_dir(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? PAWL_NO_STR : terminated(a->scratch);
}

static pawl_str traceparent(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? PAWL_NO_STR : terminated(a->traceparent);
}

static int32_t is_cancelled(const pawl_attempt *handle) {
    /* Asked in every loop, so without the look at the phase; an attempt that is over only matters to late threads. */
    const attempt *a = &the_attempt;
    return handle == atomic_load_explicit(&a->handle, memory_order_relaxed) && atomic_load_explicit(&a->cancelled, memory_order_relaxed) != 0;
}

static int32_t cancel_fd(const pawl_attempt *handle) {
    attempt *a = attempt_running(handle);
    return a == NULL ? -1 : a->cancel_fd;
}

/* ---- what it may say ---- */

static int32_t log_line(pawl_attempt *handle, int32_t level, pawl_str message, pawl_str fields_json) {
    if (handle == NULL) {
        size_t length = message.ptr == NULL ? 0 : utf8_cut(message.ptr, message.len, LAST_WORDS_MAX);
        if (length > 0) memcpy(last_words, message.ptr, length);
        last_words[length] = 0;
        if (sink != NULL) sink(level, (pawl_str){last_words, length});
        return PAWL_OK;
    }
    attempt *a = attempt_running(handle);
    return a == NULL ? PAWL_E_STATE : attempt_log(a, handle, level, message, fields_json);
}

static int32_t set_progress(pawl_attempt *handle, uint64_t current, uint64_t total, pawl_str message) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_set(current, total, message);
}

static int32_t set_stage(pawl_attempt *handle, pawl_str stage) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_set_stage(stage);
}

static int32_t set_total(pawl_attempt *handle, uint64_t total, pawl_str unit) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_set_total(total, unit);
}

static int32_t advance(pawl_attempt *handle, uint64_t n) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_advance(n);
}

static int32_t set_message(pawl_attempt *handle, pawl_str message) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_set_message(message);
}

static int32_t count(pawl_attempt *handle, pawl_str kind, int64_t n) {
    return attempt_running(handle) == NULL ? PAWL_E_STATE : progress_count(kind, n);
}

/* ---- how it ends ---- */

/* Takes the place of the ending, once. True with the lock held; false, and no lock, where there is one already. */
static bool claim_ending(attempt *a, enum ending_kind kind) {
    pthread_mutex_lock(&a->lock);
    if (a->ending.kind == ENDING_NONE) {
        a->ending.kind = kind;
        return true;
    }
    pthread_mutex_unlock(&a->lock);
    return false;
}

static int32_t take_result(attempt *a, enum ending_kind kind, const void *bytes, size_t length, pawl_str media_type) {
    if (length > PAWL_RESULT_MAX) return PAWL_E_LIMIT;
    char *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL) return PAWL_E_LIMIT;
    if (length > 0) memcpy(copy, bytes, length);
    if (!claim_ending(a, kind)) {
        free(copy);
        return PAWL_E_STATE;
    }
    a->ending.bytes = copy;
    a->ending.length = length;
    size_t media_length = media_type.len < MEDIA_TYPE_MAX ? media_type.len : MEDIA_TYPE_MAX;
    if (media_type.ptr != NULL) text_add(&a->ending.media_type, media_type.ptr, media_length);
    pthread_mutex_unlock(&a->lock);
    return PAWL_OK;
}

static int32_t result_json(pawl_attempt *handle, pawl_str json) {
    attempt *a = attempt_running(handle);
    if (a == NULL) return PAWL_E_STATE;
    if (json.len > PAWL_RESULT_MAX) return PAWL_E_LIMIT;
    if (json.ptr == NULL || json_check(json.ptr, json.len) == JSON_INVALID) return PAWL_E_INVALID_INPUT;
    return take_result(a, ENDING_JSON, json.ptr, json.len, PAWL_NO_STR);
}

static int32_t result_bytes(pawl_attempt *handle, pawl_bytes bytes, pawl_str media_type) {
    attempt *a = attempt_running(handle);
    if (a == NULL) return PAWL_E_STATE;
    if (bytes.ptr == NULL && bytes.len > 0) return PAWL_E_INVALID_INPUT;
    if (media_type.len == 0) media_type = PAWL_STR("application/octet-stream");
    return take_result(a, ENDING_BYTES, bytes.ptr, bytes.len, media_type);
}

static void keep_text(text *to, pawl_str from, size_t limit) {
    if (from.ptr != NULL) text_add(to, from.ptr, utf8_cut(from.ptr, from.len, limit));
}

static int32_t fail(pawl_attempt *handle, const pawl_failure *failure) {
    attempt *a = attempt_running(handle);
    if (a == NULL) return PAWL_E_STATE;
    if (failure == NULL || failure->struct_size < sizeof failure->struct_size) return PAWL_E_INVALID_INPUT;
    pawl_failure f = {0}; /* a plugin of an older minor gives less */
    memcpy(&f, failure, failure->struct_size < sizeof f ? failure->struct_size : sizeof f);
    bool odd_details = f.details_json.len > 0 &&
        (f.details_json.len > DETAILS_MAX || json_check(f.details_json.ptr, f.details_json.len) == JSON_INVALID);
    if (!claim_ending(a, ENDING_FAILURE)) return PAWL_E_STATE;
    attempt_ending *e = &a->ending;
    e->retry = f.retry >= PAWL_RETRY_BY_POLICY && f.retry <= PAWL_RETRY_YES ? f.retry : PAWL_RETRY_BY_POLICY;
    e->not_before_unix_ms = f.not_before_unix_ms;
    keep_text(&e->code, f.code, CODE_MAX);
    keep_text(&e->message, f.message, FAILURE_MESSAGE_MAX);
    if (!odd_details) keep_text(&e->details, f.details_json, DETAILS_MAX);
    pthread_mutex_unlock(&a->lock);
    if (odd_details)
        attempt_log(a, handle, PAWL_LOG_WARNING, PAWL_STR("the failure's details were dropped: longer than 64 KiB, or no JSON"),
                    PAWL_NO_STR);
    return PAWL_E_FAILED;
}

static int32_t snooze(pawl_attempt *handle, int64_t until_unix_ms) {
    attempt *a = attempt_running(handle);
    if (a == NULL || !claim_ending(a, ENDING_SNOOZE)) return PAWL_E_STATE;
    a->ending.snooze_until_unix_ms = until_unix_ms;
    pthread_mutex_unlock(&a->lock);
    return PAWL_OK;
}

/* ---- extensions ---- */

static int32_t which_thread(void) {
    const attempt *a = &the_attempt;
    if (atomic_load_explicit(&a->phase, memory_order_relaxed) == ATTEMPT_NONE) return PAWL_THREAD_ZYGOTE;
    return gettid() == a->worker_tid ? PAWL_THREAD_WORKER : PAWL_THREAD_OTHER;
}

static pawl_str config_text(void) { return config; }

static const void *get_extension(const pawl_host *host, const char *id) {
    static const pawl_ext_thread_check thread_check = {sizeof thread_check, 0, which_thread};
    static const pawl_ext_config config_table = {sizeof config_table, 0, config_text};
    (void)host;
    if (id == NULL) return NULL;
    if (strcmp(id, PAWL_EXT_ARGS) == 0) return &args_table;
    if (strcmp(id, PAWL_EXT_CONFIG) == 0) return &config_table;
    if (strcmp(id, PAWL_EXT_FOLLOW_UP) == 0) return &follow_up_table;
    if (strcmp(id, PAWL_EXT_THREAD_CHECK) == 0) return &thread_check;
    return NULL;
}

const pawl_host host_table = {
    .struct_size = sizeof(pawl_host), .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
    .get_extension = get_extension,
    .run_id = run_id, .job_name = job_name, .attempt_number = attempt_number, .deadline_ns = deadline_ns,
    .now_ns = now_ns, .scratch_dir = scratch_dir, .traceparent = traceparent,
    .is_cancelled = is_cancelled, .cancel_fd = cancel_fd,
    .log = log_line,
    .set_progress = set_progress, .set_stage = set_stage, .set_total = set_total, .advance = advance,
    .set_message = set_message, .count = count,
    .result_json = result_json, .result_bytes = result_bytes, .fail = fail, .snooze = snooze,
};
