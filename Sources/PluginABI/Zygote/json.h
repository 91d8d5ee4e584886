/* json.h - the JSON that the zygote needs: checking text, reading members of the args object, writing the manifest. */
#ifndef PAWL_JSON_H
#define PAWL_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting that is accepted. */
#define JSON_DEPTH 512

typedef enum json_type {
    JSON_INVALID, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
} json_type;

/* The type of the one value that `json` consists of, white space around it allowed (RFC 8259), or JSON_INVALID.
 * Bytes of 0x80 and above are taken as they are: the host repairs UTF-8. */
json_type json_check(const char *json, size_t length);
/* The same; of JSON_INVALID, `bad` is the byte (from 0) that no JSON can have there, or `length`: it ends too early. */
json_type json_check_at(const char *json, size_t length, size_t *bad);

/* A walk over the members of an object or the elements of an array. The text must have passed json_check. */
typedef struct json_walk {
    const char *at;
    const char *end;
} json_walk;

typedef struct json_item {
    const char *key;     /* between the quotes, escapes as they stand; NULL in an array */
    size_t key_length;
    const char *value;   /* the value's text without white space around it */
    size_t value_length;
} json_item;

/* Starts at the first item of `json`, which must be an object or array. */
json_walk json_begin(const char *json, size_t length);
/* The next item; false after the last. */
bool json_next(json_walk *walk, json_item *item);
/* The type of a value's text, by its first character. */
json_type json_type_of(const char *value);

/* Unescapes what stands between a string's quotes into `out` (at least `length` bytes) and returns the length. Lone
 * surrogates become U+FFFD. */
size_t json_unescape(const char *escaped, size_t length, char *out);

/* Text that grows. Memory that is out sets `failed`, once and for all. */
typedef struct text {
    char *bytes;
    size_t length;
    size_t capacity;
    bool failed;
} text;

void text_add(text *t, const char *bytes, size_t length);
void text_print(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void text_add_json(text *t, const char *bytes, size_t length);

#endif
