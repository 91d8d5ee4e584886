/* layout.h - whether a struct of a manifest lies in memory as the library's does. */
#ifndef PAWL_INSPECT_LAYOUT_H
#define PAWL_INSPECT_LAYOUT_H

#include "compare.h"

/* A value of one type. `is_read_only`: it lies in the library's memory, so its end may be left out of the manifest. */
comparison compare_value(arena *memory, const type *said, Dwarf_Die *entry, bool is_read_only, const char **words);
/* Of a manifest's type, e.g. "u32", "point (a struct of 8 bytes)". */
const char *said_words(arena *memory, const type *said);
/* What follows a pointer is described by this entry; its kind tells whether it can be. */
shape pointee(shape pointer);

#endif
