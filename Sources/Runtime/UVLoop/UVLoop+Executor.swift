internal import CLibuv

extension UVLoop {
    package func enqueue(_ job: consuming ExecutorJob) { push(.job(UnownedJob(job))) }

    /// Runs `work` on the loop, in one order with the jobs. Never inline, also on the loop. Any thread.
    package func execute(_ work: @escaping @Sendable () -> Void) { push(.work(work)) }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Asked by the runtime for code that runs in a callback, outside of any job.
    package func isIsolatingCurrentContext() -> Bool? { isOnLoop }

    package func checkIsolated() { precondition(isOnLoop, "not on the loop's thread") }

    /// The loop's own thread needs no lock and no wake-up: its queue is looked at before each poll.
    func push(_ item: consuming LoopItem) {
        if isOnLoop {
            local.push(item)
        } else {
            pushFromOutside(item)
        }
    }

    private func pushFromOutside(_ item: consuming LoopItem) {
        var item: LoopItem? = consume item
        inbox.withLock { inbox in
            precondition(!inbox.isClosed, "a job was enqueued on a closed UVLoop")
            if let item = item.take() { inbox.queue.push(item) }
            if !inbox.isWaking {
                inbox.isWaking = true
                // Under the lock, so that close() cannot come between.
                uv_async_send(async)
            }
        }
    }

    /// The wake-up: takes everything that other threads have pushed.
    func collectInbox() {
        inbox.withLock { inbox in
            inbox.isWaking = false
            local.append(from: &inbox.queue)
        }
    }

    /// Before each poll: run what is queued, then decide how long the poll may wait.
    func beforePoll() {
        runBatch()
        armTimer()
        if local.count > 0 {
            // An active idle handle makes the poll return at once.
            uv_idle_start(idle) { _ in }
        } else {
            uv_idle_stop(idle)
        }
    }

    /// Runs what is queued, at most one batch, so that a chain of jobs does not starve the descriptors.
    func runBatch() {
        for _ in 0..<Self.batch {
            switch local.pop() {
            case .job(let job):
                // Both names of this thread, or the task hops away and back.
                job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            case .work(let work): work()
            case nil: return
            }
        }
    }
}
