#include "types.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond 2^53 a JSON number may have been rounded by whoever wrote it. */
#define EXACT_LIMIT (INT64_C(1) << 53)

#if SIZE_MAX == UINT64_MAX
#define SIZE_BITS 64
#define FFI_USIZE &ffi_type_uint64
#define FFI_ISIZE &ffi_type_sint64
#else
#define SIZE_BITS 32
#define FFI_USIZE &ffi_type_uint32
#define FFI_ISIZE &ffi_type_sint32
#endif

static const type types[] = {
    {"void", CLASS_VOID, 0, &ffi_type_void, NULL, 0, NULL},
    {"bool", CLASS_BOOL, 8, &ffi_type_uint8, NULL, 0, NULL},
    {"i8", CLASS_SIGNED, 8, &ffi_type_sint8, NULL, 0, NULL},
    {"u8", CLASS_UNSIGNED, 8, &ffi_type_uint8, NULL, 0, NULL},
    {"i16", CLASS_SIGNED, 16, &ffi_type_sint16, NULL, 0, NULL},
    {"u16", CLASS_UNSIGNED, 16, &ffi_type_uint16, NULL, 0, NULL},
    {"i32", CLASS_SIGNED, 32, &ffi_type_sint32, NULL, 0, NULL},
    {"u32", CLASS_UNSIGNED, 32, &ffi_type_uint32, NULL, 0, NULL},
    {"i64", CLASS_SIGNED, 64, &ffi_type_sint64, NULL, 0, NULL},
    {"u64", CLASS_UNSIGNED, 64, &ffi_type_uint64, NULL, 0, NULL},
    {"isize", CLASS_SIGNED, SIZE_BITS, FFI_ISIZE, NULL, 0, NULL},
    {"usize", CLASS_UNSIGNED, SIZE_BITS, FFI_USIZE, NULL, 0, NULL},
    {"f32", CLASS_FLOAT, 32, &ffi_type_float, NULL, 0, NULL},
    {"f64", CLASS_FLOAT, 64, &ffi_type_double, NULL, 0, NULL},
    {"cstring", CLASS_CSTRING, 0, &ffi_type_pointer, NULL, 0, NULL},
    {"bytes", CLASS_BYTES, 0, &ffi_type_pointer, NULL, 0, NULL},
    {"buffer", CLASS_BUFFER, 0, &ffi_type_pointer, NULL, 0, NULL},
};

const type *type_named(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].name) == len && memcmp(types[i].name, name, len) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const char *type_names(void)
{
    return "void, bool, i8, u8, i16, u16, i32, u32, i64, u64, isize, usize, f32, f64, cstring, bytes, buffer, out<T>, inout<T>, pointer<T> "
           "(results), {\"struct\": [...]}, {\"enum\": {...}}, and names of \"types\"";
}

static int64_t signed_minimum(unsigned bits)
{
    return bits == 64 ? INT64_MIN : -(INT64_C(1) << (bits - 1));
}

static int64_t signed_maximum(unsigned bits)
{
    return bits == 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
}

static uint64_t unsigned_maximum(unsigned bits)
{
    return bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static const char *allowed(arena *memory, const type *type)
{
    text words = {.memory = memory};
    if (type->class == CLASS_SIGNED) {
        text_format(&words, "must be a whole number from %" PRId64 " to %" PRId64, signed_minimum(type->bits),
                    signed_maximum(type->bits));
    } else {
        text_format(&words, "must be a whole number from 0 to %" PRIu64, unsigned_maximum(type->bits));
    }
    if (type->bits == 64) {
        text_str(&words, "; beyond 9007199254740992 as a decimal string");
    }
    return words.bytes;
}

/* Whether all of it is an optional minus and digits. */
static int is_decimal(const char *bytes, size_t len)
{
    size_t start = len > 0 && bytes[0] == '-';
    for (size_t i = start; i < len; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') {
            return 0;
        }
    }
    return len > start;
}

/* A whole number as sign and magnitude; 0 if it is none, or too large for 64 bits. */
static int read_whole(const json *from, int *negative, uint64_t *magnitude)
{
    *negative = from->len > 0 && from->bytes[0] == '-';
    if (is_decimal(from->bytes, from->len)) {
        errno = 0;
        *magnitude = strtoull(from->bytes + *negative, NULL, 10);
        return errno == 0 && (from->kind == JSON_STRING || *magnitude <= (uint64_t)EXACT_LIMIT);
    }
    if (from->kind != JSON_NUMBER) {
        return 0;
    }
    /* 5.0 and 1e3 are whole numbers too. */
    double number = strtod(from->bytes, NULL);
    double limit = (double)EXACT_LIMIT;
    if (!(number >= -limit && number <= limit) || number != (double)(int64_t)number) {
        return 0;
    }
    *magnitude = (uint64_t)(number < 0 ? -number : number);
    return 1;
}

static void store_whole(const type *type, uint64_t bits, value *out)
{
    switch (type->bits) {
    case 8: out->u8 = (uint8_t)bits; break;
    case 16: out->u16 = (uint16_t)bits; break;
    case 32: out->u32 = (uint32_t)bits; break;
    default: out->u64 = bits; break;
    }
}

static const char *whole_from_json(arena *memory, const type *type, const json *from, value *out)
{
    int negative;
    uint64_t magnitude;
    if ((from->kind != JSON_NUMBER && from->kind != JSON_STRING) || !read_whole(from, &negative, &magnitude)) {
        return allowed(memory, type);
    }
    uint64_t limit = type->class == CLASS_UNSIGNED ? (negative ? 0 : unsigned_maximum(type->bits))
                                                   : (uint64_t)signed_maximum(type->bits) + (negative ? 1 : 0);
    if (magnitude > limit) {
        return allowed(memory, type);
    }
    store_whole(type, negative ? 0 - magnitude : magnitude, out);
    return NULL;
}

static const char *float_from_json(const type *type, const json *from, value *out)
{
    static const char *const words = "must be a number, or \"NaN\", \"Infinity\" or \"-Infinity\"";
    double number;
    if (from->kind == JSON_NUMBER) {
        number = strtod(from->bytes, NULL);
        if (isinf(number)) {
            return "must be a number within the range of a double";
        }
    } else if (from->kind == JSON_STRING && strcmp(from->bytes, "NaN") == 0) {
        number = NAN;
    } else if (from->kind == JSON_STRING && strcmp(from->bytes, "Infinity") == 0) {
        number = INFINITY;
    } else if (from->kind == JSON_STRING && strcmp(from->bytes, "-Infinity") == 0) {
        number = -INFINITY;
    } else {
        return words;
    }
    if (type->bits == 64) {
        out->f64 = number;
        return NULL;
    }
    out->f32 = (float)number;
    return isinf(out->f32) && !isinf(number) ? "must be a number within the range of a float" : NULL;
}

const char *value_from_json(arena *memory, const type *type, const json *from, value *out)
{
    switch (type->class) {
    case CLASS_SIGNED:
    case CLASS_UNSIGNED: return whole_from_json(memory, type, from, out);
    case CLASS_FLOAT: return float_from_json(type, from, out);
    case CLASS_BOOL:
        if (from->kind != JSON_BOOL) {
            return "must be true or false";
        }
        out->u8 = (uint8_t)from->truth;
        return NULL;
    case CLASS_CSTRING:
        if (from->kind != JSON_STRING) {
            return "must be a string";
        }
        if (memchr(from->bytes, '\0', from->len) != NULL) {
            return "must not contain the character U+0000: a C string ends there";
        }
        out->pointer = (void *)(uintptr_t)from->bytes;
        return NULL;
    default: return "cannot be given";
    }
}

const char *value_from_size(const type *type, size_t size, value *out)
{
    uint64_t limit = type->class == CLASS_SIGNED ? (uint64_t)signed_maximum(type->bits) : unsigned_maximum(type->bits);
    if (size > limit) {
        return "is longer than its length type can say";
    }
    store_whole(type, size, out);
    return NULL;
}

static const char *struct_from_json(arena *memory, const type *type, const json *from, unsigned char *out)
{
    text words = {.memory = memory};
    if (from->kind != JSON_OBJECT) {
        text_format(&words, "must be an object: a %s", type->name);
        return words.bytes;
    }
    for (const json *member = from->first; member != NULL; member = member->next) {
        int known = 0;
        for (unsigned i = 0; i < type->field_count; i++) {
            known |= strcmp(type->fields[i].name, member->key) == 0;
        }
        if (!known) {
            text_format(&words, "has an unknown member \"%s\"", member->key);
            return words.bytes;
        }
    }
    for (unsigned i = 0; i < type->field_count; i++) {
        const field *field = &type->fields[i];
        const json *member = json_member(from, field->name);
        const char *fault = member == NULL ? "is missing" : memory_from_json(memory, field->type, member, out + field->offset);
        if (fault != NULL) {
            text_format(&words, "member \"%s\" %s", field->name, fault);
            return words.bytes;
        }
    }
    return NULL;
}

static const char *enum_from_json(arena *memory, const type *type, const json *from, int32_t *out)
{
    text words = {.memory = memory};
    text_str(&words, "must be one of");
    for (unsigned i = 0; i < type->field_count; i++) {
        if (from->kind == JSON_STRING && strcmp(from->bytes, type->fields[i].name) == 0) {
            *out = type->fields[i].number;
            return NULL;
        }
        text_format(&words, "%s \"%s\"", i > 0 ? "," : "", type->fields[i].name);
    }
    return words.bytes;
}

const char *memory_from_json(arena *memory, const type *type, const json *from, void *out)
{
    if (type->class == CLASS_STRUCT) {
        return struct_from_json(memory, type, from, out);
    }
    if (type->class == CLASS_ENUM) {
        return enum_from_json(memory, type, from, out);
    }
    value scratch;
    const char *words = value_from_json(memory, type, from, &scratch);
    if (words == NULL) {
        memcpy(out, &scratch, type->ffi->size);
    }
    return words;
}

void memory_to_json(text *out, const type *type, const void *from)
{
    if (type->class == CLASS_STRUCT) {
        for (unsigned i = 0; i < type->field_count; i++) {
            text_str(out, i == 0 ? "{" : ",");
            text_json_str(out, type->fields[i].name);
            text_str(out, ":");
            memory_to_json(out, type->fields[i].type, (const unsigned char *)from + type->fields[i].offset);
        }
        text_str(out, "}");
        return;
    }
    if (type->class == CLASS_ENUM) {
        int32_t number;
        memcpy(&number, from, sizeof(number));
        for (unsigned i = 0; i < type->field_count; i++) {
            if (type->fields[i].number == number) {
                text_json_str(out, type->fields[i].name);
                return;
            }
        }
        text_format(out, "%" PRId32, number);
        return;
    }
    value scratch;
    memset(&scratch, 0, sizeof(scratch));
    memcpy(&scratch, from, type->ffi->size);
    if (type->class == CLASS_POINTER && scratch.pointer != NULL) {
        memory_to_json(out, type->target, scratch.pointer);
        return;
    }
    value_to_json(out, type, &scratch);
}

/* The shortest text that reads back as the same number. */
static void float_to_json(text *out, double number, int is_single)
{
    if (isnan(number) || isinf(number)) {
        text_str(out, isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, number);
        if (is_single ? strtof(digits, NULL) == (float)number : strtod(digits, NULL) == number) {
            break;
        }
    }
    text_str(out, digits);
}

static void whole_to_json(text *out, const type *type, const value *from)
{
    if (type->class == CLASS_SIGNED) {
        int64_t number = type->bits == 8    ? (int8_t)from->word
                         : type->bits == 16 ? (int16_t)from->word
                         : type->bits == 32 ? (int32_t)from->word
                                            : from->i64;
        int exact = number >= -EXACT_LIMIT && number <= EXACT_LIMIT;
        text_format(out, exact ? "%" PRId64 : "\"%" PRId64 "\"", number);
    } else {
        uint64_t number = type->bits == 64 ? from->u64 : (uint64_t)from->word & unsigned_maximum(type->bits);
        text_format(out, number <= (uint64_t)EXACT_LIMIT ? "%" PRIu64 : "\"%" PRIu64 "\"", number);
    }
}

void value_to_json(text *out, const type *type, const value *from)
{
    switch (type->class) {
    case CLASS_BOOL: text_str(out, (uint8_t)from->word != 0 ? "true" : "false"); break;
    case CLASS_SIGNED:
    case CLASS_UNSIGNED: whole_to_json(out, type, from); break;
    case CLASS_FLOAT: float_to_json(out, type->bits == 32 ? (double)from->f32 : from->f64, type->bits == 32); break;
    case CLASS_CSTRING:
        if (from->pointer != NULL) {
            text_json_str(out, from->pointer);
            break;
        }
        text_str(out, "null");
        break;
    default: text_str(out, "null"); break;
    }
}

void type_to_schema(text *out, const type *type)
{
    switch (type->class) {
    case CLASS_BOOL: text_str(out, "\"type\":\"boolean\""); break;
    case CLASS_SIGNED:
    case CLASS_UNSIGNED:
        if (type->bits == 64) {
            text_format(out,
                        "\"anyOf\":[{\"type\":\"integer\",\"minimum\":%s,\"maximum\":9007199254740992},"
                        "{\"type\":\"string\",\"pattern\":\"%s\"}]",
                        type->class == CLASS_SIGNED ? "-9007199254740992" : "0",
                        type->class == CLASS_SIGNED ? "^-?[0-9]+$" : "^[0-9]+$");
        } else if (type->class == CLASS_SIGNED) {
            text_format(out, "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64,
                        signed_minimum(type->bits), signed_maximum(type->bits));
        } else {
            text_format(out, "\"type\":\"integer\",\"minimum\":0,\"maximum\":%" PRIu64, unsigned_maximum(type->bits));
        }
        break;
    case CLASS_FLOAT:
        text_str(out, "\"anyOf\":[{\"type\":\"number\"},{\"enum\":[\"NaN\",\"Infinity\",\"-Infinity\"]}]");
        break;
    case CLASS_CSTRING:
    case CLASS_BYTES:
    case CLASS_BUFFER: text_str(out, "\"type\":\"string\""); break;
    case CLASS_ENUM:
        for (unsigned i = 0; i < type->field_count; i++) {
            text_str(out, i == 0 ? "\"enum\":[" : ",");
            text_json_str(out, type->fields[i].name);
        }
        text_str(out, "]");
        break;
    case CLASS_STRUCT:
        text_str(out, "\"type\":\"object\",\"properties\":{");
        for (unsigned i = 0; i < type->field_count; i++) {
            text_str(out, i == 0 ? "" : ",");
            text_json_str(out, type->fields[i].name);
            text_str(out, ":{");
            type_to_schema(out, type->fields[i].type);
            text_str(out, "}");
        }
        text_str(out, "},\"required\":[");
        for (unsigned i = 0; i < type->field_count; i++) {
            text_str(out, i == 0 ? "" : ",");
            text_json_str(out, type->fields[i].name);
        }
        text_str(out, "],\"additionalProperties\":false");
        break;
    case CLASS_POINTER:
        text_str(out, "\"anyOf\":[{\"type\":\"null\"},{");
        type_to_schema(out, type->target);
        text_str(out, "}]");
        break;
    case CLASS_VOID: text_str(out, "\"type\":\"null\""); break;
    }
}
