/* spawn.h - forks: raw clone3 with a pidfd and into a cgroup, or the C library's fork where that must be. */
#ifndef PAWL_SPAWN_H
#define PAWL_SPAWN_H

#include "zygote.h"

/* What an attempt's processes are made from. Text and descriptors are those of the SPAWN frame. */
typedef struct spawn_request {
    uint32_t slot;
    pawl_c_spawn limits;
    char *environment;     /* NAME=VALUE entries, each ended by a zero byte */
    const char *directory; /* terminated; empty: none */
    const char *sandbox;   /* limits.sandbox_length bytes, terminated */
    int data, out, err, crash;
    int cgroup;            /* -1: none */
    int monitor;           /* -1: none */
} spawn_request;

typedef struct forked {
    pid_t pid;
    int pidfd;
} forked;

/* Forks into `cgroup` (a directory's descriptor, or -1). With `atfork` through the C library, so that pthread_atfork
 * handlers run. In the parent: *child is filled and 0 is returned, or a negated errno. In the child: 1 is returned; all
 * signals are blocked there. The child of clone3 announces its end by its pidfd only (it sends no SIGCHLD), and waitid
 * finds it with __WALL only: so adopted orphans can be told from it. */
int spawn_fork(int cgroup, bool atfork, forked *child);

/* PAWL_FORK_CLONE3 or PAWL_FORK_GLIBC: what spawn_fork will use. */
uint32_t spawn_mode(bool atfork);

#endif
