package import JobCore
package import UVLoop

/// Whoever takes part in attempts: gets every fact in order. Called on the loop; must return soon.
@LoopActor
package protocol AttemptObserver: AnyObject {
    /// The handler is about to be called: from here on the attempt counts. `pid` is absent when the zygote died before it could
    /// say which process it had forked: that process says itself that it began.
    func attemptStarted(_ runID: RunID, _ attempt: Int, at: WallTime, pid: Int32?)
    /// Lines in the order in which they were written per stream.
    func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine])
    /// The whole picture; earlier ones are obsolete.
    func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress)
    /// Instead of `attemptEnded`, for an attempt that was dispatched ahead of its time: it has not begun, and is the observer's again.
    func attemptReturned(_ runID: RunID, _ attempt: Int)
    /// Exactly once for each accepted dispatch, after everything else, when its process tree is empty.
    func attemptEnded(_ report: AttemptReport)
    /// While false, nothing is read from children's output and no credit for log lines is given: children block, or drop
    /// and count. Tell the supervisor by `logsAccepted()` when it turns true.
    var acceptsLogs: Bool { get }
    /// The same for one attempt, where that depends on its job.
    func acceptsLogs(of runID: RunID, attempt: Int) -> Bool
}

extension AttemptObserver {
    /// For those who dispatch nothing ahead of its time.
    package func attemptReturned(_ runID: RunID, _ attempt: Int) {}

    package func acceptsLogs(of runID: RunID, attempt: Int) -> Bool { self.acceptsLogs }
}
