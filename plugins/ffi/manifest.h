/* manifest.h - what a *.pawl.json says: which functions of which library become handlers, with which types. */
#ifndef PAWL_FFI_MANIFEST_H
#define PAWL_FFI_MANIFEST_H

#include "types.h"

#define MAX_PARAMS 32

enum direction {
    GOES_IN,
    GOES_OUT,  /* out<T>: a pointer to a zeroed T, which comes back in the result */
    GOES_INOUT /* inout<T>: the same, set before */
};

typedef struct param {
    const char *name;
    const type *type;
    const type *length_type; /* of bytes */
    const char *description; /* or NULL */
    const json *fallback;    /* taken when the arg is absent, or NULL: the arg is required */
    int is_const;            /* fallback is the value; there is no such arg */
    int is_nullable;         /* null is allowed, and becomes NULL (cstring), or NULL and 0 (bytes) */
    int is_base64;           /* bytes, buffer: base64, not text */
    enum direction direction;
    const char *size;        /* of a buffer: an expression */
    const char *used;        /* of a buffer: how much of it the function has filled, evaluated afterwards; NULL: all */
    const char *value;       /* of whole numbers: computed, not an arg; NULL: none */
} param;

typedef struct function {
    const char *name; /* of the handler */
    const char *description;
    const char *symbol;
    const char *free_symbol; /* called with a cstring result after it was copied, or NULL */
    const type *result;
    int wants_errno;
    int is_unchecked; /* nobody is to compare it with the library's debug information */
    param params[MAX_PARAMS];
    unsigned param_count;

    /* Prepared in the zygote; all immortal. */
    const char *args_schema;
    const char *result_schema;
    unsigned fixed_count; /* C parameters before the variable ones */
    int is_variadic;
    ffi_cif cif;
    ffi_type *c_types[2 * MAX_PARAMS];
    unsigned c_count;
    void (*address)(void);
    void (*free_address)(void);
} function;

typedef struct manifest {
    const char *plugin;
    const char *version;
    const char *library;
    type *named; /* "types" */
    unsigned named_count;
    function *functions;
    unsigned function_count;
} manifest;

/* Whether the caller gives it. */
int param_is_arg(const param *param);

/* Reads and checks a manifest, and prepares its calls; nothing of the library is touched. NULL and a terminated *error that
 * names the place if it is wrong. All is in memory of the arena, which must never be freed. */
manifest *manifest_read(arena *memory, const char *bytes, size_t len, const char **error);

/* Loads the library and finds the functions. NULL, or why not. Once, after manifest_read(). In bind.c: who only reads manifests
 * need not be able to load anything. */
const char *manifest_bind(arena *memory, manifest *manifest);

#endif
