#define _GNU_SOURCE
#include "CLinux.h"

#include <time.h>

// The runtime calls its hooks with Swift's calling convention. gcc does not know it, and does not need to: this file is
// part of the product only as SwiftPM's clang builds it.
#if defined(__has_attribute)
#if __has_attribute(swiftcall)
#define SWIFT_CALL __attribute__((swiftcall))
#endif
#endif
#ifndef SWIFT_CALL
#define SWIFT_CALL
#endif

// Declared as in the Swift 6 runtime's ConcurrencyHooks.h; the variables are plain pointers to functions there.
typedef SWIFT_CALL void (*original_now)(linux_swift_job job);
typedef SWIFT_CALL void (*original_delay)(unsigned long long delay, linux_swift_job job);
typedef SWIFT_CALL void (*original_deadline)(
    long long sec, long long nsec, long long tsec, long long tnsec, int clock, linux_swift_job job);
typedef SWIFT_CALL void (*hook_now)(linux_swift_job job, original_now original);
typedef SWIFT_CALL void (*hook_delay)(unsigned long long delay, linux_swift_job job, original_delay original);
typedef SWIFT_CALL void (*hook_deadline)(
    long long sec, long long nsec, long long tsec, long long tnsec, int clock, linux_swift_job job,
    original_deadline original);

// Weak, so that a runtime without them still links; found both in libswift_Concurrency.so and in the static library,
// where dlsym would need the executable to export its symbols.
extern __attribute__((weak)) hook_now swift_task_enqueueGlobal_hook;
extern __attribute__((weak)) hook_delay swift_task_enqueueGlobalWithDelay_hook;
extern __attribute__((weak)) hook_deadline swift_task_enqueueGlobalWithDeadline_hook;

// Written once by linux_hook_swift_executor before the hooks are set.
static linux_swift_enqueue take_now;
static linux_swift_enqueue_after take_later;

static SWIFT_CALL void on_now(linux_swift_job job, original_now original) {
    if (!take_now(job)) {
        original(job);
    }
}

static SWIFT_CALL void on_delay(unsigned long long delay, linux_swift_job job, original_delay original) {
    if (!take_later(job, (uint64_t)delay)) {
        original(delay, job);
    }
}

static SWIFT_CALL void on_deadline(
    long long sec, long long nsec, long long tsec, long long tnsec, int clock, linux_swift_job job,
    original_deadline original) {
    // The runtime's clock ids: 1 continuous (CLOCK_BOOTTIME), 2 suspending (CLOCK_MONOTONIC). Unknown: not ours to judge.
    if (clock == 1 || clock == 2) {
        struct timespec now;
        clock_gettime(clock == 1 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &now);
        __int128_t left = ((__int128_t)sec - now.tv_sec) * 1000000000 + (nsec - now.tv_nsec);
        uint64_t delay_ns = left <= 0 ? 0 : left > INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)left;
        if (take_later(job, delay_ns)) {
            return;
        }
    }
    original(sec, nsec, tsec, tnsec, clock, job);
}

bool linux_hook_swift_executor(linux_swift_enqueue now, linux_swift_enqueue_after later) {
    if (&swift_task_enqueueGlobal_hook == NULL || &swift_task_enqueueGlobalWithDelay_hook == NULL ||
        &swift_task_enqueueGlobalWithDeadline_hook == NULL) {
        return false;
    }
    take_now = now;
    take_later = later;
    swift_task_enqueueGlobalWithDelay_hook = on_delay;
    swift_task_enqueueGlobalWithDeadline_hook = on_deadline;
    swift_task_enqueueGlobal_hook = on_now;
    return true;
}
