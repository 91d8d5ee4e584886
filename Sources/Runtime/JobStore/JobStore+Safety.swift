package import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// Runs that have been running for longer than this, longest first.
    /// - Parameter queues: empty: of all.
    package func staleRuns(
        olderThan: Duration, queues: Set<String> = [], limit: Int = 1000
    ) async throws(StoreError) -> [StaleRun] {
        try await decoding {
            let rows = try await self.pool.query(
                .runStale, [.int64(olderThan.wholeMilliseconds), .int64(Int64(limit)), .texts(orNull: queues)])
            return try rows.map { row in
                var reader = RowReader(row)
                return StaleRun(
                    id: try reader.run(), job: try reader.text(), queue: try reader.text(), attempt: try reader.int(),
                    hostID: try reader.hostOrNil(), startedAt: try reader.time(),
                    runningFor: .milliseconds(try reader.int64()))
            }
        }
    }

    /// Ends or requeues those of `runs` that are still in the same attempt; tells their hosts to kill what runs.
    /// - Returns: in the order of `runs`.
    package func cleanupStale(
        _ runs: [(id: RunID, attempt: Int)], outcome: StaleOutcome, actor: String? = nil
    ) async throws(StoreError) -> [StaleAnswer] {
        guard !runs.isEmpty else { return [] }
        return try await withTransaction {
            try await self.cleanupStale($0, runs, outcome: outcome, actor: actor)
        }
    }

    /// The same in the caller's transaction.
    func cleanupStale(
        _ connection: PostgresConnection, _ runs: [(id: RunID, attempt: Int)], outcome: StaleOutcome, actor: String?
    ) async throws -> [StaleAnswer] {
        let parameters: [PGParameter] = [
            .int64Array(runs.map(\.id.rawValue)), .int64Array(runs.map { Int64($0.attempt) }), .text(orNull: actor),
        ]
        let rows = try await connection.query(outcome == .fail ? .runStaleFail : .runStaleRetry, parameters)
        var done: Set<Int64> = []
        for row in rows {
            done.insert(try row.int64(0))
            if outcome == .retry {
                // Should the transaction fail, one look finds nothing there.
                self.lanes.entered(try Self.lane(row, from: 1, job: 4), at: try row.int64(3))
            }
        }
        return runs.map { run in
            done.contains(run.id.rawValue) ? (outcome == .fail ? .failed : .requeued) : .untouched
        }
    }

    /// Figures for the safety report.
    package func safetyCounts(staleAfter: Duration) async throws(StoreError) -> SafetyCounts {
        try await decoding {
            let answers = try await self.pool.transaction([
                (.safetyCounts, [.int64(staleAfter.wholeMilliseconds)]), (.counterRead, [.null, .null]),
                (.safetySnapshot, []),
            ])
            var reader = RowReader(answers[0][0])
            var counts = SafetyCounts(
                counts: try Self.totals(answers[1]), stale: try reader.int(), silentHosts: try reader.int(),
                liveHosts: try reader.int(), pausedQueues: try reader.int(), overdueSchedules: try reader.int())
            if let row = answers[2].first {
                counts.oldestSnapshotAge = .milliseconds(try row.int64(0))
                counts.oldestSnapshotHolder = try row.textOrNil(1)
            }
            return counts
        }
    }

    /// Runs by state, from counters.
    static func totals(_ rows: PGRows) throws(PGDecodingError) -> [RunState: Int64] {
        var totals: [RunState: Int64] = [:]
        for row in rows {
            let counter = try CounterRow(row)
            totals[counter.state, default: 0] += counter.n
        }
        return totals
    }
}
