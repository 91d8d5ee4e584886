package import JobCore
import Logging
import Postgres

extension JobStore {
    /// Fires what is due, each in a transaction of its own; of times that were missed only the latest. Any number of hosts
    /// may do so at once: a planned time fires once.
    /// - Parameter limit: at most this many now.
    /// - Returns: the firings, and when the next schedule is due (in the past if `limit` was reached).
    package func fireDue(limit: Int = 100) async throws(StoreError) -> (fired: [Firing], nextDue: WallTime?) {
        // Nobody has to look for what may not fire; who has not heard of it finds nothing.
        if emergency[.stopScheduling] != nil { return ([], nil) }
        var fired: [Firing] = []
        for _ in 0..<limit {
            let step = try await withTransaction { connection in try await self.fireOne(connection) }
            guard let step else { break }
            if let firing = step.firing { fired.append(firing) }
        }
        let next = try await decoding { try await self.pool.query(.scheduleNext).first?.micros(0) }
        return (fired, next.map { WallTime(micros: $0) })
    }

    /// - Returns: nil if nothing is due; no firing if the time had been fired before or the schedule is broken.
    private func fireOne(_ connection: PostgresConnection) async throws -> (firing: Firing?, Void)? {
        guard let row = try await connection.query(.scheduleTakeDue).first else { return nil }
        let schedule: ScheduleRow
        do {
            schedule = try scheduleRow(row)
        } catch let fault as FieldFault {
            // Changed by hand, or by another version: the others must not wait for it.
            return try await postpone(try row.int64(0), "its specification cannot be read: \(fault)", connection)
        }
        let now = WallTime(micros: try row.micros("now"))
        guard let zone = zones.rules(schedule.input.timezone), let first = schedule.nextAt else {
            return try await postpone(
                schedule.id, "no time zone \(schedule.input.timezone) on this host", connection)
        }
        let limit = schedule.input.endsAt.map { min(now, $0) } ?? now
        let (planned, missed) = schedule.input.spec.latest(from: first, notAfter: max(first, limit), zone: zone)
        let isNew = try await !connection.query(
            .scheduleOccur, [.int64(schedule.id), .timestamp(micros: planned.micros), .int32(Int32(clamping: missed))]
        ).isEmpty
        var firing: Firing?
        if isNew {
            var run = schedule.input.request
            run.scheduleID = schedule.id
            run.plannedAt = planned
            let taken = try noteEnqueued(try await connection.query(.runEnqueue, Self.parameters([run])), count: 1)
            guard let enqueued = taken[0] else { preconditionFailure("the job is there: the schedule refers to it") }
            firing = Firing(scheduleID: schedule.id, plannedAt: planned, run: enqueued)
        }
        let next = schedule.input.next(after: planned, runCount: schedule.runCount + (isNew ? 1 : 0), zone: zone)
        _ = try await connection.query(
            .scheduleFired,
            [
                .int64(schedule.id), .timestamp(micros: planned.micros), .int64(orNull: firing?.run.id.rawValue),
                .time(orNull: next), .bool(isNew),
            ])
        return (firing, ())
    }

    /// It cannot fire now; it says why, and is tried again in a minute.
    private func postpone(
        _ id: Int64, _ reason: String, _ connection: PostgresConnection
    ) async throws -> (firing: Firing?, Void) {
        logger.warning("a schedule cannot fire", metadata: ["schedule": "\(id)", "reason": "\(reason)"])
        _ = try await connection.query(.scheduleBroken, [.int64(id), .text(reason)])
        return (nil, ())
    }
}
