/* library.h - which file the loader means by a library's name, without loading it. */
#ifndef PAWL_INSPECT_LIBRARY_H
#define PAWL_INSPECT_LIBRARY_H

#include <limits.h>

/* An absolute path is itself; a name is looked for in LD_LIBRARY_PATH, the loader's cache and the built-in directories, files of
 * other machines passed over. 0 and `path`, or -1: there is none, or it is relative to a directory that only the loader's process
 * knows. */
int library_path(const char *name, char path[PATH_MAX]);

#endif
