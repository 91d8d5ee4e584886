/* zygote_run.h - the zygote's table of attempts: each is a leader of its own, or a monitor that keeps one. */
#ifndef PAWL_ZYGOTE_RUN_H
#define PAWL_ZYGOTE_RUN_H

#include "keeper.h"

typedef struct zygote_run {
    uint32_t slot;
    bool is_monitor;
    bool reap_asked;
    bool ended;    /* its pidfd was readable at the last look */
    leader leader; /* the attempt's, or the monitor */
    int cgroup;    /* -1: none */
} zygote_run;

typedef struct zygote_runs {
    zygote_run *items;
    size_t count, capacity;
} zygote_runs;

/* Room for one more, or NULL. */
zygote_run *runs_add(zygote_runs *runs);
zygote_run *runs_find(zygote_runs *runs, uint32_t slot);
void runs_remove(zygote_runs *runs, zygote_run *run);
/* Whether `pid` is the leader or monitor of a run; as sweep_spared, with the table as context. */
bool runs_own(pid_t pid, void *runs);

#endif
