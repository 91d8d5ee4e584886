package import JobCore
import Postgres

/// What belongs to nothing any more, as far as the database knows.
extension JobStore {
    /// Some of each kind.
    package func orphans(limit: Int = 1000) async throws(StoreError) -> [Orphan] {
        let gone = try await goneJobs()
        return try await withTransaction { try await Self.orphans($0, gone, limit: limit) }
    }

    /// Jobs that are not there and of which runs may wait.
    func goneJobs() async throws(StoreError) -> [String] {
        let rows = try await query(.orphanJobs)
        return try await decoding { try rows.map { try $0.text(0) } }
    }

    static func orphans(_ connection: PostgresConnection, _ gone: [String], limit: Int) async throws -> [Orphan] {
        try await connection.query(.orphanList, [.textArray(gone), .int64(Int64(limit))]).map { row in
            var reader = RowReader(row)
            let kind = try reader.word(OrphanKind.self)
            let number = try reader.text()
            let isRun = kind == .runWithoutProcess || kind == .runWithoutJob
            return Orphan(
                kind: kind, name: isRun ? Int64(number).map { RunID($0).description } ?? number : number,
                mark: try reader.text(), detail: try reader.text())
        }
    }

    /// Puts right those that still are what they were; others are left alone.
    /// - Parameter orphans: of kinds that the database knows.
    /// - Returns: those that were put right.
    package func clean(_ orphans: [Orphan]) async throws(StoreError) -> Set<Orphan.Key> {
        var done: Set<Orphan.Key> = []
        for (kind, some) in Dictionary(grouping: orphans, by: \.kind) where kind.isShared {
            let ended = try await clean(kind, some)
            done.formUnion(some.filter { ended.contains($0.name) }.map(\.key))
        }
        return done
    }

    /// - Returns: names.
    private func clean(_ kind: OrphanKind, _ orphans: [Orphan]) async throws(StoreError) -> Set<String> {
        func ids(_ name: (Orphan) -> Int64?) -> [Int64] { orphans.map { name($0) ?? 0 } }
        func firstOfMark(_ orphan: Orphan) -> Int64? { orphan.mark.split(separator: ".").first.flatMap { Int64($0) } }
        let runs = ids { RunID(parsing: $0.name)?.rawValue }
        switch kind {
        case .runWithoutProcess:
            return try await withTransaction { connection in
                let rows = try await connection.query(
                    .runTakeOrphans,
                    [
                        .int64Array(runs), .int64Array(ids(firstOfMark)), .int64(Int64(RetryDecision.lostBound)),
                        .text(
                            "The host that was said to execute it is gone; the cleanup of orphans took it from there."),
                    ])
                if !rows.isEmpty { _ = try await connection.query(.rulesWake, [.textArray(["*"])]) }
                return try Set(rows.map { RunID(try $0.int64(3)).description })
            }
        case .runWithoutJob:
            let rows = try await query(.orphanEndWaiting, [.int64Array(runs)])
            return try await decoding { try Set(rows.map { RunID(try $0.int64(0)).description }) }
        case .scheduleWithoutJob:
            let rows = try await query(
                .orphanEndSchedules, [.int64Array(ids { Int64($0.name) }), .int64Array(ids(firstOfMark))])
            return try await decoding { try Set(rows.map { String(try $0.int64(0)) }) }
        case .holdingWithoutHost:
            let rows = try await query(.orphanEndHoldings, [.int64Array(ids(firstOfMark))])
            let ended = try await decoding { try Set(rows.map { try $0.int64(0) }) }
            return Set(orphans.filter { firstOfMark($0).map(ended.contains) ?? false }.map(\.name))
        case .processWithoutRun, .cgroupWithoutRun, .scratchWithoutRun, .fileWithoutOwner: return []
        }
    }
}
