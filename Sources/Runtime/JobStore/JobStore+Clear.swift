package import JobCore
import Postgres

extension JobStore {
    /// Rows looked at in one statement.
    private static let window: Int64 = 5000
    /// Runs taken away in one transaction.
    private static let chunk = 500

    /// Takes away a piece of what `request` means: a bounded number of short transactions. Nothing that runs is touched, nor
    /// what begins to run meanwhile; what was done stays done, whatever happens. Call it until `next` is nil.
    package func clearStep(_ request: ClearRequest, _ cursor: ClearCursor) async throws(StoreError) -> ClearStep {
        let found = try await look(request, cursor.place)
        var step = ClearStep(removed: [:], next: found.next.map { ClearCursor($0) })
        for start in stride(from: 0, to: found.ids.count, by: Self.chunk) {
            let ids = Array(found.ids[start..<min(start + Self.chunk, found.ids.count)])
            for (state, n) in try await take(ids, request.states(at: cursor.place), cursor.place) {
                step.removed[state, default: 0] += n
            }
        }
        return step
    }

    /// How many runs `request` means, from the counters if nothing but queue or job and state count.
    package func clearCounts(_ request: ClearRequest) async throws(StoreError) -> [RunState: Int64] {
        try await decoding {
            var counts: [RunState: Int64] = [:]
            let rows = try await self.pool.query(
                .counterRead, [.text(orNull: request.job), .text(orNull: request.queue)])
            for counter in try rows.map({ try CounterRow($0) }) where request.states.contains(counter.state) {
                counts[counter.state, default: 0] += counter.n
            }
            return counts.filter { $0.value != 0 }
        }
    }

    /// How many of a piece match, without touching them: for those that must be looked at to be counted.
    package func clearCount(
        _ request: ClearRequest, _ cursor: ClearCursor
    ) async throws(StoreError) -> (count: Int64, next: ClearCursor?) {
        let found = try await look(request, cursor.place)
        return (Int64(found.ids.count), found.next.map { ClearCursor($0) })
    }

    private func look(
        _ request: ClearRequest, _ place: ClearCursor.Place
    ) async throws(StoreError) -> (ids: [Int64], next: ClearCursor.Place?) {
        let states = request.states(at: place)
        let behind = request.place(behind: place)
        if states.isEmpty { return ([], behind) }
        return try await decoding {
            if case .lane(let rank, let job, let position) = place {
                let rows = try await self.pool.query(
                    .runFindLane,
                    [
                        .text(orNull: request.queue), .int32(rank), .text(job), .int64(position), .int64(Self.window),
                    ])
                let ids = try rows.compactMap { try $0.micros(3) < request.before.micros ? try $0.int64(0) : nil }
                guard rows.count == Self.window, let last = rows.last else { return (ids, behind) }
                return (
                    ids, .lane(rank: try last.int32(1), job: try last.text(4), position: try last.int64(2))
                )
            }
            let statement: PGStatement
            let after: Int64
            switch place {
            case .waiting(let id): (statement, after) = (.runFindWaiting, id)
            case .queued(let id): (statement, after) = (.runFindQueued, id)
            case .finished(let id): (statement, after) = (.runFindFinished, id)
            case .lane: preconditionFailure("answered above")
            }
            let row = try await self.pool.query(
                statement,
                [
                    .int64(after), .int64(Self.window), .text(orNull: request.queue), .text(orNull: request.job),
                    .texts(orNull: Set(states.map(\.rawValue))), .timestamp(micros: request.before.micros),
                ])[0]
            let ids = try row.int64ArrayOrNil(2) ?? []
            guard try row.int64(1) == Self.window else { return (ids, behind) }
            let last = try row.int64(0)
            switch place {
            case .waiting: return (ids, .waiting(after: last))
            case .queued: return (ids, .queued(after: last))
            case .finished, .lane: return (ids, .finished(after: last))
            }
        }
    }

    /// One transaction for the rows; those that have moved on are left out.
    private func take(
        _ ids: [Int64], _ states: Set<RunState>, _ place: ClearCursor.Place
    ) async throws(StoreError) -> [RunState: Int64] {
        // Of finished runs the log goes first, so that an interruption leaves nothing behind. One that waits may begin
        // to run until its row is gone.
        if case .finished = place { try await removeLogs(ids) }
        let gone = try await withTransaction { connection in
            switch place {
            case .finished: try await self.removeFinished(ids, connection)
            case .waiting:
                try await self.removeRows(
                    .runRemoveWaiting, [.int64Array(ids), .texts(orNull: Set(states.map(\.rawValue)))], connection)
            case .lane, .queued: try await self.removeRows(.runRemoveQueued, [.int64Array(ids)], connection)
            }
        }
        if case .finished = place {} else if !gone.isEmpty { try await removeLogs(gone.map(\.id)) }
        var counts: [RunState: Int64] = [:]
        for run in gone { counts[run.state, default: 0] += 1 }
        return counts
    }
}
