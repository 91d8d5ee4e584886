import ArgumentParser

/// `pawl schedules`: what runs when.
struct SchedulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules",
        abstract: "List, create, preview and delete schedules.",
        discussion: """
            EXAMPLES
              pawl schedules
              pawl schedules create nightly --job text.stats --cron '30 2 * * *'
              pawl schedules preview --cron '30 2 * * *' --timezone Europe/Berlin
              pawl schedules due --within 1h
            """,
        subcommands: [List.self, Create.self, Delete.self, Due.self, Preview.self], defaultSubcommand: List.self)

    /// When a schedule fires: exactly one of the three.
    struct Times: ParsableArguments {
        @Option(help: ArgumentHelp("Five fields: minute hour day month weekday.", valueName: "expression"))
        var cron: String?

        @Option(help: ArgumentHelp("Again and again, this long apart: 30s, 10m, 6h.", valueName: "duration"))
        var every: String?

        @Option(help: ArgumentHelp("Once, at this time (RFC 3339).", valueName: "time"))
        var at: String?

        @Option(help: ArgumentHelp("The zone in which the cron expression is read.", valueName: "zone"))
        var timezone: String?

        func check() throws {
            if [self.cron, self.every, self.at].filter({ $0 != nil }).count != 1 {
                throw ValidationError("Say when with exactly one of --cron, --every and --at.")
            }
            if let every, (Format.parseDuration(every) ?? 0) <= 0 {
                throw ValidationError("\"\(every)\" is no duration: write 500ms, 30s, 10m, 6h or 2d.")
            }
        }

        func apply(to body: JSONValue) -> JSONValue {
            var body = body
            if let cron { body = body.setting("kind", to: .string("cron")).setting("expression", to: .string(cron)) }
            if let every = self.every.flatMap(Format.parseDuration) {
                body = body.setting("kind", to: .string("interval")).setting("interval_ms", to: .int(every))
            }
            if let at { body = body.setting("kind", to: .string("once")).setting("at", to: .string(at)) }
            if let timezone { body = body.setting("timezone", to: .string(timezone)) }
            return body
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
            SchedulesCommand.printTable(answer["items"]?.array ?? [], session, empty: "No schedules yet.")
        }
    }

    struct Create: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a schedule.",
            discussion: """
                EXAMPLES
                  pawl schedules create nightly --job text.stats --cron '30 2 * * *'
                  pawl schedules create pulse --job mischief.noop --every 30s
                  pawl schedules create once --job text.stats --at 2027-01-01T08:00:00Z --arg path=in.txt
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

        func validate() throws { try self.times.check() }

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members(["name": .string(self.name), "job": .string(self.job)])
            body = self.times.apply(to: body)
            if let arguments = try ArgumentsBuilder.build(whole: self.arguments, members: self.members) {
                body = body.setting("args", to: arguments)
            }
            let answer = try session.send("POST", "/api/v1/schedules", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            session.terminal.out.writeLine(answer["id"]?.string ?? answer["id"]?.compact ?? "")
            if let next = answer["next_at"]?.string {
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
            let all = try session.get("/api/v1/schedules")["items"]?.array ?? []
            for reference in self.schedules {
                let matches = all.filter { $0["id"]?.string == reference || $0["name"]?.string == reference }
                guard let id = matches.first?["id"]?.string else {
                    throw ClientFailure(exit: .notFound, message: "There is no schedule \"\(reference)\".")
                }
                guard matches.count == 1 else {
                    throw ClientFailure(
                        exit: .usage, message: "\"\(reference)\" names \(matches.count) schedules.",
                        details: matches.compactMap { $0["id"]?.string })
                }
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
            SchedulesCommand.printTable(answer["items"]?.array ?? [], session, empty: "Nothing is due.")
        }
    }

    struct Preview: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show when a schedule would fire, without making one.",
            discussion: """
                EXAMPLES
                  pawl schedules preview --cron '30 2 * * *' --timezone Europe/Berlin
                  pawl schedules preview --every 90m -n 3
                  pawl schedules preview --at 2027-01-01T08:00:00Z
                """)
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "When") var times: Times
        @Option(name: [.customShort("n"), .customLong("count")], help: "How many times to show.") var count = 10

        func validate() throws {
            try self.times.check()
            if !(1...100).contains(self.count) { throw ValidationError("-n is 1 to 100.") }
        }

        func execute(_ session: ClientSession) throws {
            let body = self.times.apply(to: .members(["count": .int(self.count)]))
            let answer = try session.send("POST", "/api/v1/schedules/preview", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            for run in answer["runs"]?.array ?? [] {
                let at = run["at"]?.string ?? run.string ?? ""
                let parts = [at, run["local"]?.string ?? "", run["note"]?.string ?? ""].filter { !$0.isEmpty }
                session.terminal.out.writeLine(parts.joined(separator: "  "))
            }
            for warning in answer["warnings"]?.array ?? [] { session.talk(warning.string ?? warning.compact) }
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
            let next = schedule["next_at"]?.string
            table.rows.append([
                .init(schedule["name"]?.string ?? ""), .init(schedule["job"]?.string ?? ""),
                .init(Self.times(schedule)),
                .init(schedule["timezone"]?.string ?? ""),
                .init(next.map { "\(Format.relative($0, now: now))" } ?? "never"),
                .init(
                    schedule["enabled"]?.bool == false ? "off" : "on",
                    schedule["enabled"]?.bool == false ? .yellow : .green),
                .init(schedule["id"]?.string ?? "", .dim),
            ])
        }
        if table.rows.isEmpty { return session.talk(empty) }
        table.print(to: session.terminal)
    }

    private static func times(_ schedule: JSONValue) -> String {
        if let interval = schedule["interval_ms"]?.int64 { return "every \(Format.span(milliseconds: interval))" }
        if let at = schedule["at"]?.string { return "once at \(at)" }
        return schedule["expression"]?.string ?? schedule["kind"]?.string ?? ""
    }
}
