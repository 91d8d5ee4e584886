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
                CrontabImport.Problem(line: CrontabImport.line(state.schedules[index].pointer), fault: fault)
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
        let rows = try await store.schedules(job: try call.query.one("job"))
        switch try call.query.one("format") ?? "json" {
        case "json":
            var object = JSONObject()
            object.array("schedules", rows.map { ScheduleDefinition.json($0.input).json })
            return .json(object)
        case "crontab":
            return Answer(text: CrontabExport.text(rows.map(\.input)), type: "text/plain; charset=utf-8")
        case "ics":
            var file = CalendarFile(name: "Pawl")
            let now = WallClock.now
            var slice = LoopSlice()
            for row in rows where row.input.isEnabled {
                addEvent(row, to: &file, now)
                await slice.breathe()
            }
            return Answer(text: file.text, type: CalendarFile.mediaType)
        default: throw Problem.invalidParameter("format", "unknown_word", "must be json, crontab or ics")
        }
    }

    /// By its rule where iCalendar has words for it, else its next hundred times.
    private func addEvent(_ row: ScheduleRow, to file: inout CalendarFile, _ now: WallTime) {
        guard let zone = try? store.zone(row.input.timezone) else { return }
        var lines: [String]
        do throws(FieldFault) {
            lines = try row.input.spec.icalendarLines(zone: row.input.timezone, rules: zone)
        } catch {
            let timetable = row.input.timetable(zone).settled()
            var times: [WallTime] = []
            while times.count < 100, let next = timetable.next(after: times.last ?? now) { times.append(next) }
            lines = CalendarFile.times(times)
        }
        guard !lines.isEmpty else { return }
        file.add(
            uid: ScheduleJSON.id(row.id), summary: row.input.name ?? row.input.job,
            description: row.input.description ?? row.input.job, stamp: row.updatedAt, lines)
    }
}
