/* crash.h - tells of a fatal signal on the crash pipe, then lets it take its course. */
#ifndef PAWL_CRASH_H
#define PAWL_CRASH_H

#include "zygote.h"

/* Loads what the unwinder needs (libgcc, allocated once), so that the handler allocates nothing. In the zygote. */
void crash_preload(void);
/* Handlers for the fatal signals, in the child. */
void crash_install(void);
/* An alternate stack for the calling thread, without which a stack overflow ends it in silence. */
void crash_thread_stack(void);

#endif
