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
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    @Flag(name: .shortAndLong, help: "Go on with new lines until the run has ended.")
    var follow = false

    @Option(
        name: [.customShort("n"), .customLong("tail")], help: ArgumentHelp("Only the last lines.", valueName: "lines"))
    var tail: Int?

    @Option(name: .customLong("min-level"), help: "Only this level and above: debug, info, warning, error.")
    var minLevel: String?

    @Option(help: "Only this attempt.")
    var attempt: Int?

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("-n is a number of lines.") }
        if let minLevel, !["debug", "info", "warning", "error"].contains(minLevel) {
            throw ValidationError("\"\(minLevel)\" is no level: debug, info, warning, error.")
        }
    }

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        let filter: [(String, String?)] = [
            ("min_level", self.minLevel), ("attempt", self.attempt.map(String.init)),
        ]
        if self.follow { return try self.stream(session, id, filter) }

        // Page by page: a log may be longer than one answer.
        var from: Int64?
        let pageSize = 500
        while true {
            let page = try session.get(
                "/api/v1/runs/\(id)/logs",
                filter + [
                    ("tail", self.tail.map(String.init)), ("from", from.map(String.init)),
                    ("limit", self.tail == nil ? String(pageSize) : nil),
                ])
            let lines = (page["items"]?.elements ?? []).map(PrintedLogLine.init)
            for line in lines { self.print(line, session) }
            guard self.tail == nil, lines.count >= pageSize, let last = lines.last?.sequence else { return }
            from = last + 1
        }
    }

    private func stream(_ session: ClientSession, _ id: String, _ filter: [(String, String?)]) throws {
        Interrupt.watch()
        var pending: [UInt8] = []
        let query = filter + [("tail", self.tail.map(String.init)), ("follow", "true")]
        let request = HTTPClient.Request(
            path: "/api/v1/runs/\(id)/logs" + ClientSession.query(query),
            headers: [("Accept", "application/x-ndjson")])
        do {
            let response = try session.client.stream(request) { piece in
                pending.append(contentsOf: piece)
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Array(pending[..<end])
                    pending.removeSubrange(...end)
                    // An empty line keeps the connection alive; anything else that is no JSON is shown as it came.
                    if line.isEmpty { continue }
                    if let json = try? JSONValue(parsing: line) {
                        if json["message"] != nil { self.print(PrintedLogLine(json: json), session) }
                    } else {
                        session.terminal.out.writeLine(Table.printable(String(decoding: line, as: UTF8.self)))
                    }
                }
                return true
            }
            guard response.isSuccess else {
                throw ProblemDetails.failure(
                    status: response.status, body: response.body, request: "GET \(request.path)")
            }
        } catch let failure as ClientFailure where failure.exit == .interrupted {
            throw ClientExit.interrupted.code
        }
    }

    private func print(_ line: PrintedLogLine, _ session: ClientSession) {
        let out = session.terminal.out
        out.writeLine(session.wantsJSON ? line.json.json : line.text(session.terminal, out))
    }
}
