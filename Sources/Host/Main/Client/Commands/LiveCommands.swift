import ArgumentParser
import JobCore

/// `pawl freeze`: stops runs without ending them.
struct FreezeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze",
        abstract: "Stop running runs without ending them.",
        discussion: """
            All processes of the run stand still, and so do its clocks: no deadline passes meanwhile. Memory and files stay as \
            they are. `pawl thaw` lets it go on.

            EXAMPLES
              pawl freeze @last
              pawl freeze run_0000000000001 run_0000000000002
              pawl freeze csv.to_jsonl#1234 --reason "the source is being repaired"
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @Option(help: "Why; kept in the audit.")
    var reason: String?

    func execute(_ session: ClientSession) throws {
        try LiveOrder("freeze", .members(["reason": self.reason.map(JSONValue.string)])) { answer in
            answer["changed"]?.bool == false ? "frozen already" : "frozen"
        }.send(to: self.runs, session)
    }
}

/// `pawl thaw`: lets frozen runs go on.
struct ThawCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "thaw",
        abstract: "Let frozen runs go on.",
        discussion: """
            EXAMPLES
              pawl thaw @last
              pawl thaw run_0000000000001 run_0000000000002
              pawl thaw csv.to_jsonl#1234
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    func execute(_ session: ClientSession) throws {
        try LiveOrder("thaw", .object([])) { answer in
            answer["changed"]?.bool == false ? "was not frozen" : "goes on"
        }.send(to: self.runs, session)
    }
}

/// `pawl extend`: gives running runs more time.
struct ExtendCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "extend",
        abstract: "Give running runs more time.",
        discussion: """
            Moves the end of the wall time of the attempt that runs now. Handlers that ask for their deadline see the new one.

            EXAMPLES
              pawl extend @last --by 30m
              pawl extend run_0000000000001 run_0000000000002 --by 2h
              pawl extend csv.to_jsonl#1234 --until 2026-11-21T18:00:00Z
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @Option(help: ArgumentHelp("By how much: 90s, 30m, 2h.", valueName: "duration"))
    var by: WaitOptions.Limit?

    @Option(help: ArgumentHelp("Until when (RFC 3339).", valueName: "time"))
    var until: String?

    func validate() throws {
        if (self.by == nil) == (self.until == nil) { throw ValidationError("Say either --by or --until.") }
    }

    func execute(_ session: ClientSession) throws {
        let body = JSONValue.members([
            "by_ms": self.by?.milliseconds.map(JSONValue.int), "until": self.until.map(JSONValue.string),
        ])
        try LiveOrder("extend", body) { answer in
            "may run until \(answer["deadline_at"]?.text ?? "?")"
        }.send(to: self.runs, session)
    }
}

/// `pawl renice`: changes the niceness of running runs.
struct ReniceCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "renice",
        abstract: "Change the niceness of running runs.",
        discussion: """
            Of all processes of the run. 19 gives way to everything, -20 to nothing; going down takes privileges.

            EXAMPLES
              pawl renice @last --niceness 15
              pawl renice run_0000000000001 --niceness -5
              pawl renice csv.to_jsonl#1234 -n 0
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @Option(name: [.customShort("n"), .long], parsing: .unconditional, help: "From -20 to 19.")
    var niceness: Int

    func execute(_ session: ClientSession) throws {
        try LiveOrder("niceness", .members(["niceness": .int(Int64(self.niceness))])) { answer in
            "niceness \(answer["niceness"]?.integer ?? 0)" + (answer["changed"]?.bool == false ? " already" : "")
        }.send(to: self.runs, session)
    }
}

/// `pawl diagnose`: what a run is doing now.
struct DiagnoseCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose",
        abstract: "Show what each thread of a running run is doing now.",
        discussion: """
            Stacks with function, file and line, state and wait channel, open files, processor time, children. The run is \
            stopped for an instant for this and goes on; nothing is changed.

            EXAMPLES
              pawl diagnose @last
              pawl diagnose run_0000000000001
              pawl diagnose csv.to_jsonl#1234 --json | jq .diagnosis
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        let answer = try session.send("POST", "/api/v1/runs/\(id)/diagnostics", .object([])).json
        if session.wantsJSON { return session.printJSON(answer) }
        let lines = DiagnosisReport(answer["diagnosis"] ?? .null).lines
        for line in lines { session.terminal.out.writeLine(Table.printable(line)) }
        if lines.isEmpty { session.talk("Nothing was found: it may have ended just now.") }
    }
}

/// One request for each of several runs. One that is refused must not keep the others from it.
private struct LiveOrder {
    let verb: String
    let body: JSONValue
    let words: (JSONValue) -> String

    init(_ verb: String, _ body: JSONValue, words: @escaping (JSONValue) -> String) {
        self.verb = verb
        self.body = body
        self.words = words
    }

    func send(to references: [String], _ session: ClientSession) throws {
        let ids = try references.map(session.resolve)
        var first: ClientFailure?
        for id in ids {
            do {
                let answer = try session.send("POST", "/api/v1/runs/\(id)/\(self.verb)", self.body).json
                if session.wantsJSON {
                    session.printJSON(answer)
                } else {
                    session.terminal.out.writeLine("\(id)\t\(self.words(answer))")
                }
            } catch {
                session.terminal.report(error)
                first = first ?? error
            }
        }
        if let first { throw first.exit.code }
    }
}
