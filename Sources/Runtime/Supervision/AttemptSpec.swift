package import JobCore

/// One attempt to execute.
package struct AttemptSpec: Sendable {
    package var runID: RunID
    /// As outside: `run_…`.
    package var runName: String
    /// The fencing number.
    package var attempt: Int
    /// A version that `load` has accepted.
    package var version: String
    /// Position in its manifest.
    package var handlerIndex: Int
    package var jobName: String
    /// JSON text.
    package var args: [UInt8]
    package var limits: ResolvedLimits
    package var execution: ResolvedExecution
    /// Added to the child's environment.
    package var environment: [String: String]
    /// W3C trace context; nil: none.
    package var traceparent: String?

    package init(
        runID: RunID, runName: String, attempt: Int, version: String, handlerIndex: Int, jobName: String,
        args: [UInt8], limits: ResolvedLimits, execution: ResolvedExecution = ExecutionSettings().resolved,
        environment: [String: String] = [:], traceparent: String? = nil
    ) {
        self.runID = runID
        self.runName = runName
        self.attempt = attempt
        self.version = version
        self.handlerIndex = handlerIndex
        self.jobName = jobName
        self.args = args
        self.limits = limits
        self.execution = execution
        self.environment = environment
        self.traceparent = traceparent
    }
}

/// Why an attempt was not accepted. Nothing was started, no `attemptEnded` follows.
package enum DispatchError: Error, Sendable, Hashable {
    /// This version was never loaded, or was refused.
    case notLoaded(version: String)
    /// It is being retired: take the active one.
    case retired(version: String)
    /// `shutdown` has begun, or `start` has not ended.
    case draining
    /// All slots are taken; the number is how many there are.
    case noSlot(Int)
    /// The same attempt is running already.
    case alreadyRunning
    /// Descriptors or memory have run out; worth another try.
    case resources(String)
}

/// Why an attempt is asked to stop.
package enum CancelReason: UInt32, Sendable, Hashable {
    case requested = 1
    case timeout = 2
    case shutdown = 3
}

/// What an attempt is doing.
package struct RunningAttempt: Sendable, Hashable {
    package enum State: String, Sendable {
        /// Waits for its child.
        case starting
        case running
        /// Was asked to stop.
        case stopping
        /// Has ended; its tree is being proven empty.
        case ending
    }

    package var runID: RunID
    package var attempt: Int
    /// For people; never to be signalled.
    package var pid: Int32?
    package var version: String
    package var jobName: String
    /// How its process was made.
    package var mode: ExecutionMode
    /// When the handler began; nil before.
    package var startedAt: WallTime?
    package var progress: Progress
    package var state: State
    /// When somebody asked it to stop.
    package var cancelRequestedAt: WallTime?
    /// Of its tree, at the last sample (about a second old); nil before the first.
    package var residentBytes: UInt64?
    /// Its processes stand still, and so do its clocks.
    package var isFrozen: Bool = false
    /// The end of its wall time, if it goes on from now; nil before the handler begins.
    package var deadline: WallTime?
    /// Of its processes, added to the host's own.
    package var niceness: Int32 = 0
    /// About a second old; nil before the first.
    package var latest: ResourceSample?
}
