import JobCore
import Logging
import Postgres

/// Jobs that somebody defines over handlers.
extension JobStore {
    /// How many runs are ended in one transaction.
    private static let endedAtOnce: Int64 = 1000
    /// Runs may be enqueued while a job is being removed; who keeps doing so has not decided yet.
    private static let removalRounds = 5

    /// Makes a job of another name over a handler, with all of its settings and schedules or not at all.
    ///
    /// Throws `.invalid` with a pointer into `{name, handler, description, settings, schedules}`, `.notFound` with near matches for
    /// a handler that no plugin ever brought, `.conflict("job_exists")`, `.conflict("schedule_exists")`.
    /// - Parameter actor: who wants it, for the record.
    package func createJob(_ definition: JobDefinition, actor: String? = nil) async throws(StoreError) -> JobRow {
        try Self.check(definition)
        let schedules = try await scheduleRows(definition)
        let isMade = try await withTransaction { connection -> Bool? in
            let isMade = try await self.make(definition, schedules, connection)
            if isMade == true {
                let detail = JSONText.object(["handler": definition.handler])
                _ = try await connection.query(
                    .auditNote, Self.auditNote(actor, "job.create", definition.name, detail))
            }
            return isMade
        }
        guard let isMade else { throw await unknownHandler(definition.handler) }
        guard isMade else {
            throw .conflict(code: "job_exists", detail: "there is a job \(definition.name) already", currentState: nil)
        }
        schemas.forget()
        return try await job(definition.name)
    }

    static func check(_ definition: JobDefinition) throws(StoreError) {
        guard JobDefinition.isName(definition.name) else {
            throw .invalid(FieldFault(pointer: "/name", code: "bad_name", detail: JobDefinition.nameRule))
        }
        do throws(FieldFault) {
            try definition.settings.check()
        } catch {
            throw .invalid(error.under("/settings"))
        }
    }

    /// Makes a job that was checked, within somebody's transaction.
    /// - Parameter schedules: rows of its schedules.
    /// - Returns: nil: no plugin brought the handler; false: the name is taken.
    func make(
        _ definition: JobDefinition, _ schedules: [[PGParameter]], _ connection: PostgresConnection
    ) async throws -> Bool? {
        let handler = PGParameter.text(definition.handler.storable)
        guard let source = try await connection.query(.jobSource, [handler]).first else { return nil }
        let name = PGParameter.text(definition.name)
        let made = try await connection.query(
            .jobDefine, [name, .text(try source.text(0)), .text(orNull: definition.description)])
        guard !made.isEmpty else { return false }
        if !definition.settings.isEmpty {
            do {
                try await apply(definition.settings, to: definition.name, Limits(), ExecutionSettings(), connection)
            } catch StoreError.invalid(let fault) {
                throw StoreError.invalid(fault.under("/settings"))
            }
        }
        for (input, row) in zip(definition.schedules, schedules) {
            let rows = try await connection.query(.scheduleInsert, row)
            if rows.isEmpty { throw Self.scheduleExists(input.name) }
        }
        try await checkChain(definition.schedules.map { ($0, nil) }, "/schedules", connection)
        return true
    }

    /// What would go with a job.
    package func useOfJob(_ name: String) async throws(StoreError) -> JobUse {
        guard let row = try await query(.jobUse, [.text(name.storable)]).first else { throw await unknownJob(name) }
        return try await decoding { try JobUse(row) }
    }

    /// Removes a job; its finished runs stay until their retention is over.
    ///
    /// Throws `.conflict`: `job_of_handler` for a handler's own job while its plugin is served, `job_running`, and
    /// `job_in_use` while runs wait or schedules name it, unless these are to go with it.
    ///
    /// Waiting runs are cancelled some at a time, since there may be millions. Where the removal comes to nothing after that (a host
    /// has claimed one of them, somebody has changed the job), the conflict says how many are cancelled, and the record of what people
    /// did has it; what is cancelled stays so. A run that is requested meanwhile and committed later is ended by the upkeep.
    /// - Parameters:
    ///   - ifRevision: what the caller has seen; nil: whatever is there.
    ///   - cascade: runs that wait are cancelled, and schedules are removed.
    package func removeJob(
        _ name: String, ifRevision: Int64?, cascade: Bool, actor: String? = nil
    ) async throws(StoreError) -> JobRemoval {
        var ended: Int64 = 0
        do throws(StoreError) {
            for _ in 0..<Self.removalRounds {
                switch try await removeNow(name, ifRevision, cascade, actor, ended) {
                case .gone(let schedules):
                    schemas.forget()
                    orphans.jobRemoved()
                    return .removed(endedRuns: ended, schedules: schedules)
                case .mismatch(let revision):
                    guard ended > 0 else { return .mismatch(revision) }
                    throw .conflict(
                        code: "job_changed", detail: "somebody has changed the job \(name) meanwhile", currentState: nil
                    )
                case .notFound:
                    guard ended > 0 else { return .notFound }
                    // Somebody else has done the rest.
                    return .removed(endedRuns: ended, schedules: 0)
                case .hasRuns:
                    try await endWaiting(name, "with the removal of the job \(name)", &ended)
                }
            }
            throw .conflict(
                code: "job_in_use", detail: "somebody keeps enqueueing runs of the job \(name)", currentState: nil)
        } catch {
            guard ended > 0 else { throw error }
            throw await stoppedHalfway(error, name, ended, actor)
        }
    }

    /// What is said of a removal that has cancelled runs and came to nothing.
    private func stoppedHalfway(
        _ error: StoreError, _ name: String, _ ended: Int64, _ actor: String?
    ) async -> StoreError {
        let runs = "\(ended) waiting \(ended == 1 ? "run" : "runs")"
        logger.notice(
            "a job's removal has cancelled runs and came to nothing",
            metadata: ["job": "\(name)", "runs": "\(ended)", "error": "\(error)"])
        do throws(StoreError) {
            let detail = JSONValue.object([JSONMember("cancelled_runs", .number("\(ended)"))]).json
            _ = try await query(
                .auditNote, Self.auditNote(actor, "job.delete_stopped", name, detail, result: "conflict"))
        } catch {
            logger.warning("a stopped removal is not on record", metadata: ["job": "\(name)", "error": "\(error)"])
        }
        guard case .conflict(let code, let detail, let state) = error else { return error }
        return .conflict(
            code: code,
            detail: "\(detail). \(runs) of it had been cancelled before that, for good; the job is still there",
            currentState: state)
    }

    private enum Removal: Sendable { case gone(schedules: Int64), mismatch(Int64), notFound, hasRuns }

    private func removeNow(
        _ name: String, _ ifRevision: Int64?, _ cascade: Bool, _ actor: String?, _ ended: Int64
    ) async throws(StoreError) -> Removal {
        try await withTransaction { connection -> Removal in
            let parameter = PGParameter.text(name.storable)
            guard let row = try await connection.query(.jobUse, [parameter]).first else { return .notFound }
            let use = try JobUse(row)
            if let ifRevision, ifRevision != use.revision { return .mismatch(use.revision) }
            if let refusal = use.refusal(name, cascade: cascade) { throw refusal }
            if use.waiting > 0 { return .hasRuns }
            let gone = try await connection.query(.jobDelete, [parameter])
            let detail = JSONValue.object([JSONMember("cancelled_runs", .number("\(ended)"))]).json
            _ = try await connection.query(
                .auditNote, Self.auditNote(actor, "job.delete", name, detail))
            return .gone(schedules: try gone[0].int64(0))
        }
    }

    /// - Parameter ended: counts on; right even where this throws.
    private func endWaiting(_ name: String, _ reason: String, _ ended: inout Int64) async throws(StoreError) {
        while true {
            let rows = try await query(
                .jobEndWaiting, [.text(name.storable), .text(reason.storable), .int64(Self.endedAtOnce)])
            let (some, looked) = try await decoding { (try rows[0].int64(0), try rows[0].int64(1)) }
            ended += some
            // None of what was seen could be ended: it is being claimed just now.
            if looked == 0 || some == 0 { return }
        }
    }

    /// Its schedules as rows. The job is not there yet: its handler says what args are like.
    private func scheduleRows(_ definition: JobDefinition) async throws(StoreError) -> [[PGParameter]] {
        if definition.schedules.isEmpty { return [] }
        let source = try await sourceJob(of: definition.handler)
        var rows: [[PGParameter]] = []
        for (index, input) in definition.schedules.enumerated() {
            do throws(StoreError) {
                rows.append(try await parameters(input, runCount: 0, source: source).list)
            } catch {
                throw error.under("/schedules/\(index)")
            }
        }
        return rows
    }

    /// A job that says what the handler declares. Throws `.notFound` with near matches.
    func sourceJob(of handler: String) async throws(StoreError) -> String {
        let source = try await decoding {
            try await self.pool.query(.jobSource, [.text(handler.storable)]).first?.text(0)
        }
        guard let source else { throw await unknownHandler(handler) }
        return source
    }

    private func unknownHandler(_ name: String) async -> StoreError {
        do throws(StoreError) {
            let rows = try await query(.jobHandlers)
            let all = try await decoding { try rows.map { try $0.text(0) } }
            return .notFound(what: "handler", id: name, nearMatches: NearMatches.find(name, among: all))
        } catch {
            return error
        }
    }
}

extension JobUse {
    fileprivate init(_ row: PGRow) throws(PGDecodingError) {
        var reader = RowReader(row)
        revision = try reader.int64()
        isDefined = try reader.bool()
        isServed = try reader.bool()
        running = try reader.int64()
        waiting = try reader.int64()
        schedules = try reader.int64()
    }

    /// Why the job must stay; nil: it may go.
    package func refusal(_ name: String, cascade: Bool) -> StoreError? {
        if !isDefined && isServed {
            return .conflict(
                code: "job_of_handler",
                detail: "\(name) is the own job of a handler whose plugin is in service; disable the plugin first",
                currentState: nil)
        }
        if running > 0 {
            return .conflict(
                code: "job_running",
                detail:
                    "\(Self.count(running, "run", "runs")) of the job \(name) \(running == 1 ? "is" : "are") under way; cancel \(running == 1 ? "it" : "them") first",
                currentState: .running)
        }
        guard !cascade, waiting + schedules > 0 else { return nil }
        let what = [
            waiting > 0 ? Self.count(waiting, "waiting run", "waiting runs") : nil,
            schedules > 0 ? Self.count(schedules, "schedule", "schedules") : nil,
        ].compactMap(\.self).joined(separator: " and ")
        return .conflict(code: "job_in_use", detail: "the job \(name) has \(what)", currentState: nil)
    }

    private static func count(_ n: Int64, _ one: String, _ many: String) -> String { "\(n) \(n == 1 ? one : many)" }
}
