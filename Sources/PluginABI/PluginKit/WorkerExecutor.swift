import Glibc
import Synchronization

/// Runs a handler's task on the child's worker thread, and what is ready while that thread is busy on Swift's own pool.
///
/// The worker thread has what pool threads lack: a large stack, an alternative stack for the crash report, and no cost. So
/// a handler without parallel parts never starts the pool, while the children of a task group still run in parallel.
final class WorkerExecutor: TaskExecutor {
    private struct State: ~Copyable {
        /// Whether the worker thread waits for a job. Only then it takes one.
        var isWaiting = true
        var job: UnownedJob?
        var isFinished = false
    }
    private let state = Mutex(State())
    private let wakeup = Semaphore()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let taken = self.state.withLock { state in
            guard state.isWaiting else { return false }
            state.isWaiting = false
            state.job = job
            return true
        }
        if taken {
            self.wakeup.signal()
        } else {
            globalConcurrentExecutor.enqueue(job)
        }
    }

    /// Runs `body` as a task and returns when it has ended. The calling thread is the worker thread meanwhile.
    ///
    /// - Parameter started: gets the task before anything of it has run.
    func run(_ body: @escaping @Sendable () async -> Void, started: (Task<Void, Never>) -> Void) {
        started(
            Task(executorPreference: self) {
                await body()
                self.finish()
            })
        while let job = self.next() {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
            self.state.withLock { $0.isWaiting = true }
        }
    }

    /// The next job for the worker thread; nil once the task has ended. Blocks.
    private func next() -> UnownedJob? {
        while true {
            let (job, isFinished) = self.state.withLock { state in
                defer { state.job = nil }
                return (state.job, state.isFinished)
            }
            if let job { return job }
            if isFinished { return nil }
            self.wakeup.wait()
        }
    }

    private func finish() {
        self.state.withLock { $0.isFinished = true }
        self.wakeup.signal()
    }
}

/// A POSIX semaphore: what blocks the worker thread while its handler awaits.
// Unchecked, because it holds a pointer: sem_post and sem_wait may be called by any thread, and nothing else is.
final class Semaphore: @unchecked Sendable {
    private let raw: UnsafeMutablePointer<sem_t>

    init() {
        self.raw = .allocate(capacity: 1)
        // Fails only for a value over SEM_VALUE_MAX or a machine without semaphores.
        precondition(sem_init(self.raw, 0, 0) == 0, "sem_init failed")
    }

    deinit {
        sem_destroy(self.raw)
        self.raw.deallocate()
    }

    func signal() {
        // Fails only on overflow, after 2^31 signals that nobody waited for.
        precondition(sem_post(self.raw) == 0, "sem_post failed")
    }

    func wait() {
        // EINTR: a signal handler of the plugin's own ran.
        while sem_wait(self.raw) != 0 { precondition(errno == EINTR, "sem_wait failed") }
    }
}
