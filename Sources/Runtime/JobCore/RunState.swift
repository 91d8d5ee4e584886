/// Where a run is. The words are the same in tables, API, command line and page.
package enum RunState: String, CaseIterable, Sendable, Codable {
    /// Not due yet.
    case scheduled
    /// Waits for a dependency, or for its job's limit.
    case blocked
    case queued
    case running
    /// Waits for its next attempt.
    case retrying
    case succeeded
    /// Out of attempts, or expired before it started.
    case failed
    case cancelled

    /// Nothing leaves a terminal state: a retry makes a new run.
    package var isTerminal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled: true
        case .scheduled, .blocked, .queued, .running, .retrying: false
        }
    }

    /// Waits in the table of its own for a time or an event, not in the claim order.
    package var isWaiting: Bool {
        switch self {
        case .scheduled, .blocked, .retrying: true
        case .queued, .running, .succeeded, .failed, .cancelled: false
        }
    }
}

/// What happened to one attempt.
package enum AttemptOutcome: String, CaseIterable, Sendable, Codable {
    case succeeded
    /// The handler said so.
    case error
    /// The child died of itself: a signal, or an exit without a result.
    case crashed
    case timedOut = "timed_out"
    case outOfMemory = "out_of_memory"
    /// Asked to stop, and ended by itself.
    case cancelled
    /// Ended by force.
    case terminated
    /// Its host or zygote is gone.
    case lost
    /// The handler asked to be run again later; uses up no attempt.
    case snoozed
}

/// Why, where an outcome has several ways to happen.
package enum AttemptReason: String, CaseIterable, Sendable, Codable {
    // crashed
    /// A signal of the child's own making.
    case signal
    /// Exit without a result.
    case noResult = "no_result"
    /// Stopped by the sandbox.
    case sandbox
    /// SIGKILL from somebody else.
    case killed
    // timed_out
    /// Longer than its wall time.
    case wall
    /// More processor time than allowed.
    case cpu
    /// No sign of progress for too long.
    case noProgress = "no_progress"
    /// Not started in time.
    case start
    // lost
    /// The host is gone, or shut down under it.
    case host
    /// The zygote died.
    case zygote
    // of a run
    /// Not started before its expiry; there is no attempt.
    case expired
    /// Too many attempts were lost.
    case lost
    /// The stale cleanup ended it.
    case stale
    // cancelled, terminated
    /// Somebody asked for it.
    case requested
}
