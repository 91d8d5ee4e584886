import ArgumentParser
import JobCore

/// `pawl schedules`: what runs when.
struct SchedulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules",
        abstract: "What runs when: make, change, pause and look at schedules.",
        discussion: """
            A schedule is named by its name or its id.

            EXAMPLES
              pawl schedules
              pawl schedules create nightly --job text.stats --cron '30 2 * * *'
              pawl schedules set nightly --tz Europe/Berlin --overlap skip
              pawl schedules preview '30 2 * * *' --tz Europe/Berlin
              pawl schedules due --within 1h
            """,
        subcommands: [
            List.self, ShowScheduleCommand.self, Create.self, SetScheduleCommand.self, Delete.self,
            PauseScheduleCommand.self, ResumeScheduleCommand.self, SkipScheduleCommand.self,
            EnableScheduleCommand.self, DisableScheduleCommand.self, Due.self, OccurrencesCommand.self,
            ScheduleLoadCommand.self, PreviewScheduleCommand.self, ParseScheduleCommand.self,
            ImportSchedulesCommand.self, ExportSchedulesCommand.self, Trigger.self, SkipToNow.self, Backfill.self,
        ],
        defaultSubcommand: List.self)

    /// When a schedule fires: exactly one of the five.
    struct Times: ParsableArguments {
        @Option(help: ArgumentHelp("Five fields: minute hour day month weekday.", valueName: "expression"))
        var cron: String?

        @Option(help: ArgumentHelp("Again and again, this long apart: 30s, 10m, 6h.", valueName: "duration"))
        var every: String?

        @Option(help: ArgumentHelp("Once, at this time (RFC 3339).", valueName: "time"))
        var at: String?

        @Option(
            help: ArgumentHelp(
                "Of whatever kind: 'Mon..Fri 10:00', 'FREQ=MONTHLY;BYDAY=-1FR', @daily.", valueName: "text"))
        var when: String?

        @Option(
            help: ArgumentHelp(
                "Days by the calendar, as JSON: {\"last_day\": true, \"time\": \"18:00\"}.", valueName: "json"))
        var calendar: String?

        @Option(
            name: [.customLong("timezone"), .customLong("tz")],
            help: ArgumentHelp("The zone on whose clocks it is read.", valueName: "zone"))
        var timezone: String?

        func check(isRequired: Bool = true) throws {
            let given = [self.cron, self.every, self.at, self.when, self.calendar].count { $0 != nil }
            if given > 1 || given == 0 && isRequired {
                throw ValidationError("Say when with exactly one of --cron, --every, --at, --when and --calendar.")
            }
            if let every, (Format.parseDuration(every) ?? 0) <= 0 {
                throw ValidationError("\"\(every)\" is no duration: write 500ms, 30s, 10m, 6h or 2d.")
            }
        }

        /// Throws where --when or --calendar makes no sense.
        func apply(to body: JSONValue) throws(ClientFailure) -> JSONValue {
            var body = body
            if let timezone { body = body.setting("timezone", to: .string(timezone)) }
            if let cron {
                return Self.set("cron", .members(["expression": .string(cron)]), body)
            } else if let every = self.every.flatMap(Format.parseDuration) {
                return Self.set("interval", .members(["every_ms": .int(every)]), body)
            } else if let at {
                return Self.set("once", .members(["at": .string(at)]), body)
            } else if let calendar {
                guard let spec = try? JSONValue(parsing: calendar), spec.object != nil else {
                    throw ClientFailure(exit: .usage, message: "--calendar must be a JSON object.")
                }
                return Self.set("calendar", spec, body)
            }
            guard let when else { return body }
            do throws(FieldFault) {
                return (try ScheduleText.members(when)).reduce(body) { $0.setting($1.key, to: $1.value) }
            } catch {
                throw ClientFailure(exit: .invalidInput, message: "--when: \(error.detail)")
            }
        }

        private static func set(_ kind: String, _ spec: JSONValue, _ body: JSONValue) -> JSONValue {
            body.setting("kind", to: .string(kind)).setting("spec", to: spec)
        }
    }

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List schedules with their next run.")
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Only schedules of this job.") var job: String?

        func execute(_ session: ClientSession) throws {
            let path = self.job.map { "/api/v1/jobs/\(ClientSession.escape($0))/schedules" } ?? "/api/v1/schedules"
            let answer = try session.get(path)
            if session.wantsJSON { return session.printJSON(answer) }
            SchedulesCommand.printTable(answer["items"]?.elements ?? [], session, empty: "No schedules yet.")
        }
    }

    struct Create: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a schedule.",
            discussion: """
                EXAMPLES
                  pawl schedules create nightly --job text.stats --cron '30 2 * * *'
                  pawl schedules create pulse --job mischief.noop --every 30s
                  pawl schedules create once --job text.stats --at 2027-01-01T08:00:00Z --arg path=/data/in.txt
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "A name for the schedule.") var name: String
        @Option(help: "The job to run.") var job: String
        @OptionGroup(title: "When") var times: Times
        @Option(
            name: .customLong("arg"),
            help: ArgumentHelp("One argument: name=text, or name:=json.", valueName: "name=value"))
        var members: [String] = []
        @Option(
            name: .customLong("args"),
            help: ArgumentHelp("All arguments: JSON, @FILE, or - for standard input.", valueName: "json"))
        var arguments: String?
        @OptionGroup(title: "How it fires") var options: ScheduleOptionFlags
        @OptionGroup(title: "How its runs are run") var terms: RunTerms
        @Flag(help: "Make it switched off.") var disabled = false
        @Flag(name: .customLong("if-missing"), help: "Do nothing if it is there already, just like this.")
        var ifMissing = false

        func validate() throws {
            try self.times.check()
            try self.terms.check()
        }

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members(["name": .string(self.name), "job": .string(self.job)])
            body = try self.times.apply(to: body)
            if let arguments = try ArgumentsBuilder.build(whole: self.arguments, members: self.members) {
                body = body.setting("args", to: arguments)
            }
            for (name, value) in self.options.fields + self.terms.fields { body = body.setting(name, to: value) }
            if self.disabled { body = body.setting("enabled", to: .boolean(false)) }
            let path = self.ifMissing ? ClientSession.schedulePath(self.name) : "/api/v1/schedules"
            let headers = self.ifMissing ? [(name: "If-None-Match", value: "*")] : []
            let answer = try ArgumentsBuilder.sending(self.members) { () throws(ClientFailure) in
                try session.send(self.ifMissing ? "PUT" : "POST", path, body, headers: headers).json
            }
            if session.wantsJSON { return session.printJSON(answer) }
            session.terminal.out.writeLine(answer["id"]?.text ?? answer["id"]?.json ?? "")
            if answer["args_unchecked"]?.bool == true { session.talk(ArgumentsBuilder.unchecked) }
            if let next = answer["next_at"]?.text {
                session.talk("next run \(next) (\(Format.relative(next, now: wallMicroseconds())))")
            }
        }
    }

    struct Delete: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete schedules. Runs that they made before are kept.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Ids or names of schedules.") var schedules: [String]

        func execute(_ session: ClientSession) throws {
            for reference in self.schedules {
                let id = try SchedulesCommand.find(reference, session)
                let path = "/api/v1/schedules/\(ClientSession.escape(id))"
                // What was seen is what is deleted: a change in between is refused.
                let current = try session.client.send(.init(path: path))
                guard current.isSuccess else {
                    throw ProblemDetails.failure(status: current.status, body: current.body, request: "GET \(path)")
                }
                let match = current.header("etag").map { [(name: "If-Match", value: $0)] } ?? []
                _ = try session.send("DELETE", path, headers: match)
                session.talk("deleted \(reference)")
            }
        }
    }

    struct Due: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List what is due soon.")
        @OptionGroup var connection: ConnectionOptions
        @Option(help: ArgumentHelp("Look this far ahead: 10m, 6h.", valueName: "duration")) var within:
            WaitOptions.Limit?

        func execute(_ session: ClientSession) throws {
            let answer = try session.get(
                "/api/v1/schedules/due", [("within_ms", self.within?.milliseconds.map(String.init))])
            if session.wantsJSON { return session.printJSON(answer) }
            SchedulesCommand.printTable(answer["items"]?.elements ?? [], session, empty: "Nothing is due.")
        }
    }

    private static func printTable(_ schedules: [JSONValue], _ session: ClientSession, empty: String) {
        var table = Table([
            .init(title: "NAME", importance: 10), .init(title: "JOB", importance: 9),
            .init(title: "WHEN", importance: 8),
            .init(title: "ZONE", importance: 4), .init(title: "NEXT", importance: 9),
            .init(title: "STATE", importance: 6),
            .init(title: "ID", importance: 3),
        ])
        let now = wallMicroseconds()
        for schedule in schedules {
            let next = schedule["next_at"]?.text
            table.rows.append([
                .init(schedule["name"]?.text ?? ""), .init(schedule["job"]?.text ?? ""),
                .init(Self.times(schedule)),
                .init(schedule["timezone"]?.text ?? ""),
                .init(next.map { "\(Format.relative($0, now: now))" } ?? "never"),
                Self.state(schedule),
                .init(schedule["id"]?.text ?? "", .dim),
            ])
        }
        if table.rows.isEmpty { return session.talk(empty) }
        table.print(to: session.terminal)
    }

    private static func state(_ schedule: JSONValue) -> Table.Cell {
        if schedule["enabled"]?.bool == false { return .init("off", .yellow) }
        return schedule["paused_at"]?.present != nil ? .init("paused", .yellow) : .init("on", .green)
    }

    private static func times(_ schedule: JSONValue) -> String {
        let spec = schedule["spec"] ?? schedule
        if let interval = spec["every_ms"]?.integer { return "every \(Format.span(milliseconds: interval))" }
        if let at = spec["at"]?.text { return "once at \(at)" }
        if let time = spec["time"]?.text {
            if let step = spec["every_days"]?.integer {
                return step == 1 ? "daily at \(time)" : "every \(step) days at \(time)"
            }
            if let day = spec["day_of_month"]?.integer { return "monthly on day \(day) at \(time)" }
            let days = (spec["weekdays"]?.elements ?? []).compactMap(\.text)
            return "\(days.joined(separator: ", ")) at \(time)"
        }
        return spec["expression"]?.text ?? schedule["expression"]?.text ?? schedule["kind"]?.text ?? ""
    }
}
