#if compiler(>=6.3)
    @_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) internal import _Concurrency

    /// Keeps tasks that libraries start with `Task {}`, and their `Task.sleep`, on the loop.
    ///
    /// A task without an executor preference goes to Swift's default executor, which on Linux starts Dispatch threads; and
    /// `Task.sleep` asks the current executor whether it can wait (`SchedulingExecutor`), and else goes to the default one.
    /// So the loop can wait, and the process's default executor is the bound loop. Both are SPI in Swift 6.3: only this
    /// file knows them, it does not compile when they go, and a test notices when they stop working. The older hooks
    /// (`swift_task_enqueueGlobal_hook`) are not enough: `Task.sleep` passes them by. Swift 6.2 has only those, and its
    /// `Task.sleep` uses them: see GlobalExecutor+Hooks.swift.
    enum GlobalExecutor {
        /// Makes the bound loop the default executor. Once, before the process has started any task.
        static func takeOver() { _createExecutors(factory: Factory.self) }

        private struct Factory: ExecutorFactory {
            /// Unchanged: nothing here runs on the main actor.
            static var mainExecutor: any MainExecutor { PlatformExecutorFactory.mainExecutor }
            static var defaultExecutor: any TaskExecutor { LoopActor.loop }
        }
    }

    extension UVLoop: SchedulingExecutor {
        /// Called by the runtime with its own two clocks only; a clock of other make sleeps by itself.
        package func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
        ) {
            enqueue(job, after: clock.now.duration(to: instant), tolerance: tolerance, clock: clock)
        }

        package func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
        ) {
            guard let delay = delay as? Duration else {
                preconditionFailure("\(C.self) measures time in something else than Duration")
            }
            let job = UnownedJob(job)
            let deadline = LoopInstant.now.advanced(by: delay)
            if isOnLoop {
                _ = schedule(at: deadline) { self.push(.job(job)) }
            } else {
                execute { _ = self.schedule(at: deadline) { self.push(.job(job)) } }
            }
        }
    }
#endif
