/* typed.h - compares a manifest of C functions with the debug information of their library. */
#ifndef PAWL_INSPECT_TYPED_H
#define PAWL_INSPECT_TYPED_H

/* Reads the manifest from standard input until its end, prints what was found of each function as JSON; returns an exit code. Nothing
 * of the library runs. Limits its own memory and time: the library may be anything. */
int typed_calls(void);

#endif
