/* process.h - what live processes are doing. */
#ifndef PAWL_INSPECT_PROCESS_H
#define PAWL_INSPECT_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Looks at each, for at most `limit_ms` together; returns an exit code. */
int inspect_processes(const pid_t *pids, size_t count, unsigned limit_ms);

#endif
