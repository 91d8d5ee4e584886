/* swift_hooks.h - where the Swift 6.2 runtime lets a program take the tasks that have no executor of their own.
 *
 * Declared by swift/Runtime/Concurrency.h, which toolchains do not install. Used for Swift 6.2 only: 6.3 has an
 * interface in Swift (GlobalExecutor.swift). To be set once, before the process has started any task. */
#ifndef PAWL_SWIFT_HOOKS_H
#define PAWL_SWIFT_HOOKS_H

extern void *swift_task_enqueueGlobal_hook;
extern void *swift_task_enqueueGlobalWithDelay_hook;
extern void *swift_task_enqueueGlobalWithDeadline_hook;

static inline void pawl_take_global_tasks(void *now, void *after_delay, void *at_deadline) {
    swift_task_enqueueGlobal_hook = now;
    swift_task_enqueueGlobalWithDelay_hook = after_delay;
    swift_task_enqueueGlobalWithDeadline_hook = at_deadline;
}

#endif
