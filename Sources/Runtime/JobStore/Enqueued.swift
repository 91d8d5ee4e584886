package import JobCore

/// What became of a request.
package struct Enqueued: Sendable, Hashable {
    package enum Manner: String, Sendable, Hashable {
        /// It is a new run.
        case made
        /// A run with the same unique key, which had not started, is this request now.
        case replaced
        /// Another run holds the unique key; nothing was changed.
        case existing
        /// The idempotency key was known: this is what became of it the first time.
        case known
    }

    package var id: RunID
    /// `queued` or `scheduled`; of an existing run, its state now.
    package var state: RunState
    /// The lane to wake; empty if nothing was made.
    package var queue: String
    package var priority: Int32
    package var manner: Manner
    /// Where it waits in its lane; nil if nothing was queued.
    var position: Int64?
    /// The job whose lane that is; empty: that of all others.
    var laneJob = ""
    /// This host has claimed it in the same commit: nobody need be woken.
    package var isClaimed = false
    /// The job says what its args are like, and these were too large, or too much work, to be looked at.
    package var isUnchecked = false
    /// What was settled when it was made; nil if nothing was.
    package var terms: Terms?

    /// What the request left to its job, and the times.
    package struct Terms: Sendable, Hashable {
        package var runAt: WallTime
        package var createdAt: WallTime
        package var maxAttempts: Int
        package var expiresAt: WallTime?
        package var retentionDays: Int
    }

    /// The lane that it entered; nil if nothing was queued.
    var lane: Lane? { position == nil ? nil : Lane(queue: queue, rank: -priority, job: laneJob) }

    package var isReplay: Bool { manner == .known }
    /// Whether there is something new to run.
    package var isNew: Bool { manner == .made || manner == .replaced }

    /// The row as it was written; nil if nothing was.
    package func row(of run: NewRun) -> RunRow? {
        guard let terms else { return nil }
        return RunRow(
            id: id, job: run.job, queue: queue, priority: priority, state: state, args: run.args,
            createdAt: terms.createdAt, runAt: terms.runAt, attempt: 0, attemptsUsed: 0, maxAttempts: terms.maxAttempts,
            lostCount: 0, backoff: run.backoff, timeout: run.timeout, title: run.title, description: run.description,
            labels: run.labels, owner: run.owner, organization: run.organization, trigger: run.trigger,
            retryOf: run.retryOf, scheduleID: run.scheduleID, plannedAt: run.plannedAt, traceparent: run.traceparent,
            progress: Progress(), retentionDays: terms.retentionDays, expiresAt: terms.expiresAt)
    }
}
