/* types.h - the types of C that a manifest can name, and their values as JSON. */
#ifndef PAWL_FFI_TYPES_H
#define PAWL_FFI_TYPES_H

#include "json.h"

#include <ffi.h>

enum type_class {
    CLASS_VOID,    /* a result only */
    CLASS_BOOL,    /* _Bool */
    CLASS_SIGNED,
    CLASS_UNSIGNED,
    CLASS_FLOAT,
    CLASS_CSTRING, /* const char *, terminated */
    CLASS_BYTES,   /* const void * and a length: two C parameters; never a result */
    CLASS_BUFFER,  /* void * to memory of a computed size, which the function fills; never a result */
    CLASS_STRUCT,  /* by value */
    CLASS_ENUM,    /* int, by its names */
    CLASS_POINTER  /* to one value, which is copied; a result only */
};

typedef struct type {
    const char *name;
    enum type_class class;
    unsigned bits;      /* of numbers */
    ffi_type *ffi;      /* of the value, or of the pointer */
    const struct field *fields; /* of a struct; names and values of an enum */
    unsigned field_count;
    const struct type *target;  /* of a pointer */
} type;

typedef struct field {
    const char *name;
    const type *type; /* NULL: a name of an enum */
    size_t offset;
    int32_t number;   /* of an enum's name */
} field;

/* NULL for a name that is none. */
const type *type_named(const char *name, size_t len);
/* All names, comma-separated, for messages; terminated, immortal. */
const char *type_names(void);

/* One C argument, or a result. A result is wider than its type: libffi widens whole numbers to a register (ffi_arg). */
typedef union value {
    ffi_arg word;
    ffi_sarg signed_word;
    uint8_t u8;
    int8_t i8;
    uint16_t u16;
    int16_t i16;
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
    int64_t i64;
    float f32;
    double f64;
    void *pointer;
    unsigned char room[16];
} value;

/* Puts a number, bool, or cstring into *out. Returns NULL, or what is allowed, in memory of the arena. A cstring points
 * into the tree. */
const char *value_from_json(arena *memory, const type *type, const json *from, value *out);
/* Puts a number of bytes into *out; NULL, or why it does not fit. */
const char *value_from_size(const type *type, size_t size, value *out);
/* Puts a value of any type that can be given into memory of type->ffi->size bytes; a struct is an object of all its members. */
const char *memory_from_json(arena *memory, const type *type, const json *from, void *out);
/* Adds what is in memory of type->ffi->size bytes. */
void memory_to_json(text *out, const type *type, const void *from);
/* Adds a result: whole numbers beyond 2^53 as decimal strings, NaN and infinities as strings. */
void value_to_json(text *out, const type *type, const value *from);
/* Adds the JSON Schema of an argument or result, without its braces. */
void type_to_schema(text *out, const type *type);

#endif
