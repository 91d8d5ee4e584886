/* args.c - each getter walks the object's top level: args are small, and a handler asks once per member. */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"

#define KEY_MAX 1024 /* of a member's name in a message */

/* The attempt carries the sentence; the handler just returns the status. */
static int32_t wrong(attempt *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int32_t wrong(attempt *a, const char *format, ...) {
    char line[KEY_MAX + 512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    attempt_args_fault(a, line, false);
    return PAWL_E_INVALID_INPUT;
}

/* Absent, or null: no fault by itself, but what to say should the handler give up over it. */
static int32_t missing(attempt *a, const char *key) {
    char line[KEY_MAX + 64];
    snprintf(line, sizeof line, "the args have no \"%s\"", key);
    attempt_args_fault(a, line, true);
    return PAWL_E_NOT_FOUND;
}

/* Whether an item's key is `key`, escapes resolved. */
static bool is_key(const json_item *item, const char *key) {
    size_t length = strlen(key);
    if (memchr(item->key, '\\', item->key_length) == NULL)
        return item->key_length == length && memcmp(item->key, key, length) == 0;
    char plain[KEY_MAX];
    if (item->key_length > sizeof plain) return false;
    return json_unescape(item->key, item->key_length, plain) == length && memcmp(plain, key, length) == 0;
}

/* Finds a member. PAWL_OK, PAWL_E_NOT_FOUND (absent or null), PAWL_E_INVALID_INPUT (no object), PAWL_E_STATE. Of
 * doubles the last one counts, as in most readers. */
static int32_t find(const pawl_attempt *handle, const char *key, attempt **owner, json_item *found) {
    attempt *a = attempt_running(handle);
    if (a == NULL || key == NULL) return PAWL_E_STATE;
    *owner = a;
    size_t length = (size_t)a->head.args_length;
    if (json_check(a->args, length) != JSON_OBJECT) return wrong(a, "the args must be a JSON object");
    bool any = false;
    json_walk walk = json_begin(a->args, length);
    for (json_item item; json_next(&walk, &item);) {
        if (!is_key(&item, key)) continue;
        *found = item;
        any = true;
    }
    if (!any || json_type_of(found->value) == JSON_NULL) return missing(a, key);
    attempt_args_found(a);
    return PAWL_OK;
}

static int32_t unescaped(attempt *a, const char *key, const char *value, size_t length, pawl_str *out) {
    char *copy = malloc(length); /* the quotes leave room for the zero; lives as long as the process */
    if (copy == NULL) return wrong(a, "out of memory for the member \"%s\" of the args", key);
    size_t size = json_unescape(value + 1, length - 2, copy);
    copy[size] = 0;
    *out = (pawl_str){copy, size};
    return PAWL_OK;
}

static int32_t get_str(pawl_attempt *handle, const char *key, pawl_str *out) {
    attempt *a;
    json_item item;
    int32_t status = find(handle, key, &a, &item);
    if (status != PAWL_OK) return status;
    if (json_type_of(item.value) != JSON_STRING) return wrong(a, "\"%s\" must be a string", key);
    return unescaped(a, key, item.value, item.value_length, out);
}

/* The number's text in `line`; false if it is no number or too long to be one that fits. */
static bool number_text(const json_item *item, char *line, size_t size) {
    if (json_type_of(item->value) != JSON_NUMBER || item->value_length >= size) return false;
    memcpy(line, item->value, item->value_length);
    line[item->value_length] = 0;
    return true;
}

static int32_t get_int(pawl_attempt *handle, const char *key, int64_t minimum, int64_t maximum, int64_t *out) {
    attempt *a;
    json_item item;
    int32_t status = find(handle, key, &a, &item);
    if (status != PAWL_OK) return status;
    char line[64];
    bool fine = number_text(&item, line, sizeof line);
    int64_t value = 0;
    if (fine) {
        char *end;
        errno = 0;
        value = strtoll(line, &end, 10);
        fine = *end == 0 && errno == 0;
        if (*end != 0) { /* 3.0 and 1e3 are whole numbers too */
            double real = strtod(line, &end);
            fine = *end == 0 && real == floor(real) && fabs(real) <= 9007199254740992.0;
            value = fine ? (int64_t)real : 0;
        }
    }
    if (!fine || value < minimum || value > maximum)
        return wrong(a, "\"%s\" must be a whole number from %lld to %lld", key, (long long)minimum, (long long)maximum);
    *out = value;
    return PAWL_OK;
}

static int32_t get_double(pawl_attempt *handle, const char *key, double *out) {
    attempt *a;
    json_item item;
    int32_t status = find(handle, key, &a, &item);
    if (status != PAWL_OK) return status;
    char line[512];
    if (!number_text(&item, line, sizeof line)) return wrong(a, "\"%s\" must be a number", key);
    double value = strtod(line, NULL);
    if (!isfinite(value)) return wrong(a, "\"%s\" is too large for a number", key);
    *out = value;
    return PAWL_OK;
}

static int32_t get_bool(pawl_attempt *handle, const char *key, int32_t *out) {
    attempt *a;
    json_item item;
    int32_t status = find(handle, key, &a, &item);
    if (status != PAWL_OK) return status;
    if (json_type_of(item.value) != JSON_BOOL) return wrong(a, "\"%s\" must be true or false", key);
    *out = item.value[0] == 't';
    return PAWL_OK;
}

static int32_t get_json(pawl_attempt *handle, const char *key, pawl_str *out) {
    attempt *a;
    json_item item;
    int32_t status = find(handle, key, &a, &item);
    if (status == PAWL_OK) *out = (pawl_str){item.value, item.value_length};
    return status;
}

static int32_t find_array(pawl_attempt *handle, const char *key, attempt **a, json_item *item) {
    int32_t status = find(handle, key, a, item);
    if (status != PAWL_OK) return status;
    return json_type_of(item->value) == JSON_ARRAY ? PAWL_OK : wrong(*a, "\"%s\" must be an array", key);
}

static int32_t array_count(pawl_attempt *handle, const char *key, size_t *out) {
    attempt *a;
    json_item array, item;
    int32_t status = find_array(handle, key, &a, &array);
    if (status != PAWL_OK) return status;
    size_t count = 0;
    json_walk walk = json_begin(array.value, array.value_length);
    while (json_next(&walk, &item)) count++;
    *out = count;
    return PAWL_OK;
}

static int32_t array_str(pawl_attempt *handle, const char *key, size_t index, pawl_str *out) {
    attempt *a;
    json_item array, item;
    int32_t status = find_array(handle, key, &a, &array);
    if (status != PAWL_OK) return status;
    size_t at = 0;
    json_walk walk = json_begin(array.value, array.value_length);
    while (json_next(&walk, &item)) {
        if (at++ != index) continue;
        if (json_type_of(item.value) != JSON_STRING) return wrong(a, "\"%s\" must hold strings only", key);
        return unescaped(a, key, item.value, item.value_length, out);
    }
    return PAWL_E_NOT_FOUND;
}

static int32_t only(pawl_attempt *handle, const char *const *names, size_t count) {
    attempt *a = attempt_running(handle);
    if (a == NULL || (names == NULL && count > 0)) return PAWL_E_STATE;
    size_t length = (size_t)a->head.args_length;
    if (json_check(a->args, length) != JSON_OBJECT) return wrong(a, "the args must be a JSON object");
    json_walk walk = json_begin(a->args, length);
    for (json_item item; json_next(&walk, &item);) {
        size_t i = 0;
        while (i < count && !is_key(&item, names[i])) i++;
        if (i == count)
            return wrong(a, "\"%.*s\" is not among the args of this handler",
                         (int)(item.key_length < KEY_MAX ? item.key_length : KEY_MAX), item.key);
    }
    return PAWL_OK;
}

const pawl_ext_args args_table = {
    .struct_size = sizeof(pawl_ext_args), .get_str = get_str, .get_int = get_int, .get_double = get_double,
    .get_bool = get_bool, .get_json = get_json, .array_count = array_count, .array_str = array_str, .only = only,
};
