/* caps.h - what this machine can do, found out by doing it. */
#ifndef PAWL_CAPS_H
#define PAWL_CAPS_H

/* Prints one JSON object to stdout. `cgroup`: the cgroup v2 directory under which attempts would get theirs, or NULL.
 * Returns the exit code: 0, or 74 where stdout cannot be written. */
int caps_probe(const char *cgroup);

#endif
