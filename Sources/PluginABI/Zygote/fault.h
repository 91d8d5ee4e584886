/* fault.h - fault points for tests, compiled to nothing without -DPAWL_FAULTS.
 *
 * PAWL_FAULT=point:action[@n][,point:action[@n]...] in the environment of the zygote, or of one attempt (then it holds in
 * that attempt's child only, from child.environment on). Actions: exit (code 99), kill (SIGKILL), abort, stop (SIGSTOP),
 * segv, sleep (for 100 ms), hang (for ever), or at the points of errors the name of an errno: EMFILE, ENFILE, ENOMEM,
 * ENOSPC, EAGAIN, EPERM, ENOSYS, EBADF, EIO. "@n": only at the nth time that this process comes there.
 *
 * Points, in the order of a life; "P" before, "P.done" after a step:
 *   zygote.start     born, before HELLO                zygote.hello    HELLO has been read
 *   zygote.load      before dlopen                     zygote.loaded   the plugin is there
 *   zygote.ready     READY is sent                     zygote.spawn    a SPAWN frame has come
 *   zygote.forked    the child is there, nobody knows  zygote.spawned  SPAWNED is sent
 *   zygote.exited    a leader's end is seen            zygote.reap     before a leader is reaped
 *   zygote.reaped    before EMPTY                      zygote.retire   RETIRE has come
 *   zygote.eof       the host is gone, nothing killed
 *   monitor.start    born                              monitor.forked  the child is there, nobody knows
 *   monitor.spawned  SPAWNED is sent                   monitor.exited  the leader's end is seen
 *   monitor.sweep    before a round of the sweep       monitor.empty   before EMPTY
 *   monitor.eof      the host is gone, nothing killed
 *   child.born       the fork has returned             child.session   a session of its own
 *   child.descriptors  placed, the rest closed         child.limits    limits are set
 *   child.environment  environment and directory       child.sandbox   before its sandbox
 *   child.start      set up, crash handler installed   child.up        UP is sent
 *   child.run        RUN and ARGS are there            child.worker    on the worker, before child_start
 *   child.enter      before STARTED                    child.started   STARTED is sent
 *   child.returned   run() has returned                child.ended     its last frame is sent
 *   child.reset      before reset() and audit          child.idle      IDLE is sent
 * Points of errors (without one they do nothing):
 *   zygote.table     no room for one more attempt      zygote.fork     clone3 or fork, in zygote and monitor
 *   zygote.receive   a frame of the host is lost       child.dup       a descriptor cannot be placed
 *   child.setrlimit  a limit cannot be set             child.chdir     the scratch directory is gone
 *   child.landlock   the kernel refuses the rules      child.seccomp   the kernel refuses the filter
 *   child.eventfd    no descriptor for the wake-up     child.thread    no thread for the worker
 */
#ifndef PAWL_FAULT_H
#define PAWL_FAULT_H

#ifdef PAWL_FAULTS
/* Takes the plan from the environment; where there is none, an earlier one goes on. */
void fault_init(void);
void fault_at(const char *point);
/* The errno that the plan has for this point, set as errno, or 0. */
int fault_error(const char *point);
#else
#define fault_init() ((void)0)
#define fault_at(point) ((void)0)
#define fault_error(point) 0
#endif

#endif
