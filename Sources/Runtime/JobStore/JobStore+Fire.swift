package import JobCore
import Logging
import Postgres

extension JobStore {
    /// Fires what is due, a transaction for each schedule: the runs of its times, and rows for times that make none, which say
    /// why (`FiringPlan`). Any number of hosts may do so at once: a planned time fires once.
    /// - Parameter limit: at most so many schedules now.
    /// - Returns: the firings, and when the next schedule is due (in the past if `limit` was reached).
    package func fireDue(limit: Int = 100) async throws(StoreError) -> (fired: [Firing], nextDue: WallTime?) {
        // Nobody has to look for what may not fire; who has not heard of it finds nothing.
        if emergency[.stopScheduling] != nil { return ([], nil) }
        var fired: [Firing] = []
        for _ in 0..<limit {
            let step = try await withTransaction { connection in try await self.fireOne(connection) }
            guard let step else { break }
            fired += step
        }
        let next = try await decoding { try await self.pool.query(.scheduleNext).first?.micros(0) }
        return (fired, next.map { WallTime(micros: $0) })
    }

    /// - Returns: nil if nothing is due; nothing fired if the time had been fired before, nothing is to run, or the schedule is
    ///   broken.
    private func fireOne(_ connection: PostgresConnection) async throws -> [Firing]? {
        guard let row = try await connection.query(.scheduleTakeDue).first else { return nil }
        let schedule: ScheduleRow
        do {
            schedule = try scheduleRow(row)
        } catch let fault as FieldFault {
            // Changed by hand, or by another version: the others must not wait for it.
            return try await postpone(try row.int64(0), "its specification cannot be read: \(fault)", connection)
        }
        let now = WallTime(micros: try row.micros("now"))
        guard let zone = zones.rules(schedule.input.timezone), schedule.nextAt != nil else {
            return try await postpone(
                schedule.id, "no time zone \(schedule.input.timezone) on this host", connection)
        }
        var state = schedule.firingState
        if schedule.input.options.overlap != .allow {
            state.going = try await connection.query(.scheduleGoing, [.int64(schedule.id)]).map {
                RunID(try $0.int64(0))
            }
        }
        let plan = FiringPlan(schedule.input.timetable(zone), state, now: now)
        let recorded = plan.recorded
        if !recorded.isEmpty {
            let rows = JSONValue.array(
                recorded.map { planned, reason in
                    .object([
                        JSONMember("at", .string(planned.rfc3339)), JSONMember("reason", .string(reason.rawValue)),
                    ])
                })
            _ = try await connection.query(.scheduleRecord, [.int64(schedule.id), .json(rows.json)])
        }
        let missed = plan.unlisted + recorded.count { $0.1 == .missed }
        var fired: [Firing] = []
        for (planned, startsAt) in plan.firing {
            // Times that were missed are told with the first that fires after them.
            let before = fired.isEmpty ? missed : 0
            if let firing = try await fire(schedule, planned, startsAt, before, connection) { fired.append(firing) }
        }
        if !fired.isEmpty {
            for run in plan.cancel + plan.terminate { try await end(run, plan, connection) }
        }
        _ = try await connection.query(
            .scheduleFired,
            [
                .int64(schedule.id), .time(orNull: fired.last?.plannedAt), .int64(orNull: fired.last?.run.id.rawValue),
                .time(orNull: plan.next), .int32(Int32(clamping: fired.count)), .int64(Int64(plan.ordinal)),
                .int32(Int32(clamping: plan.skipNext)),
            ])
        return fired
    }

    /// Nil if this planned time has its row already.
    private func fire(
        _ schedule: ScheduleRow, _ planned: WallTime, _ startsAt: WallTime, _ missed: Int,
        _ connection: PostgresConnection
    ) async throws -> Firing? {
        let id = PGParameter.int64(schedule.id)
        let at = PGParameter.timestamp(micros: planned.micros)
        if try await connection.query(.scheduleOccur, [id, at, .int32(Int32(clamping: missed))]).isEmpty { return nil }
        var run = schedule.input.request
        run.scheduleID = schedule.id
        run.plannedAt = planned
        if startsAt > planned { run.runAt = startsAt }
        let taken = try noteEnqueued(try await connection.query(.runEnqueue, Self.parameters([run])), count: 1)
        guard let enqueued = taken[0] else { preconditionFailure("the job is there: the schedule refers to it") }
        _ = try await connection.query(.scheduleOccurred, [id, at, .int64(enqueued.id.rawValue)])
        return Firing(scheduleID: schedule.id, plannedAt: planned, run: enqueued)
    }

    /// A run that gives way to a newer one of its schedule: ended if it waits, else its host is told.
    private func end(_ run: RunID, _ plan: FiringPlan, _ connection: PostgresConnection) async throws {
        let reason = PGParameter.text("its schedule has come again")
        let number = PGParameter.int64(run.rawValue)
        _ = try await connection.query(.runCancelWaiting, [number, reason])
        let action: HostSignal.Action = plan.terminate.isEmpty ? .cancel : .terminate
        _ = try await connection.query(
            .runCancelRunning, [number, reason, .null, .text(action.rawValue), .text("schedule")])
    }

    /// It cannot fire now; it says why, and is tried again in a minute.
    private func postpone(
        _ id: Int64, _ reason: String, _ connection: PostgresConnection
    ) async throws -> [Firing] {
        logger.warning("a schedule cannot fire", metadata: ["schedule": "\(id)", "reason": "\(reason)"])
        _ = try await connection.query(.scheduleBroken, [.int64(id), .text(reason)])
        return []
    }
}

extension ScheduleRow {
    /// Without its runs that are going.
    fileprivate var firingState: FiringPlan.State {
        var state = FiringPlan.State(schedule: id, next: nextAt)
        state.ordinal = ordinal
        state.runCount = runCount
        state.maxRuns = input.maxRuns
        state.isPaused = pausedAt != nil
        state.pausedUntil = pausedUntil
        state.skipNext = skipNext
        state.skipUntil = skipUntil
        return state
    }
}

extension FiringPlan {
    fileprivate var recorded: [(WallTime, OccurrenceReason)] {
        occurrences.compactMap { if case .record(let reason) = $0.verdict { ($0.planned, reason) } else { nil } }
    }

    fileprivate var firing: [(planned: WallTime, startsAt: WallTime)] {
        occurrences.compactMap {
            switch $0.verdict {
            case .fire(let startsAt), .queue(let startsAt): ($0.planned, startsAt)
            case .record: nil
            }
        }
    }
}
