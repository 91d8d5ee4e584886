/* marker.h - makes PAWL_CHILD, a variable by which the host finds an attempt's processes when nothing else tells
 * whose they are, visible in /proc/PID/environ. That file shows the memory that exec laid out, whatever environ says
 * since; so the zygote starts with room in it, and its forks write there. */
#ifndef PAWL_MARKER_H
#define PAWL_MARKER_H

#include <stddef.h>

/* Finds the room, or starts this program once more with it. At the start of main. */
void marker_reserve(char **argv);
/* Writes the entry PAWL_CHILD=... of an environment (entries, each ended by a zero byte) there, if it has one that
 * fits. */
void marker_write(const char *entries, size_t length);

#endif
