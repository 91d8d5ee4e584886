import JobCore
import Postgres

/// A job with everything that belongs to it, as one change.
extension JobStore {
    /// What has to be done to a schedule so that it is as it should be.
    enum ScheduleStep: Sendable {
        case insert(ScheduleInput, [PGParameter])
        case update(Int64, revision: Int64, ScheduleInput, [PGParameter])
        case delete(Int64, revision: Int64)
    }

    /// Makes a job what `wish` says, with all of its settings and schedules or not at all.
    ///
    /// Schedules are told by their names: those that are there and stay the same are not touched, those that are not named
    /// any more are removed. Throws `.invalid` with a pointer into `{handler, description, settings, schedules}`, `.conflict` with
    /// `schedule_exists` where a name belongs to a schedule of another job, `handler_differs`, or `job_changed`.
    /// - Parameters:
    ///   - ifRevision: what the caller has seen; nil: whatever is there.
    ///   - actor: who wants it, for the record.
    package func replaceJob(
        _ name: String, _ wish: JobReplacement, ifRevision: Int64?, actor: String? = nil
    ) async throws(StoreError) -> PatchAnswer {
        let present = try await job(name)
        if let ifRevision, ifRevision != present.revision { return .mismatch(present.revision) }
        let patch = try Self.checked(wish, present)
        let steps = try await scheduleSteps(wish.schedules, of: name)
        if patch.isEmpty, steps.isEmpty, wish.description == nil || wish.description == present.description {
            return .changed(present)
        }
        let isLimited = !patch.concurrency.isEmpty
        let isDone =
            isLimited
            ? try await changingRules { try await self.replace(present, wish, patch, steps, actor, $0) }
            : try await withTransaction { try await self.replace(present, wish, patch, steps, actor, $0) }
        if isLimited { noteRules(.job(name)) }
        let now = try await job(name)
        return isDone ? .changed(now) : .mismatch(now.revision)
    }

    private static func checked(_ wish: JobReplacement, _ present: JobRow) throws(StoreError) -> JobPatch {
        if let handler = wish.handler, handler != present.handler {
            throw .conflict(
                code: "handler_differs",
                detail:
                    "the job \(present.name) is of the handler \(present.handler); remove it to give its name to another",
                currentState: nil)
        }
        if let description = wish.description, !present.isDefined, description != present.description {
            throw .invalid(
                FieldFault(
                    pointer: "/description", code: "not_settable",
                    detail: "is its handler's own for a job that nobody defined"))
        }
        guard let settings = wish.settings else { return JobPatch() }
        do throws(FieldFault) {
            // What is so already is no change: neither a revision nor a row of the audit.
            return try settings.written() == present.ownSettings ? JobPatch() : settings.replacing(present)
        } catch {
            throw .invalid(error.under("/settings"))
        }
    }

    /// - Returns: false: somebody has changed the job meanwhile.
    private func replace(
        _ present: JobRow, _ wish: JobReplacement, _ patch: JobPatch, _ steps: [ScheduleStep], _ actor: String?,
        _ connection: PostgresConnection
    ) async throws -> Bool {
        let name = PGParameter.text(present.name)
        guard let row = try await connection.query(.jobLock, [name]).first, try row.int64(0) == present.revision else {
            return false
        }
        var reader = RowReader(row)
        reader.skip()
        let (limits, execution) = (try reader.limits(), try reader.execution())
        _ = try await connection.query(.jobDescribe, [name, .text(orNull: wish.description)])
        if !patch.isEmpty {
            do {
                try await apply(patch, to: present.name, limits, execution, connection)
            } catch StoreError.invalid(let fault) {
                throw StoreError.invalid(fault.under("/settings"))
            }
        }
        try await take(steps, connection)
        let detail = JSONValue.object([JSONMember("schedules", .number(String(steps.count)))])
        _ = try await connection.query(
            .auditNote, Self.auditNote(actor, "job.replace", present.name, detail.json))
        return true
    }

    /// Those that go leave their names to those that come.
    /// - Parameter pointer: of the specification of one that would never end.
    func take(
        _ steps: [ScheduleStep], _ connection: PostgresConnection, pointer: String = "/schedules"
    ) async throws {
        for case .delete(let id, let revision) in steps {
            let gone = try await connection.query(.scheduleDelete, [.int64(id), .int64(revision)])
            if gone.isEmpty { throw Self.scheduleChanged(id) }
        }
        var written: [(input: ScheduleInput, id: Int64?)] = []
        for step in steps {
            switch step {
            case .delete: break
            case .insert(let input, let row):
                let made = try await connection.query(.scheduleInsert, row)
                guard let id = try made.first?.int64(0) else { throw Self.scheduleExists(input.name) }
                written.append((input, id))
            case .update(let id, let revision, let input, let row):
                let changed = try await connection.query(.scheduleUpdate, row + [.int64(id), .int64(revision)])
                if changed.isEmpty { throw Self.scheduleChanged(id) }
                written.append((input, id))
            }
        }
        try await checkChain(written, pointer, connection)
    }

    /// What makes the schedules of a job these.
    private func scheduleSteps(_ wanted: [ScheduleInput]?, of job: String) async throws(StoreError) -> [ScheduleStep] {
        guard let wanted else { return [] }
        var steps: [ScheduleStep] = []
        var present: [String: ScheduleRow] = [:]
        for row in try await schedules(job: job) {
            if let name = row.input.name {
                present[name] = row
            } else {
                steps.append(.delete(row.id, revision: row.revision))
            }
        }
        for (index, input) in wanted.enumerated() {
            do throws(StoreError) {
                guard let name = input.name else {
                    throw .invalid(
                        FieldFault(pointer: "/name", code: "required", detail: "is missing: schedules are told by name")
                    )
                }
                if let step = try await step(input, present.removeValue(forKey: name)) { steps.append(step) }
            } catch {
                throw error.under("/schedules/\(index)")
            }
        }
        for row in present.values.sorted(by: { $0.id < $1.id }) {
            steps.append(.delete(row.id, revision: row.revision))
        }
        return steps
    }

    /// Nil: it is so already.
    func step(_ input: ScheduleInput, _ present: ScheduleRow?) async throws(StoreError) -> ScheduleStep? {
        guard let present else {
            return .insert(input, try await parameters(input, runCount: 0).list)
        }
        if !input.openMembers.isEmpty { try present.checkReadable() }
        let input = input.settled(by: present.input)
        if present.isReadable, input == present.input { return nil }
        let row = try await parameters(input, runCount: present.runCount, id: present.id).list
        return .update(present.id, revision: present.revision, input, row)
    }

    private static func scheduleChanged(_ id: Int64) -> StoreError {
        .conflict(code: "job_changed", detail: "somebody has changed schedule \(id) meanwhile", currentState: nil)
    }
}
