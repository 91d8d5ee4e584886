import ArgumentParser
import JobCore

/// `pawl cancel`: asks runs to end.
struct CancelCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Ask runs to end.",
        discussion: """
            A waiting run is cancelled at once. A running one is told, has its grace period to clean up, and is ended by \
            force after that.

            EXAMPLES
              pawl cancel @last
              pawl cancel csv.to_jsonl#1234 --reason "wrong input"
              pawl cancel run_0000000000001 run_0000000000002 --grace 30s
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @OptionGroup var stopping: StopOptions

    func execute(_ session: ClientSession) throws { try self.stopping.stop(self.runs, "cancel", session) }
}

/// `pawl terminate`: ends runs by force.
struct TerminateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate",
        abstract: "End runs by force, with all their processes.",
        discussion: """
            The handler is told and gets SIGTERM at once; after the grace period its whole process tree is killed. The run \
            counts as ended only when no process of it is left.

            EXAMPLES
              pawl terminate @last
              pawl terminate csv.to_jsonl#1234 --grace 0s
              pawl terminate csv.to_jsonl#1234 --reason "holds a lock" --grace 2s
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @OptionGroup var stopping: StopOptions

    func execute(_ session: ClientSession) throws { try self.stopping.stop(self.runs, "terminate", session) }
}

/// What `cancel` and `terminate` share.
struct StopOptions: ParsableArguments {
    @Option(help: "Why; kept with the run.")
    var reason: String?

    @Option(
        help: ArgumentHelp("How long the handler may take to end by itself: 0s, 500ms, 30s.", valueName: "duration"))
    var grace: WaitOptions.Limit?

    func stop(_ references: [String], _ verb: String, _ session: ClientSession) throws {
        let ids = try references.map(session.resolve)
        var worst: ClientFailure?
        for id in ids {
            let body = JSONValue.members([
                "reason": self.reason.map(JSONValue.string), "grace_ms": self.grace?.milliseconds.map(JSONValue.int),
            ])
            do {
                let answer = try session.send("POST", "/api/v1/runs/\(id)/\(verb)", body).json
                if session.wantsJSON {
                    session.printJSON(answer)
                } else {
                    session.terminal.out.writeLine("\(id)\t\(Self.words(answer, verb))")
                }
            } catch {
                // One that cannot be stopped must not keep the others running.
                session.terminal.report(error)
                worst = worst ?? error
            }
        }
        if let worst { throw worst.exit.code }
    }

    private static func words(_ answer: JSONValue, _ verb: String) -> String {
        let run = answer["run"] ?? answer
        let state = run["state"]?.text ?? ""
        if answer["changed"]?.bool == false { return "\(state) already" }
        return state == "running" ? "running, told to end" : state.isEmpty ? verb : state
    }
}
