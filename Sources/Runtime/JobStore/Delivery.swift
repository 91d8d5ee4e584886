package import JobCore

/// A host's number in the database: one for each data directory, for ever.
package struct HostID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64
    package init(_ rawValue: Int64) { self.rawValue = rawValue }
    package var description: String { "host_\(rawValue)" }
    package static func < (left: HostID, right: HostID) -> Bool { left.rawValue < right.rawValue }
}

/// Who claims and settles: a host and how often it was registered. A later registration fences the earlier one.
package struct HostLease: Hashable, Sendable {
    package let id: HostID
    package let epoch: Int64

    package init(id: HostID, epoch: Int64) {
        self.id = id
        self.epoch = epoch
    }
}

/// What a claim asks for.
package struct ClaimRequest: Sendable {
    /// At most this many; 0: none.
    package var limit: Int
    /// Nil: all queues. Paused ones are left out anyway.
    package var queues: Set<String>?
    /// Jobs that this host can run now; nil: all. Runs of other jobs stay queued.
    package var jobs: Set<String>?
    /// How many runs this host executes behind each gate that bounds a host: lanes that are full here are not asked for. What
    /// is not said here is counted by the claim itself.
    package var held: [Admission.Gate: Int]

    package init(
        limit: Int, queues: Set<String>? = nil, jobs: Set<String>? = nil, held: [Admission.Gate: Int] = [:]
    ) {
        self.limit = limit
        self.queues = queues
        self.jobs = jobs
        self.held = held
    }
}

/// A run that is this host's now: all that is needed to dispatch and to settle it.
package struct ClaimedRun: Sendable, Hashable {
    package var id: RunID
    package var job: String
    /// Handler that the job runs.
    package var handler: String
    /// JSON text.
    package var args: String
    package var queue: String
    package var priority: Int32
    /// Fencing number of this claim.
    package var attempt: Int
    package var attemptsUsed: Int
    package var maxAttempts: Int
    package var lostCount: Int
    /// The run's own, else the job's, else the default.
    package var backoff: BackoffPolicy
    /// The run's timeout over the job's limits; the handler's own defaults are not in it.
    package var limits: Limits
    /// The operator's settings over the handler's own, with the product's defaults.
    package var execution: ResolvedExecution
    package var createdAt: WallTime
    package var runAt: WallTime
    package var traceparent: String?
    package var owner: String?
    package var title: String?
    /// It crashed in this version while that was on trial: it goes to the one that serves.
    package var avoidVersion: String?
    /// How long it is kept if it fails; nil: as its own retention says.
    package var failedRetentionDays: Int?
    /// It was claimed under a limit: others may wait for its end.
    package var isLimited = false
    /// A retention class.
    package var retentionDays: Int
    /// Of its log lines: what its job says, else as the run itself.
    package var logRetentionDays: Int { execution.logRetentionDays ?? retentionDays }
}

/// How one attempt ended and what becomes of its run.
package struct Settlement: Sendable, Hashable {
    package enum Decision: Sendable, Hashable {
        /// The run is over: `succeeded`, `failed` or `cancelled`. The attempt counts.
        case finish(RunState)
        /// As `finish`, but for an attempt that does not count (lost once too often, cancelled before it started).
        case finishUncounted(RunState)
        /// Waits as `retrying`. The attempt counts.
        case retry(at: WallTime)
        /// Back to its queue at once as lost: does not count, but the lost count grows.
        case requeueLost
        /// Waits as `scheduled`. The attempt does not count.
        case snooze(until: WallTime)
        /// It crashed in a version on trial: it waits for the moment until the next look and goes to another version. The attempt
        /// does not count.
        case redo(avoiding: String?, at: WallTime)
        /// Back to its queue without a trace: it was never started.
        case release
    }

    /// A report is large, and a settlement goes through several hands: they pass it on by reference.
    private final class Shared: Sendable {
        let report: AttemptReport
        init(_ report: AttemptReport) { self.report = report }
    }

    private var shared: Shared
    package var decision: Decision
    /// Of the claim: `ClaimedRun.failedRetentionDays`.
    package var failedRetentionDays: Int?
    package var report: AttemptReport {
        _read { yield shared.report }
        set { shared = Shared(newValue) }
    }

    package init(report: AttemptReport, decision: Decision, failedRetentionDays: Int? = nil) {
        shared = Shared(report)
        self.decision = decision
        self.failedRetentionDays = failedRetentionDays
    }

    package static func == (a: Settlement, b: Settlement) -> Bool {
        a.decision == b.decision && a.failedRetentionDays == b.failedRetentionDays && a.report == b.report
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(report)
        hasher.combine(decision)
    }

    /// A run that was claimed and not dispatched.
    package static func release(_ id: RunID, attempt: Int, at time: WallTime) -> Settlement {
        Settlement(
            report: AttemptReport(runID: id, attempt: attempt, outcome: .lost, ended: time), decision: .release)
    }
}

/// What became of one settlement.
package enum SettleResult: Sendable, Hashable {
    case applied
    /// The run has ended, as failed: its handler succeeded and asked for runs that cannot be made. Also when it was settled so before.
    case followUpsRefused
    /// Settled before, by this very attempt (an answer was lost): nothing changed.
    case alreadyDone
    /// Somebody else decided meanwhile: nothing changed.
    case fenced
    /// The database refuses this one for ever, even with result and details taken out; the text says why. The run has ended
    /// `failed`, code `unsettleable`, unless somebody else had decided.
    case refused(String)
}

/// An attempt that has run for more than a second, for those who look from elsewhere.
package struct StartedAttempt: Sendable, Hashable {
    package var id: RunID
    package var attempt: Int
    package var pid: Int32?
    package var version: String?
    package var startedAt: WallTime
    package var progress: Progress

    package init(
        id: RunID, attempt: Int, pid: Int32?, version: String?, startedAt: WallTime, progress: Progress = Progress()
    ) {
        self.id = id
        self.attempt = attempt
        self.pid = pid
        self.version = version
        self.startedAt = startedAt
        self.progress = progress
    }
}

/// What a request to end a run did.
package enum CancelAnswer: Sendable, Hashable {
    /// It waited; now it is `cancelled`.
    case cancelled
    /// It runs; its host has been told. `isRepeated`: it had been asked before.
    case requested(host: HostID, attempt: Int, isRepeated: Bool)
    case alreadyFinished(RunState)
}

/// An order for a host about one of its attempts.
package struct HostSignal: Sendable, Hashable {
    package enum Action: String, Sendable { case cancel, terminate }
    package var action: Action
    package var runID: RunID
    package var attempt: Int
    /// Nil: as the run's limits say.
    package var grace: Duration?

    package init(action: Action, runID: RunID, attempt: Int, grace: Duration? = nil) {
        self.action = action
        self.runID = runID
        self.attempt = attempt
        self.grace = grace
    }
}
