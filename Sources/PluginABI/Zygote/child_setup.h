/* child_setup.h - from the bare fork to a process with its own session, descriptors, limits and environment. */
#ifndef PAWL_CHILD_SETUP_H
#define PAWL_CHILD_SETUP_H

#include "spawn.h"

/* Ends the process with EXIT_SETUP, and a sentence on stderr, where something that matters fails. */
void child_setup(const spawn_request *request, pid_t keeper);

/* All signals to their default action and none blocked; SIGPIPE ignored. */
void signals_to_default(void);

#endif
