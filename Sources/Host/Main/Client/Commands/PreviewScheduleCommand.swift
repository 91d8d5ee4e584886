import ArgumentParser
import FoundationEssentials
import JobCore
import JobStore

/// `pawl schedules preview`: when something would fire. The scheduler's own code, without a host.
struct PreviewScheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview",
        abstract: "Show when a schedule would fire. Needs no host.",
        discussion: """
            Prints the schedule in words and its next times: on the clocks of its zone, in UTC, with a note where clocks \
            change; warnings go to standard error. The expression says its kind itself (docs/schedules.md): five fields or a \
            macro of cron, a calendar event of systemd, a recurrence rule (FREQ=…), a duration, a date and time.

            Exit codes: 0 fine, 65 the schedule makes no sense.

            EXAMPLES
              pawl schedules preview '30 2 * * *' --tz Europe/Berlin -n 10
              pawl schedules preview 'Mon *-*~07/1 18:00' --tz Asia/Tokyo --fold both
              pawl schedules preview 'FREQ=MONTHLY;BYDAY=-1FR' -n 3 --json
              pawl schedules preview --lines < questions.ndjson
            """)

    @Argument(help: ArgumentHelp("When: '30 2 * * *', 'Mon..Fri 10:00', 'FREQ=WEEKLY', 90m.", valueName: "expr"))
    var expression: String?

    @Option(help: ArgumentHelp("The same, as a cron expression.", valueName: "expression")) var cron: String?
    @Option(help: ArgumentHelp("The same: again and again, this long apart.", valueName: "duration")) var every: String?
    @Option(help: ArgumentHelp("The same: once, at this time.", valueName: "time")) var at: String?
    @Option(
        help: ArgumentHelp(
            "Days by the calendar, as JSON: {\"last_day\": true, \"time\": \"18:00\"}.", valueName: "json"))
    var calendar: String?

    @Option(help: "Of a cron expression with six fields: seconds or quartz.") var dialect: String?

    @Option(
        name: [.customLong("tz"), .customLong("timezone")],
        help: ArgumentHelp("The zone on whose clocks it is read.", valueName: "zone"))
    var timezone: String?

    @Option(help: "Times that clocks skip: shift (to the first valid time) or skip.") var gap = "shift"
    @Option(help: "Times that clocks show twice: first, last or both.") var fold = "first"
    @Option(help: ArgumentHelp("Times later than this, instead of now (RFC 3339).", valueName: "time")) var from:
        String?
    @Option(name: [.customShort("n"), .customLong("count")], help: "How many times to show.") var count = 10
    @Option(help: ArgumentHelp("Warn if it runs more often than its runs take.", valueName: "duration")) var p95:
        String?
    @Flag(help: "Print JSON instead of words.") var json = false
    @Flag(
        help: "Read questions from standard input, a line of JSON each, and answer each with one (docs/schedules.md).")
    var lines = false

    func validate() throws {
        let given = [self.expression, self.cron, self.every, self.at, self.calendar].filter { $0 != nil }.count
        if given != (self.lines ? 0 : 1) {
            throw ValidationError(
                self.lines
                    ? "With --lines, standard input says when."
                    : "Say when with exactly one of an expression, --cron, --every, --at and --calendar.")
        }
        if !(1...100).contains(self.count) { throw ValidationError("-n is 1 to 100.") }
        if let every, (Format.parseDuration(every) ?? 0) <= 0 {
            throw ValidationError("\"\(every)\" is no duration: write 500ms, 30s, 10m, 6h or 2d.")
        }
        if let p95, Format.parseDuration(p95) == nil { throw ValidationError("\"\(p95)\" is no duration.") }
        if let dialect, CronExpression.Dialect(rawValue: dialect) == nil {
            throw ValidationError("--dialect is vixie, seconds or quartz.")
        }
    }

    func run() throws {
        let terminal = Terminal(environment: Terminal.environment())
        do throws(ClientFailure) {
            if self.lines { try self.answerLines(terminal) } else { try self.preview(terminal) }
        } catch {
            terminal.report(error)
            throw error.exit.code
        }
    }

    private func answerLines(_ terminal: Terminal) throws(ClientFailure) {
        let files = ZoneFiles()
        var known: [String: any ZoneRules] = [:]
        let now = WallTime(micros: wallMicroseconds())
        var reader = try LineReader(path: nil)
        while let line = try reader.next() {
            let answer = PreviewRequest.answer(line: String(decoding: line, as: UTF8.self), now: now) { name in
                if let rules = known[name] { return rules }
                let rules = files.rules(name)
                known[name] = rules
                return rules
            }
            terminal.out.writeLine(answer.json)
        }
    }

    private func preview(_ terminal: Terminal) throws(ClientFailure) {
        let request: PreviewRequest
        do throws(FieldFault) {
            let files = ZoneFiles()
            request = try PreviewRequest(
                try self.question(), now: WallTime(micros: wallMicroseconds()), zone: { files.rules($0) })
        } catch {
            throw ClientFailure(exit: .invalidInput, message: error.detail)
        }
        if self.json {
            return terminal.out.writeLine(terminal.out.isTerminal ? request.answer.pretty : request.answer.json)
        }
        let preview = SchedulePreview(
            request.timetable, zoneName: request.zoneName, from: request.from, count: request.count, p95: request.p95)
        terminal.talk.writeLine(preview.sentence)
        var table = Table([
            .init(title: "LOCAL", importance: 9), .init(title: "UTC", importance: 8), .init(title: "IN", importance: 5),
            .init(title: "NOTE", importance: 7),
        ])
        for run in preview.runs {
            table.rows.append([
                .init(SchedulePreview.local(run.at, run.offset)), .init(SchedulePreview.local(run.at, 0)),
                .init(Format.relative(run.at.rfc3339, now: wallMicroseconds())), .init(run.note ?? "", .yellow),
            ])
        }
        if !table.rows.isEmpty { table.print(to: terminal) }
        for warning in preview.warnings {
            terminal.talk.writeLine(terminal.talk.paint("warning:", .yellow) + " " + Table.printable(warning.detail))
        }
    }

    /// As the route takes it.
    private func question() throws(FieldFault) -> JSONValue {
        var members: [JSONMember]
        if let calendar {
            guard let spec = try? JSONValue(parsing: calendar) else {
                throw FieldFault(pointer: "", code: "bad_json", detail: "--calendar is no JSON")
            }
            members = [JSONMember("kind", .string("calendar")), JSONMember("spec", spec)]
        } else if let every = self.every.flatMap(Format.parseDuration) {
            members = [JSONMember("kind", .string("interval")), JSONMember("interval_ms", .number(String(every)))]
        } else if let at {
            members = try ScheduleText.members(at)
        } else {
            let dialect =
                self.dialect.flatMap { CronExpression.Dialect(rawValue: $0) } ?? (self.cron == nil ? nil : .vixie)
            members = try ScheduleText.members(self.expression ?? self.cron ?? "", dialect: dialect)
        }
        members.append(JSONMember("count", .number(String(self.count))))
        let dst = [JSONMember("gap", .string(self.gap)), JSONMember("fold", .string(self.fold))]
        members.append(JSONMember("dst", .object(dst)))
        if let timezone { members.append(JSONMember("timezone", .string(timezone))) }
        if let from { members.append(JSONMember("from", .string(from))) }
        if let p95 = self.p95.flatMap(Format.parseDuration) {
            members.append(JSONMember("p95_ms", .number(String(p95))))
        }
        return .object(members)
    }
}
