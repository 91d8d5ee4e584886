package import JobCore
import Postgres

/// What an operator does to a schedule that stays as it is.
extension JobStore {
    /// Its times make no runs from now on; they are written down as `paused`.
    /// - Parameter until: ends the pause by itself; times at or after it fire.
    package func pauseSchedule(
        _ id: Int64, until: WallTime? = nil, reason: String? = nil, ifRevision: Int64? = nil
    ) async throws(StoreError) -> ScheduleRow {
        try await changeSchedule(
            id, .schedulePause, [.bool(true), .time(orNull: until), .text(orNull: reason)], ifRevision)
    }

    package func resumeSchedule(_ id: Int64, ifRevision: Int64? = nil) async throws(StoreError) -> ScheduleRow {
        try await changeSchedule(id, .schedulePause, [.bool(false), .null, .null], ifRevision)
    }

    /// Leaves times out: so many of the next, or all up to a time.
    package func skipSchedule(
        _ id: Int64, next: Int? = nil, until: WallTime? = nil, ifRevision: Int64? = nil
    ) async throws(StoreError) -> ScheduleRow {
        try await changeSchedule(
            id, .scheduleSkip, [next.map { .int32(Int32(clamping: $0)) } ?? .null, .time(orNull: until)], ifRevision)
    }

    private func changeSchedule(
        _ id: Int64, _ statement: PGStatement, _ parameters: [PGParameter], _ ifRevision: Int64?
    ) async throws(StoreError) -> ScheduleRow {
        if try await query(statement, [.int64(id)] + parameters + [.int64(orNull: ifRevision)]).isEmpty {
            throw await revisionMismatch(id)
        }
        return try await schedule(id)
    }

    /// Leaves out all that is due now, by the database's clock.
    package func skipScheduleToNow(_ id: Int64, ifRevision: Int64? = nil) async throws(StoreError) -> ScheduleRow {
        try await changeSchedule(id, .scheduleSkipNow, [], ifRevision)
    }

    /// The other job must be there, and must not come of this schedule's runs: they would go on for ever.
    func check(_ after: ScheduleSpec.AfterJob, of input: ScheduleInput, _ id: Int64?) async throws(StoreError) {
        let pointer = "/spec/job"
        if try await query(.jobList, [.text(after.job)]).isEmpty {
            throw .invalid(FieldFault(pointer: pointer, code: "unknown_value", detail: "there is no job \(after.job)"))
        }
        let rows = try await query(.scheduleAfterCycle, [.text(input.job), .text(after.job), .int64(orNull: id)])
        if try await decoding({ try rows[0].bool(0) }) { throw Self.neverEnds(after, of: input, pointer) }
    }

    /// The same at what is written now, as the last thing of a transaction that has written it: two that would close a circle together may
    /// both have passed the first look.
    /// - Parameter pointer: of the specification, if it is refused.
    func checkChain(
        _ written: [(input: ScheduleInput, id: Int64?)], _ pointer: String, _ connection: PostgresConnection
    ) async throws {
        let chained = written.compactMap { input, id -> (ScheduleInput, ScheduleSpec.AfterJob, Int64?)? in
            if case .after(let after) = input.spec { (input, after, id) } else { nil }
        }
        guard !chained.isEmpty else { return }
        _ = try await connection.query(.scheduleChain)
        for (input, after, id) in chained {
            let rows = try await connection.query(
                .scheduleAfterCycle, [.text(input.job), .text(after.job), .int64(orNull: id)])
            if try rows[0].bool(0) { throw Self.neverEnds(after, of: input, pointer) }
        }
    }

    private static func neverEnds(
        _ after: ScheduleSpec.AfterJob, of input: ScheduleInput, _ pointer: String
    ) -> StoreError {
        .invalid(
            FieldFault(
                pointer: pointer, code: "never_ends",
                detail: "runs of \(input.job) lead to runs of \(after.job): this would go on for ever"))
    }
}
