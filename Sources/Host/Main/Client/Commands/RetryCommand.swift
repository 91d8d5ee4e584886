import ArgumentParser
import JobCore

/// `pawl retry`: runs again what has ended.
struct RetryCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Run a finished run again, as a new run.",
        discussion: """
            The new run has the arguments and settings of the old one; --set changes single arguments, --args all of \
            them. The old run stays in history unless --remove-original takes it away. Prints the new run's id. For many \
            runs at once: pawl bulk retry.

            EXAMPLES
              pawl retry @last-failed
              pawl retry csv.to_jsonl#1234 --set input=/data/fixed.csv --wait
              pawl retry csv.to_jsonl#1234 --backoff fixed:5s --remove-original
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String?

    @OptionGroup(title: "What to change") var changes: RetryOptions

    @Option(
        name: .customLong("idempotency-key"),
        help: ArgumentHelp("Repeating the command with the same key makes no second run.", valueName: "key"))
    var idempotencyKey: String?

    @OptionGroup var waiting: WaitOptions

    func validate() throws {
        try self.changes.check()
        _ = try self.waiting.argument(self.run, named: "run")
    }

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.waiting.argument(self.run, named: "run"))
        let headers = self.idempotencyKey.map { [(name: "Idempotency-Key", value: JSONValue.string($0).json)] } ?? []
        let answer = try session.send(
            "POST", "/api/v1/runs/\(id)/retry", try self.changes.json(), headers: headers
        ).json
        guard let new = answer["new_run_id"]?.text ?? answer["run"]?["id"]?.text ?? answer["id"]?.text else {
            throw ClientFailure(exit: .bug, message: "The server did not say which run is the new one.")
        }
        session.talk("\(session.terminal.isUnicode ? "→" : "->") a new run, retry of \(id)")
        if let timeout = self.waiting.timeout {
            session.talk("  \(new)")
            try session.waitAndReport(new, timeout: timeout.milliseconds, quiet: self.waiting.quiet)
        } else if session.wantsJSON {
            session.printJSON(answer)
        } else {
            session.terminal.out.writeLine(new)
        }
    }
}

/// What a retry may do differently: of one run and of many.
struct RetryOptions: ParsableArguments {
    @Option(
        name: [.customLong("set"), .customLong("set-arg")],
        help: ArgumentHelp("Change one argument: name=text, or name:=json.", valueName: "name=value"))
    var changes: [String] = []

    @Option(
        name: .customLong("args"),
        help: ArgumentHelp("Other arguments: JSON, @FILE, or - for standard input.", valueName: "json"))
    var arguments: String?

    @OptionGroup var basics: RunBasics

    @Option(name: .customLong("run-at"), help: ArgumentHelp("Not before this time (RFC 3339).", valueName: "time"))
    var runAt: String?

    @Option(help: ArgumentHelp("Not before this long from now: 500ms, 30s, 10m, 6h, 2d.", valueName: "duration"))
    var delay: String?

    @Flag(name: .customLong("remove-original"), help: "Delete the old run, with its log and attempts.")
    var removesOriginal = false

    func check() throws {
        if self.runAt != nil, self.delay != nil { throw ValidationError("--run-at and --delay exclude each other.") }
        if self.arguments != nil, !self.changes.isEmpty {
            throw ValidationError("--args and --set exclude each other.")
        }
        try self.basics.check()
        try RunBasics.checkDuration(self.delay, of: "--delay")
    }

    /// The members of the request's body.
    func json() throws(ClientFailure) -> JSONValue {
        var overrides: JSONValue?
        for change in self.changes {
            let (name, value) = try ArgumentsBuilder.member(change)
            overrides = (overrides ?? .object([])).setting(name, to: value)
        }
        let own = JSONValue.members([
            "args": try self.arguments.map { (text) throws(ClientFailure) in try ArgumentsBuilder.document(text) },
            "data_overrides": overrides, "run_at": self.runAt.map(JSONValue.string),
            "delay_ms": self.delay.flatMap(Format.parseDuration).map(JSONValue.int),
            "remove_original": self.removesOriginal ? .boolean(true) : nil,
        ])
        return self.basics.fields.reduce(own) { $0.setting($1.0, to: $1.1) }
    }
}
