package import JobCore

/// What a client says of a schedule, on creation and replacement.
package struct ScheduleInput: Sendable, Hashable {
    package var name: String?
    package var job: String
    package var spec: ScheduleSpec
    /// IANA name.
    package var timezone: String
    /// JSON text.
    package var args: String
    package var queue: String?
    package var priority: Int32?
    package var attempts: Int?
    /// How long its runs wait between attempts; nil: as their job says.
    package var backoff: BackoffPolicy?
    package var timeout: Duration?
    /// How long each of its runs may wait for its start.
    package var queueTime: Duration?
    package var title: String?
    package var description: String?
    package var labels: [String: String]
    package var owner: String?
    package var startsAt: WallTime?
    /// No firing after this time.
    package var endsAt: WallTime?
    /// No firing after this many.
    package var maxRuns: Int?
    package var isEnabled: Bool
    package var options: ScheduleOptions
    /// Members of the specification that the client left open (`ScheduleSpec.openMembers`); empty for what is stored.
    package var openMembers: Set<String> = []

    package init(
        name: String? = nil, job: String, spec: ScheduleSpec, timezone: String = "UTC", args: String = "{}",
        queue: String? = nil, priority: Int32? = nil, attempts: Int? = nil, backoff: BackoffPolicy? = nil,
        timeout: Duration? = nil, queueTime: Duration? = nil,
        title: String? = nil, description: String? = nil, labels: [String: String] = [:], owner: String? = nil,
        startsAt: WallTime? = nil, endsAt: WallTime? = nil, maxRuns: Int? = nil, isEnabled: Bool = true,
        options: ScheduleOptions = ScheduleOptions()
    ) {
        self.name = name
        self.job = job
        self.spec = spec
        self.timezone = timezone
        self.args = args
        self.queue = queue
        self.priority = priority
        self.attempts = attempts
        self.backoff = backoff
        self.timeout = timeout
        self.queueTime = queueTime
        self.title = title
        self.description = description
        self.labels = labels
        self.owner = owner
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.maxRuns = maxRuns
        self.isEnabled = isEnabled
        self.options = options
    }
}

package struct ScheduleRow: Sendable, Hashable {
    package var id: Int64
    package var input: ScheduleInput
    /// Nil: it will not fire again (disabled, over, or its time zone cannot be read).
    package var nextAt: WallTime?
    package var runCount: Int
    package var lastPlannedAt: WallTime?
    package var lastRunID: RunID?
    /// Why it could not fire last time.
    package var lastError: String?
    package var createdAt: WallTime
    package var updatedAt: WallTime
    /// Grows with each change by a client: the ETag.
    package var revision: Int64
    /// Which of its times the next one is, from 0.
    package var ordinal: Int
    package var pausedAt: WallTime?
    /// Ends the pause by itself.
    package var pausedUntil: WallTime?
    package var pauseReason: String?
    /// So many of its next times are left out.
    package var skipNext: Int
    /// Times up to this one are left out.
    package var skipUntil: WallTime?
    /// Of the answer to a change: its args were too much to be compared with what the job takes.
    package var isUnchecked = false
    /// False: this version of the program cannot read its specification or its options; those that are shown are none of its own.
    package var isReadable = true

    /// Throws `.conflict("schedule_unreadable")`: what is made out of what is shown would replace what cannot be read.
    package func checkReadable() throws(StoreError) {
        guard !isReadable else { return }
        throw .conflict(
            code: "schedule_unreadable",
            detail:
                "this version of pawl cannot read the schedule (\(lastError ?? "")); replace it as a whole, or remove it",
            currentState: nil)
    }
}

package struct OccurrenceRow: Sendable, Hashable {
    package var scheduleID: Int64
    package var plannedAt: WallTime
    package var firedAt: WallTime
    package var runID: RunID?
    /// Of one that made a run, times before `plannedAt` that passed without a host and were left out; else, times before it of the same
    /// reason that have no row of their own.
    package var missed: Int
    /// Why it made no run; nil: it did.
    package var reason: OccurrenceReason?
    /// What made it.
    package var source = OccurrenceSource.time
    /// Of the sources `after` and `event`, which it was.
    package var event: String?
}

/// What made a run of a schedule, or would have.
package enum OccurrenceSource: String, CaseIterable, Sendable {
    case time, manual, backfill, after, event
}

/// One firing.
package struct Firing: Sendable, Hashable {
    package var scheduleID: Int64
    package var plannedAt: WallTime
    package var run: Enqueued
    /// It waits for the end of others of its schedule.
    package var isKeptBack = false
}
