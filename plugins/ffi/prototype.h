/* prototype.h - a C prototype as a short way to say what "symbol", "params" and "result" say in full. */
#ifndef PAWL_FFI_PROTOTYPE_H
#define PAWL_FFI_PROTOTYPE_H

#include "json.h"

/*
 * The function's object with "symbol", "params" (an array) and "result" as the prototype has them; NULL and *error, with the
 * character and what is allowed there. "params" of the given object may be an object: by a parameter's name more members of it,
 * or other ones, for what C's types leave open ({"data": {"type": "bytes"}} takes the length behind it along).
 */
const json *prototype_expand(arena *memory, const char *prototype, const json *function, const char **error);

#endif
