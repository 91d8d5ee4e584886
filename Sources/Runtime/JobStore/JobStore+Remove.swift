package import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// Log lines in one statement: a few tens of milliseconds.
    static let logLinesAtOnce: Int64 = 20_000

    /// Deletes a finished run with its attempts, log, events and crash reports; its groups of crashes stay.
    ///
    /// Throws `.notFound`, or `.conflict("run_not_finished")` with the present state.
    package func remove(_ id: RunID, actor: String? = nil) async throws(StoreError) {
        let note: @LoopActor (PostgresConnection) async throws -> Void = { connection in
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "run.remove", id.description))
        }
        if try await remove([id], note).contains(id) { return }
        guard let run = try await run(id) else { throw .notFound(what: "run", id: id.description) }
        throw .conflict(
            code: "run_not_finished",
            detail: "only a finished run can be removed; this one is \(run.state.rawValue)", currentState: run.state)
    }

    /// Deletes those of `ids` that are finished, all of them or, if it throws, none (log lines apart).
    /// - Parameter ids: a few hundred at most.
    /// - Returns: which ones. Safe to repeat.
    package func remove(_ ids: [RunID]) async throws(StoreError) -> Set<RunID> { try await remove(ids, nil) }

    /// - Parameter note: in the transaction that has removed some.
    private func remove(
        _ ids: [RunID], _ note: (@LoopActor (PostgresConnection) async throws -> Void)?
    ) async throws(StoreError) -> Set<RunID> {
        guard !ids.isEmpty else { return [] }
        let numbers = ids.map(\.rawValue).sorted()
        // Lines first and by themselves: of one run there may be millions. Whoever is interrupted finds the rest by the run.
        let finished = try await decoding {
            try await self.pool.query(.runFinishedOf, [.int64Array(numbers)]).map { try $0.int64(0) }
        }
        guard !finished.isEmpty else { return [] }
        try await removeLogs(finished)
        let gone = try await withTransaction { connection in
            let gone = try await self.removeFinished(finished, connection).map(\.id)
            if !gone.isEmpty { try await note?(connection) }
            return gone
        }
        return Set(gone.map { RunID($0) })
    }

    /// Within somebody's transaction, and behind `removeLogs`.
    func removeFinished(
        _ ids: [Int64], _ connection: PostgresConnection
    ) async throws -> [(id: Int64, state: RunState)] {
        try await removeRows(.runRemove, [.int64Array(ids)], connection)
    }

    /// Takes rows away by `statement`, and what belongs to the runs that were there.
    func removeRows(
        _ statement: PGStatement, _ parameters: [PGParameter], _ connection: PostgresConnection
    ) async throws -> [(id: Int64, state: RunState)] {
        let gone = try await connection.query(statement, parameters).map { row in
            var reader = RowReader(row)
            return (id: try reader.int64(), state: try reader.word(RunState.self))
        }
        if !gone.isEmpty { _ = try await connection.query(.runRemoveRest, [.int64Array(gone.map(\.id))]) }
        return gone
    }

    /// In transactions of their own, each of bounded size.
    func removeLogs(_ ids: [Int64]) async throws(StoreError) {
        while true {
            let count = try await decoding {
                try await self.pool.query(.runRemoveLogs, [.int64Array(ids), .int64(Self.logLinesAtOnce)])[0].int64(0)
            }
            if count == 0 { return }
        }
    }
}
