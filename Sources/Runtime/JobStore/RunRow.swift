package import JobCore

/// A run as it is now, wherever it is kept.
package struct RunRow: Sendable, Hashable {
    package var id: RunID
    package var job: String
    package var queue: String
    package var priority: Int32
    package var state: RunState
    /// JSON text; nil if the query left it out.
    package var args: String?
    package var createdAt: WallTime
    /// When it may start, or was due.
    package var runAt: WallTime
    /// Start of the present or last attempt.
    package var startedAt: WallTime?
    /// When it reached its terminal state.
    package var finishedAt: WallTime?
    /// Fencing number: how often it was claimed.
    package var attempt: Int
    /// Attempts that count.
    package var attemptsUsed: Int
    package var maxAttempts: Int
    package var lostCount: Int
    /// Nil: the job's.
    package var backoff: BackoffPolicy?
    /// Nil: the job's.
    package var timeout: Duration?
    package var title: String?
    package var description: String?
    package var labels: [String: String]
    package var owner: String?
    package var organization: String?
    package var trigger: String
    package var retryOf: RunID?
    package var scheduleID: Int64?
    package var plannedAt: WallTime?
    package var traceparent: String?
    /// Host of the present or last attempt.
    package var hostID: HostID?
    package var pid: Int32?
    /// Plugin version of the present or last attempt.
    package var version: String?
    package var cancelRequestedAt: WallTime?
    package var terminateRequestedAt: WallTime?
    package var cancelReason: String?
    /// Of a live attempt as last written (older than 1 s), of a finished one at its end.
    package var progress: Progress
    /// Of the last attempt that ended.
    package var outcome: AttemptOutcome?
    package var reason: AttemptReason?
    package var error: AttemptError?
    /// Nil if the query left it out.
    package var result: RunResult?
    package var retentionDays: Int
    /// When it ends `failed`, reason `expired`, unless it has started before; nil: never, or it has.
    package var expiresAt: WallTime?
}

/// Which runs a list shows. Values of one member are alternatives, members add up.
package struct RunFilter: Sendable, Hashable {
    package var states: Set<RunState>
    package var jobs: Set<String>
    package var queues: Set<String>
    package var owner: String?
    package var organization: String?
    /// All of these must be there.
    package var labels: [String: String]
    package var createdAfter: WallTime?
    package var createdBefore: WallTime?
    package var scheduleID: Int64?
    package var retryOf: RunID?

    package init(
        states: Set<RunState> = [], jobs: Set<String> = [], queues: Set<String> = [], owner: String? = nil,
        organization: String? = nil, labels: [String: String] = [:], createdAfter: WallTime? = nil,
        createdBefore: WallTime? = nil, scheduleID: Int64? = nil, retryOf: RunID? = nil
    ) {
        self.states = states
        self.jobs = jobs
        self.queues = queues
        self.owner = owner
        self.organization = organization
        self.labels = labels
        self.createdAfter = createdAfter
        self.createdBefore = createdBefore
        self.scheduleID = scheduleID
        self.retryOf = retryOf
    }
}

/// Where a list of runs goes on: after the run with this id, downward. The caller binds it to its filter.
package struct RunCursor: Sendable, Hashable {
    package var beforeID: RunID

    package init(beforeID: RunID) { self.beforeID = beforeID }
}

/// A piece of a list, newest id first.
package struct RunPage: Sendable {
    package var runs: [RunRow]
    /// Nil at the end.
    package var next: RunCursor?
    /// The filter was applied to the newest 100,000 runs (below the cursor) only; `next` goes on behind them.
    package var isTruncated: Bool
}

/// One ended attempt, or the one that runs now.
package struct AttemptRow: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    /// Nil while it runs.
    package var outcome: AttemptOutcome?
    package var reason: AttemptReason?
    package var hostID: HostID?
    package var hostEpoch: Int64?
    package var pid: Int32?
    package var version: String?
    package var claimedAt: WallTime?
    package var startedAt: WallTime?
    package var endedAt: WallTime?
    package var exitCode: Int32?
    package var signal: Int32?
    package var error: AttemptError?
    package var resources: ResourceUsage
    package var progress: Progress
    package var crash: CrashInfo?
    package var ladder: [LadderStep]
    package var outputHead: String
    package var outputTail: String
    package var droppedLogLines: UInt64
    package var droppedOutputBytes: UInt64
    package var survivorsKilled: Int
    package var sentence: String
    /// How its process was made; nil while it runs.
    package var mode: ExecutionMode?
    /// What it used while it ran, thinned, in order of time.
    package var samples: [ResourceSample]
    package var leaks: LeakReport
    /// What it was found doing before it was ended: a JSON object as text.
    package var diagnosis: String?
    /// The last lines of its log, oldest first; only of attempts that went wrong.
    package var lastLines: [LogLine]
}
