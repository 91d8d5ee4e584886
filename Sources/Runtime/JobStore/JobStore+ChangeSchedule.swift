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

    /// What the pure plan knows and no host does yet.
    static func check(_ options: ScheduleOptions) throws(StoreError) {
        if options.overlap == .queueOne {
            throw .invalid(
                FieldFault(pointer: "/overlap", code: "not_supported", detail: "queue_one cannot be kept yet"))
        }
        if let name = options.calendars.first {
            throw .invalid(
                FieldFault(pointer: "/calendars/0", code: "unknown_value", detail: "there is no calendar \(name)"))
        }
    }
}
