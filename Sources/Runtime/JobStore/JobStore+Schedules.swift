package import JobCore
import Logging
import Postgres

extension JobStore {
    /// Rules of an IANA zone; throws `.invalid` with pointer `/timezone` if there is none of that name.
    package func zone(_ name: String) throws(StoreError) -> any ZoneRules {
        guard let rules = zones.rules(name) else {
            throw .invalid(
                FieldFault(
                    pointer: "/timezone", code: "unknown_timezone",
                    detail: "no time zone \(name) (use names like Europe/Berlin)"))
        }
        return rules
    }

    /// Where zones are read from.
    package var zoneFiles: ZoneFiles { zones.files }

    /// Throws `.notFound` for an unknown job, `.invalid` for a schedule that would never fire, `.conflict("schedule_exists")` where
    /// another one has its name.
    package func createSchedule(_ input: ScheduleInput) async throws(StoreError) -> ScheduleRow {
        let (parameters, isChecked) = try await parameters(input, runCount: 0)
        let id = try await withTransaction { connection -> Int64? in
            let id = try await connection.query(.scheduleInsert, parameters).first?.int64(0)
            try await self.checkChain([(input, id)], "/spec/job", connection)
            return id
        }
        guard let id else { throw Self.scheduleExists(input.name) }
        var row = try await schedule(id)
        row.isUnchecked = !isChecked
        return row
    }

    /// By id.
    package func schedules(job: String? = nil) async throws(StoreError) -> [ScheduleRow] {
        try await schedules([.null, .text(orNull: job), .null, .int64(10_000)])
    }

    /// However many there are, by id. They are read in parts, which is no one transaction.
    package func allSchedules(job: String? = nil) async throws(StoreError) -> [ScheduleRow] {
        var all: [ScheduleRow] = []
        while true {
            let last = all.last?.id
            let parameters: [PGParameter] = [.null, .text(orNull: job), .null, .int64(Int64(Self.schedulePage))]
            let rows = try await schedules(parameters, after: last)
            all += rows
            if rows.count < Self.schedulePage { return all }
        }
    }

    private static let schedulePage: Int = 2000

    package func schedule(_ id: Int64) async throws(StoreError) -> ScheduleRow {
        guard let row = try await schedules([.int64(id), .null, .null, .int64(1)]).first else {
            throw .notFound(what: "schedule", id: String(id))
        }
        return row
    }

    /// Those that fire within this span, soonest first.
    package func dueSchedules(within: Duration, limit: Int = 100) async throws(StoreError) -> [ScheduleRow] {
        let limit = PGParameter.int64(Int64(min(max(1, limit), 1000)))
        let until = try await databaseTime().advanced(by: within)
        return try await schedules([.null, .null, .timestamp(micros: until.micros), limit])
    }

    /// Replaces what a client said; what has fired stays counted.
    /// - Parameter ifRevision: nil: whatever it is; another than the present one: `.conflict("revision_mismatch")`.
    package func updateSchedule(
        _ id: Int64, _ input: ScheduleInput, ifRevision: Int64?
    ) async throws(StoreError) -> ScheduleRow {
        let present = try await schedule(id)
        // What says everything itself may put it right; what leaves something open cannot be read either.
        if !input.openMembers.isEmpty { try present.checkReadable() }
        let input = input.settled(by: present.input)
        let (parameters, isChecked) = try await parameters(input, runCount: present.runCount, id: id)
        let rows = try await namingSchedule(input.name) { () async throws(StoreError) in
            try await self.withTransaction { connection in
                let rows = try await connection.query(
                    .scheduleUpdate, parameters + [.int64(id), .int64(orNull: ifRevision)])
                try await self.checkChain([(input, id)], "/spec/job", connection)
                return rows
            }
        }
        guard !rows.isEmpty else { throw await revisionMismatch(id) }
        var row = try await schedule(id)
        row.isUnchecked = !isChecked
        return row
    }

    /// Runs that it made stay.
    package func deleteSchedule(_ id: Int64, ifRevision: Int64?) async throws(StoreError) {
        let rows = try await query(.scheduleDelete, [.int64(id), .int64(orNull: ifRevision)])
        if rows.isEmpty { throw await revisionMismatch(id) }
    }

    /// What it fired, the last first.
    package func occurrences(_ id: Int64, limit: Int = 50) async throws(StoreError) -> [OccurrenceRow] {
        try await decoding {
            let rows = try await self.pool.query(
                .scheduleOccurrences, [.int64(id), .int64(Int64(min(max(1, limit), 1000)))])
            return try rows.map { row in
                var reader = RowReader(row)
                return OccurrenceRow(
                    scheduleID: try reader.int64(), plannedAt: try reader.time(), firedAt: try reader.time(),
                    runID: try reader.runOrNil(), missed: try reader.int(),
                    reason: try reader.textOrNil().flatMap { OccurrenceReason(rawValue: $0) },
                    source: OccurrenceSource(rawValue: try reader.text()) ?? .time, event: try reader.textOrNil())
            }
        }
    }

    func schedules(_ parameters: [PGParameter], after id: Int64? = nil) async throws(StoreError) -> [ScheduleRow] {
        try await decoding {
            try await self.pool.query(.scheduleList, parameters + [.int64(orNull: id)]).map { row in
                do {
                    return try self.scheduleRow(row)
                } catch let fault as FieldFault {
                    // Changed by hand, or by a later version: shown all the same, with why it will not fire.
                    var shown = try self.scheduleRow(row, isReadable: false)
                    shown.nextAt = nil
                    shown.lastError = "its specification cannot be read: \(fault)"
                    shown.isReadable = false
                    return shown
                }
            }
        }
    }

    func revisionMismatch(_ id: Int64) async -> StoreError {
        do throws(StoreError) {
            let present = try await schedule(id)
            return .conflict(
                code: "revision_mismatch", detail: "the schedule was changed meanwhile (revision \(present.revision))",
                currentState: nil)
        } catch {
            return error
        }
    }

    /// Checks a schedule and lays it out for `schedule_insert` and `schedule_update`.
    /// - Returns: besides whether the args were compared with what the job takes, as far as there is something to compare.
    /// - Parameters:
    ///   - id: of the schedule that is replaced; nil: a new one.
    ///   - source: the job that tells what args are like; nil: the schedule's own, which has to be there.
    ///   - madeCalendars: that will be there when the schedule is.
    func parameters(
        _ input: ScheduleInput, runCount: Int, id: Int64? = nil, source: String? = nil,
        madeCalendars: Set<String> = []
    ) async throws(StoreError) -> (list: [PGParameter], isChecked: Bool) {
        let zone = try zone(input.timezone)
        try Self.check(input.request)
        if let name = input.name, let fault = ScheduleInput.nameFault(name) {
            throw .invalid(FieldFault(pointer: "/name", code: "bad_name", detail: fault))
        }
        var request = input.request
        if let source {
            request.job = source
        } else if try await query(.jobList, [.text(input.job)]).isEmpty {
            throw await unknownJob(input.job)
        }
        let isChecked = try await checkArgs(request)
        if let most = input.maxRuns, most < 1 {
            throw .invalid(FieldFault(pointer: "/max_runs", code: "out_of_range", detail: "must be 1 or more"))
        }
        if case .after(let after) = input.spec { try await check(after, of: input, id) }
        try await checkCalendars(input.options.calendars.filter { !madeCalendars.contains($0) }, input.options)
        let next = input.next(after: try await databaseTime(), runCount: runCount, zone: zone)
        if input.isEnabled && next == nil && !input.spec.isEvent {
            throw .invalid(FieldFault(pointer: "/spec", code: "never_fires", detail: "this schedule would never fire"))
        }
        let list: [PGParameter] = [
            .text(orNull: input.name), .text(input.job), .text(input.spec.kind), .json(input.spec.json),
            .text(input.timezone), .json(input.args), .text(orNull: input.queue), .int32(orNull: input.priority),
            input.attempts.map { .int32(Int32(clamping: $0)) } ?? .null, .milliseconds(orNull: input.timeout),
            .text(orNull: input.title), .text(orNull: input.description),
            input.labels.isEmpty ? .null : .jsonb(JSONText.object(input.labels.mapValues(\.storable))),
            .text(orNull: input.owner), .time(orNull: input.startsAt), .time(orNull: input.endsAt),
            input.maxRuns.map { .int32(Int32(clamping: $0)) } ?? .null, .bool(input.isEnabled), .time(orNull: next),
            .milliseconds(orNull: input.queueTime), .json(orNull: input.backoff?.json),
            .json(JSONValue.object(input.options.members).json),
        ]
        return (list, isChecked)
    }

    /// A row of `schedule_list` or `schedule_take_due`. Throws `FieldFault` if its specification makes no sense.
    /// - Parameter isReadable: false: specification and options are left out.
    func scheduleRow(_ row: PGRow, isReadable: Bool = true) throws -> ScheduleRow {
        var reader = RowReader(row)
        let id = try reader.int64()
        let name = try reader.textOrNil()
        let job = try reader.text()
        let kind = try reader.text()
        let spec = try reader.jsonOrNil() ?? .null
        let timezone = try reader.text()
        var input = ScheduleInput(
            name: name, job: job, spec: .once(at: WallTime(micros: 0)), timezone: timezone, args: try reader.text(),
            queue: try reader.textOrNil(), priority: try reader.int32OrNil(), attempts: try reader.intOrNil(),
            backoff: try reader.backoffOrNil(),
            timeout: try reader.millisecondsOrNil(), queueTime: try reader.millisecondsOrNil(),
            title: try reader.textOrNil(), description: try reader.textOrNil(),
            labels: try reader.labels(), owner: try reader.textOrNil(), startsAt: try reader.timeOrNil(),
            endsAt: try reader.timeOrNil(), maxRuns: try reader.intOrNil(), isEnabled: try reader.bool())
        let nextAt = try reader.timeOrNil()
        let runCount = try reader.int()
        let lastPlannedAt = try reader.timeOrNil()
        let lastRunID = try reader.runOrNil()
        let lastError = try reader.textOrNil()
        let createdAt = try reader.time()
        // Specifications are stored complete, so that neither time nor zone matter here.
        if isReadable { input.spec = try ScheduleSpec(kind: kind, spec: spec, now: createdAt, zone: UTCRules()) }
        let updatedAt = try reader.time()
        let revision = try reader.int64()
        let options = try reader.jsonOrNil() ?? .object([])
        if isReadable { input.options = try ScheduleOptions(options) }
        return ScheduleRow(
            id: id, input: input, nextAt: nextAt, runCount: runCount, lastPlannedAt: lastPlannedAt,
            lastRunID: lastRunID, lastError: lastError, createdAt: createdAt, updatedAt: updatedAt, revision: revision,
            ordinal: try reader.int(), pausedAt: try reader.timeOrNil(), pausedUntil: try reader.timeOrNil(),
            pauseReason: try reader.textOrNil(), skipNext: try reader.int(), skipUntil: try reader.timeOrNil())
    }
}

extension ScheduleInput {
    /// When it fires next; nil: never, by its end, its number of runs, or its specification.
    package func next(after: WallTime, runCount: Int, zone: any ZoneRules) -> WallTime? {
        if let maxRuns, runCount >= maxRuns { return nil }
        return timetable(zone).next(after: after)
    }

    package func timetable(_ zone: any ZoneRules) -> Timetable {
        Timetable(spec: spec, zone: zone, options: options, start: startsAt, end: endsAt)
    }

    /// With the calendars that it names; nil: one of them is not there.
    package func timetable(_ zone: any ZoneRules, _ calendars: [String: DateCalendar]) -> Timetable? {
        var timetable = timetable(zone)
        for name in options.calendars {
            guard let calendar = calendars[name] else { return nil }
            timetable.calendars.append(calendar)
        }
        return timetable
    }

    /// The run that a firing makes, without its schedule.
    var request: NewRun {
        NewRun(
            job: job, args: args, queue: queue, priority: priority, attempts: attempts, backoff: backoff,
            timeout: timeout, queueTime: queueTime, title: title, description: description, labels: labels,
            owner: owner, trigger: "schedule")
    }
}
