#if !compiler(>=6.3)
    internal import CLinux
    internal import Glibc

    /// The same for Swift 6.2, whose runtime asks hooks before it gives a task to Dispatch's threads.
    enum GlobalExecutor {
        // The last argument of each hook is what the runtime would have done; it is never called.
        private typealias Enqueue = @convention(thin) (UnownedJob, Original) -> Void
        private typealias EnqueueAfter = @convention(thin) (UInt64, UnownedJob, Original) -> Void
        private typealias EnqueueAt =
            @convention(thin) (Int64, Int64, Int64, Int64, Int32, UnownedJob, Original) -> Void
        private typealias Original = UnsafeRawPointer

        /// Makes the bound loop run what has no executor. Once, before the process has started any task.
        static func takeOver() {
            let now: Enqueue = { job, _ in LoopActor.loop.push(.job(job)) }
            let afterDelay: EnqueueAfter = { nanoseconds, job, _ in
                GlobalExecutor.enqueue(job, after: .nanoseconds(Int64(clamping: nanoseconds)))
            }
            // Seconds and nanoseconds of the deadline, of its tolerance, and which of the runtime's clocks it is on
            // (_ClockID: continuous 1, suspending 2; its `get_time` reads CLOCK_BOOTTIME and CLOCK_MONOTONIC on Linux).
            let atDeadline: EnqueueAt = { seconds, nanoseconds, _, _, clock, job, _ in
                var time = timespec()
                clock_gettime(clock == 1 ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &time)
                let left = .seconds(seconds - Int64(time.tv_sec)) + .nanoseconds(nanoseconds - Int64(time.tv_nsec))
                GlobalExecutor.enqueue(job, after: max(.zero, left))
            }
            pawl_take_global_tasks(
                unsafeBitCast(now, to: UnsafeMutableRawPointer.self),
                unsafeBitCast(afterDelay, to: UnsafeMutableRawPointer.self),
                unsafeBitCast(atDeadline, to: UnsafeMutableRawPointer.self))
        }

        private static func enqueue(_ job: UnownedJob, after delay: Duration) {
            let loop = LoopActor.loop
            let deadline = LoopInstant.now.advanced(by: delay)
            if loop.isOnLoop {
                _ = loop.schedule(at: deadline) { loop.push(.job(job)) }
            } else {
                loop.execute { _ = loop.schedule(at: deadline) { loop.push(.job(job)) } }
            }
        }
    }
#endif
