/* monitor.h - the subreaper of one attempt, where there are no cgroups. */
#ifndef PAWL_MONITOR_H
#define PAWL_MONITOR_H

#include "child.h"

/* Turns the process that spawn_fork has just made into the attempt's monitor, which forks the attempt's child.
 * Outlives the zygote. Ends when the tree is empty and the leader reaped, 0; or when the host is gone, after killing
 * the tree. */
_Noreturn void monitor_main(const spawn_request *request, const child_image *image, bool atfork);

#endif
