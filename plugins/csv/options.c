/* options.c - from JSON members to options. */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const pawl_ext_args *args;

int32_t fail_with(pawl_attempt *attempt, const char *code, int32_t retry, const char *format, ...) {
    char message[4600]; /* a path and a sentence */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0) length = 0;
    if ((size_t)length >= sizeof message) length = (int)sizeof message - 1;
    pawl_failure failure = {.struct_size = sizeof failure, .retry = retry, .code = {code, strlen(code)},
                            .message = {message, (size_t)length}};
    return attempt->host->fail(attempt, &failure);
}

static int32_t wrong(pawl_attempt *attempt, const char *key, const char *must) {
    fail_with(attempt, "invalid_input", PAWL_RETRY_NEVER, "\"%s\" %s", key, must);
    return PAWL_E_INVALID_INPUT;
}

static int32_t read_path(pawl_attempt *attempt, const char *key, pawl_str *path) {
    int32_t status = args->get_str(attempt, key, path);
    if (status == PAWL_E_NOT_FOUND) return wrong(attempt, key, "is missing: the absolute path of a file");
    if (status != PAWL_OK) return status;
    if (path->len == 0 || path->ptr[0] != '/') return wrong(attempt, key, "must be an absolute path: it begins with /");
    if (strlen(path->ptr) != path->len) return wrong(attempt, key, "must not contain a zero byte");
    return PAWL_OK;
}

/* One ASCII character that means nothing else here. */
static int32_t read_character(pawl_attempt *attempt, const char *key, int may_be_empty, int *out) {
    pawl_str value;
    int32_t status = args->get_str(attempt, key, &value);
    if (status == PAWL_E_NOT_FOUND) return PAWL_OK;
    if (status != PAWL_OK) return status;
    if (value.len == 0 && may_be_empty) {
        *out = -1;
        return PAWL_OK;
    }
    unsigned char c = value.len == 1 ? (unsigned char)value.ptr[0] : 0x80;
    if (c >= 0x80 || c == '\n' || c == '\r' || c == 0)
        return wrong(attempt, key, "must be one ASCII character, and no line break");
    *out = c;
    return PAWL_OK;
}

#define TRY(call)                                                                                                     \
    do {                                                                                                              \
        int32_t status_of_call = (call);                                                                              \
        if (status_of_call != PAWL_OK && status_of_call != PAWL_E_NOT_FOUND) return status_of_call;                   \
    } while (0)

int32_t options_read(pawl_attempt *attempt, options *o) {
    static const char *const known[] = {"input", "output", "delimiter", "quote", "header", "names", "null_text",
                                        "strict"};
    int delimiter = ',';
    *o = (options){.quote = '"', .header = 1};
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_path(attempt, "input", &o->input));
    TRY(read_path(attempt, "output", &o->output));
    TRY(read_character(attempt, "delimiter", 0, &delimiter));
    TRY(read_character(attempt, "quote", 1, &o->quote));
    if (o->quote == delimiter) return wrong(attempt, "quote", "must differ from the delimiter");
    o->delimiter = (char)delimiter;
    TRY(args->array_count(attempt, "names", &o->name_count));
    if (o->name_count > COLUMNS_MAX) return wrong(attempt, "names", "has more than 10,000 names");
    if (o->name_count > 0) o->header = 0;
    TRY(args->get_bool(attempt, "header", &o->header));
    TRY(args->get_bool(attempt, "strict", &o->strict));
    int32_t status = args->get_str(attempt, "null_text", &o->null_text);
    TRY(status);
    o->has_null = status == PAWL_OK;
    return PAWL_OK;
}
