package import JobCore
import Postgres

/// Times of a schedule that lie in the past and get runs now.
package struct BackfillPlan: Sendable, Hashable {
    /// Rising.
    package var times: [WallTime]
    /// Times of the range that have a run already.
    package var existing: Int
    /// Times of the range at which nothing is to run: blackouts, calendars, every n-th.
    package var excluded: Int
    /// Of the schedule.
    package var revision: Int64
}

extension JobStore {
    /// More would be an accident.
    package static let longestBackfill = 10_000

    /// What a backfill would do, without doing it. Both ends belong to the range; of every n-th time, the first of the range counts.
    /// Throws `.invalid` for a range that ends in the future, begins after its end, or has too many times.
    package func planBackfill(_ id: Int64, from: WallTime, to: WallTime) async throws(StoreError) -> BackfillPlan {
        let row = try await schedule(id)
        let zone = try zone(row.input.timezone)
        guard !row.input.spec.isEvent else {
            throw .conflict(
                code: "no_times", detail: "a schedule of kind \(row.input.spec.kind) has no times", currentState: nil)
        }
        let now = try await databaseTime()
        guard from <= to else { throw Self.badRange("/to", "out_of_range", "must not be before from") }
        guard to <= now else { throw Self.badRange("/to", "out_of_range", "must not be in the future") }
        let times = row.input.timetable(zone).times(from: from, to: to, limit: Self.longestBackfill)
        guard let times else {
            throw Self.badRange(
                "/from", "too_many", "has more than \(Self.longestBackfill) times up to the end: take a shorter range")
        }
        let known = try await decoding {
            try await self.pool.query(
                .scheduleBackfillTimes, [.int64(id), .timestampArray(times.wanted.map(\.micros))]
            ).map { try $0.micros(0) }
        }
        let existing = Set(known)
        return BackfillPlan(
            times: times.wanted.filter { !existing.contains($0.micros) }, existing: existing.count,
            excluded: times.excluded, revision: row.revision)
    }

    private static func badRange(_ pointer: String, _ code: String, _ detail: String) -> StoreError {
        .invalid(FieldFault(pointer: pointer, code: code, detail: detail))
    }

    /// Makes runs for these times, those that have one left out. No more than `maxParallel` of them go at once, the oldest first;
    /// the others are `blocked` until then.
    /// - Parameter actor: for the audit; nil leaves no row there.
    /// - Returns: the backfill, and its runs, oldest first; no backfill if there was nothing to do.
    package func backfill(
        _ id: Int64, _ times: [WallTime], maxParallel: Int, actor: String? = nil
    ) async throws(StoreError) -> (id: Int64?, runs: [RunID]) {
        try await withTransaction { connection in
            guard let row = try await connection.query(.scheduleLock, [.int64(id)]).first else {
                throw StoreError.notFound(what: "schedule", id: String(id))
            }
            let schedule = try self.scheduleRow(row)
            let known = Set(
                try await connection.query(
                    .scheduleBackfillTimes, [.int64(id), .timestampArray(times.map(\.micros))]
                ).map { try $0.micros(0) })
            let times = times.filter { !known.contains($0.micros) }
            guard let first = times.first, let last = times.last else { return (nil, []) }
            let backfill = try await connection.query(
                .scheduleBackfillOpen,
                [
                    .int64(id), .timestamp(micros: first.micros), .timestamp(micros: last.micros),
                    .int64(Int64(maxParallel)), .int64(Int64(times.count)), .text(orNull: actor),
                ])[0].int64(0)
            var runs: [RunID] = []
            for start in stride(from: 0, to: times.count, by: 1000) {
                let part = Array(times[start..<min(start + 1000, times.count)])
                runs += try await self.backfill(schedule, part, backfill, connection)
            }
            if let actor {
                let detail = JSONText.object([
                    "backfill": "bfl_\(backfill)", "from": first.rfc3339, "to": last.rfc3339,
                    "runs": String(runs.count),
                ])
                _ = try await connection.query(
                    .auditNote, Self.auditNote(actor, "schedule.backfill", "sch_\(id)", detail))
            }
            return (backfill, runs)
        }
    }

    private func backfill(
        _ schedule: ScheduleRow, _ times: [WallTime], _ backfill: Int64, _ connection: PostgresConnection
    ) async throws -> [RunID] {
        let wanted = times.map { schedule.run($0, startsAt: $0, isKeptBack: true) }
        let taken = try Self.enqueued(
            try await connection.query(.runEnqueue, Self.parameters(wanted)), count: wanted.count)
        let runs = taken.compactMap(\.?.id)
        let numbers = PGParameter.int64Array(runs.map(\.rawValue))
        let planned = PGParameter.timestampArray(times.map(\.micros))
        let rows = try await connection.query(.scheduleBackfilled, [.int64(schedule.id), planned, numbers])
        guard runs.count == times.count, rows.count == times.count else {
            throw StoreError.conflict(
                code: "schedule_changed", detail: "the schedule's occurrences changed meanwhile", currentState: nil)
        }
        _ = try await connection.query(
            .scheduleKeepBack,
            [numbers, planned, .int64Array(times.map { _ in schedule.id }), .int64(backfill)])
        return runs
    }
}
