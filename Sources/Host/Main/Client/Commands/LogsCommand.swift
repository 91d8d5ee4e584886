import ArgumentParser
import JobCore

/// `pawl logs`: a run's log, and its growth.
struct LogsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print a run's log, and follow it.",
        discussion: """
            EXAMPLES
              pawl logs csv.to_jsonl#1234
              pawl logs @last -f
              pawl logs @last-failed -n 50 --min-level warning
              pawl logs @last --grep timeout --since 10m
              pawl logs @last --regex 'user [0-9]+' --stream stdout --field host=a
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    @Flag(name: .shortAndLong, help: "Go on with new lines until the run has ended.")
    var follow = false

    @Option(
        name: [.customShort("n"), .customLong("tail")], help: ArgumentHelp("Only the last lines.", valueName: "lines"))
    var tail: Int?

    @Option(
        name: [.customLong("min-level"), .customLong("level")],
        help: "Only this level and above: debug, info, warning, error.")
    var minLevel: String?

    @Option(help: "Only this attempt.")
    var attempt: Int?

    @Option(help: "Only this stage.")
    var stage: String?

    @Option(help: "Only this stream: handler, stdout, stderr or host; may be repeated.")
    var stream: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only what was written since: 10m, 2h, or a time (2026-11-21T08:00:00Z).", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Only what was written before: 10m (ago), or a time.", valueName: "time"))
    var until: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Only lines with this text in message or fields, in any case.", valueName: "text"))
    var grep: String?

    @Option(
        name: [.customShort("E"), .customLong("regex")],
        help: ArgumentHelp(
            "Only lines that this expression fits, in any case: of PostgreSQL, as egrep's.", valueName: "expression"))
    var regex: String?

    @Flag(name: .customLong("match-case"), help: "Upper and lower case differ for --grep and --regex.")
    var matchCase = false

    @Option(
        name: .customLong("field"),
        help: ArgumentHelp("Only lines whose fields have this value; may be repeated.", valueName: "name=value"))
    var fields: [String] = []

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("-n is a number of lines.") }
        if let minLevel, !["debug", "info", "warning", "error"].contains(minLevel) {
            throw ValidationError("\"\(minLevel)\" is no level: debug, info, warning, error.")
        }
        if self.grep != nil && self.regex != nil { throw ValidationError("--grep or --regex, not both.") }
        if self.matchCase && self.grep == nil && self.regex == nil {
            throw ValidationError("--match-case says how --grep or --regex is meant.")
        }
        if self.follow && self.until != nil { throw ValidationError("--until cannot stand beside --follow.") }
        for field in self.fields where !field.contains("=") {
            throw ValidationError("\"\(field)\" is no field: write name=value.")
        }
        for (name, text) in [("since", self.since), ("until", self.until)] {
            if let text, Self.time(text) == nil {
                throw ValidationError("--\(name) is a duration (10m, 2h, 3d) or a time (2026-11-21T08:00:00Z).")
            }
        }
    }

    /// As the API takes it; durations count backward from now.
    private static func time(_ text: String) -> String? {
        if let time = WallTime(rfc3339: text) { return time.rfc3339 }
        return Format.parseDuration(text).map { WallTime(micros: wallMicroseconds() - $0 * 1000).rfc3339 }
    }

    private var filter: [(String, String?)] {
        var filter: [(String, String?)] = [
            ("min_level", self.minLevel), ("attempt", self.attempt.map(String.init)), ("stage", self.stage),
            ("since", self.since.flatMap(Self.time)), ("until", self.until.flatMap(Self.time)),
            ("grep", self.grep ?? self.regex), ("regex", self.regex == nil ? nil : "true"),
            ("match_case", self.matchCase ? "true" : nil),
        ]
        for name in self.stream { filter.append(("stream", name)) }
        for field in self.fields {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            filter.append(("field.\(parts[0])", String(parts[1])))
        }
        return filter
    }

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        if self.follow { return try self.followLog(session, id) }

        // Page by page: a log may be longer than one answer.
        var from: Int64?
        let pageSize = 500
        while true {
            let page = try session.get(
                "/api/v1/runs/\(id)/logs",
                self.filter + [
                    ("tail", self.tail.map(String.init)), ("from", from.map(String.init)),
                    ("limit", self.tail == nil ? String(pageSize) : nil),
                ])
            let lines = (page["items"]?.elements ?? []).map(PrintedLogLine.init)
            for line in lines { self.print(line, session) }
            guard self.tail == nil else {
                if page["truncated"] == .boolean(true) {
                    session.talk("only the newest part of the log was looked at; leave out -n to look at all of it")
                }
                return
            }
            let isLast = page["complete"].map { $0 == .boolean(true) } ?? (lines.count < pageSize)
            guard !isLast, let next = page["next_from"]?.integer ?? lines.last?.sequence.map({ $0 + 1 }) else { return }
            from = next
        }
    }

    /// How often a lost connection is tried again without a line between; seconds apart.
    private static let reconnects = 30

    /// Goes on behind the last line after a lost connection: nothing is missing, nothing comes twice.
    private func followLog(_ session: ClientSession, _ id: String) throws {
        Interrupt.watch()
        var last: Int64?
        var failures = 0
        while true {
            let tail = last == nil ? self.tail.map(String.init) : nil
            let query = self.filter + [("tail", tail), ("from", last.map { String($0 + 1) }), ("follow", "true")]
            let request = HTTPClient.Request(
                path: "/api/v1/runs/\(id)/logs" + ClientSession.query(query),
                headers: [("Accept", "application/x-ndjson")])
            do {
                try self.streamOnce(session, request) {
                    last = $0
                    failures = 0
                }
                // A host that is stopped ends its streams in good order too.
                if try Self.isOver(session, id) { return }
            } catch let failure as ClientFailure where failure.exit == .interrupted {
                throw ClientExit.interrupted.code
            } catch let failure as ClientFailure
                where [ClientExit.unreachable, .tryLater].contains(failure.exit) && last != nil
            {
                failures += 1
                if failures > Self.reconnects { throw failure }
                if failures == 1 { session.talk("the connection was lost; trying again") }
            }
            guard Interrupt.received == nil else { throw ClientExit.interrupted.code }
            Interrupt.sleep(milliseconds: 1000)
        }
    }

    private static func isOver(_ session: ClientSession, _ id: String) throws -> Bool {
        let state = try session.get("/api/v1/runs/\(id)")["state"]?.text ?? ""
        return RunState(rawValue: state)?.isTerminal ?? true
    }

    private func streamOnce(
        _ session: ClientSession, _ request: HTTPClient.Request, onLine: @escaping (Int64) -> Void
    ) throws {
        var pending: [UInt8] = []
        let response = try session.client.stream(request) { piece in
            pending.append(contentsOf: piece)
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(pending[..<end])
                pending.removeSubrange(...end)
                // An empty line keeps the connection alive; anything else that is no JSON is shown as it came.
                if line.isEmpty { continue }
                if let json = try? JSONValue(parsing: line) {
                    guard json["message"] != nil else { continue }
                    let printed = PrintedLogLine(json: json)
                    self.print(printed, session)
                    if let number = printed.sequence { onLine(number) }
                } else {
                    session.terminal.out.writeLine(Table.printable(String(decoding: line, as: UTF8.self)))
                }
            }
            return true
        }
        guard response.isSuccess else {
            throw ProblemDetails.failure(status: response.status, body: response.body, request: "GET \(request.path)")
        }
    }

    private func print(_ line: PrintedLogLine, _ session: ClientSession) {
        let out = session.terminal.out
        out.writeLine(session.wantsJSON ? line.json.json : line.text(session.terminal, out))
    }
}
