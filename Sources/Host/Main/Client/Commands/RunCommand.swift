import ArgumentParser
import JobCore

/// `pawl run`: enqueues one run of a job, and waits for its end if asked to.
struct RunCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a job.",
        discussion: """
            Prints the run's id. With --wait it follows the run instead, prints its result as JSON, and exits with its \
            outcome: 0 succeeded, 1 failed, 3 cancelled or terminated, 124 not finished in time.

            EXAMPLES
              pawl run csv.to_jsonl --arg input=/data/in.csv --arg output=/data/out --wait
              pawl run text.stats --args @arguments.json --priority 10 --label customer=42
              pawl run mail.send --arg retries:=3 --run-at 2027-01-01T08:00:00Z
              pawl run index.rebuild --unique-key customer-42 --unique-policy replace
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The job to run; `pawl jobs` lists them.")
    var job: String?

    @Option(
        name: .customLong("arg"),
        help: ArgumentHelp(
            "One argument: name=text, or name:=json for numbers, true, lists and the like.", valueName: "name=value"))
    var members: [String] = []

    @Option(
        name: .customLong("args"),
        help: ArgumentHelp(
            "All arguments: JSON, @FILE, or - for standard input. --arg is set on top.", valueName: "json"))
    var arguments: String?

    @OptionGroup(title: "How to run it") var settings: RunSettings

    @Option(
        name: .customLong("idempotency-key"),
        help: ArgumentHelp("Repeating the command with the same key makes no second run.", valueName: "key"))
    var idempotencyKey: String?

    @OptionGroup(title: "One run at a time") var unique: UniqueOptions

    @OptionGroup var waiting: WaitOptions

    func execute(_ session: ClientSession) throws {
        var body = JSONValue.members(["job": .string(try self.waiting.argument(self.job, named: "job"))])
        if let arguments = try ArgumentsBuilder.build(whole: self.arguments, members: self.members) {
            body = body.setting("args", to: arguments)
        }
        for (name, value) in try self.settings.fields() { body = body.setting(name, to: value) }
        if let unique = self.unique.value { body = body.setting("unique", to: unique) }

        var headers: [(name: String, value: String)] = []
        if let key = self.idempotencyKey {
            headers.append(("Idempotency-Key", JSONValue.string(key).json))
        }
        let answer = try ArgumentsBuilder.sending(self.members) { () throws(ClientFailure) in
            try session.send("POST", "/api/v1/runs", body, headers: headers)
        }
        let run = RunRecord(json: answer.json)
        session.talk(
            "\(session.terminal.isUnicode ? "→" : "->") \(run.name) \(run.state)"
                + (run.queue.isEmpty ? "" : " on \(run.queue)")
                + Self.manner(answer.json, isNew: answer.status == 201))
        if answer.json["args_unchecked"]?.bool == true { session.talk("  " + ArgumentsBuilder.unchecked) }
        if let timeout = self.waiting.timeout {
            session.talk("  \(run.id)")
            try session.waitAndReport(run.id, timeout: timeout.milliseconds, quiet: self.waiting.quiet)
        } else if session.wantsJSON {
            session.printJSON(run.json)
        } else {
            session.terminal.out.writeLine(run.id)
        }
    }

    private static func manner(_ answer: JSONValue, isNew: Bool) -> String {
        switch answer["enqueued"]?.text {
        case "existing": " (it holds the unique key)"
        case "replaced": " (it waited under the unique key, and is this request now)"
        case "known": " (made before, by the same key)"
        case nil where !isNew: " (made before, by the same key)"
        default: ""
        }
    }

    func validate() throws {
        try self.settings.check()
        try self.unique.check()
        _ = try self.waiting.argument(self.job, named: "job")
    }
}

/// What a run is given when it is made by hand.
struct RunSettings: ParsableArguments {
    @OptionGroup var terms: RunTerms

    @Option(name: .customLong("run-at"), help: ArgumentHelp("Not before this time (RFC 3339).", valueName: "time"))
    var runAt: String?

    @Option(help: ArgumentHelp("Not before this long from now: 500ms, 30s, 10m, 6h, 2d.", valueName: "duration"))
    var delay: String?

    func check() throws {
        if self.runAt != nil, self.delay != nil { throw ValidationError("--run-at and --delay exclude each other.") }
        try RunBasics.checkDuration(self.delay, of: "--delay")
        try self.terms.check()
    }

    /// The members of a request's body that stand for what was given.
    func fields() throws(ClientFailure) -> [(String, JSONValue)] {
        var fields = self.terms.fields
        if let runAt { fields.append(("run_at", .string(runAt))) }
        if let delay = self.delay.flatMap(Format.parseDuration) { fields.append(("delay_ms", .int(delay))) }
        return fields
    }
}

/// How a run waits and is tried: when it is made, and anew with each retry.
struct RunBasics: ParsableArguments {
    @Option(help: "The queue to wait in.")
    var queue: String?

    @Option(parsing: .unconditional, help: "Higher runs first; a new run has 0.")
    var priority: Int?

    @Option(help: "How often to try at most.")
    var attempts: Int?

    @Option(help: BackoffText.help)
    var backoff: BackoffText?

    @Option(help: ArgumentHelp("How long one attempt may take: 30s, 10m.", valueName: "duration"))
    var timeout: String?

    @Option(
        name: .customLong("queue-time"),
        help: ArgumentHelp("It fails if it has not begun this long after it is due: 30s, 6h.", valueName: "duration"))
    var queueTime: String?

    @Option(help: "A title for lists.")
    var title: String?

    func check() throws {
        try Self.checkDuration(self.timeout, of: "--timeout")
        try Self.checkDuration(self.queueTime, of: "--queue-time")
    }

    static func checkDuration(_ value: String?, of option: String) throws {
        if let value, Format.parseDuration(value) == nil {
            throw ValidationError("\"\(value)\" is no duration for \(option): write 500ms, 30s, 10m, 6h or 2d.")
        }
    }

    /// The members of a request's body that stand for what was given.
    var fields: [(String, JSONValue)] {
        let all: [(String, JSONValue?)] = [
            ("queue", self.queue.map(JSONValue.string)), ("priority", self.priority.map(JSONValue.int)),
            ("attempts", self.attempts.map(JSONValue.int)), ("backoff", self.backoff?.json),
            ("timeout_ms", self.timeout.flatMap(Format.parseDuration).map(JSONValue.int)),
            ("queue_ms", self.queueTime.flatMap(Format.parseDuration).map(JSONValue.int)),
            ("title", self.title.map(JSONValue.string)),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}

/// What one run is given on its way; schedules give it to each of theirs.
struct RunTerms: ParsableArguments {
    @OptionGroup var basics: RunBasics

    @Option(name: .customLong("label"), help: ArgumentHelp("A label to find the run by.", valueName: "name=value"))
    var labels: [String] = []

    func check() throws {
        try self.basics.check()
        for label in self.labels where !label.contains("=") || label.hasPrefix("=") {
            throw ValidationError("\"\(label)\" is no label: write name=value.")
        }
    }

    var fields: [(String, JSONValue)] {
        var fields = self.basics.fields
        if !self.labels.isEmpty {
            var object = JSONValue.object([])
            for label in self.labels {
                let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                object = object.setting(String(parts[0]), to: .string(String(parts[1])))
            }
            fields.append(("labels", object))
        }
        return fields
    }
}

/// Whether to wait for the end, and how long.
struct WaitOptions: ParsableArguments {
    /// What `--wait` was given.
    enum Wish: ExpressibleByArgument, CustomStringConvertible {
        case untilTheEnd
        case atMost(milliseconds: Int64)
        /// Something that is no duration.
        case word(String)

        init(argument: String) {
            self = Format.parseDuration(argument).map { .atMost(milliseconds: $0) } ?? .word(argument)
        }

        var description: String { "until the end" }
    }

    /// How long to wait for a run.
    struct Limit: ExpressibleByArgument {
        /// Nil for as long as it takes.
        let milliseconds: Int64?
        init(milliseconds: Int64?) { self.milliseconds = milliseconds }
        init?(argument: String) {
            guard let milliseconds = Format.parseDuration(argument) else { return nil }
            self.milliseconds = milliseconds
        }
    }

    @Option(
        name: .customLong("wait"), defaultAsFlag: Wish.untilTheEnd, parsing: .next,
        help: ArgumentHelp(
            "Follow the run to its end; with a value no longer than that: --wait=30s.", valueName: "duration"))
    var wish: Wish?

    @Flag(help: "No progress while waiting.")
    var quiet = false

    /// Nil when nobody wants to wait.
    var timeout: Limit? {
        switch self.wish {
        case nil: nil
        case .atMost(let milliseconds): Limit(milliseconds: milliseconds)
        case .untilTheEnd, .word: Limit(milliseconds: nil)
        }
    }

    /// `--wait` takes a value or none, so the parser hands it the word that follows: in `pawl run --wait JOB` that is the
    /// job. Gives such a word back to the argument that is missing.
    /// - Returns: the argument; throws when it is still missing, or the word is neither.
    func argument(_ given: String?, named name: String) throws -> String {
        if case .word(let word) = self.wish {
            if given == nil { return word }
            throw ValidationError("\"\(word)\" is no duration for --wait: write --wait=30s or --wait=10m.")
        }
        guard let given else { throw ValidationError("Missing expected argument '<\(name)>'") }
        return given
    }
}
