#include "prototype.h"

#include <string.h>

typedef struct reader {
    arena *memory;
    const char *start, *at;
    const char **error;
} reader;

static void wrong(reader *r, const char *at, const char *words)
{
    if (*r->error == NULL) {
        text out = {.memory = r->memory};
        text_format(&out, "character %zu of \"%s\": %s", (size_t)(at - r->start) + 1, r->start, words);
        *r->error = out.bytes;
    }
}

static int is_name(char c, int first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static char peek(reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n') {
        r->at++;
    }
    return *r->at;
}

/* The next word, or NULL. */
static const char *word(reader *r)
{
    const char *start = (peek(r), r->at);
    while (is_name(*r->at, r->at == start)) {
        r->at++;
    }
    return r->at == start ? NULL : arena_copy(r->memory, start, (size_t)(r->at - start));
}

static const struct {
    const char *c, *type;
} words_of_c[] = {
    {"void", "void"}, {"bool", "bool"}, {"_Bool", "bool"}, {"float", "f32"}, {"double", "f64"},
    {"size_t", "usize"}, {"ssize_t", "isize"}, {"intptr_t", "isize"}, {"uintptr_t", "usize"}, {"ptrdiff_t", "isize"},
    {"int8_t", "i8"}, {"uint8_t", "u8"}, {"int16_t", "i16"}, {"uint16_t", "u16"}, {"int32_t", "i32"}, {"uint32_t", "u32"},
    {"int64_t", "i64"}, {"uint64_t", "u64"},
};

/* signed, unsigned, char, short, int and long in any order C allows; the name of the type here. */
static const char *basic(reader *r, const char *at, unsigned is_unsigned, unsigned is_signed, unsigned chars, unsigned shorts,
                         unsigned ints, unsigned longs)
{
    if (is_unsigned + is_signed > 1 || chars + shorts > 1 || (chars && (ints || longs)) || (shorts && longs) || ints > 1
        || longs > 2) {
        wrong(r, at, "these words make no type of C together");
        return NULL;
    }
    if (chars && !is_unsigned && !is_signed) {
        return (char)-1 < 0 ? "i8" : "u8";
    }
    if (chars || shorts) {
        return chars ? (is_unsigned ? "u8" : "i8") : (is_unsigned ? "u16" : "i16");
    }
    if (longs == 2 || (longs == 1 && sizeof(long) == 8)) {
        return is_unsigned ? "u64" : "i64";
    }
    return is_unsigned ? "u32" : "i32";
}

typedef struct declared {
    const char *type, *name;
    const char *at;      /* where it begins, for messages */
    int is_pointer, is_char, is_const;
} declared;

/* A type, stars, and a name where there is one. */
static int declaration(reader *r, declared *out)
{
    unsigned is_unsigned = 0, is_signed = 0, chars = 0, shorts = 0, ints = 0, longs = 0, any = 0;
    peek(r);
    *out = (declared){.at = r->at};
    for (;;) {
        const char *before = (peek(r), r->at), *next = word(r);
        if (next == NULL) {
            break;
        }
        unsigned *counted = strcmp(next, "unsigned") == 0 ? &is_unsigned
                            : strcmp(next, "signed") == 0 ? &is_signed
                            : strcmp(next, "char") == 0   ? &chars
                            : strcmp(next, "short") == 0  ? &shorts
                            : strcmp(next, "int") == 0    ? &ints
                            : strcmp(next, "long") == 0   ? &longs
                                                          : NULL;
        if (strcmp(next, "const") == 0) {
            out->is_const = 1;
        } else if (strcmp(next, "extern") == 0 || strcmp(next, "struct") == 0 || strcmp(next, "enum") == 0) {
            continue; /* the type's own name follows */
        } else if (counted != NULL && out->type == NULL) {
            (*counted)++;
            any = 1;
        } else if (out->type != NULL || any) {
            r->at = before; /* the name */
            break;
        } else {
            out->type = next; /* of the manifest's "types", if it is none of these */
            for (size_t i = 0; i < sizeof(words_of_c) / sizeof(words_of_c[0]); i++) {
                out->type = strcmp(next, words_of_c[i].c) == 0 ? words_of_c[i].type : out->type;
            }
        }
    }
    if (any) {
        out->type = basic(r, out->at, is_unsigned, is_signed, chars, shorts, ints, longs);
    }
    if (out->type == NULL) {
        wrong(r, out->at, "a type must stand here");
        return 0;
    }
    out->is_char = chars > 0 && !is_unsigned && !is_signed;
    for (; peek(r) == '*'; r->at++) {
        out->is_pointer++;
    }
    const char *before = r->at;
    out->name = word(r);
    while (out->name != NULL && (strcmp(out->name, "const") == 0 || strcmp(out->name, "restrict") == 0)) {
        before = (peek(r), r->at);
        out->name = word(r);
    }
    (void)before;
    if (peek(r) == '[') {
        wrong(r, r->at, "an array: write a pointer, and say in \"params\" what it is");
    } else if (peek(r) == '(' && out->name == NULL) {
        wrong(r, r->at, "a pointer to a function cannot be passed");
    }
    return *r->error == NULL;
}

static json *node(arena *memory, enum json_kind kind, const char *key, const char *bytes)
{
    json *out = arena_alloc(memory, sizeof(*out));
    out->kind = kind;
    out->key = key;
    out->key_len = key == NULL ? 0 : strlen(key);
    out->bytes = bytes;
    out->len = bytes == NULL ? 0 : strlen(bytes);
    return out;
}

static void append(json *parent, json *child)
{
    json **end = &parent->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = child;
    parent->count++;
}

static void append_copies(arena *memory, json *parent, const json *from)
{
    for (const json *member = from == NULL ? NULL : from->first; member != NULL; member = member->next) {
        json *copy = arena_alloc(memory, sizeof(*copy));
        *copy = *member;
        copy->next = NULL;
        append(parent, copy);
    }
}

/* One parameter as an object; what "params" says of it comes behind, and so wins. */
static json *parameter(reader *r, const declared *of, const json *more)
{
    json *out = node(r->memory, JSON_OBJECT, NULL, NULL);
    append(out, node(r->memory, JSON_STRING, "name", of->name));
    const char *type = of->is_pointer == 1 && of->is_char && of->is_const ? "cstring" : of->is_pointer == 0 ? of->type : NULL;
    if (type == NULL && json_member(more, "type") == NULL) {
        text words = {.memory = r->memory};
        text_format(&words, "only \"const char *\" is clear; say in \"params\" what %s is: {\"%s\": {\"type\": \"bytes\", \"buffer\", "
                            "\"out<T>\" or \"inout<T>\"}}", of->name, of->name);
        wrong(r, of->at, words.bytes);
        return out;
    }
    if (type != NULL && json_member(more, "type") == NULL) {
        append(out, node(r->memory, JSON_STRING, "type", type));
    }
    append_copies(r->memory, out, more);
    return out;
}

static void parameters(reader *r, const json *given, json *out)
{
    unsigned used = 0;
    if (peek(r) == ')') {
        return;
    }
    for (declared of; *r->error == NULL;) {
        if (strncmp((peek(r), r->at), "...", 3) == 0) {
            r->at += 3;
            if (json_member(given, "varargs") == NULL) {
                wrong(r, r->at - 3, "say in \"varargs\" (an array of parameters) what stands for the dots");
            }
            break;
        }
        if (!declaration(r, &of)) {
            return;
        }
        if (out->count == 0 && strcmp(of.type, "void") == 0 && !of.is_pointer && of.name == NULL && peek(r) == ')') {
            break;
        }
        if (of.name == NULL) {
            wrong(r, r->at, "the parameter needs a name: args are given by names");
            return;
        }
        const json *more = json_member(json_member(given, "params"), of.name);
        used += more != NULL;
        json *made = parameter(r, &of, more);
        append(out, made);
        const json *type = json_member(made, "type");
        if (*r->error == NULL && type != NULL && type->kind == JSON_STRING && strcmp(type->bytes, "bytes") == 0
            && json_member(made, "length_type") == NULL) {
            declared length;
            if (peek(r) != ',') {
                wrong(r, r->at, "behind bytes their length must stand, a whole number");
                return;
            }
            r->at++;
            if (!declaration(r, &length)) {
                return;
            }
            append(made, node(r->memory, JSON_STRING, "length_type", length.type));
        }
        if (peek(r) != ',') {
            break;
        }
        r->at++;
    }
    const json *params = json_member(given, "params");
    if (*r->error == NULL && params != NULL && used != params->count) {
        wrong(r, r->at, "\"params\" names a parameter that the prototype does not have");
    }
}

const json *prototype_expand(arena *memory, const char *prototype, const json *function, const char **error)
{
    reader r = {.memory = memory, .start = prototype, .at = prototype, .error = error};
    declared of;
    *error = NULL;
    const json *given = json_member(function, "params");
    if (given != NULL && given->kind != JSON_OBJECT) {
        *error = "beside it \"params\" must be an object, by the parameters' names";
        return NULL;
    }
    if (!declaration(&r, &of)) {
        return NULL;
    }
    json *params = node(memory, JSON_ARRAY, "params", NULL);
    if (of.name == NULL) {
        wrong(&r, r.at, "the function's name must stand here");
    } else if (peek(&r) != '(') {
        wrong(&r, r.at, "\"(\" and the parameters must stand here");
    } else {
        r.at++;
        parameters(&r, function, params);
        if (peek(&r) != ')') {
            wrong(&r, r.at, "\",\" or \")\" must stand here");
        } else {
            r.at++;
            r.at += peek(&r) == ';';
            if (peek(&r) != '\0') {
                wrong(&r, r.at, "the end must stand here");
            }
        }
    }
    const char *result = of.is_pointer == 0 ? of.type : of.is_pointer == 1 && of.is_char ? "cstring" : NULL;
    if (of.is_pointer == 1 && !of.is_char && strcmp(of.type, "void") != 0) {
        text pointer = {.memory = memory};
        text_format(&pointer, "pointer<%s>", of.type);
        result = pointer.bytes;
    }
    if (result == NULL && json_member(function, "result") == NULL) {
        wrong(&r, of.at, "a result of this type cannot be read; allowed are numbers, const char *, structs, and one pointer to them");
    }
    if (*error != NULL) {
        return NULL;
    }
    json *out = node(memory, JSON_OBJECT, function->key, NULL);
    append(out, node(memory, JSON_STRING, "symbol", of.name));
    if (result != NULL) {
        append(out, node(memory, JSON_STRING, "result", result));
    }
    append_copies(memory, out, function);
    append(out, params); /* the last one counts */
    return out;
}
