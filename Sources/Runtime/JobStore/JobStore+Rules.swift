package import JobCore
import Logging
import Postgres
import UVLoop

/// What is paused, drained or limited.
package enum Ruled: Sendable, Hashable {
    case queue(String)
    case job(String)

    /// `queue` or `job`.
    package var kind: String {
        switch self {
        case .queue: "queue"
        case .job: "job"
        }
    }

    package var name: String {
        switch self {
        case .queue(let name), .job(let name): name
        }
    }
}

/// Rules are changed under a lock that every claim shares, so that the change is exact: when it has been committed, every claim
/// made under the old rules has been committed before it, and none comes after it.
extension JobStore {
    /// From the moment this returns nothing of it is claimed until it is resumed; what runs goes on. A queue that nobody has
    /// set yet gets its row.
    /// - Parameters:
    ///   - until: it resumes by itself then; nil: not by itself.
    ///   - isDrain: somebody waits until nothing of it runs; it is `draining`, then `drained`.
    /// - Returns: whether anything changed: false if it was paused like that. Throws `.notFound` for an unknown job.
    package func pause(
        _ ruled: Ruled, reason: String? = nil, until: WallTime? = nil, isDrain: Bool = false, actor: String? = nil
    ) async throws(StoreError) -> Bool {
        try Self.checkName(ruled)
        let parameters: [PGParameter] = [
            .text(ruled.name), .text(orNull: reason), until.map { .timestamp(micros: $0.micros) } ?? .null,
            .bool(isDrain),
        ]
        let changed = try await changingRules { connection -> Bool in
            switch ruled {
            case .queue:
                guard try await connection.query(.queuePause, parameters).affectedRows > 0 else { return false }
            case .job:
                guard try await connection.query(.jobPause, parameters).affectedRows > 0 else { return false }
                _ = try await connection.query(.lanePassDue)
            }
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, ruled.action(isDrain ? "drain" : "pause"), ruled.name))
            return true
        }
        if !changed { try await checkExists(ruled) }
        guard changed else { return false }
        lanes.forget()
        return true
    }

    /// Its runs are claimed again; every host looks at once.
    /// - Returns: whether it was paused.
    package func resume(_ ruled: Ruled, actor: String? = nil) async throws(StoreError) -> Bool {
        try Self.checkName(ruled)
        let changed = try await withTransaction { connection -> Bool in
            let rows: PGRows
            switch ruled {
            case .queue(let name): rows = try await connection.query(.queueResume, [.text(name)])
            case .job(let name): rows = try await connection.query(.jobResume, [.text(name)])
            }
            guard rows.affectedRows > 0 else { return false }
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, ruled.action("resume"), ruled.name))
            return true
        }
        guard changed else {
            try await checkExists(ruled)
            return false
        }
        noteRules(ruled)
        return true
    }

    /// Everything that is paused or drained, the oldest first.
    package func pauses() async throws(StoreError) -> [(ruled: Ruled, pause: Pause)] {
        try await decoding {
            try await self.pool.query(.pauseList).map { row in
                var reader = RowReader(row)
                let kind = try reader.text()
                let name = try reader.text()
                let pause = Pause(
                    since: try reader.time(), reason: try reader.textOrNil(), until: try reader.timeOrNil(),
                    isDrain: try reader.bool())
                return (kind == "queue" ? .queue(name) : .job(name), pause)
            }
        }
    }

    /// How many runs of a queue may execute at once. What runs already counts and goes on, even if it is more.
    /// - Parameter ifRevision: what the caller has seen, 0 for a queue that nobody has set yet; nil: whatever is there.
    package func limitQueue(
        _ name: String, _ patch: ConcurrencyPatch, ifRevision: Int64? = nil, actor: String? = nil
    ) async throws(StoreError) -> QueuePatchAnswer {
        try Self.checkName(.queue(name))
        do throws(FieldFault) { try patch.check() } catch { throw .invalid(error) }
        let mismatch = try await changingRules { connection -> Int64? in
            let now = try await connection.query(.queueLock, [.text(name)]).first?.int64(0) ?? 0
            if let ifRevision, ifRevision != now { return now }
            try await Self.limitQueue(connection, name, patch)
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, "queue.limit", name, patch.summary))
            return nil
        }
        if let mismatch { return .mismatch(mismatch) }
        noteRules(.queue(name))
        return .changed(try await queue(name))
    }

    /// The limits of a queue, within a transaction whose first statement took the lock.
    static func limitQueue(_ connection: PostgresConnection, _ name: String, _ patch: ConcurrencyPatch) async throws {
        _ = try await connection.query(.rulesQueue, parameters(name, patch))
        try await countRunning(connection, .queue(name), patch)
        _ = try await connection.query(.rulesWake, [.textArray([name])])
    }

    /// The limits of a job, within the transaction that changes its settings, whose first statement took the lock.
    static func limitJob(_ connection: PostgresConnection, _ name: String, _ patch: ConcurrencyPatch) async throws {
        _ = try await connection.query(.rulesJob, parameters(name, patch))
        try await countRunning(connection, .job(name), patch)
        _ = try await connection.query(.lanePassDue)
        _ = try await connection.query(.rulesWake, [.textArray(["*"])])
    }

    /// Ends pauses whose time is over; any host may, and all are told.
    /// - Returns: whether any ended, and when the next one does.
    package func endPauses() async throws(StoreError) -> (ended: Bool, next: WallTime?) {
        try await decoding {
            let row = try await self.pool.query(.rulesDue)[0]
            let ended = try row.int64(0) > 0
            if ended {
                self.lanes.woken(queue: "*")
            }
            return (ended, try row.microsOrNil(1).map { WallTime(micros: $0) })
        }
    }

    /// Places have become free in these queues, and this host does not take them: others that sleep look, if runs wait there.
    package func wakeForPlaces(in queues: Set<String>, besides host: HostID) async throws(StoreError) {
        guard !queues.isEmpty else { return }
        _ = try await query(.placeWake, [.textArray(queues.sorted()), .int64(host.rawValue)])
    }

    /// Runs `body` while no claim is under way. A claim that holds it up for longer than claims take, because its host was
    /// stopped in the middle of an answer, is rolled back.
    func changingRules<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws(StoreError) -> T {
        do {
            return try await withTransaction { try await Self.lockRules($0, body) }
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            logger.warning("a claim holds up a change of the rules; it is rolled back")
            _ = try await query(.rulesFree)
        }
        return try await withTransaction { try await Self.lockRules($0, body) }
    }

    /// First of all, so that whoever holds a row and waits for the rules never waits for us.
    static func lockRules<T: Sendable>(
        _ connection: PostgresConnection, _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        _ = try await connection.query(.rulesPatience)
        _ = try await connection.query(.rulesLock)
        return try await body(connection)
    }

    /// This host knows at once what the others are told.
    func noteRules(_ ruled: Ruled) {
        switch ruled {
        case .queue(let name): lanes.woken(queue: name)
        case .job: lanes.woken(queue: "*")
        }
    }

    private static func countRunning(
        _ connection: PostgresConnection, _ ruled: Ruled, _ patch: ConcurrencyPatch
    ) async throws {
        _ = try await connection.query(.rulesPlan)
        switch ruled {
        case .queue(let name): _ = try await connection.query(.rulesCount, [.text(name), .null])
        case .job(let name): _ = try await connection.query(.rulesCount, [.null, .text(name)])
        }
    }

    private static func parameters(_ name: String, _ patch: ConcurrencyPatch) -> [PGParameter] {
        func number(_ value: Int??) -> PGParameter { .int32(orNull: (value ?? nil).map { Int32(clamping: $0) }) }
        return [
            .text(name), .bool(patch.everywhere != nil), number(patch.everywhere), .bool(patch.here != nil),
            number(patch.here),
        ]
    }

    private func checkExists(_ ruled: Ruled) async throws(StoreError) {
        guard case .job(let name) = ruled else { return }
        _ = try await job(name)
    }

    private static func checkName(_ ruled: Ruled) throws(StoreError) {
        guard case .queue(let name) = ruled else { return }
        guard (1...120).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw .invalid(FieldFault(pointer: "/queue", code: "out_of_range", detail: "must have 1 to 120 bytes"))
        }
    }
}

extension PGStatement {
    /// Claims take milliseconds.
    static let rulesPatience = PGStatement(
        name: "rules_patience", sql: "SELECT set_config('lock_timeout', '3s', true)")
}

/// What became of a change to a queue's limits.
package enum QueuePatchAnswer: Sendable {
    case changed(QueueRow)
    /// Somebody changed it meanwhile: its revision now.
    case mismatch(Int64)
}

extension Ruled {
    fileprivate func action(_ verb: String) -> String { "\(kind).\(verb)" }
}

extension ConcurrencyPatch {
    /// For the audit: JSON.
    var summary: String { JSONValue.object(members).json }

    var members: [JSONMember] {
        var members: [JSONMember] = []
        func add(_ name: String, _ change: Int??) {
            guard let change else { return }
            members.append(JSONMember(name, change.map { JSONValue.number(String($0)) } ?? .null))
        }
        add("concurrency", everywhere)
        add("host_concurrency", here)
        return members
    }
}
