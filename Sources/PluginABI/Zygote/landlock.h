/* landlock.h - which files a child reaches, and whom it may signal. */
#ifndef PAWL_LANDLOCK_H
#define PAWL_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's version of Landlock; 0: none, with errno. */
int landlock_abi(void);

/* A rule set of everything that version `abi` can forbid; without `network` also TCP. A descriptor, or -1 with errno. */
int landlock_begin(int abi, bool network);

/* Allows `path` and what is below it: to read and execute, or also to change. False with errno. */
bool landlock_allow(int rules, int abi, const char *path, bool writable);

/* A device: to read, write and control. False with errno. */
bool landlock_allow_device(int rules, int abi, const char *path);

/* From here on nothing else, for this process and all that descend from it. False with errno. */
bool landlock_restrict(int rules);

#endif
