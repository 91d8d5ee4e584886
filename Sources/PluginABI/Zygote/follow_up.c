/* follow_up.c - what is asked for is looked at here, while the handler can still be told, and goes to the host at once. The
 * host keeps it until the attempt's end and forgets it where that is no success. */
#include "follow_up.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "frames.h"

#define WORDS_MAX 512
#define JOB_MAX 200
#define QUEUE_MAX 120
#define TITLE_MAX 1000
#define LABELS_MAX 64
#define LABEL_NAME_MAX 120
#define LABEL_VALUE_MAX 1000
#define PRIORITY_MAX 1000000
#define ATTEMPTS_MAX 1000
#define DELAY_MAX_MS INT64_C(315360000000) /* ten years */
#define KEY_SHOWN 60

_Static_assert(PAWL_WIRE_FOLLOW_UPS_MAX == PAWL_FOLLOW_UPS_MAX && PAWL_WIRE_FOLLOW_UP_BYTES_MAX == PAWL_FOLLOW_UP_BYTES_MAX,
               "pawl.h and pawl_wire.h say the same");

/* What is being put together. */
typedef struct request {
    pawl_f_follow_up head;
    pawl_str job, args, labels;
    char *queue, *title; /* allocated */
    unsigned seen;       /* a bit for each option */
    char words[WORDS_MAX];
} request;

static bool wrong(request *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(request *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->words, sizeof r->words, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- options ---- */

typedef bool option_reader(request *r, const json_item *item);

static bool read_whole(request *r, const json_item *item, const char *name, int64_t low, int64_t high, int64_t *out) {
    char line[32], *end;
    bool fine = json_type_of(item->value) == JSON_NUMBER && item->value_length < sizeof line;
    if (fine) {
        memcpy(line, item->value, item->value_length);
        line[item->value_length] = 0;
        errno = 0;
        *out = strtoll(line, &end, 10);
        fine = *end == 0 && errno == 0 && *out >= low && *out <= high;
    }
    return fine || wrong(r, "the option %s must be a whole number from %lld to %lld", name, (long long)low, (long long)high);
}

static bool read_text(request *r, const json_item *item, const char *name, size_t low, size_t high, char **out,
                      uint32_t *length) {
    size_t size = 0;
    bool fine = json_type_of(item->value) == JSON_STRING;
    if (fine) {
        *out = malloc(item->value_length);
        if (*out == NULL) return wrong(r, "out of memory for the option %s", name);
        size = json_unescape(item->value + 1, item->value_length - 2, *out);
        fine = size >= low && size <= high && memchr(*out, 0, size) == NULL;
    }
    *length = (uint32_t)size;
    return fine || wrong(r, "the option %s must be a string of %zu to %zu bytes, without U+0000", name, low, high);
}

static bool read_delay(request *r, const json_item *item) {
    return read_whole(r, item, "delay_ms", 0, DELAY_MAX_MS, &r->head.delay_ms);
}

static bool read_priority(request *r, const json_item *item) {
    int64_t value = 0;
    if (!read_whole(r, item, "priority", -PRIORITY_MAX, PRIORITY_MAX, &value)) return false;
    r->head.priority = (int32_t)value;
    r->head.flags |= PAWL_FOLLOW_UP_HAS_PRIORITY;
    return true;
}

static bool read_attempts(request *r, const json_item *item) {
    int64_t value = 0;
    if (!read_whole(r, item, "attempts", 1, ATTEMPTS_MAX, &value)) return false;
    r->head.attempts = (uint32_t)value;
    return true;
}

static bool read_queue(request *r, const json_item *item) {
    return read_text(r, item, "queue", 1, QUEUE_MAX, &r->queue, &r->head.queue_length);
}

static bool read_title(request *r, const json_item *item) {
    return read_text(r, item, "title", 0, TITLE_MAX, &r->title, &r->head.title_length);
}

/* Lengths as they stand, escapes and all: near enough, and the host looks again. */
static bool read_labels(request *r, const json_item *item) {
    if (json_type_of(item->value) != JSON_OBJECT) return wrong(r, "the option labels must be an object of strings");
    size_t count = 0;
    json_walk walk = json_begin(item->value, item->value_length);
    for (json_item label; json_next(&walk, &label);) {
        if (++count > LABELS_MAX) return wrong(r, "the option labels must have at most %d members", LABELS_MAX);
        if (json_type_of(label.value) != JSON_STRING) return wrong(r, "the option labels must be an object of strings");
        if (label.key_length == 0 || label.key_length > LABEL_NAME_MAX || label.value_length - 2 > LABEL_VALUE_MAX)
            return wrong(r, "a label must have a name of 1 to %d bytes and a value of at most %d", LABEL_NAME_MAX,
                         LABEL_VALUE_MAX);
    }
    r->labels = (pawl_str){item->value, item->value_length};
    r->head.labels_length = (uint32_t)item->value_length;
    return true;
}

static const struct {
    const char *name;
    option_reader *read;
} options[] = {{"delay_ms", read_delay}, {"priority", read_priority}, {"attempts", read_attempts},
               {"queue", read_queue}, {"title", read_title}, {"labels", read_labels}};

#define OPTION_COUNT (sizeof options / sizeof options[0])

static bool read_options(request *r, pawl_str json) {
    if (json.len == 0) return true;
    if (json.ptr == NULL || json_check(json.ptr, json.len) != JSON_OBJECT)
        return wrong(r, "the options must be a JSON object");
    json_walk walk = json_begin(json.ptr, json.len);
    for (json_item item; json_next(&walk, &item);) {
        size_t i = 0;
        while (i < OPTION_COUNT &&
               (strlen(options[i].name) != item.key_length || memcmp(options[i].name, item.key, item.key_length) != 0))
            i++;
        if (i == OPTION_COUNT)
            return wrong(r, "there is no option \"%.*s\"; there are delay_ms, priority, attempts, queue, title, labels",
                         (int)utf8_cut(item.key, item.key_length, KEY_SHOWN), item.key);
        if ((r->seen & 1u << i) != 0) return wrong(r, "the option %s is there twice", options[i].name);
        r->seen |= 1u << i;
        if (json_type_of(item.value) != JSON_NULL && !options[i].read(r, &item)) return false;
    }
    return true;
}

/* ---- the call ---- */

static bool read_request(request *r, const pawl_follow_up *f) {
    if (f->job.ptr == NULL || f->job.len == 0 || f->job.len > JOB_MAX || memchr(f->job.ptr, 0, f->job.len) != NULL)
        return wrong(r, "the job's name must have 1 to %d bytes, without U+0000", JOB_MAX);
    r->job = f->job;
    r->args = f->args_json.len == 0 ? PAWL_STR("{}") : f->args_json;
    if (r->args.ptr == NULL || json_check(r->args.ptr, r->args.len) != JSON_OBJECT)
        return wrong(r, "the args must be a JSON object");
    r->head.job_length = (uint32_t)r->job.len;
    r->head.args_length = (uint32_t)r->args.len;
    return read_options(r, f->options_json);
}

/* Its place among those of this attempt. */
static bool reserve(attempt *a, request *r, size_t bytes) {
    pthread_mutex_lock(&a->lock);
    bool is_many = a->follow_ups >= PAWL_FOLLOW_UPS_MAX, is_large = bytes > PAWL_FOLLOW_UP_BYTES_MAX - a->follow_up_bytes;
    if (!is_many && !is_large) {
        a->follow_ups++;
        a->follow_up_bytes += bytes;
    }
    pthread_mutex_unlock(&a->lock);
    if (is_many) return wrong(r, "an attempt may ask for at most %u follow-up runs", PAWL_FOLLOW_UPS_MAX);
    if (is_large)
        return wrong(r, "the follow-up runs of an attempt may have at most %u bytes of args and options together",
                     PAWL_FOLLOW_UP_BYTES_MAX);
    return true;
}

static int32_t take(attempt *a, pawl_attempt *handle, const pawl_follow_up *given, request *r) {
    if (given == NULL || given->struct_size < sizeof *given) {
        wrong(r, "its struct_size is not that of a pawl_follow_up");
        return PAWL_E_INVALID_INPUT;
    }
    /* Before anything is read that may be of any size. Each alone first, so that the sum cannot overflow. */
    size_t most = PAWL_FOLLOW_UP_BYTES_MAX;
    size_t bytes = given->args_json.len > most || given->options_json.len > most || given->job.len > most
        ? most + 1 : given->job.len + given->args_json.len + given->options_json.len;
    if (bytes <= most && !read_request(r, given)) return PAWL_E_INVALID_INPUT;
    if (!reserve(a, r, bytes)) return PAWL_E_LIMIT;
    struct iovec parts[] = {{&r->head, sizeof r->head},
                            {(void *)(uintptr_t)r->job.ptr, r->job.len},
                            {(void *)(uintptr_t)r->args.ptr, r->args.len},
                            {r->queue, r->head.queue_length},
                            {r->title, r->head.title_length},
                            {(void *)(uintptr_t)r->labels.ptr, r->labels.len}};
    return frames_send_for(handle, PAWL_F_FOLLOW_UP, parts, sizeof parts / sizeof parts[0]) ? PAWL_OK : PAWL_E_STATE;
}

static int32_t enqueue(pawl_attempt *handle, const pawl_follow_up *given, pawl_str *why) {
    static _Thread_local char said[WORDS_MAX];
    attempt *a = attempt_running(handle);
    if (a == NULL) return PAWL_E_STATE;
    request r = {.queue = NULL};
    int32_t status = take(a, handle, given, &r);
    free(r.queue);
    free(r.title);
    if (status != PAWL_E_INVALID_INPUT && status != PAWL_E_LIMIT) return status;
    size_t length = utf8_cut(r.words, strlen(r.words), WORDS_MAX - 1);
    memcpy(said, r.words, length);
    said[length] = 0;
    if (why != NULL) *why = (pawl_str){said, length};
    /* A handler that just returns the status fails with these words. */
    char line[WORDS_MAX + 32];
    snprintf(line, sizeof line, "a follow-up run: %s", said);
    attempt_args_fault(a, line, false);
    return status;
}

const pawl_ext_follow_up follow_up_table = {.struct_size = sizeof(pawl_ext_follow_up), .enqueue = enqueue};
