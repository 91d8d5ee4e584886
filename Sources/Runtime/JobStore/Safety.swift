package import JobCore

/// A run that has been running for too long.
package struct StaleRun: Sendable, Hashable {
    package var id: RunID
    package var job: String
    package var queue: String
    package var attempt: Int
    package var hostID: HostID?
    package var startedAt: WallTime
    package var runningFor: Duration
}

/// What the cleanup did with one run.
package enum StaleAnswer: Sendable, Hashable {
    case failed
    case requeued
    /// It ended or changed meanwhile: untouched.
    case untouched
}

/// Figures for the safety report, from counters and small tables only.
package struct SafetyCounts: Sendable, Hashable {
    package var counts: [RunState: Int64]
    /// Running for longer than the given limit.
    package var stale: Int
    package var silentHosts: Int
    package var liveHosts: Int
    package var pausedQueues: Int
    package var overdueSchedules: Int
    /// Age of the oldest snapshot that holds back cleaning, and who holds it.
    package var oldestSnapshotAge: Duration?
    package var oldestSnapshotHolder: String?
}

/// What `maintain()` did.
package struct Maintenance: Sendable, Hashable {
    package var deltasFolded: Int
    package var partitionsMade: Int
    package var partitionsDropped: Int
    package var keysExpired: Int
    /// Runs that were ended because their job is gone.
    package var orphansEnded = 0
    /// False: another host was at it.
    package var wasLeader: Bool
}
