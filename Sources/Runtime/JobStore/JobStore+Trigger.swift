package import JobCore
import Postgres

/// What a run made by hand has other than its schedule says; nil: as the schedule says.
package struct TriggerChanges: Sendable {
    /// JSON text.
    package var args: String?
    package var queue: String?
    package var priority: Int32?
    package var attempts: Int?
    package var backoff: BackoffPolicy?
    package var timeout: Duration?
    package var queueTime: Duration?
    package var title: String?
    package var description: String?
    /// Beside the schedule's.
    package var labels: [String: String] = [:]
    package var owner: String?
    package var runAt: WallTime?
    /// What to do about runs of the schedule that are going.
    package var overlap: OverlapPolicy?

    package init() {}
}

extension JobStore {
    /// Makes a run of a schedule now, whether it is enabled, paused or over. It has a row among the schedule's occurrences, and
    /// does not count for its number of runs.
    ///
    /// Throws `.conflict("overlap")` if a run is going and the overlap rule leaves no room: `skip`, or `queue_one` with one that
    /// waits.
    /// - Parameter actor: for the audit; nil leaves no row there.
    package func triggerSchedule(
        _ id: Int64, _ changes: TriggerChanges, actor: String? = nil
    ) async throws(StoreError) -> Firing {
        let present = try await schedule(id)
        let request = present.input.request(changes)
        try Self.check(request)
        let isChecked = try await checkArgs(request)
        var firing = try await withTransaction { connection in
            let firing = try await self.trigger(id, request, changes.overlap, connection)
            if let actor {
                let detail = JSONText.object(["run_id": firing.run.id.description])
                _ = try await connection.query(
                    .auditNote, Self.auditNote(actor, "schedule.trigger", "sch_\(id)", detail))
            }
            return firing
        }
        noteLanes([firing.run])
        firing.run.isUnchecked = !isChecked
        return firing
    }

    private func trigger(
        _ id: Int64, _ request: NewRun, _ wish: OverlapPolicy?, _ connection: PostgresConnection
    ) async throws -> Firing {
        guard let row = try await connection.query(.scheduleLock, [.int64(id)]).first else {
            throw StoreError.notFound(what: "schedule", id: String(id))
        }
        let options = try self.scheduleRow(row).input.options
        let now = WallTime(micros: try row.micros("now"))
        let overlap = wish ?? options.overlap
        var going: [(id: RunID, isWaiting: Bool)] = []
        if overlap != .allow {
            for row in try await connection.query(
                .scheduleGoing, [.int64Array([id]), .boolArray([options.countsManual])])
            {
                going.append((RunID(try row.int64(1)), try row.bool(2)))
            }
        }
        if let first = going.first, overlap == .skip || overlap == .queueOne && going.contains(where: \.isWaiting) {
            throw StoreError.conflict(
                code: "overlap", detail: "\(first.id) of this schedule is still going", currentState: nil)
        }
        let isKeptBack = !going.isEmpty && overlap == .queueOne
        let planned = try await recordManual(id, now, connection)
        var run = request
        run.scheduleID = id
        run.plannedAt = planned
        if isKeptBack { run.runAt = Self.farAway }
        let taken = try Self.enqueued(
            try await connection.query(.runEnqueue, Self.parameters([run])), count: 1)
        guard let enqueued = taken[0] else { preconditionFailure("the job is there: the schedule refers to it") }
        let number = PGParameter.int64Array([enqueued.id.rawValue])
        if isKeptBack {
            _ = try await connection.query(
                .scheduleKeepBack,
                [number, .timestampArray([(request.runAt ?? now).micros]), .int64Array([id]), .null])
        }
        _ = try await connection.query(
            .scheduleOccurred, [.int64Array([id]), .timestampArray([planned.micros]), number])
        _ = try await connection.query(.scheduleTriggered, [.int64(id), .int64(enqueued.id.rawValue)])
        if overlap == .cancelRunning || overlap == .terminateRunning {
            let action: HostSignal.Action = overlap == .cancelRunning ? .cancel : .terminate
            for run in going { try await giveWay(run.id, action, connection) }
        }
        return Firing(scheduleID: id, plannedAt: planned, run: enqueued, isKeptBack: isKeptBack)
    }

    /// A row of its own, at the first free microsecond.
    private func recordManual(
        _ id: Int64, _ now: WallTime, _ connection: PostgresConnection
    ) async throws -> WallTime {
        for step in 0..<1000 {
            let planned = now.advanced(by: .microseconds(step))
            let rows = try await connection.query(
                .scheduleRecord,
                [
                    .int64Array([id]), .timestampArray([planned.micros]), .int64Array([0]), .textArray([nil]),
                    .textArray([OccurrenceSource.manual.rawValue]), .textArray([nil]),
                ])
            if !rows.isEmpty { return planned }
        }
        throw StoreError.conflict(
            code: "overlap", detail: "a thousand runs were made at this moment", currentState: nil)
    }

    /// A run that gives way to a newer one of its schedule: ended if it waits, else its host is told.
    func giveWay(_ run: RunID, _ action: HostSignal.Action, _ connection: PostgresConnection) async throws {
        let reason = PGParameter.text("its schedule has come again")
        let number = PGParameter.int64(run.rawValue)
        _ = try await connection.query(.runCancelWaiting, [number, reason])
        _ = try await connection.query(
            .runCancelRunning, [number, reason, .null, .text(action.rawValue), .text("schedule")])
    }
}

extension ScheduleInput {
    fileprivate func request(_ changes: TriggerChanges) -> NewRun {
        var run = request
        run.args = changes.args ?? run.args
        run.queue = changes.queue ?? run.queue
        run.priority = changes.priority ?? run.priority
        run.attempts = changes.attempts ?? run.attempts
        run.backoff = changes.backoff ?? run.backoff
        run.timeout = changes.timeout ?? run.timeout
        run.queueTime = changes.queueTime ?? run.queueTime
        run.title = changes.title ?? run.title
        run.description = changes.description ?? run.description
        run.labels.merge(changes.labels) { $1 }
        run.owner = changes.owner ?? run.owner
        run.runAt = changes.runAt
        run.trigger = "manual"
        return run
    }
}
