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
    /// A request repeated under the same key makes no second run; kept 24 hours, as with `NewRun`.
    package var idempotencyKey: String?
    /// What the request was; see `NewRun.idempotencyFingerprint`.
    package var idempotencyFingerprint: String?

    package init() {}
}

extension JobStore {
    /// Makes a run of a schedule now, whether it is enabled, paused or over. It has a row among the schedule's occurrences, and
    /// does not count for its number of runs.
    ///
    /// Throws `.conflict("overlap")` if a run is going and the overlap rule leaves no room: `skip`, or `queue_one` with one that
    /// waits; `.keyReused` if the key was used for another request.
    /// - Parameter actor: for the audit; nil leaves no row there.
    /// - Returns: the run that was made, or that a request with the same key has made.
    package func triggerSchedule(
        _ id: Int64, _ changes: TriggerChanges, actor: String? = nil
    ) async throws(StoreError) -> Enqueued {
        // Whatever has become of the schedule meanwhile.
        if let key = changes.idempotencyKey, let known = try await replay(key, changes.idempotencyFingerprint) {
            return known
        }
        // Somebody who changes the schedule between the look and the deed makes us begin again; a few times in a row is unheard of.
        for _ in 0..<5 {
            let present = try await schedule(id)
            try present.checkReadable()
            let request = present.input.request(changes)
            try Self.check(request)
            let isChecked = try await checkArgs(request)
            let made = try await withTransaction { connection -> Enqueued? in
                let run = try await self.trigger(present, request, changes.overlap, connection)
                if let actor, let run, !run.isReplay {
                    let detail = JSONText.object(["run_id": run.id.description])
                    _ = try await connection.query(
                        .auditNote, Self.auditNote(actor, "schedule.trigger", "sch_\(id)", detail))
                }
                return run
            }
            guard var run = made else { continue }
            if run.isReplay { return run }
            noteLanes([run])
            run.isUnchecked = !isChecked
            return run
        }
        throw .conflict(
            code: "schedule_changed", detail: "the schedule is changed all the time; ask again", currentState: nil)
    }

    /// - Returns: nil: the schedule is not what the request was made from any more.
    private func trigger(
        _ present: ScheduleRow, _ request: NewRun, _ wish: OverlapPolicy?, _ connection: PostgresConnection
    ) async throws -> Enqueued? {
        let id = present.id
        guard let row = try await connection.query(.scheduleLock, [.int64(id)]).first else {
            throw StoreError.notFound(what: "schedule", id: String(id))
        }
        // Before everything else: the run that it has made may be the one that leaves no room. Others with the key, if they are for
        // this schedule, wait for us, or we have waited for them.
        if let key = request.idempotencyKey {
            let known = try Self.known(try await connection.query(.runKeyFind, [.textArray([key])]))
            if let known = known[key] { return try known.enqueued(for: request.idempotencyFingerprint) }
        }
        guard try row.int64("revision") == present.revision else { return nil }
        let options = present.input.options
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
        // The job is there, since the schedule refers to it: another kind of request has just taken the key.
        guard let enqueued = taken[0] else { throw StoreError.keyReused }
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
            try await giveWay(going.map { ($0.id, action) }, connection)
        }
        return enqueued
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
                    .nullableInt64Array([nil]),
                ])
            if !rows.isEmpty { return planned }
        }
        throw StoreError.conflict(
            code: "overlap", detail: "a thousand runs were made at this moment", currentState: nil)
    }

    /// Runs that give way to newer ones of their schedules: ended if they wait, else their hosts are told.
    func giveWay(
        _ ends: [(run: RunID, action: HostSignal.Action)], _ connection: PostgresConnection
    ) async throws {
        guard !ends.isEmpty else { return }
        let reason = PGParameter.text("its schedule has come again")
        let runs = PGParameter.int64Array(ends.map(\.run.rawValue))
        _ = try await connection.query(.scheduleGiveWayWaiting, [runs, reason])
        _ = try await connection.query(.scheduleGiveWay, [runs, .textArray(ends.map(\.action.rawValue)), reason])
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
        run.idempotencyKey = changes.idempotencyKey
        run.idempotencyFingerprint = changes.idempotencyFingerprint
        return run
    }
}
