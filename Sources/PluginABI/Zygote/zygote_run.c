/* zygote_run.c - a small unordered table: as many entries as the host has slots. */
#include "zygote_run.h"

#include <stdlib.h>

zygote_run *runs_add(zygote_runs *runs) {
    if (runs->count == runs->capacity) {
        size_t capacity = runs->capacity == 0 ? 16 : runs->capacity * 2;
        zygote_run *items = realloc(runs->items, capacity * sizeof *items);
        if (items == NULL) return NULL;
        runs->items = items;
        runs->capacity = capacity;
    }
    zygote_run *run = &runs->items[runs->count++];
    *run = (zygote_run){.cgroup = -1};
    return run;
}

zygote_run *runs_find(zygote_runs *runs, uint32_t slot) {
    for (size_t i = 0; i < runs->count; i++) if (runs->items[i].slot == slot) return &runs->items[i];
    return NULL;
}

void runs_remove(zygote_runs *runs, zygote_run *run) { *run = runs->items[--runs->count]; }

bool runs_own(pid_t pid, void *context) {
    const zygote_runs *runs = context;
    for (size_t i = 0; i < runs->count; i++)
        if (!runs->items[i].leader.reaped && runs->items[i].leader.process.pid == pid) return true;
    return false;
}
