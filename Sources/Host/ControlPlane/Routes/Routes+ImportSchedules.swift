import HTTPTypes
import JobCore
import JobStore

/// Schedules from elsewhere, and to elsewhere.
extension Backend {
    var scheduleFileRoutes: [Route] {
        [
            Route(.post, "/api/v1/schedules/import", body: .batch) { [self] in try await importSchedules($0) },
            Route(.get, "/api/v1/schedules/export", query: ["format", "job"]) { [self] in
                try await exportSchedules($0)
            },
            Route(.get, "/api/v1/schedules/calendar", query: ["from", "to", "bucket"]) { [self] in
                try await showLoad($0)
            },
        ]
    }

    private func importSchedules(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let wish = Self.wish(&reader)
        let format = reader.string("format", limit: 20) ?? "crontab"
        let skipsFaulty = reader.bool("skip_faulty") ?? false
        var state = StateInput()
        var problems: [CrontabImport.Problem] = []
        switch format {
        case "json": state = stateInput(&reader)
        case "crontab":
            let imported = crontab(&reader)
            state.schedules = imported.schedules
            problems = imported.problems
        default: reader.fault("format", "unknown_word", "must be crontab or json")
        }
        if skipsFaulty {
            let faulty = try await store.faults(of: state.schedules)
            problems += faulty.map { index, fault in
                let (pointer, input) = state.schedules[index]
                var told = fault
                // Of exported JSON there is no line to tell it by.
                if format == "json" { told.detail = "\(input.name ?? ""): \(fault.detail)" }
                return CrontabImport.Problem(line: CrontabImport.line(pointer), fault: told)
            }
            let indexes = Set(faulty.map(\.index))
            state.schedules = state.schedules.enumerated().filter { !indexes.contains($0.offset) }.map(\.element)
        } else if format == "crontab" {
            for problem in problems {
                reader.add([
                    FieldFault(
                        pointer: "/text", code: problem.fault.code,
                        detail: "line \(problem.line): \(problem.fault.detail)")
                ])
            }
        }
        try reader.finish()
        do {
            return .json(
                try await apply(state, wish, call, problems: problems.sorted { $0.line < $1.line }.map(\.json)))
        } catch {
            guard format == "crontab", let refusal = error as? StoreError else { throw error }
            throw Problem(CrontabImport.placed(refusal))
        }
    }

    private func crontab(_ reader: inout ObjectReader) -> CrontabImport {
        reader.require("text")
        let text = reader.string("text", limit: 500_000) ?? ""
        let zone = zone(&reader)
        let hasUser = reader.bool("user") ?? false
        var rules = CrontabImport.Rules()
        rules.prefix = reader.string("prefix", limit: 50) ?? ""
        rules.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        rules.isEnabled = reader.bool("enabled") ?? true
        do throws(FieldFault) {
            let crontab = try Crontab(
                text, timezone: zone.name, hasUser: hasUser, isZone: { (try? self.store.zone($0)) != nil })
            return CrontabImport(crontab, rules)
        } catch {
            reader.fault("text", error.code, error.detail)
            return CrontabImport(schedules: [], problems: [])
        }
    }

    // MARK: Export

    private func exportSchedules(_ call: Call) async throws -> Answer {
        let job = try call.query.one("job")
        let format = try call.query.one("format") ?? "json"
        guard ["json", "crontab", "ics"].contains(format) else {
            throw Problem.invalidParameter("format", "unknown_word", "must be json, crontab or ics")
        }
        let rows = try await store.allSchedules(job: job)
        if format == "crontab" {
            return Answer(text: CrontabExport.text(rows.map(\.input)), type: "text/plain; charset=utf-8")
        }
        var slice = LoopSlice()
        if format == "json" {
            var items: [String] = []
            for row in rows {
                items.append(ScheduleDefinition.json(row.input).json)
                await slice.breathe()
            }
            var object = JSONObject()
            object.array("schedules", items)
            return .json(object)
        }
        let names = Set(rows.flatMap(\.input.options.calendars)).sorted()
        let calendars = try await store.contents(ofCalendars: names)
        var file = CalendarFile(name: "Pawl")
        let now = WallClock.now
        let enabled = rows.filter(\.input.isEnabled)
        let broken = enabled.filter { timetable($0, calendars) == nil }
        if !broken.isEmpty {
            let names = broken.map { $0.input.name ?? ScheduleJSON.id($0.id) }.joined(separator: ", ")
            file.describe("Left out, because their time zone or a calendar is missing: \(names)")
        }
        for row in enabled {
            addEvent(row, calendars, to: &file, now)
            await slice.breathe()
        }
        return Answer(text: file.text, type: CalendarFile.mediaType)
    }

    /// Nil: its zone or one of its calendars is missing here, and it does not fire.
    private func timetable(
        _ row: ScheduleRow, _ calendars: [String: DateCalendar]
    ) -> (zone: any ZoneRules, times: Timetable)? {
        guard let zone = try? store.zone(row.input.timezone), let times = row.input.timetable(zone, calendars) else {
            return nil
        }
        return (zone, times)
    }

    /// By its rule where iCalendar has words for it and nothing keeps it from any of its times, else its next hundred.
    private func addEvent(
        _ row: ScheduleRow, _ calendars: [String: DateCalendar], to file: inout CalendarFile, _ now: WallTime
    ) {
        guard let (zone, whole) = timetable(row, calendars) else { return }
        var lines: [String]?
        if row.isPlain {
            lines = try? row.input.spec.icalendarLines(zone: row.input.timezone, rules: zone)
        }
        let left = row.input.maxRuns.map { max(0, $0 - row.runCount) } ?? .max
        let timesLines = lines ?? CalendarFile.times(Self.next(whole, row, now, min(left, 100)))
        guard !timesLines.isEmpty else { return }
        file.add(
            uid: ScheduleJSON.id(row.id), summary: row.input.name ?? row.input.job,
            description: row.input.description ?? row.input.job, stamp: row.updatedAt, timesLines)
    }

    /// The next times at which it runs.
    private static func next(_ timetable: Timetable, _ row: ScheduleRow, _ now: WallTime, _ count: Int) -> [WallTime] {
        let timetable = timetable.settled()
        var times: [WallTime] = []
        // Nobody counts which of each n-th the next one is, but for the one that is planned.
        var (ordinal, looked) = (row.ordinal, 0)
        var time = row.nextAt.flatMap { $0 > now ? $0 : nil } ?? timetable.next(after: now)
        while let at = time, times.count < count, looked < 2000 {
            if timetable.exclusion(at: at, ordinal: ordinal) == nil { times.append(at) }
            ordinal += 1
            looked += 1
            time = timetable.next(after: at)
        }
        return times
    }
}

extension ScheduleRow {
    /// Its specification says all of its times.
    fileprivate var isPlain: Bool {
        let options = input.options
        return input.startsAt == nil && input.endsAt == nil && input.maxRuns == nil && options.everyNth == 1
            && !options.businessDays && options.calendars.isEmpty && options.blackouts == DateCalendar()
    }
}
