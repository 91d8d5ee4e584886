/* worker.h - the thread that runs the handler. */
#ifndef PAWL_WORKER_H
#define PAWL_WORKER_H

#include "attempt.h"

/* Gives the attempt's run to the worker, which is started for the first one. It ends the process when the handler's end has
 * been sent. In a pooled child it says IDLE, and asks `next`, on its own thread, whether it has the next run already; else it
 * waits for the next call, as it does where `next` is null. False: no thread. */
bool worker_take(attempt *a, bool (*next)(attempt *a));

/* Calls the plugin's pawl.cancel/1, on a thread of its own. */
void worker_tell_cancelled(attempt *a);

/* Says in the run's log, before STARTED, why this child cannot run the attempt, and ends the process with EXIT_SETUP: the
 * host gives the attempt to another child. `code` stands in the line's fields. */
_Noreturn void worker_cannot_start(const char *code, const char *message);

#endif
