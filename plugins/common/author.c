/* author.c - args, failures, log lines, text and files of the plugins of this folder. */
#include "author.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const pawl_ext_args *args;

/* Of a path, an address or a server's message, with a sentence around it; more is cut. */
#define MESSAGE_MAX 8192

__attribute__((format(printf, 2, 0)))
static pawl_str format_message(char *room, const char *format, va_list arguments) {
    int length = vsnprintf(room, MESSAGE_MAX, format, arguments);
    if (length < 0) length = 0;
    return (pawl_str){room, length < MESSAGE_MAX ? (size_t)length : MESSAGE_MAX - 1};
}

int32_t fail_with(pawl_attempt *attempt, const char *code, int32_t retry, const char *format, ...) {
    char room[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    pawl_failure failure = {.struct_size = sizeof failure, .retry = retry, .code = {code, strlen(code)}};
    failure.message = format_message(room, format, arguments);
    va_end(arguments);
    return attempt->host->fail(attempt, &failure);
}

int32_t fail_later(pawl_attempt *attempt, const char *code, int32_t retry, int64_t not_before_unix_ms,
                   const char *details_json, const char *format, ...) {
    char room[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    pawl_failure failure = {.struct_size = sizeof failure, .retry = retry, .code = {code, strlen(code)},
                            .not_before_unix_ms = not_before_unix_ms};
    if (details_json != NULL) failure.details_json = (pawl_str){details_json, strlen(details_json)};
    failure.message = format_message(room, format, arguments);
    va_end(arguments);
    return attempt->host->fail(attempt, &failure);
}

int32_t wrong(pawl_attempt *attempt, const char *key, const char *must) {
    char details[160];
    snprintf(details, sizeof details, "{\"pointer\":\"/%s\"}", key);
    fail_later(attempt, "invalid_input", PAWL_RETRY_NEVER, 0, details, "\"%s\" %s", key, must);
    return PAWL_E_INVALID_INPUT;
}

void log_line(pawl_attempt *attempt, int32_t level, const char *format, ...) {
    char room[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    pawl_str message = format_message(room, format, arguments);
    va_end(arguments);
    attempt->host->log(attempt, level, message, PAWL_NO_STR);
}

int32_t read_text(pawl_attempt *attempt, const char *key, int required, pawl_str *value) {
    int32_t status = args->get_str(attempt, key, value);
    if (status == PAWL_E_NOT_FOUND && required) return wrong(attempt, key, "is missing");
    if (status != PAWL_OK) return status;
    return memchr(value->ptr, 0, value->len) == NULL ? PAWL_OK : wrong(attempt, key, "must not contain a zero byte");
}

int32_t read_path(pawl_attempt *attempt, const char *key, int required, pawl_str *path) {
    pawl_str given = PAWL_NO_STR;
    int32_t status = read_text(attempt, key, required, &given);
    if (status != PAWL_OK) return status;
    if (given.len == 0 || given.ptr[0] != '/') return wrong(attempt, key, "must be an absolute path: it begins with /");
    *path = given;
    return PAWL_OK;
}

int32_t read_list(pawl_attempt *attempt, const char *key, size_t limit, const char ***list, size_t *count) {
    char must[64];
    *count = 0;
    TRY(args->array_count(attempt, key, count));
    snprintf(must, sizeof must, "has more than %zu elements", limit);
    if (*count > limit) return wrong(attempt, key, must);
    *list = calloc(*count + 1, sizeof **list);
    if (*list == NULL) return fail_with(attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory");
    for (size_t i = 0; i < *count; i++) {
        pawl_str element = PAWL_NO_STR;
        int32_t status = args->array_str(attempt, key, i, &element);
        if (status == PAWL_OK && memchr(element.ptr, 0, element.len) != NULL)
            status = wrong(attempt, key, "must not contain a zero byte");
        if (status != PAWL_OK) {
            free(*list);
            *list = NULL;
            return status;
        }
        (*list)[i] = element.ptr;
    }
    return PAWL_OK;
}

static char *text_room(text *t, size_t more) {
    if (t->failed) return NULL;
    if (t->room - t->length < more) {
        size_t room = t->room * 2 > t->length + more ? t->room * 2 : t->length + more + 256;
        char *bytes = realloc(t->bytes, room);
        if (bytes == NULL) {
            t->failed = 1;
            return NULL;
        }
        t->bytes = bytes;
        t->room = room;
    }
    return t->bytes + t->length;
}

void text_put(text *t, const char *bytes, size_t length) {
    char *to = text_room(t, length);
    if (to == NULL || length == 0) return;
    memcpy(to, bytes, length);
    t->length += length;
}

void text_format(text *t, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *to = length < 0 ? NULL : text_room(t, (size_t)length + 1);
    if (to != NULL) {
        vsnprintf(to, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

/* Length of the well-formed UTF-8 sequence at `at`, or 0. */
static size_t sequence_length(const unsigned char *at, size_t left) {
    unsigned char lead = at[0];
    size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++) if ((at[i] & 0xC0) != 0x80) return 0;
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) || (lead == 0xF0 && at[1] < 0x90) ||
        (lead == 0xF4 && at[1] > 0x8F)) return 0;
    return length;
}

void text_string(text *t, const char *bytes, size_t length) {
    const unsigned char *at = (const unsigned char *)bytes;
    text_put(t, "\"", 1);
    for (size_t i = 0; i < length && !t->failed;) {
        size_t plain = i;
        while (plain < length && at[plain] >= 0x20 && at[plain] < 0x80 && at[plain] != '"' && at[plain] != '\\') plain++;
        text_put(t, bytes + i, plain - i);
        i = plain;
        if (i == length) break;
        if (at[i] >= 0x80) {
            size_t sequence = sequence_length(at + i, length - i);
            if (sequence == 0) text_put(t, "\xEF\xBF\xBD", 3);
            else text_put(t, bytes + i, sequence);
            i += sequence == 0 ? 1 : sequence;
        } else {
            if (at[i] == '"' || at[i] == '\\') text_format(t, "\\%c", at[i]);
            else text_format(t, "\\u%04x", at[i]);
            i++;
        }
    }
    text_put(t, "\"", 1);
}

int32_t text_result(text *t, pawl_attempt *attempt) {
    int32_t status = t->failed ? fail_with(attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory for the result")
                               : attempt->host->result_json(attempt, (pawl_str){t->bytes, t->length});
    text_free(t);
    return status;
}

void text_free(text *t) {
    free(t->bytes);
    *t = (text){0};
}

char *temporary_name(pawl_attempt *attempt, const char *path) {
    pawl_str run = attempt->host->run_id(attempt);
    size_t room = strlen(path) + run.len + 8;
    char *name = malloc(room);
    if (name != NULL) snprintf(name, room, "%s.%.*s.tmp", path, (int)run.len, run.ptr);
    return name;
}

int commit_file(int fd, const char *temporary, const char *path) {
    if (fsync(fd) != 0 || rename(temporary, path) != 0) return errno;
    char *copy = strdup(path);
    if (copy == NULL) return ENOMEM;
    /* The name is durable only with its directory. */
    int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (directory < 0) return errno;
    int error = fsync(directory) == 0 || errno == EINVAL ? 0 : errno;
    close(directory);
    return error;
}

int write_all(int fd, const void *bytes, size_t length) {
    for (const char *at = bytes; length > 0;) {
        ssize_t got = write(fd, at, length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        at += got;
        length -= (size_t)got;
    }
    return 0;
}
