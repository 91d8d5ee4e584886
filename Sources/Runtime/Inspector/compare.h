/* compare.h - whether a declaration of a manifest is what the debug information says. */
#ifndef PAWL_INSPECT_COMPARE_H
#define PAWL_INSPECT_COMPARE_H

#include "declared.h"

#include <manifest.h>

typedef enum {
    COMPARED_SAME,
    COMPARED_DIFFERENT,
    COMPARED_UNREADABLE, /* the debug information does not say all of it */
} comparison;

/* *words: what differs, or what cannot be read, in memory of the arena. */
comparison compare_function(arena *memory, const function *said, Dwarf_Die *entry, const char **words);
/* Whether a function takes one pointer, as what gives memory back does. */
comparison compare_release(arena *memory, const char *symbol, Dwarf_Die *entry, const char **words);

#endif
