#include "expression.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

typedef struct reader {
    arena *memory;
    const char *start, *at;
    expression_lookup lookup;
    void *context;
    const char *error;
    unsigned depth;
} reader;

static void wrong(reader *r, const char *words)
{
    if (r->error == NULL) {
        text out = {.memory = r->memory};
        text_format(&out, "\"%s\", character %zu: %s", r->start, (size_t)(r->at - r->start) + 1, words);
        r->error = out.bytes;
    }
}

static char peek(reader *r)
{
    while (*r->at == ' ') {
        r->at++;
    }
    return *r->at;
}

static uint64_t sum(reader *r);

static const char *word(reader *r)
{
    const char *start = r->at;
    while ((*r->at >= 'a' && *r->at <= 'z') || (*r->at >= 'A' && *r->at <= 'Z') || (*r->at >= '0' && *r->at <= '9')
           || *r->at == '_') {
        r->at++;
    }
    return arena_copy(r->memory, start, (size_t)(r->at - start));
}

static uint64_t primary(reader *r)
{
    uint64_t number = 0;
    char c = peek(r);
    if (r->error != NULL) {
        return 0;
    }
    if (c == '(') {
        if (++r->depth > DEPTH_MAX) {
            wrong(r, "too many parentheses");
            return 0;
        }
        r->at++;
        number = sum(r);
        if (peek(r) != ')') {
            wrong(r, "\")\" is missing");
            return 0;
        }
        r->at++;
        r->depth--;
        return number;
    }
    if (c >= '0' && c <= '9') {
        char *end;
        errno = 0;
        number = strtoull(r->at, &end, 10);
        if (errno != 0) {
            wrong(r, "too large a number");
        }
        r->at = end;
        return number;
    }
    const char *before = r->at;
    const char *name = word(r), *function = "";
    if (name[0] == '\0') {
        wrong(r, "a number, a name, len(NAME), size(NAME) or \"(\" must stand here");
        return 0;
    }
    if (peek(r) == '(') {
        function = name;
        r->at++;
        peek(r);
        name = word(r);
        if (peek(r) != ')' || (strcmp(function, "len") != 0 && strcmp(function, "size") != 0)) {
            wrong(r, "only len(NAME) and size(NAME) can be called");
            return 0;
        }
        r->at++;
    }
    if (!r->lookup(r->context, function, name, &number)) {
        r->at = before;
        wrong(r, "no whole number, bytes, cstring or buffer of this name");
    }
    return number;
}

static uint64_t product(reader *r)
{
    uint64_t left = primary(r);
    for (char c = peek(r); r->error == NULL && (c == '*' || c == '/'); c = peek(r)) {
        r->at++;
        uint64_t right = primary(r);
        if (c == '*' && __builtin_mul_overflow(left, right, &left)) {
            wrong(r, "too large a number");
        } else if (c == '/' && right == 0) {
            wrong(r, "division by 0");
        } else if (c == '/') {
            left /= right;
        }
    }
    return left;
}

static uint64_t sum(reader *r)
{
    uint64_t left = product(r);
    for (char c = peek(r); r->error == NULL && (c == '+' || c == '-'); c = peek(r)) {
        r->at++;
        uint64_t right = product(r);
        if (c == '+' ? __builtin_add_overflow(left, right, &left) : __builtin_sub_overflow(left, right, &left)) {
            wrong(r, c == '+' ? "too large a number" : "a number below 0");
        }
    }
    return left;
}

const char *expression_value(arena *memory, const char *expression, expression_lookup lookup, void *context, uint64_t *out)
{
    reader r = {.memory = memory, .start = expression, .at = expression, .lookup = lookup, .context = context};
    *out = sum(&r);
    if (peek(&r) != '\0') {
        wrong(&r, "the end, or one of + - * / must stand here");
    }
    return r.error;
}
