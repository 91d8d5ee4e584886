import ArgumentParser
import JobCore

/// What can be paused: both are asked for in the same way.
enum PauseTarget: String {
    case queue
    case job

    func path(_ name: String, _ action: String) -> String {
        "/api/v1/\(self.rawValue)s/\(ClientSession.escape(name))/\(action)"
    }

    /// Asks for one of them after the other; says what has become of each.
    func send(_ action: String, _ names: [String], _ body: JSONValue, _ session: ClientSession) throws {
        for name in names {
            let answer = try session.send("POST", self.path(name, action), body).json
            if session.wantsJSON {
                session.printJSON(answer)
                continue
            }
            let service = answer[self.rawValue]?["service"]?.text ?? ""
            let end = answer[self.rawValue]?["pause_until"]?.text.map { " until \($0)" } ?? ""
            let unchanged = answer["changed"]?.bool == false ? " already" : ""
            session.terminal.out.writeLine("\(name)\t\(service)\(unchanged)\(end)")
        }
    }

    /// Looks until nothing of it runs. Throws when the time is over.
    func waitUntilDrained(_ name: String, atMost: Int64?, _ session: ClientSession) throws {
        let start = wallMicroseconds()
        while true {
            let item = try session.get("/api/v1/\(self.rawValue)s/\(ClientSession.escape(name))")
            let service = item["service"]?.text
            if service == "drained" { return session.talk("\(name) is drained") }
            guard service == "draining" else {
                throw ClientFailure(
                    exit: .conflict, message: "\(name) is \(service ?? "unknown"): somebody ended the drain.")
            }
            if let atMost, wallMicroseconds() - start >= atMost * 1000 {
                let running = item["counts"]?["running"]?.integer ?? 0
                throw ClientFailure(exit: .timedOut, message: "\(name) is draining still; \(running) run.")
            }
            Interrupt.sleep(milliseconds: 200)
        }
    }
}

/// Why, and for how long.
struct PauseOptions: ParsableArguments {
    @Option(help: "Why, for everybody who looks.")
    var reason: String?

    @Option(help: ArgumentHelp("It resumes by itself at this time (RFC 3339).", valueName: "time"))
    var until: String?

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("It resumes by itself after this long: 30s, 10m, 2h.", valueName: "duration"))
    var duration: String?

    func validate() throws {
        if self.until != nil && self.duration != nil { throw ValidationError("Give --until or --for, not both.") }
        if let until, WallTime(rfc3339: until) == nil {
            throw ValidationError("\"\(until)\" is no time: write 2026-11-21T08:00:00Z.")
        }
        if let duration, (Format.parseDuration(duration) ?? 0) <= 0 {
            throw ValidationError("\"\(duration)\" is no duration: write 30s, 10m or 2h.")
        }
    }

    var body: JSONValue {
        var members: [JSONMember] = []
        if let reason { members.append(JSONMember("reason", .string(reason))) }
        if let until { members.append(JSONMember("until", .string(until))) }
        if let milliseconds = self.duration.flatMap(Format.parseDuration) {
            let end = WallTime(micros: wallMicroseconds()).advanced(by: .milliseconds(milliseconds))
            members.append(JSONMember("until", .string(end.rfc3339)))
        }
        return .object(members)
    }
}

/// Whether to wait for the end of a drain.
struct DrainOptions: ParsableArguments {
    @Flag(help: "Return only when nothing of it runs any more.")
    var wait = false

    @Option(help: ArgumentHelp("Wait at most this long.", valueName: "duration"))
    var timeout: String?

    func validate() throws {
        if let timeout, (Format.parseDuration(timeout) ?? 0) <= 0 {
            throw ValidationError("\"\(timeout)\" is no duration: write 30s, 10m or 2h.")
        }
    }

    func follow(_ target: PauseTarget, _ names: [String], _ session: ClientSession) throws {
        guard self.wait else { return }
        for name in names {
            try target.waitUntilDrained(name, atMost: self.timeout.flatMap(Format.parseDuration), session)
        }
    }
}

// MARK: - Jobs

/// `pawl jobs pause`.
struct PauseJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Start no new runs of jobs. What runs goes on, what comes waits.",
        discussion: """
            EXAMPLES
              pawl jobs pause mail.send --reason 'the mail server moves'
              pawl jobs pause mail.send --for 30m
            """)
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var pause: PauseOptions
    @Argument(help: "Jobs.") var jobs: [String]

    func execute(_ session: ClientSession) throws {
        try PauseTarget.job.send("pause", self.jobs, self.pause.body, session)
    }
}

/// `pawl jobs drain`.
struct DrainJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Pause jobs, and see when none of their runs execute any more.",
        discussion: """
            EXAMPLES
              pawl jobs drain csv.to_jsonl --wait --timeout 10m
              pawl jobs drain csv.to_jsonl --reason 'new format' --for 2h
            """)
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var pause: PauseOptions
    @OptionGroup var drain: DrainOptions
    @Argument(help: "Jobs.") var jobs: [String]

    func execute(_ session: ClientSession) throws {
        try PauseTarget.job.send("drain", self.jobs, self.pause.body, session)
        try self.drain.follow(.job, self.jobs, session)
    }
}

/// `pawl jobs resume`.
struct ResumeJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Start runs of paused or drained jobs again.",
        discussion: """
            EXAMPLES
              pawl jobs resume mail.send
              pawl jobs resume mail.send csv.to_jsonl
            """)
    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Jobs.") var jobs: [String]

    func execute(_ session: ClientSession) throws {
        try PauseTarget.job.send("resume", self.jobs, .object([]), session)
    }
}
