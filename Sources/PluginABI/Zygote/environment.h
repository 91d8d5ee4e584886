/* environment.h - the child's environment: what SPAWN gave, with a run's own entries over it. */
#ifndef PAWL_ENVIRONMENT_H
#define PAWL_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Entries are NAME=VALUE, each ended by a zero byte; those of SPAWN stay where they are for good. False: no memory. */
bool environment_base(char *entries, size_t length);

/* The environment is the base with `entries`, which are copied; an entry takes the place of one of the same name. Old
 * texts live until the next call but one, for who kept a pointer of getenv(). Worker, while nobody else reads it. */
bool environment_for_run(const char *entries, size_t length);

/* Whether it is as environment_for_run left it, to the byte. */
bool environment_is_unchanged(void);

#endif
