import ArgumentParser
import JobCore

/// `pawl show`: everything about one run.
struct ShowCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one run: state, attempts, error, crash, resources, progress.",
        discussion: """
            A run is named by its id, by JOB#NUMBER, or by @last and @last-failed.

            EXAMPLES
              pawl show csv.to_jsonl#1234
              pawl show @last-failed
              pawl show run_0000000000001 --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        let run = try session.run(id, include: "args,result")
        let attempts = try session.get("/api/v1/runs/\(id)/attempts")["items"] ?? .array([])
        if session.wantsJSON {
            // The run as the API has it, with its attempts beside it.
            return session.printJSON(run.json.setting("attempts", to: attempts))
        }
        RunReport(run: run, attempts: attempts.elements ?? [], terminal: session.terminal).print()
    }
}
