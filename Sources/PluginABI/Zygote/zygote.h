/* zygote.h - what all parts of pawl-zygote share: exit codes, the clock, the loaded plugin.
 *
 * pawl-zygote is one program with four faces, all of one binary that needs libc only:
 *
 *   zygote   (zygote.c)   loads one plugin, forks a child per attempt, keeps leaders until the host is done with them
 *   monitor  (monitor.c)  only without cgroups: one per attempt, a subreaper, so that escapees are never mixed up
 *   child    (child.c, worker.c) one attempt: the main thread supervises, a fresh thread runs the handler
 *   probe    (caps.c)     tries out what the machine can do
 *
 * Zygote and monitor have one thread for ever: a fork takes only one along.
 */
#ifndef PAWL_ZYGOTE_H
#define PAWL_ZYGOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pawl.h"
#include "pawl_wire.h"

/* Exit codes of zygote, monitor and child, beside 0. */
#define EXIT_HOST_GONE 70 /* the data or control socket ended, or the parent is another */
#define EXIT_SETUP 71     /* the child could not be set up; its stderr says why */
#define EXIT_REFUSED 72   /* the zygote sent REFUSED */

/* Low descriptors that the zygote occupies from the start, so that those received are never in the way of a child's. */
#define FIRST_FREE_FD 10

/* CLOCK_MONOTONIC in ns. */
uint64_t monotonic_ns(void);
/* CLOCK_REALTIME in us since 1970. */
uint64_t unix_us(void);

/* Writes all of `text` and a newline to stderr in one write, cut at 512 bytes. Async-signal-safe. */
void complain(const char *text);

/* Complains, and ends the process with EXIT_SETUP. */
_Noreturn void give_up(const char *why);

/* Number of threads of this process, by one stat of /proc/self/task; 0 where /proc is missing. */
uint32_t thread_count(void);

/* The largest length <= limit at which `text` can be cut without splitting a UTF-8 sequence. */
size_t utf8_cut(const char *text, size_t length, size_t limit);

#endif
