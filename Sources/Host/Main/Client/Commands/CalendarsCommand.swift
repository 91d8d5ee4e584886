import ArgumentParser
import JobCore

/// `pawl calendars`: days on which schedules that name them do not run.
struct CalendarsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calendars",
        abstract: "Holidays, freezes and maintenance windows that schedules keep clear of.",
        discussion: """
            EXAMPLES
              pawl calendars
              pawl calendars set holidays --date 2026-12-25 --date 2026-12-31/2027-01-01
              pawl calendars import holidays holidays.ics
              pawl schedules set nightly --calendar-name holidays
            """,
        subcommands: [List.self, Show.self, Set.self, Import.self, Delete.self], defaultSubcommand: List.self)

    private static func path(_ name: String) -> String { "/api/v1/calendars/\(ClientSession.escape(name))" }

    /// Replaces the days of a calendar, or makes it.
    private static func put(_ name: String, _ wanted: JSONValue, _ session: ClientSession) throws {
        var (body, headers) = (wanted, [(name: "If-None-Match", value: "*")])
        do throws(ClientFailure) {
            let present = try session.getTagged(Self.path(name))
            if let tag = present.tag { headers = [("If-Match", tag)] }
            // What is not said stays.
            if body["description"] == nil, let text = present.json["description"]?.present {
                body = body.setting("description", to: text)
            }
        } catch {
            guard error.exit == .notFound else { throw error }
        }
        let answer = try session.send("PUT", Self.path(name), body, headers: headers)
        if session.wantsJSON { return session.printJSON(answer.json) }
        let days = answer.json["dates"]?.elements?.count ?? 0
        let intervals = answer.json["intervals"]?.elements?.count ?? 0
        session.talk("\(answer.status == 201 ? "created" : "changed") \(name), dates: \(days), intervals: \(intervals)")
    }

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List calendars.")
        @OptionGroup var connection: ConnectionOptions

        func execute(_ session: ClientSession) throws {
            let answer = try session.get("/api/v1/calendars")
            if session.wantsJSON { return session.printJSON(answer) }
            var table = Table([
                .init(title: "NAME", importance: 9), .init(title: "DATES", importance: 7),
                .init(title: "INTERVALS", importance: 6), .init(title: "SCHEDULES", importance: 5),
                .init(title: "DESCRIPTION", importance: 4),
            ])
            for calendar in answer["items"]?.elements ?? [] {
                table.rows.append([
                    .init(calendar["name"]?.text ?? ""), .init(String(calendar["dates"]?.elements?.count ?? 0)),
                    .init(String(calendar["intervals"]?.elements?.count ?? 0)),
                    .init(calendar["schedules"]?.json ?? "0"), .init(calendar["description"]?.text ?? ""),
                ])
            }
            if table.rows.isEmpty { return session.talk("No calendars yet.") }
            table.print(to: session.terminal)
        }
    }

    struct Show: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Show the days of a calendar.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Its name.") var name: String

        func execute(_ session: ClientSession) throws {
            let calendar = try session.get(CalendarsCommand.path(self.name))
            if session.wantsJSON { return session.printJSON(calendar) }
            for date in calendar["dates"]?.elements ?? [] { session.terminal.out.writeLine(date.text ?? "") }
            for interval in calendar["intervals"]?.elements ?? [] {
                session.terminal.out.writeLine("\(interval["from"]?.text ?? "")\t\(interval["to"]?.text ?? "")")
            }
        }
    }

    struct Set: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Make a calendar, or replace its days.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Its name: a-z, 0-9, dot, dash and underscore.") var name: String
        @Option(
            name: .customLong("date"),
            help: ArgumentHelp("A day, or the first and last of several: 2026-12-24/2026-12-26.", valueName: "date"))
        var dates: [String] = []
        @Option(
            name: .customLong("between"),
            help: ArgumentHelp("A stretch of time, both RFC 3339 or both without an offset.", valueName: "from,to"))
        var intervals: [String] = []
        @Option(help: "What it is for.") var description: String?

        func validate() throws {
            if self.dates.isEmpty, self.intervals.isEmpty { throw ValidationError("Give --date or --between.") }
            for interval in self.intervals where interval.split(separator: ",").count != 2 {
                throw ValidationError("\"\(interval)\" is no stretch of time: write FROM,TO.")
            }
        }

        func execute(_ session: ClientSession) throws {
            let intervals = self.intervals.map { interval -> JSONValue in
                let ends = interval.split(separator: ",").map(String.init)
                return .members(["from": .string(ends[0]), "to": .string(ends[1])])
            }
            let body = JSONValue.members([
                "description": self.description.map { .string($0) }, "dates": .array(self.dates.map { .string($0) }),
                "intervals": .array(intervals),
            ])
            try CalendarsCommand.put(self.name, body, session)
        }
    }

    struct Import: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a calendar of an iCalendar file (ICS), or replace its days.",
            discussion: "Events that recur are written out, ten years ahead unless --until is given.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Its name.") var name: String
        @Argument(help: "The file, or - for standard input.") var file: String
        @Option(help: ArgumentHelp("How far recurring events are written out (RFC 3339).", valueName: "time"))
        var until: String?
        @Option(help: "What it is for.") var description: String?

        func execute(_ session: ClientSession) throws {
            let body = JSONValue.members([
                "description": self.description.map { .string($0) },
                "ics": .string(try ScheduleFiles.text(self.file)), "until": self.until.map { .string($0) },
            ])
            try CalendarsCommand.put(self.name, body, session)
        }
    }

    struct Delete: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Delete calendars that no schedule names.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Names.") var names: [String]

        func execute(_ session: ClientSession) throws {
            for name in self.names {
                let tag = try session.getTagged(CalendarsCommand.path(name)).tag
                let headers = tag.map { [(name: "If-Match", value: $0)] } ?? []
                _ = try session.send("DELETE", CalendarsCommand.path(name), headers: headers)
                session.talk("deleted \(name)")
            }
        }
    }
}
