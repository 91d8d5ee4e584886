internal import CLinux
internal import Synchronization

/// Keeps tasks that libraries start with `Task {}`, and their `Task.sleep`, on the loop.
///
/// A task without an executor preference goes to Swift's global executor, which on Linux starts Dispatch threads. The runtime
/// has hooks for that; they are exported but not documented as stable, so this file (with `swift_executor.c`) is the only one
/// that knows them, and a test notices when they stop working.
enum GlobalExecutorHooks {
    /// A job from outside any loop goes to the bound loop too, and not to the runtime.
    private static let takesOver = Atomic<Bool>(false)

    private static let installed: Bool = linux_hook_swift_executor(
        { pointer in
            guard let pointer, let loop = GlobalExecutorHooks.destination() else { return false }
            loop.push(.job(GlobalExecutorHooks.job(pointer)))
            return true
        },
        { pointer, delay in
            guard let pointer, let loop = GlobalExecutorHooks.destination() else { return false }
            let job = GlobalExecutorHooks.job(pointer)
            let deadline = LoopInstant.now.advanced(by: .nanoseconds(Int64(clamping: delay)))
            if loop.isOnLoop {
                _ = loop.schedule(at: deadline) { loop.push(.job(job)) }
            } else {
                loop.execute { _ = loop.schedule(at: deadline) { loop.push(.job(job)) } }
            }
            return true
        })

    /// Installs the hooks; false when the runtime has none. With `takingOver`, all jobs without a home go to the bound loop;
    /// without, only those that are enqueued on its thread.
    static func install(takingOver: Bool) -> Bool {
        if takingOver { takesOver.store(true, ordering: .relaxed) }
        return installed
    }

    private static func destination() -> UVLoop? {
        guard let loop = LoopActor.loopIfBound, takesOver.load(ordering: .relaxed) || loop.isOnLoop else { return nil }
        return loop
    }

    private static func job(_ pointer: linux_swift_job) -> UnownedJob {
        // Safe: UnownedJob is a frozen struct around exactly this pointer to the runtime's Job.
        unsafeBitCast(pointer, to: UnownedJob.self)
    }
}
