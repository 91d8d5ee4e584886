import ArgumentParser
import JobCore

/// `pawl watch`: follows a run that was started before.
struct WatchCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a run to its end.",
        discussion: """
            As `pawl run --wait` does for a new run: a progress bar, then the result or the error; the exit code is the \
            outcome. Ctrl-C lets go of the run, which goes on.

            EXAMPLES
              pawl watch @last
              pawl watch csv.to_jsonl#1234
              pawl watch csv.to_jsonl#1234 --timeout 10m
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.")
    var run: String

    @Option(help: ArgumentHelp("No longer than this: 30s, 10m. Exit code 124 then.", valueName: "duration"))
    var timeout: WaitOptions.Limit?

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.run)
        try session.waitAndReport(id, timeout: self.timeout?.milliseconds)
    }
}

/// `pawl wait`: waits for several runs without a word.
struct WaitCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait for runs to end.",
        discussion: """
            Prints one line for each run when all have ended. The exit code is 0 when all succeeded, otherwise that of the \
            first that did not.

            EXAMPLES
              pawl wait @last
              pawl wait $(pawl run a.job) $(pawl run b.job)
              pawl wait csv.to_jsonl#1234 --timeout 10m
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The runs: ids, JOB#NUMBER, @last or @last-failed.")
    var runs: [String]

    @Option(help: ArgumentHelp("No longer than this altogether: 30s, 10m. Exit code 124 then.", valueName: "duration"))
    var timeout: WaitOptions.Limit?

    func execute(_ session: ClientSession) throws {
        let start = monotonicNanoseconds()
        var ended: [RunRecord] = []
        for id in try self.runs.map(session.resolve) {
            let left = self.timeout?.milliseconds.map {
                max(0, $0 - Int64((monotonicNanoseconds() - start) / 1_000_000))
            }
            switch try RunFollower(session: session, id: id, timeout: left, quiet: true).follow() {
            case .finished(let run): ended.append(run)
            case .timedOut: throw ClientExit.timedOut.code
            case .interrupted: throw ClientExit.interrupted.code
            }
        }
        if session.wantsJSON {
            session.printJSON(.array(ended.map(\.json)))
        } else {
            for run in ended { session.terminal.out.writeLine("\(run.id)\t\(run.state)\t\(run.outcome ?? "")") }
        }
        if let bad = ended.lazy.compactMap({ ClientExit(runState: $0.state) }).first(where: { $0 != .done }) {
            throw bad.code
        }
    }
}
