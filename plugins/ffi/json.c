#include "json.h"

#include <string.h>

/* Deeper texts are refused: the reader is recursive. */
#define MAX_DEPTH 64

typedef struct reader {
    arena *memory;
    const char *at;
    const char *end;
    const char *error;
} reader;

static json *read_value(reader *in, int depth);

static void skip_space(reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) {
        in->at++;
    }
}

static int next_is(reader *in, char wanted)
{
    skip_space(in);
    if (in->at == in->end || *in->at != wanted) {
        return 0;
    }
    in->at++;
    return 1;
}

static int read_word(reader *in, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0) {
        in->error = "a value is expected";
        return 0;
    }
    in->at += len;
    return 1;
}

/* Four hexadecimal digits, or -1. */
static int32_t read_hex(reader *in)
{
    if (in->end - in->at < 4) {
        return -1;
    }
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = in->at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    in->at += 4;
    return value;
}

static char *put_utf8(char *out, uint32_t scalar)
{
    if (scalar < 0x80) {
        *out++ = (char)scalar;
    } else if (scalar < 0x800) {
        *out++ = (char)(0xC0 | scalar >> 6);
        *out++ = (char)(0x80 | (scalar & 0x3F));
    } else if (scalar < 0x10000) {
        *out++ = (char)(0xE0 | scalar >> 12);
        *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
        *out++ = (char)(0x80 | (scalar & 0x3F));
    } else {
        *out++ = (char)(0xF0 | scalar >> 18);
        *out++ = (char)(0x80 | (scalar >> 12 & 0x3F));
        *out++ = (char)(0x80 | (scalar >> 6 & 0x3F));
        *out++ = (char)(0x80 | (scalar & 0x3F));
    }
    return out;
}

/* After \u. A surrogate without its other half becomes U+FFFD. */
static char *read_unicode(reader *in, char *out)
{
    int32_t unit = read_hex(in);
    if (unit < 0) {
        in->error = "\\u needs four hexadecimal digits";
        return out;
    }
    uint32_t scalar = (uint32_t)unit;
    if (scalar >= 0xD800 && scalar <= 0xDBFF && in->end - in->at >= 6 && in->at[0] == '\\' && in->at[1] == 'u') {
        const char *before = in->at;
        in->at += 2;
        int32_t low = read_hex(in);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            return put_utf8(out, 0x10000 + ((scalar - 0xD800) << 10) + ((uint32_t)low - 0xDC00));
        }
        in->at = before;
    }
    return put_utf8(out, scalar >= 0xD800 && scalar <= 0xDFFF ? 0xFFFD : scalar);
}

/* After the opening quote. Unescaped text is never longer than its source. */
static int read_string(reader *in, const char **bytes, size_t *len)
{
    const char *close = in->at;
    while (close < in->end && *close != '"') {
        close += *close == '\\' && close + 1 < in->end ? 2 : 1;
    }
    if (close >= in->end) {
        in->error = "a string has no end";
        return 0;
    }
    char *copy = arena_alloc(in->memory, (size_t)(close - in->at) + 1);
    char *out = copy;
    while (in->at < close) {
        char c = *in->at++;
        if ((unsigned char)c < 0x20) {
            in->error = "a control character in a string must be escaped";
            return 0;
        }
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        c = *in->at++;
        static const char escapes[] = "\"\\/bfnrt";
        static const char meanings[] = "\"\\/\b\f\n\r\t";
        const char *escape = c == '\0' ? NULL : strchr(escapes, c);
        if (escape != NULL) {
            *out++ = meanings[escape - escapes];
        } else if (c == 'u') {
            out = read_unicode(in, out);
            if (in->error != NULL) {
                return 0;
            }
        } else {
            in->error = "an unknown escape in a string";
            return 0;
        }
    }
    in->at = close + 1;
    *bytes = copy;
    *len = (size_t)(out - copy);
    return 1;
}

static int skip_digits(reader *in)
{
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        in->at++;
    }
    return in->at > start;
}

static int read_number(reader *in, json *value)
{
    const char *start = in->at;
    in->at += *in->at == '-';
    const char *digits = in->at;
    int ok = skip_digits(in) && !(*digits == '0' && in->at - digits > 1);
    if (ok && in->at < in->end && *in->at == '.') {
        in->at++;
        ok = skip_digits(in);
    }
    if (ok && in->at < in->end && (*in->at == 'e' || *in->at == 'E')) {
        in->at++;
        in->at += in->at < in->end && (*in->at == '+' || *in->at == '-');
        ok = skip_digits(in);
    }
    if (!ok) {
        in->error = "a number is malformed";
        return 0;
    }
    value->kind = JSON_NUMBER;
    value->len = (size_t)(in->at - start);
    value->bytes = arena_copy(in->memory, start, value->len);
    return 1;
}

static int read_children(reader *in, json *parent, char close, int depth)
{
    json **tail = &parent->first;
    if (next_is(in, close)) {
        return 1;
    }
    do {
        const char *key = NULL;
        size_t key_len = 0;
        if (parent->kind == JSON_OBJECT) {
            if (!next_is(in, '"')) {
                in->error = "a member's name is expected";
                return 0;
            }
            if (!read_string(in, &key, &key_len)) {
                return 0;
            }
            if (!next_is(in, ':')) {
                in->error = "a colon is expected after a member's name";
                return 0;
            }
        }
        json *child = read_value(in, depth + 1);
        if (child == NULL) {
            return 0;
        }
        child->key = key;
        child->key_len = key_len;
        *tail = child;
        tail = &child->next;
        parent->count++;
    } while (next_is(in, ','));
    if (!next_is(in, close)) {
        in->error = "a comma or the end of an array or object is expected";
        return 0;
    }
    return 1;
}

static json *read_value(reader *in, int depth)
{
    skip_space(in);
    if (depth > MAX_DEPTH) {
        in->error = "it is nested too deeply";
        return NULL;
    }
    if (in->at == in->end) {
        in->error = "a value is expected";
        return NULL;
    }
    json *value = arena_alloc(in->memory, sizeof(*value));
    int ok;
    switch (*in->at) {
    case '{':
    case '[':
        value->kind = *in->at == '{' ? JSON_OBJECT : JSON_ARRAY;
        in->at++;
        ok = read_children(in, value, value->kind == JSON_OBJECT ? '}' : ']', depth);
        break;
    case '"':
        in->at++;
        value->kind = JSON_STRING;
        ok = read_string(in, &value->bytes, &value->len);
        break;
    case 't':
    case 'f':
        value->kind = JSON_BOOL;
        value->truth = *in->at == 't';
        ok = read_word(in, value->truth ? "true" : "false");
        break;
    case 'n':
        value->kind = JSON_NULL;
        ok = read_word(in, "null");
        break;
    case '-':
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        ok = read_number(in, value);
        break;
    default:
        in->error = "a value is expected";
        ok = 0;
    }
    return ok ? value : NULL;
}

const json *json_parse(arena *memory, const char *bytes, size_t len, const char **error)
{
    reader in = {.memory = memory, .at = bytes, .end = bytes + len};
    const json *value = read_value(&in, 0);
    if (value != NULL) {
        skip_space(&in);
        if (in.at == in.end) {
            return value;
        }
        in.error = "there is something after its end";
    }
    text words = {.memory = memory};
    text_format(&words, "%s (at byte %zu)", in.error, (size_t)(in.at - bytes));
    *error = words.bytes;
    return NULL;
}

const json *json_member(const json *object, const char *key)
{
    const json *found = NULL;
    if (object == NULL || object->kind != JSON_OBJECT) {
        return NULL;
    }
    for (const json *member = object->first; member != NULL; member = member->next) {
        if (member->key_len == strlen(key) && memcmp(member->key, key, member->key_len) == 0) {
            found = member;
        }
    }
    return found;
}

const char *json_kind_name(const json *value)
{
    static const char *const names[] = {"null", "a bool", "a number", "a string", "an array", "an object"};
    return names[value->kind];
}
