import ArgumentParser
import JobCore

/// `pawl schedules show`.
struct ShowScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one schedule: when, what, and what came of it.")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Its name or id.") var schedule: String

    func execute(_ session: ClientSession) throws {
        let schedule = try session.get(ClientSession.schedulePath(self.schedule))
        if session.wantsJSON { return session.printJSON(schedule) }
        let out = session.terminal.out
        for member in schedule.object ?? [] {
            guard let value = member.value.present, value != .object([]), value != .array([]) else { continue }
            let name = out.paint(member.key.padding(to: 16), .dim)
            out.writeLine(name + Table.printable(value.text ?? value.json))
        }
    }
}

extension String {
    /// Filled with blanks, for columns of words of ours.
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - self.count))
    }
}

/// `pawl schedules occurrences`.
struct OccurrencesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "occurrences",
        abstract: "Show the times of a schedule that have come: their runs, or why there is none.")
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Its name or id.") var schedule: String
    @Option(name: [.customShort("n"), .customLong("limit")], help: "How many, the latest first.") var limit = 20

    func validate() throws {
        if !(1...200).contains(self.limit) { throw ValidationError("-n is 1 to 200.") }
    }

    func execute(_ session: ClientSession) throws {
        let answer = try session.get(
            ClientSession.schedulePath(self.schedule, "occurrences"), [("limit", String(self.limit))])
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "PLANNED", importance: 9), .init(title: "FIRED", importance: 6),
            .init(title: "RUN", importance: 8), .init(title: "REASON", importance: 7),
            .init(title: "MISSED", importance: 4),
        ])
        for row in answer["items"]?.elements ?? [] {
            let missed = row["missed"]?.integer ?? 0
            table.rows.append([
                .init(row["planned_at"]?.text ?? ""), .init(row["fired_at"]?.text ?? "", .dim),
                .init(row["run_id"]?.text ?? ""),
                .init(row["reason"]?.text ?? "", .yellow), .init(missed > 0 ? String(missed) : ""),
            ])
        }
        if table.rows.isEmpty { return session.talk("No time of it has come yet.") }
        table.print(to: session.terminal)
    }
}

/// `pawl schedules parse`.
struct ParseScheduleCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "parse",
        abstract: "Say what a text, or a crontab, means. Nothing is written.",
        discussion: """
            EXAMPLES
              pawl schedules parse 'Mon..Fri 02:30'
              pawl schedules parse --crontab /etc/crontab --user
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "When: '30 2 * * *', 'FREQ=WEEKLY', 90m.") var text: String?
    @Option(help: ArgumentHelp("A crontab, or - for standard input.", valueName: "file")) var crontab: String?
    @Flag(help: "A user stands between times and command, as in /etc/crontab.") var user = false
    @Option(
        name: [.customLong("tz"), .customLong("timezone")],
        help: ArgumentHelp("The zone on whose clocks it is read.", valueName: "zone"))
    var timezone: String?

    func validate() throws {
        if (self.text == nil) == (self.crontab == nil) { throw ValidationError("Give a text or --crontab.") }
    }

    func execute(_ session: ClientSession) throws {
        var body = JSONValue.members(["text": .string(self.text ?? "")])
        if let crontab {
            body = .members([
                "text": .string(try ScheduleFiles.text(crontab)), "crontab": .boolean(true),
                "user": .boolean(self.user),
            ])
        }
        if let timezone { body = body.setting("timezone", to: .string(timezone)) }
        let answer = try session.send("POST", "/api/v1/schedules/parse", body).json
        if session.wantsJSON { return session.printJSON(answer) }
        for item in answer["items"]?.elements ?? [] {
            let line = item["line"]?.integer.map { "\($0)\t" } ?? ""
            let command = item["command"]?.text.map { "\t" + $0 } ?? ""
            session.terminal.out.writeLine(
                line + Table.printable("\(item["sentence"]?.text ?? "")\t\(item["timezone"]?.text ?? "")") + command)
        }
        try ScheduleFiles.tellProblems(answer, session)
    }
}

/// `pawl schedules export`.
struct ExportSchedulesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write schedules down: as JSON, as a crontab, or for a calendar program.",
        discussion: """
            JSON is what `pawl apply -f` and `pawl schedules import` read. A crontab and a calendar cannot say everything: what \
            is lost stands in comments.

            EXAMPLES
              pawl schedules export > schedules.json
              pawl schedules export --format crontab --job text.stats
              pawl schedules export --format ics > pawl.ics
            """)
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "json, crontab or ics.") var format = "json"
    @Option(help: "Only schedules of this job.") var job: String?

    func validate() throws {
        if !["json", "crontab", "ics"].contains(self.format) {
            throw ValidationError("--format is json, crontab or ics.")
        }
    }

    func execute(_ session: ClientSession) throws {
        let query = ClientSession.query([("format", self.format), ("job", self.job)])
        let path = "/api/v1/schedules/export" + query
        let answer = try session.client.send(.init(path: path))
        guard answer.isSuccess else {
            throw ProblemDetails.failure(status: answer.status, body: answer.body, request: "GET \(path)")
        }
        if self.format == "json", session.terminal.out.isTerminal, let value = try? JSONValue(parsing: answer.body) {
            return session.printJSON(value)
        }
        session.terminal.out.write(answer.body)
        if self.format == "json" { session.terminal.out.writeLine() }
    }
}

/// `pawl schedules load`.
struct ScheduleLoadCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "load",
        abstract: "Show how many runs schedules will make, hour by hour.",
        discussion: """
            EXAMPLES
              pawl schedules load
              pawl schedules load --for 7d --bucket day
            """)
    @OptionGroup var connection: ConnectionOptions
    @Option(name: .customLong("for"), help: ArgumentHelp("Look this far ahead.", valueName: "duration"))
    var span = "24h"
    @Option(help: "hour or day.") var bucket = "hour"

    func validate() throws {
        if (Format.parseDuration(self.span) ?? 0) <= 0 {
            throw ValidationError("\"\(self.span)\" is no duration: write 6h or 7d.")
        }
        if !["hour", "day"].contains(self.bucket) { throw ValidationError("--bucket is hour or day.") }
    }

    func execute(_ session: ClientSession) throws {
        let now = WallTime(micros: wallMicroseconds())
        let end = now.advanced(by: .milliseconds(Format.parseDuration(self.span) ?? 86_400_000))
        let answer = try session.get(
            "/api/v1/schedules/calendar", [("from", now.rfc3339), ("to", end.rfc3339), ("bucket", self.bucket)])
        if session.wantsJSON { return session.printJSON(answer) }
        let buckets = answer["buckets"]?.elements ?? []
        let most = buckets.compactMap { $0["runs"]?.integer }.max() ?? 0
        for bucket in buckets {
            let runs = bucket["runs"]?.integer ?? 0
            let bar = most > 0 ? String(repeating: "#", count: Int(40 * runs / most)) : ""
            session.terminal.out.writeLine("\(bucket["at"]?.text ?? "")\t\(runs)\t\(bar)")
        }
        if answer["complete"]?.bool == false {
            session.talk("More than that: some schedules fire too often to be counted one by one.")
        }
    }
}

/// What several verbs do with files.
enum ScheduleFiles {
    /// - Parameter path: or - for standard input.
    static func text(_ path: String) throws(ClientFailure) -> String {
        let read = path == "-" ? ClientFiles.readStandardInput() : ClientFiles.read(path)
        guard case .success(let bytes) = read else {
            guard case .failure(let error) = read else { preconditionFailure("it is one of two") }
            throw ClientFailure(exit: .inputMissing, message: "\(path) cannot be read: \(error.words).")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Says what could not be read; then the command has not done all of it.
    static func tellProblems(_ answer: JSONValue, _ session: ClientSession) throws {
        let problems = answer["problems"]?.elements ?? []
        for problem in problems {
            let line = problem["line"]?.integer ?? 0
            session.talk((line > 0 ? "line \(line): " : "") + Table.printable(problem["detail"]?.text ?? ""))
        }
        if !problems.isEmpty { throw ClientExit.partly.code }
    }
}
