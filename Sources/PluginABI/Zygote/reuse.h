/* reuse.h - a child that serves one attempt after the other looks at itself between two, and puts back what it can. */
#ifndef PAWL_REUSE_H
#define PAWL_REUSE_H

#include "zygote.h"

/* Once, before the first run, while the child has one thread: it becomes the subreaper of what it starts. */
void reuse_prepare(void);

/* Main thread, while a run goes on: reaps orphans that pile up. Returns how many ms later to look again; -1: never, for this child
 * is not reused. */
int reuse_reap_orphans(void);

/* Worker, before a run: working directory, and the processor time that it may use (0: any). What is so now is what
 * the audit compares with. False: the directory is not there. */
bool reuse_begin(const char *directory, uint64_t cpu_ms);

/* Worker, after a run and its reset(). Fills everything but reset_status. */
void reuse_audit(pawl_f_idle *found);

#endif
