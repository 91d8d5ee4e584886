/* zygote_state.h - the one zygote that this process is. */
#ifndef PAWL_ZYGOTE_STATE_H
#define PAWL_ZYGOTE_STATE_H

#include "control.h"
#include "load.h"
#include "zygote_run.h"

typedef struct zygote {
    control host;
    int sigchld;
    pawl_c_hello hello;
    char *path;
    char *config;
    loaded_plugin loaded;
    bool has_plugin;   /* loaded in this very process */
    bool retiring;
    bool demoted;      /* threads have appeared since READY: go on in spawn mode as soon as there are no children */
    zygote_runs runs;
    /* Profile none: slots whose monitor died before its tree was empty; their processes came here. */
    uint32_t *orphaned;
    size_t orphaned_count;
    uint64_t orphans_since_ns; /* that the host is told of few of them */
    uint32_t orphans_told;
} zygote;

extern zygote z;

/* Something for the host's log. */
void zygote_note(const char *words);
/* Carries out a SPAWN frame, or answers SPAWN_FAILED. Returns in the zygote only. */
void zygote_spawn(control_message *m);
/* One whose descriptors found no room in this process: the host is told, and may try again. */
void zygote_spawn_without_room(uint32_t slot);

#endif
