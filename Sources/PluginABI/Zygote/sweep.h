/* sweep.h - finds, kills and reaps descendants by /proc, for a subreaper without cgroups. */
#ifndef PAWL_SWEEP_H
#define PAWL_SWEEP_H

#include "zygote.h"

/* Whether a direct child is none of the sweep's business (context as given). */
typedef bool sweep_spared(pid_t child, void *context);

/* Stops, then kills all descendants of the calling process, but for direct children that are spared, and theirs.
 * Returns how many living processes (no zombies) it found; call again, after reaping, until it finds none. */
size_t sweep_descendants(sweep_spared *spared, void *context);

/* Stops all living descendants of the calling process that are not stopped already, and remembers them. True if there
 * were none. A chain in which each process forks the next one and ends gets past one call: call it again and again, since
 * what lives on under a stopped parent that reaps nothing fills the machine's table of processes with its dead. */
bool sweep_freeze(void);
/* Has those go on that sweep_freeze() has stopped. */
void sweep_thaw(void);

typedef void sweep_reaped(pid_t child, int status, void *context); /* status as waitpid gives it */

/* Reaps children that have ended and are not spared, at most a few thousand. False: there may be more, call again. */
bool sweep_reap(sweep_spared *spared, sweep_reaped *reaped, void *context);

/* Whether a child exists, zombie or not, that is not spared. */
bool sweep_any_child(sweep_spared *spared, void *context);

#endif
