package import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// Takes the oldest queued runs, highest priority first, at most `request.limit`; they are this host's until settled.
    package func claim(_ lease: HostLease, _ request: ClaimRequest) async throws(StoreError) -> [ClaimedRun] {
        try await settleAndClaim(lease, [], claim: request).claimed
    }

    /// Moves runs whose time has come to their queues.
    /// - Returns: how many; if it is `limit`, call again. And when the next one is due, if any.
    package func promoteDue(limit: Int = 1000) async throws(StoreError) -> (moved: Int, nextDue: WallTime?) {
        try await decoding {
            let answers = try await self.pool.transaction([
                (.runPromote, [.int64(Int64(limit))]), (.runNextDue, []),
            ])
            var moved = 0
            for row in answers[0] {
                self.lanes.entered(try Self.lane(row, job: 4), at: try row.int64(2))
                moved += Int(try row.int64(3))
            }
            return (moved, try answers[1].first.map { WallTime(micros: try $0.micros(0)) })
        }
    }

    /// Runs that this host is said to execute: after an outage, compare with what it does.
    package func liveRuns(_ lease: HostLease) async throws(StoreError) -> [RunRow] {
        try await decoding {
            try await self.pool.query(.runLiveOfHost, [.int64(lease.id.rawValue), .int64(lease.epoch)])
                .map { try RunRow($0, withPayload: true) }
        }
    }

    /// For those who look from elsewhere: call it batched and lazily, for attempts older than a second, and again when their
    /// progress has changed. Ended attempts are ignored.
    package func noteStarted(_ lease: HostLease, _ batch: [StartedAttempt]) async throws(StoreError) {
        guard !batch.isEmpty else { return }
        let batch = batch.sorted { $0.id < $1.id }
        let progress = batch.map(\.progress)
        _ = try await query(
            .runStarted,
            [
                .int64(lease.id.rawValue), .int64(lease.epoch), .int64Array(batch.map(\.id.rawValue)),
                .int64Array(batch.map { Int64($0.attempt) }), .timestampArray(batch.map(\.startedAt.micros)),
                .nullableInt64Array(batch.map { $0.pid.map(Int64.init) }), .textArray(batch.map(\.version)),
                .nullableInt64Array(progress.map { $0.isEmpty ? nil : Int64(clamping: $0.current) }),
                .nullableInt64Array(progress.map { $0.total.map { Int64(clamping: $0) } }),
                .textArray(progress.map { $0.stage?.storable }),
                .jsonArray(progress.map { $0.isEmpty ? nil : $0.summaryJSON }),
            ])
    }

    // MARK: Lanes

    /// Queue and rank stand in a row's columns from `first` on, the lane's job in the column `job`.
    static func lane(_ row: PGRow, from first: Int = 0, job: Int) throws(PGDecodingError) -> Lane {
        Lane(queue: try row.text(first), rank: try row.int32(first + 1), job: try row.text(job))
    }

    /// Looks for lanes and their rules and forgets watermarks, if it is time for that.
    func sweepLanes(isBusy: Bool) async throws(PostgresError) {
        guard lanes.isSweepDue(isBusy: isBusy, now: LoopInstant.now.nanoseconds) else { return }
        lanes.sweepStarted()
        let start = LoopInstant.now.nanoseconds
        do {
            let answers = try await delivery.transaction([(.runLanes, []), (.rulesList, [])])
            let found = try answers[0].map { try Self.lane($0, job: 2) }
            let position = try answers[0].map { try $0.int64(3) }.min() ?? 0
            admission = try Admission(rows: answers[1])
            let now = LoopInstant.now.nanoseconds
            lanes.swept(found, position: position, duration: now - start, now: now)
        } catch {
            lanes.sweepFailed()
            throw Self.postgresError(error)
        }
    }

    static func postgresError(_ error: any Error) -> PostgresError {
        error as? PostgresError ?? PostgresError(kind: .protocol, message: "\(error)")
    }

    /// Where the next claim looks, and how many runs it may take of each lane.
    func choose(_ request: ClaimRequest) -> LaneChoice {
        var choice = LaneChoice()
        if emergency.haltsClaims { return choice }
        for reading in lanes.readings(queues: request.queues) {
            let lane = reading.lane
            if !lane.job.isEmpty, let jobs = request.jobs, !jobs.contains(lane.job) { continue }
            let cap = admission.cap(lane, held: request.held)
            if cap == 0 { continue }
            choice.readings.append(reading)
            choice.caps.append(cap)
            if admission.isRuled(lane) { choice.isRuled = true } else { choice.open.append(lane) }
        }
        return choice
    }

    /// The statements that come first in a claim's transaction: from then on the rules stand still, and this claim has the
    /// gates that it counts behind. The second one's answer says how many of them others hold.
    /// - Parameter isUrgent: somebody waits for the transaction: it fails (55P03) rather than to wait long for others.
    func gateSteps(_ choice: LaneChoice, isUrgent: Bool) -> [(PGStatement, [PGParameter])] {
        guard !choice.readings.isEmpty else { return [] }
        let share = isUrgent ? PGStatement.rulesShareSoon : .rulesShare
        guard choice.isRuled else { return [(share, [])] }
        return [(share, []), (.runGates, [.textArray(choice.queues), .textArray(choice.jobs)])]
    }

    /// The claim's statement. Lanes without rules have one that asks for none of them, and takes nothing where there are some.
    func claimStep(
        _ lease: HostLease, _ request: ClaimRequest, _ choice: LaneChoice
    ) -> (PGStatement, [PGParameter]) {
        let parameters: [PGParameter] = [
            .int64(lease.id.rawValue), .int64(lease.epoch), .textArray(choice.queues),
            .int64Array(choice.readings.map { Int64($0.lane.rank) }), .textArray(choice.jobs),
            .int64Array(choice.readings.map(\.after)), request.jobs.map { .textArray($0.sorted()) } ?? .null,
            .int64(Int64(request.limit)),
        ]
        guard choice.isRuled else { return (.runClaimOpen, parameters) }
        return (.runClaimLimited, parameters + [.nullableInt64Array(choice.caps.map { $0.map(Int64.init) })])
    }

    /// Reads the claim's answer and moves the watermarks.
    /// - Parameter exhausted: the lanes without rules that it looked at, if it took less than it might.
    func claimed(_ rows: PGRows, exhausted: [Lane]) throws(PGDecodingError) -> [ClaimedRun] {
        var runs: [ClaimedRun] = []
        var taken: [(lane: Lane, position: Int64)] = []
        runs.reserveCapacity(rows.count)
        taken.reserveCapacity(rows.count)
        for row in rows {
            var reader = RowReader(row)
            let id = try reader.run()
            let job = try reader.text()
            let args = try reader.text()
            let queue = try reader.text()
            let rank = try reader.int32()
            let position = try reader.int64()
            let attempt = try reader.int()
            let used = try reader.int()
            let maxAttempts = try reader.int()
            let lost = try reader.int()
            let backoff = try reader.backoffOrNil() ?? BackoffPolicy()
            let timeout = try reader.millisecondsOrNil()
            let createdAt = try reader.time()
            let runAt = try reader.time()
            let traceparent = try reader.textOrNil()
            let owner = try reader.textOrNil()
            let title = try reader.textOrNil()
            let handler = try reader.text()
            let limits = Limits(wall: timeout).merging(over: try reader.limits())
            let execution = try reader.execution().merging(over: try reader.execution()).resolved
            let avoided = try reader.textOrNil()
            let failedRetention = try reader.intOrNil()
            taken.append((Lane(queue: queue, rank: rank, job: try reader.text()), position))
            let isLimited = try reader.bool()
            let retention = try reader.int()
            runs.append(
                ClaimedRun(
                    id: id, job: job, handler: handler, args: args, queue: queue, priority: -rank,
                    attempt: attempt, attemptsUsed: used, maxAttempts: maxAttempts, lostCount: lost, backoff: backoff,
                    limits: limits, execution: execution, createdAt: createdAt, runAt: runAt, traceparent: traceparent,
                    owner: owner, title: title, avoidVersion: avoided,
                    failedRetentionDays: failedRetention, isLimited: isLimited, retentionDays: retention))
        }
        lanes.claimEnded(taken: taken, exhausted: exhausted)
        return runs
    }
}

/// The lanes of one claim.
struct LaneChoice {
    var readings: [LaneBook.Reading] = []
    /// For each of them how many runs may be taken; nil: no bound.
    var caps: [Int?] = []
    /// Those without rules: if the claim leaves something there, this host cannot take it.
    var open: [Lane] = []
    /// Some have rules.
    var isRuled = false

    var queues: [String] { readings.map(\.lane.queue) }
    var jobs: [String] { readings.map(\.lane.job) }
}

extension Admission {
    /// Of `rules_list`.
    fileprivate init(rows: PGRows) throws(PGDecodingError) {
        guard !rows.isEmpty else {
            self.init()
            return
        }
        var rules: [Gate: Rule] = [:]
        for row in rows {
            var reader = RowReader(row)
            let kind = try reader.text()
            let name = try reader.text()
            let gate = kind == "queue" ? Gate.queue(name) : .job(name)
            rules[gate] = Rule(
                everywhere: try reader.intOrNil(), here: try reader.intOrNil(), isPaused: try reader.bool())
        }
        self.init(rules: rules)
    }
}
