/* keeper.h - what zygote and monitor both do for the leader of an attempt: notice its end, keep its zombie, signal its
 * group, reap it. While the zombie is kept, its pid and its group's number cannot be anybody else's. */
#ifndef PAWL_KEEPER_H
#define PAWL_KEEPER_H

#include "control.h"
#include "spawn.h"

typedef struct leader {
    forked process;
    bool exited; /* EXITED was sent; the zombie is kept */
    bool reaped;
} leader;

/* Sends SPAWNED with the descriptors for the leader, and the monitor's where there is one (else pid 0, descriptor
 * -1). */
void keeper_announce(control *c, uint32_t slot, const forked *process, pid_t monitor, int monitor_pidfd);
/* Sends EXITED if the leader has ended and that was not told yet. True if it has ended. */
bool keeper_notice(control *c, uint32_t slot, leader *l);
/* Signals the leader's process group, then SIGCONT, so that stopped processes hear it. */
void keeper_signal(const leader *l, int signal);
/* Reaps the zombie; only after it has ended. */
void keeper_reap(leader *l);

#endif
