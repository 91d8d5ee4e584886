package import JobCore
import Postgres

/// Changes to a run that has not begun. What is nil stays.
package struct RunChanges: Sendable {
    package var priority: Int32?
    package var queue: String?
    /// Not of a queued run: it is due already.
    package var runAt: WallTime?
    package var title: String?

    package init(priority: Int32? = nil, queue: String? = nil, runAt: WallTime? = nil, title: String? = nil) {
        self.priority = priority
        self.queue = queue
        self.runAt = runAt
        self.title = title
    }
}

extension JobStore {
    /// Changes a run that waits or is queued.
    ///
    /// Throws `.notFound`, or `.conflict("not_waiting")` with the state that forbids it.
    /// - Returns: the lane to wake, if it is queued in one.
    package func change(
        _ id: RunID, _ changes: RunChanges, actor: String? = nil
    ) async throws(StoreError) -> (queue: String, rank: Int32)? {
        var request = NewRun(job: "-")
        (request.priority, request.queue, request.title) = (changes.priority, changes.queue, changes.title)
        try Self.check(request)
        let parameters: [PGParameter] = [
            .int64(id.rawValue), .int32(orNull: changes.priority.map { -$0 }), .text(orNull: changes.queue),
            .time(orNull: changes.runAt), .text(orNull: changes.title),
        ]
        let changed = try await withTransaction { connection -> PGRow? in
            guard let row = try await connection.query(.runChange, parameters).first else { return nil }
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "run.change", id.description))
            return row
        }
        guard let row = changed else {
            throw try await notWaiting(
                id, changes.runAt == nil ? "changed" : "put off", among: "a run that waits, or is queued")
        }
        return try await decoding { () throws in
            guard let position = try row.int64OrNil(2) else { return nil }
            let lane = try Self.lane(row, job: 3)
            self.lanes.entered(lane, at: position)
            return (lane.queue, lane.rank)
        }
    }

    /// Makes runs due that wait for their time (`scheduled`, `retrying`). Those that do not are left out.
    /// - Returns: which ones, and their lanes.
    package func hurry(_ ids: [RunID]) async throws(StoreError) -> [(id: RunID, queue: String, rank: Int32)] {
        try await hurry(ids, nil)
    }

    /// - Parameter note: the row of the audit, as soon as some are due.
    private func hurry(
        _ ids: [RunID], _ note: (actor: String?, target: String)?
    ) async throws(StoreError) -> [(id: RunID, queue: String, rank: Int32)] {
        let hurried = try await withTransaction { connection in
            let rows = try await connection.query(.runHurry, [.int64Array(ids.map(\.rawValue).sorted())])
            if let note, rows.first != nil {
                _ = try await connection.query(.auditNote, Self.auditNote(note.actor, "run.hurry", note.target))
            }
            return try rows.map { row in
                (id: RunID(try row.int64(0)), queue: try row.text(1), rank: try row.int32(2))
            }
        }
        // Others may be due before them; then the next round takes them.
        if !hurried.isEmpty { _ = try await promoteDue() }
        return hurried
    }

    /// As the other, for one. Throws `.notFound`, or `.conflict("not_waiting")` with the present state.
    package func hurry(_ id: RunID, actor: String? = nil) async throws(StoreError) {
        guard try await hurry([id], (actor, id.description)).isEmpty else { return }
        throw try await notWaiting(id, "run now", among: "a run that waits for its time")
    }

    /// Gives runs that wait or are queued another priority. Those that run or are over are left out.
    /// - Returns: which ones were changed, and the lanes of those that are queued.
    package func setPriority(
        _ ids: [RunID], _ priority: Int32
    ) async throws(StoreError) -> (changed: Set<RunID>, queues: Set<String>) {
        let rows = try await query(.runRank, [.int64Array(ids.map(\.rawValue).sorted()), .int32(-priority)])
        return try await decoding { () throws in
            var answer: (changed: Set<RunID>, queues: Set<String>) = ([], [])
            for row in rows {
                answer.changed.insert(RunID(try row.int64(0)))
                guard let position = try row.int64OrNil(3) else { continue }
                let lane = try Self.lane(row, from: 1, job: 4)
                self.lanes.entered(lane, at: position)
                answer.queues.insert(lane.queue)
            }
            return answer
        }
    }

    private func notWaiting(_ id: RunID, _ what: String, among: String) async throws(StoreError) -> StoreError {
        guard let run = try await run(id) else { return .notFound(what: "run", id: id.description) }
        return .conflict(
            code: "not_waiting",
            detail: "only \(among) can be \(what); this one is \(run.state.rawValue)", currentState: run.state)
    }
}
