/* places.h - from an address of a module to function, file and line, inlined functions included. */
#ifndef PAWL_INSPECT_PLACES_H
#define PAWL_INSPECT_PLACES_H

#include <elfutils/libdwfl.h>

/* Writes one object for each function that the code at `address` belongs to, innermost first: "function", "file", "line", and
 * "inlined" for all but the last; then `shared` is called to add to each object what the place has in common. Writes one object
 * without names where nothing is known. `address` is that of the instruction, biased as the module is. */
void places_write(Dwfl_Module *module, Dwarf_Addr address, void (*shared)(void *context), void *context);

/* The module's GNU build id in hexadecimal, into at most 64 bytes and a zero; false if it has none. */
int places_build_id(Dwfl_Module *module, char text[65]);

#endif
