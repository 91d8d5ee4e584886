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
                var reader = RowReader(row)
                let lane = Lane(queue: try reader.text(), rank: try reader.int32())
                self.lanes.entered(lane, at: try reader.int64())
                moved += try reader.int()
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

    /// Looks for lanes and forgets watermarks, if it is time for that.
    func sweepLanes(isBusy: Bool) async throws(PostgresError) {
        guard lanes.isSweepDue(isBusy: isBusy, now: LoopInstant.now.nanoseconds) else { return }
        lanes.sweepStarted()
        let start = LoopInstant.now.nanoseconds
        do {
            let rows = try await delivery.query(.runLanes)
            let found = try rows.map { Lane(queue: try $0.text(0), rank: try $0.int32(1)) }
            let position = try rows.map { try $0.int64(2) }.min() ?? 0
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

    /// The claim's statement.
    func claimStep(
        _ lease: HostLease, _ request: ClaimRequest, _ readings: [LaneBook.Reading]
    ) -> (PGStatement, [PGParameter]) {
        (
            .runClaim,
            [
                .int64(lease.id.rawValue), .int64(lease.epoch), .textArray(readings.map(\.lane.queue)),
                .int64Array(readings.map { Int64($0.lane.rank) }), .int64Array(readings.map(\.after)),
                .int64(Int64(request.limit)), request.jobs.map { .textArray($0.sorted()) } ?? .null,
            ]
        )
    }

    /// Reads the claim's answer and moves the watermarks.
    /// - Parameter exhausted: the lanes it looked at, if it took less than it might.
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
            let lane = Lane(queue: try reader.text(), rank: try reader.int32())
            taken.append((lane, try reader.int64()))
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
            let retention = try reader.int()
            runs.append(
                ClaimedRun(
                    id: id, job: job, handler: handler, args: args, queue: lane.queue, priority: -lane.rank,
                    attempt: attempt, attemptsUsed: used, maxAttempts: maxAttempts, lostCount: lost, backoff: backoff,
                    limits: limits, execution: execution, createdAt: createdAt, runAt: runAt, traceparent: traceparent,
                    owner: owner, title: title, avoidVersion: avoided,
                    failedRetentionDays: failedRetention, retentionDays: retention))
        }
        lanes.claimEnded(taken: taken, exhausted: exhausted)
        return runs
    }
}
