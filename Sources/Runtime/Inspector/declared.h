/* declared.h - what a library's debug information says of a function that it exports. */
#ifndef PAWL_INSPECT_DECLARED_H
#define PAWL_INSPECT_DECLARED_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>

typedef struct {
    Dwfl *dwfl;
    Dwfl_Module *module;
    Dwarf *dwarf;          /* NULL: there is none */
    const char *debug;     /* the file that has it; NULL: the library itself. Of the module */
    const char *problem;   /* why there is none */
} debug_library;

/* Never fails: `problem` says what is missing. Pointers are valid until library_close(). */
void library_open(debug_library *library, const char *path);
void library_close(debug_library *library);

/* The function's entry. NULL, or why there is no entry, in words that follow "unchecked: ". Immortal. */
const char *declared_function(const debug_library *library, const char *symbol, Dwarf_Die *entry);

/* A type as far as a call goes by it. */
typedef enum {
    SHAPE_UNREADABLE, /* the debug information does not say, or is broken */
    SHAPE_VOID,
    SHAPE_BOOL,
    SHAPE_SIGNED,
    SHAPE_UNSIGNED,
    SHAPE_FLOAT,
    SHAPE_ENUM,
    SHAPE_POINTER,
    SHAPE_RECORD, /* struct, class */
    SHAPE_UNION,
    SHAPE_ARRAY,
    SHAPE_FUNCTION,
    SHAPE_BITS,  /* a bit field */
    SHAPE_OTHER, /* complex, decimal, ... */
} shape_kind;

typedef struct {
    shape_kind kind;
    uint64_t bytes;
    Dwarf_Die die; /* without typedefs and qualifiers; undefined for void and unreadable */
} shape;

/* What DW_AT_type of an entry leads to; no such attribute is void. */
shape shape_of(Dwarf_Die *entry);

#define DECLARED_PARAMS_MAX 64

typedef struct {
    Dwarf_Die params[DECLARED_PARAMS_MAX]; /* entries with DW_AT_type */
    unsigned count;
    bool is_variadic;
    bool is_too_many;
} declared_params;

void declared_params_of(Dwarf_Die *function, declared_params *out);

/* As C writes it, e.g. "const char *"; at most `size` bytes with the end. */
void type_words(Dwarf_Die *entry, char *words, size_t size);

#endif
