package import JobCore
import Postgres
import UVLoop

/// Many changes as one.
extension JobStore {
    package func applied(_ set: String) async throws(StoreError) -> [AppliedRow] {
        try await decoding {
            try await self.pool.query(.appliedList, [.text(set.storable)]).map { row in
                var reader = RowReader(row)
                return AppliedRow(
                    kind: try reader.word(AppliedRow.Kind.self), name: try reader.text(), id: try reader.int64(),
                    revision: try reader.int64())
            }
        }
    }

    /// Does all of it, or nothing and says why.
    ///
    /// Throws `.invalid` with a pointer below the change's own, `.conflict("state_changed")` where something is not as it was looked at,
    /// and what the single changes throw.
    /// - Parameters:
    ///   - changes: each with the place in the request from which it comes.
    ///   - names: what is to be remembered as of these files; nil: nothing.
    package func applyState(
        _ changes: [(pointer: String, change: StateChange)], names: AppliedNames? = nil, actor: String? = nil
    ) async throws(StoreError) {
        let steps = try await prepared(changes)
        if changes.contains(where: { $0.change.isOfLimits }) {
            try await changingRules { try await self.take(steps, names, actor, $0) }
        } else {
            try await withTransaction { try await self.take(steps, names, actor, $0) }
        }
        for change in changes.map(\.change) where change.isOfLimits {
            switch change {
            case .limitQueue(let name, _, _): noteRules(.queue(name))
            case .createJob(let definition): noteRules(.job(definition.name))
            case .changeJob(let name, _, _, _): noteRules(.job(name))
            default: break
            }
        }
        schemas.forget()
    }

    /// Throws what `applyState` would, as far as that can be told without doing it.
    package func checkState(_ changes: [(pointer: String, change: StateChange)]) async throws(StoreError) {
        _ = try await prepared(changes)
    }

    /// Those of some schedules that could not be made, and why.
    package func faults(
        of schedules: [(pointer: String, input: ScheduleInput)]
    ) async throws(StoreError) -> [(index: Int, fault: FieldFault)] {
        var faults: [(index: Int, fault: FieldFault)] = []
        for (index, schedule) in schedules.enumerated() {
            do throws(StoreError) {
                _ = try await parameters(schedule.input, runCount: 0)
            } catch {
                switch error {
                case .invalid(let fault): faults.append((index, fault))
                case .invalidArgs(let all): faults.append((index, all[0]))
                case .notFound(let what, let id, _):
                    faults.append(
                        (index, FieldFault(pointer: "", code: "unknown_\(what)", detail: "there is no \(what) \(id)")))
                default: throw error
                }
            }
        }
        return faults
    }

    private func take(
        _ steps: [(pointer: String, step: Step)], _ names: AppliedNames?, _ actor: String?,
        _ connection: PostgresConnection
    ) async throws {
        for (pointer, step) in steps {
            do {
                try await take(step, actor, connection)
            } catch let error as StoreError {
                throw error.under(pointer)
            } catch let error as PostgresError {
                // Others must stay what they are: the pool looks at them.
                guard case .invalid = StoreError(error) else { throw error }
                throw StoreError(error).under(pointer)
            }
        }
        guard let names else { return }
        _ = try await connection.query(
            .appliedMark, [.text(names.set), .textArray(names.schedules), .textArray(names.calendars)])
    }

    private func take(_ step: Step, _ actor: String?, _ connection: PostgresConnection) async throws {
        var note: (action: String, target: String)
        switch step {
        case .calendar(let calendar, let name):
            try await take(calendar, connection)
            note = (calendar.word, name)
        case .queue(let name, let patch, let revision):
            let now = try await connection.query(.queueLock, [.text(name)]).first?.int64(0) ?? 0
            guard now == revision else { throw Self.stateChanged("the queue \(name)") }
            try await Self.limitQueue(connection, name, patch)
            note = ("queue.limit", name)
        case .createJob(let definition):
            guard let isMade = try await make(definition, [], connection) else {
                throw StoreError.invalid(
                    FieldFault(
                        pointer: "/handler", code: "unknown_handler",
                        detail: "no plugin brought a handler \(definition.handler)"))
            }
            guard isMade else { throw Self.stateChanged("the job \(definition.name)") }
            note = ("job.create", definition.name)
        case .changeJob(let name, let patch, let description, let revision):
            let row = try await connection.query(.jobLock, [.text(name)]).first
            guard let row, try row.int64(0) == revision else { throw Self.stateChanged("the job \(name)") }
            var reader = RowReader(row)
            reader.skip()
            let (limits, execution) = (try reader.limits(), try reader.execution())
            _ = try await connection.query(.jobDescribe, [.text(name), .text(orNull: description)])
            if !patch.isEmpty {
                do {
                    try await apply(patch, to: name, limits, execution, connection)
                } catch StoreError.invalid(let fault) {
                    throw StoreError.invalid(fault.under("/settings"))
                }
            }
            note = ("job.settings", name)
        case .schedule(let schedule, let name):
            try await take([schedule], connection, pointer: "/spec/job")
            note = (schedule.word, name)
        }
        _ = try await connection.query(.auditNote, Self.auditNote(actor, note.action, note.target))
    }

    private static func stateChanged(_ what: String) -> StoreError {
        .conflict(
            code: "state_changed", detail: "somebody has changed \(what) meanwhile; look again", currentState: nil)
    }
}
