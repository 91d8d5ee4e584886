/* fault.h - fault points for tests: PAWL_FAULT=point:action[,point:action...] with action exit, kill, abort or stop.
 * Compiled to nothing without -DPAWL_FAULTS. Points: zygote.start, zygote.ready, zygote.spawn, zygote.spawned,
 * zygote.reap, monitor.start, monitor.spawned, child.start, child.up, child.started, child.ended, child.idle. */
#ifndef PAWL_FAULT_H
#define PAWL_FAULT_H

#ifdef PAWL_FAULTS
void fault_init(void);
void fault_at(const char *point);
#else
#define fault_init() ((void)0)
#define fault_at(point) ((void)0)
#endif

#endif
