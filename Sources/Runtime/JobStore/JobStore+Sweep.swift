package import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// Runs that one sweep ends at most; the next one goes on.
    private static let sweptAtOnce = 5000
    /// Remembered by name.
    private static let namedRuns = 1000
    /// Orphans that a sweep counts of each kind.
    package static let countedOrphans = 1000

    /// Looks for runs that have been running for too long, does about them what the policy says, and counts what is left
    /// without an owner. Call it every second or so, on any number of hosts: when it is due, one of them sweeps and the others
    /// pass on.
    /// - Parameters:
    ///   - known: the policy of just now, if the caller has it.
    ///   - isForced: due or not, whatever the policy says; it acts only if the policy does.
    /// - Returns: nil: not due, switched off, or another host is at it. With the attempts that it has ended, whose hosts are told.
    package func sweep(
        _ lease: HostLease, known: PolicyRow? = nil, isForced: Bool = false
    ) async throws(StoreError) -> (row: SweepRow, ended: [(id: RunID, attempt: Int)])? {
        let row = if let known { known } else { try await safetyPolicy() }
        guard isForced || row.isDue else { return nil }
        let policy = row.policy
        let gone = try await goneJobs()
        let began = LoopInstant.now
        let done = try await withTransaction { connection -> (SweepRow, [(id: RunID, attempt: Int)])? in
            let turn = try await connection.query(
                .sweepTake, [.int64(lease.id.rawValue), .int64(lease.epoch), .bool(!isForced)])
            guard let mode = try turn.first.flatMap({ SafetyPolicy.Mode(rawValue: try $0.text(0)) }) else { return nil }
            var row = SweepRow(kind: .sweep, hasActed: mode == .act)
            row.hostID = lease.id
            let stale = try await connection.query(
                .runWatch, Self.watching(policy.staleAfter, nil, Self.sweptAtOnce)
            ).map { try WatchedRun(RowReader($0)) }.filter { policy.isStale($0.stale) }
            row.stale = stale.count
            var ended: [(id: RunID, attempt: Int)] = []
            if mode == .act, !stale.isEmpty {
                // What has used up its attempts fails, as after any other failure.
                let isAgain = { (run: WatchedRun) in
                    policy.outcome == .retry && run.attemptsUsed + 1 < run.maxAttempts
                }
                for (outcome, runs) in [
                    (StaleOutcome.retry, stale.filter(isAgain)), (.fail, stale.filter { !isAgain($0) }),
                ] where !runs.isEmpty {
                    let targets = runs.map { (id: $0.id, attempt: $0.attempt) }
                    let answers = try await self.cleanupStale(
                        connection, targets, outcome: outcome, actor: "the safety sweep")
                    row.count(answers, of: targets.map(\.id))
                    ended += zip(targets, answers).filter { $0.1 != .untouched }.map(\.0)
                }
            }
            for orphan in try await Self.orphans(connection, gone, limit: Self.countedOrphans) {
                row.orphans[orphan.kind, default: 0] += 1
            }
            row.took = LoopInstant.now - began
            row.id = try await Self.remember(connection, row)
            return (row, ended)
        }
        guard let (row, ended) = done else { return nil }
        return (row, ended)
    }

    /// Writes down what was done.
    @discardableResult
    package func remember(_ row: SweepRow) async throws(StoreError) -> Int64 {
        try await withTransaction { try await Self.remember($0, row) }
    }

    private static func remember(_ connection: PostgresConnection, _ row: SweepRow) async throws -> Int64 {
        try await connection.query(
            .sweepAdd,
            [
                .text(row.kind.rawValue), .text(row.hasActed ? "act" : "report"), .int64(orNull: row.hostID?.rawValue),
                .text(orNull: row.actor), .text(orNull: row.reason), .int64(row.took.wholeMilliseconds),
                .int64(Int64(row.stale)), .int64(Int64(row.failed)), .int64(Int64(row.requeued)),
                .int64(Int64(row.untouched)), .int64Array(row.runs.prefix(namedRuns).map(\.rawValue)),
                .json(counts(row.orphans)), .json(counts(row.cleaned)),
            ])[0].int64(0)
    }

    /// Newest first.
    /// - Parameters:
    ///   - before: a sweep's id; nil: from the newest.
    ///   - foundOnly: leaves out those that found nothing.
    package func sweeps(
        before: Int64? = nil, limit: Int = 50, foundOnly: Bool = false
    ) async throws(StoreError) -> [SweepRow] {
        let rows = try await query(
            .sweepList, [.int64(orNull: before), .int64(Int64(limit)), .bool(foundOnly)])
        return try await decoding {
            try rows.map { row in
                var reader = RowReader(row)
                let id = try reader.int64()
                let at = try reader.time()
                var sweep = SweepRow(
                    kind: try reader.word(SweepRow.Kind.self), hasActed: try reader.text() == "act")
                sweep.id = id
                sweep.at = at
                sweep.hostID = try reader.hostOrNil()
                sweep.actor = try reader.textOrNil()
                sweep.reason = try reader.textOrNil()
                sweep.took = .milliseconds(try reader.int64())
                sweep.stale = try reader.int()
                sweep.failed = try reader.int()
                sweep.requeued = try reader.int()
                sweep.untouched = try reader.int()
                sweep.runs = try reader.text().split(separator: " ").compactMap { Int64($0).map { RunID($0) } }
                sweep.orphans = Self.counts(try reader.jsonOrNil())
                sweep.cleaned = Self.counts(try reader.jsonOrNil())
                return sweep
            }
        }
    }

    private static func counts(_ counts: [OrphanKind: Int]) -> String {
        let named = counts.filter { $0.value > 0 }.map { "\"\($0.key.rawValue)\":\($0.value)" }
        return "{" + named.sorted().joined(separator: ",") + "}"
    }

    private static func counts(_ value: JSONValue?) -> [OrphanKind: Int] {
        guard case .object(let members)? = value else { return [:] }
        var counts: [OrphanKind: Int] = [:]
        for member in members {
            if let kind = OrphanKind(rawValue: member.key) { counts[kind] = Int(member.value.integer ?? 0) }
        }
        return counts
    }
}
