import ArgumentParser
import JobCore

/// `pawl run-now`: does not let runs wait for their time.
struct RunNowCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-now",
        abstract: "Make runs due that are scheduled, or wait for their next attempt.",
        discussion: """
            EXAMPLES
              pawl run-now csv.to_jsonl#1234
              pawl run-now @last
              pawl run-now run_0000000000001 run_0000000000002
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.") var runs: [String]

    func execute(_ session: ClientSession) throws {
        for id in try self.runs.map(session.resolve) {
            let answer = try session.send("POST", "/api/v1/runs/\(id)/run-now", .object([])).json
            if session.wantsJSON {
                session.printJSON(answer)
            } else {
                session.terminal.out.writeLine("\(id)\t\((answer["run"] ?? answer)["state"]?.text ?? "")")
            }
        }
    }
}

/// `pawl change`: changes a run that has not begun.
struct ChangeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Change a run that waits: its priority, queue, time or title.",
        discussion: """
            EXAMPLES
              pawl change csv.to_jsonl#1234 --priority 10
              pawl change @last --run-at 2027-01-01T08:00:00Z
              pawl change csv.to_jsonl#1234 --queue slow --title "Later"
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.") var run: String
    @Option(parsing: .unconditional, help: "Higher runs first.") var priority: Int?
    @Option(help: "The queue to wait in.") var queue: String?
    @Option(name: .customLong("run-at"), help: ArgumentHelp("Not before this time (RFC 3339).", valueName: "time"))
    var runAt: String?
    @Option(help: "A title for lists.") var title: String?

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        let body = JSONValue.members([
            "priority": self.priority.map(JSONValue.int), "queue": self.queue.map(JSONValue.string),
            "run_at": self.runAt.map(JSONValue.string), "title": self.title.map(JSONValue.string),
        ])
        let answer = try session.send("PATCH", "/api/v1/runs/\(id)", body).json
        if session.wantsJSON { return session.printJSON(answer) }
        let word = answer["changed"]?.bool == true ? "changed" : "as it was"
        session.terminal.out.writeLine("\(id)\t\(word)")
    }
}
