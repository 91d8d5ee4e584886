/* cgroup.h - a cgroup v2 leaf by the descriptor of its directory (O_PATH suffices). */
#ifndef PAWL_CGROUP_H
#define PAWL_CGROUP_H

#include "zygote.h"

/* Moves the calling process into it. 0 or a negated errno. Async-signal-safe. */
int cgroup_join(int directory);
/* Kills all processes in it: by cgroup.kill (5.14), else one by one until nobody is left or a second is over. 0 or a
 * negated errno. */
int cgroup_kill(int directory);
/* 1: processes are in it, 0: none, negated errno: unknown. */
int cgroup_populated(int directory);

#endif
