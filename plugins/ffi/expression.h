/* expression.h - sizes that a manifest computes: whole numbers, names, len(name), size(name), + - * / and parentheses. */
#ifndef PAWL_FFI_EXPRESSION_H
#define PAWL_FFI_EXPRESSION_H

#include "text.h"

/* The value of a name, or of function(name); function is "" for a plain name. 0: there is none. */
typedef int (*expression_lookup)(void *context, const char *function, const char *name, uint64_t *out);

/* NULL, or what is wrong and where, in memory of the arena. A result below 0 or above 2^64 is wrong, as is a division by 0. */
const char *expression_value(arena *memory, const char *expression, expression_lookup lookup, void *context, uint64_t *out);

#endif
