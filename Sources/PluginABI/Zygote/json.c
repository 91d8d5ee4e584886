/* json.c - a checking scanner of JSON text without recursion, and a writer. */
#include "json.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* No JSON goes on like this: where, for whoever has to mend it. */
static const char *stop(const char **bad, const char *at) {
    *bad = at;
    return NULL;
}

/* From behind the opening quote to behind the closing one, or NULL. */
static const char *scan_string(const char *at, const char *end, const char **bad) {
    while (at < end) {
        unsigned char c = (unsigned char)*at++;
        if (c == '"') return at;
        if (c < 0x20) return stop(bad, at - 1);
        if (c != '\\') continue;
        if (at == end) return stop(bad, at);
        switch (*at++) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': break;
        case 'u':
            for (int i = 0; i < 4; i++, at++) if (at == end || hex(*at) < 0) return stop(bad, at);
            break;
        default: return stop(bad, at - 1);
        }
    }
    return stop(bad, at);
}

static const char *scan_digits(const char *at, const char *end, const char **bad) {
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at == start ? stop(bad, at) : at;
}

static const char *scan_number(const char *at, const char *end, const char **bad) {
    if (at < end && *at == '-') at++;
    if (at < end && *at == '0') at++;
    else if ((at = scan_digits(at, end, bad)) == NULL) return NULL;
    if (at < end && *at == '.' && (at = scan_digits(at + 1, end, bad)) == NULL) return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        at = scan_digits(at, end, bad);
    }
    return at;
}

static const char *scan_word(const char *at, const char *end, const char *word, const char **bad) {
    size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0 ? at + length : stop(bad, at);
}

/* One value without white space before it: from its first character to behind its last, or NULL. */
static const char *scan_value(const char *at, const char *end, const char **bad) {
    char closing[JSON_DEPTH];
    size_t depth = 0;
    for (;;) {
        /* A value begins here. */
        if (at == end) return stop(bad, at);
        switch (*at) {
        case '"': at = scan_string(at + 1, end, bad); break;
        case 't': at = scan_word(at, end, "true", bad); break;
        case 'f': at = scan_word(at, end, "false", bad); break;
        case 'n': at = scan_word(at, end, "null", bad); break;
        case '[':
            if (depth == JSON_DEPTH) return stop(bad, at);
            at = skip_space(at + 1, end);
            if (at < end && *at == ']') { at++; break; }
            closing[depth++] = ']';
            continue;
        case '{':
            if (depth == JSON_DEPTH) return stop(bad, at);
            at = skip_space(at + 1, end);
            if (at < end && *at == '}') { at++; break; }
            closing[depth++] = '}';
            goto key;
        default: at = scan_number(at, end, bad); break;
        }
        if (at == NULL) return NULL;
        /* A value has ended: close what ends with it, or go on behind a comma. */
        for (;;) {
            if (depth == 0) return at;
            at = skip_space(at, end);
            if (at == end) return stop(bad, at);
            if (*at == closing[depth - 1]) { at++; depth--; continue; }
            if (*at != ',') return stop(bad, at);
            at = skip_space(at + 1, end);
            break;
        }
        if (closing[depth - 1] == ']') continue;
    key:
        if (at == end || *at != '"') return stop(bad, at);
        if ((at = scan_string(at + 1, end, bad)) == NULL) return NULL;
        at = skip_space(at, end);
        if (at == end || *at != ':') return stop(bad, at);
        at = skip_space(at + 1, end);
    }
}

json_type json_type_of(const char *value) {
    switch (*value) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': case 'f': return JSON_BOOL;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

json_type json_check_at(const char *json, size_t length, size_t *bad) {
    const char *end = json + length, *at = json;
    const char *start = skip_space(json, end);
    const char *behind = scan_value(start, end, &at);
    if (behind != NULL && (at = skip_space(behind, end)) == end) return json_type_of(start);
    *bad = (size_t)(at - json);
    return JSON_INVALID;
}

json_type json_check(const char *json, size_t length) {
    size_t bad;
    return json_check_at(json, length, &bad);
}

json_walk json_begin(const char *json, size_t length) {
    const char *end = json + length;
    const char *at = skip_space(json, end);
    return (json_walk){at < end ? skip_space(at + 1, end) : end, end};
}

bool json_next(json_walk *walk, json_item *item) {
    const char *at = walk->at, *end = walk->end, *bad;
    if (at >= end || *at == ']' || *at == '}') return false;
    *item = (json_item){0};
    /* A string with a colon behind it is a key: elements of arrays have a comma or the end there. */
    if (*at == '"') {
        const char *behind = scan_string(at + 1, end, &bad);
        if (behind == NULL) return false;
        const char *colon = skip_space(behind, end);
        if (colon < end && *colon == ':') {
            item->key = at + 1;
            item->key_length = (size_t)(behind - at) - 2;
            at = skip_space(colon + 1, end);
        }
    }
    const char *behind = scan_value(at, end, &bad);
    if (behind == NULL) return false;
    item->value = at;
    item->value_length = (size_t)(behind - at);
    at = skip_space(behind, end);
    if (at < end && *at == ',') at = skip_space(at + 1, end);
    walk->at = at;
    return true;
}

static size_t put_utf8(uint32_t scalar, char *out) {
    if (scalar < 0x80) {
        out[0] = (char)scalar;
        return 1;
    }
    if (scalar < 0x800) {
        out[0] = (char)(0xC0 | scalar >> 6);
        out[1] = (char)(0x80 | (scalar & 0x3F));
        return 2;
    }
    if (scalar < 0x10000) {
        out[0] = (char)(0xE0 | scalar >> 12);
        out[1] = (char)(0x80 | (scalar >> 6 & 0x3F));
        out[2] = (char)(0x80 | (scalar & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | scalar >> 18);
    out[1] = (char)(0x80 | (scalar >> 12 & 0x3F));
    out[2] = (char)(0x80 | (scalar >> 6 & 0x3F));
    out[3] = (char)(0x80 | (scalar & 0x3F));
    return 4;
}

static uint32_t four_hex(const char *at) {
    return (uint32_t)(hex(at[0]) << 12 | hex(at[1]) << 8 | hex(at[2]) << 4 | hex(at[3]));
}

size_t json_unescape(const char *escaped, size_t length, char *out) {
    const char *at = escaped, *end = escaped + length;
    char *to = out;
    while (at < end) {
        if (*at != '\\') { *to++ = *at++; continue; }
        char c = at[1];
        at += 2;
        switch (c) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
            uint32_t unit = four_hex(at);
            at += 4;
            if (unit >= 0xD800 && unit < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
                uint32_t low = four_hex(at + 2);
                if (low >= 0xDC00 && low < 0xE000) {
                    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                    at += 6;
                }
            }
            if (unit >= 0xD800 && unit < 0xE000) unit = 0xFFFD;
            to += put_utf8(unit, to); /* six characters of text give at most three bytes, twelve give four */
            break;
        }
        default: *to++ = c; break;
        }
    }
    return (size_t)(to - out);
}

static bool text_reserve(text *t, size_t more) {
    if (t->failed) return false;
    if (t->capacity - t->length > more) return true;
    size_t capacity = t->capacity < 1024 ? 1024 : t->capacity;
    while (capacity - t->length <= more) capacity *= 2;
    char *bytes = realloc(t->bytes, capacity);
    if (bytes == NULL) {
        t->failed = true;
        return false;
    }
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

void text_add(text *t, const char *bytes, size_t length) {
    if (length == 0 || !text_reserve(t, length)) return;
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = 0;
}

void text_print(text *t, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof line) {
        t->failed = true;
        return;
    }
    text_add(t, line, (size_t)length);
}

/* Length of the UTF-8 sequence at `at`, or 0 if there is none. */
static size_t utf8_length(const unsigned char *at, size_t left) {
    unsigned char lead = at[0];
    size_t length = 0;
    if (lead < 0x80) length = 1;
    else if (lead >= 0xC2 && lead < 0xE0) length = 2;
    else if ((lead & 0xF0) == 0xE0) length = 3;
    else if (lead >= 0xF0 && lead < 0xF5) length = 4;
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++) if ((at[i] & 0xC0) != 0x80) return 0;
    if (lead == 0xE0 && at[1] < 0xA0) return 0;
    if (lead == 0xED && at[1] >= 0xA0) return 0;
    if (lead == 0xF0 && at[1] < 0x90) return 0;
    if (lead == 0xF4 && at[1] >= 0x90) return 0;
    return length;
}

void text_add_json(text *t, const char *bytes, size_t length) {
    text_add(t, "\"", 1);
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            text_add(t, escaped, 2);
            i++;
        } else if (c < 0x20) {
            text_print(t, "\\u%04x", c);
            i++;
        } else {
            size_t sequence = utf8_length((const unsigned char *)bytes + i, length - i);
            if (sequence == 0) text_add(t, "\xEF\xBF\xBD", 3);
            else text_add(t, bytes + i, sequence);
            i += sequence == 0 ? 1 : sequence;
        }
    }
    text_add(t, "\"", 1);
}
