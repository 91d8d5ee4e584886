package import JobCore

/// A run that has been running for a while, with what its host says of it.
package struct WatchedRun: Sendable, Hashable {
    package var id: RunID
    package var job: String
    package var queue: String
    package var attempt: Int
    /// Of `maxAttempts`, this one not included.
    package var attemptsUsed: Int
    package var maxAttempts: Int
    package var title: String?
    package var owner: String?
    package var hostID: HostID?
    package var startedAt: WallTime
    package var runningFor: Duration
    package var timeout: Duration
    /// Somebody has asked for its end.
    package var isEnding: Bool
    /// Its host is gone, or has been silent for as long as it takes to be declared so.
    package var isHostSilent: Bool
    /// Its host has signed off or has been declared silent.
    package var isHostGone: Bool
    package var stage: String?
    package var processed: Int64?
    package var total: Int64?
    /// Nil: longer than 4096 bytes.
    package var args: String?
    package var argsBytes: Int64
    /// Its host has said something of it within the last two minutes: what follows.
    package var isHeardOf: Bool
    package var isFrozen: Bool
    package var deadline: WallTime?
    package var withoutProgress: Duration?
    package var withoutCPU: Duration?
    package var timeLeft: Duration?
    package var cpuMillis: Int64?
    package var residentBytes: Int64?
    package var processes: Int?
}

extension WatchedRun {
    package var stale: StaleFacts {
        StaleFacts(
            runningFor: runningFor, timeout: timeout, isHeardOf: isHeardOf, isHostGone: isHostGone, isFrozen: isFrozen,
            timeLeft: timeLeft, isEnding: isEnding)
    }

    /// - Parameter p95: of its job; nil: too few of its runs have ended lately.
    package func stuck(p95: Duration?) -> StuckFacts {
        StuckFacts(
            runningFor: runningFor,
            // Its clocks may have stood still, or it was given more time.
            timeout: timeLeft.map { max(timeout, runningFor + $0) } ?? timeout, p95: p95,
            withoutProgress: withoutProgress, withoutCPU: withoutCPU, isFrozen: isFrozen, isHostSilent: isHostSilent)
    }

    init(_ row: RowReader) throws {
        var reader = row
        id = try reader.run()
        job = try reader.text()
        queue = try reader.text()
        attempt = try reader.int()
        attemptsUsed = try reader.int()
        maxAttempts = try reader.int()
        title = try reader.textOrNil()
        owner = try reader.textOrNil()
        hostID = try reader.hostOrNil()
        startedAt = try reader.time()
        runningFor = .milliseconds(try reader.int64())
        timeout = .milliseconds(try reader.int64())
        isEnding = try reader.bool()
        isHostSilent = try reader.bool()
        isHostGone = try reader.bool()
        stage = try reader.textOrNil()
        processed = try reader.int64OrNil()
        total = try reader.int64OrNil()
        args = try reader.textOrNil()
        argsBytes = try reader.int64()
        isHeardOf = try reader.bool()
        isFrozen = try reader.bool()
        deadline = try reader.timeOrNil()
        withoutProgress = try reader.millisecondsOrNil()
        withoutCPU = try reader.millisecondsOrNil()
        timeLeft = try reader.millisecondsOrNil()
        cpuMillis = try reader.int64OrNil()
        residentBytes = try reader.int64OrNil()
        processes = try reader.intOrNil()
    }
}

/// What a host says of one of its runs.
package struct RunPulse: Sendable, Hashable {
    package var id: RunID
    package var attempt: Int
    package var activity: RunActivity
    package var cpuMillis: Int64?
    package var residentBytes: Int64?
    package var processes: Int?
    package var isFrozen: Bool
    package var deadline: WallTime?

    package init(
        id: RunID, attempt: Int, activity: RunActivity, cpuMillis: Int64? = nil, residentBytes: Int64? = nil,
        processes: Int? = nil, isFrozen: Bool = false, deadline: WallTime? = nil
    ) {
        self.id = id
        self.attempt = attempt
        self.activity = activity
        self.cpuMillis = cpuMillis
        self.residentBytes = residentBytes
        self.processes = processes
        self.isFrozen = isFrozen
        self.deadline = deadline
    }
}
