/// One attempt, as its handler sees it: what it was given, and what it may say while it works.
///
/// Usable from any thread and any task until `run` returns; later calls are ignored and reported as misbehaviour of the
/// plugin. Nothing here throws but ``checkCancellation()``, and nothing blocks for long.
public struct Context: Sendable {
    let attempt: Attempt

    /// The run's id as people see it: `run_` and 13 characters.
    public var runID: String { self.attempt.runID }

    /// The job's name: usually the handler's own, but several jobs may share a handler.
    public var jobName: String { self.attempt.jobName }

    /// 1 for the first attempt. It grows, and may skip numbers (attempts lost with their host).
    public var attemptNumber: Int { self.attempt.number }

    /// A private directory of this attempt: writable, empty at the start, removed afterwards. `nil` where the host could
    /// not make one.
    public var scratchDirectory: String? { self.attempt.scratchDirectory }

    /// The caller's W3C `traceparent`.
    public var traceparent: String? { self.attempt.traceparent }

    /// Time left until the attempt's deadline, negative once it has passed; `nil` without a deadline. The host may move
    /// it: ask again rather than remember.
    public var timeRemaining: Duration? { self.attempt.timeRemaining }

    /// The deadline, `nil` without one, on the clock that the host measures it with (CLOCK_MONOTONIC). It may be moved: ask
    /// again.
    public var deadline: SuspendingClock.Instant? {
        self.timeRemaining.map { SuspendingClock.now + $0 }
    }

    /// Whether somebody asked this attempt to stop; from then on for ever. Costs one atomic load: ask in every loop.
    public var isCancelled: Bool { self.attempt.isCancelled }

    /// Throws `CancellationError` once somebody asked this attempt to stop. `Task.checkCancellation()` and everything else
    /// of Swift concurrency that heeds cancellation works as well: the handler's task is cancelled with the attempt.
    public func checkCancellation() throws(CancellationError) {
        if self.attempt.isCancelled { throw CancellationError() }
    }

    /// The run's log.
    public var log: Log { Log(attempt: self.attempt) }
}
