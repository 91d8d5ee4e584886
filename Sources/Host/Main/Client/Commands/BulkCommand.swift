import ArgumentParser
import JobCore

/// `pawl bulk`: the same for many runs.
struct BulkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Retry, cancel, delete, hurry or re-prioritise many runs at once.",
        discussion: """
            The runs are named, or found by a filter; of finished ones a filter looks back 7 days unless --since says \
            otherwise. Shows its plan first.

            EXAMPLES
              pawl bulk retry --state failed --job csv.to_jsonl --attempts 5
              pawl bulk cancel --queue mail --state queued --dry-run
              pawl bulk priority 10 --label customer=42
            """,
        subcommands: [Retry.self, Cancel.self, Delete.self, Priority.self, Now.self])

    struct Retry: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run finished runs again, each as a new run; failed ones unless --state says otherwise.")
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "What to change") var changes: RetryOptions
        @OptionGroup var choice: BulkOptions

        func validate() throws { try self.changes.check() }
        func execute(_ session: ClientSession) throws {
            try self.choice.perform("retry", self.changes.json(), "retried", session)
        }
    }

    struct Cancel: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Ask runs to end.")
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Why; kept with each run.") var reason: String?
        @OptionGroup var choice: BulkOptions

        func execute(_ session: ClientSession) throws {
            let params = JSONValue.members(["reason": self.reason.map(JSONValue.string)])
            try self.choice.perform("cancel", params, "cancelled, or told to end", session)
        }
    }

    struct Delete: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete finished runs with their attempts and logs. A whole queue: pawl queues clear.")
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var choice: BulkOptions

        func execute(_ session: ClientSession) throws {
            try self.choice.perform("delete", nil, "deleted", session)
        }
    }

    struct Priority: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give runs that wait another priority; higher runs first.")
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The new priority; a negative one behind --.") var priority: Int
        @OptionGroup var choice: BulkOptions

        func execute(_ session: ClientSession) throws {
            try self.choice.perform(
                "set_priority", .members(["priority": .int(self.priority)]), "changed", session)
        }
    }

    struct Now: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "Make runs due that wait for their time.")
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var choice: BulkOptions

        func execute(_ session: ClientSession) throws {
            try self.choice.perform("run_now", nil, "due now", session)
        }
    }
}

/// Which runs, and whether to ask.
struct BulkOptions: ParsableArguments {
    @Option(name: .customLong("run"), parsing: .upToNextOption, help: "These runs: ids, JOB#NUMBER, @last.")
    var runs: [String] = []
    @Option(help: "Runs in this state; may be given several times.") var state: [String] = []
    @Option(help: "Runs of this job; may be given several times.") var job: [String] = []
    @Option(name: .customLong("in-queue"), help: "Runs of this queue; may be given several times.")
    var inQueue: [String] = []
    @Option(name: .customLong("label"), help: ArgumentHelp("Runs with this label.", valueName: "name=value"))
    var labels: [String] = []
    @Option(help: ArgumentHelp("Made since then (RFC 3339).", valueName: "time")) var since: String?
    @Option(name: .customLong("max"), help: "No more than so many; 10000 at once.") var most: Int?
    @Flag(name: .customLong("dry-run"), help: "Show the plan and stop.") var dryRun = false
    @Flag(help: "Do not ask.") var yes = false

    private var filter: JSONValue? {
        func list(_ words: [String]) -> JSONValue? { words.isEmpty ? nil : .array(words.map { .string($0) }) }
        var labels: JSONValue?
        for label in self.labels {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            labels = (labels ?? .object([])).setting(
                String(parts[0]), to: .string(parts.count > 1 ? String(parts[1]) : ""))
        }
        return .members([
            "state": list(self.state), "job": list(self.job), "queue": list(self.inQueue), "labels": labels,
            "created_after": self.since.map(JSONValue.string),
        ])
    }

    func perform(_ action: String, _ params: JSONValue?, _ done: String, _ session: ClientSession) throws {
        let ids = try self.runs.map { JSONValue.string(try session.resolve($0)) }
        let isFiltered = !(self.state + self.job + self.inQueue + self.labels).isEmpty || self.since != nil
        if ids.isEmpty && !isFiltered {
            throw ClientFailure(
                exit: .usage, message: "Which runs?",
                details: ["name them with --run, or give --state, --job, --in-queue or --label"])
        }
        if !ids.isEmpty && isFiltered {
            throw ClientFailure(exit: .usage, message: "--run and a filter exclude each other.")
        }
        let order = JSONValue.members([
            "action": .string(action), "params": params, "ids": ids.isEmpty ? nil : .array(ids),
            "filter": ids.isEmpty ? self.filter : nil, "max": self.most.map(JSONValue.int), "dry_run": .boolean(true),
        ])
        let path = "/api/v1/bulk-operations"
        let plan = try session.send("POST", path, order).json
        let count = plan["count"]?.integer ?? 0
        if session.wantsJSON, self.dryRun || count == 0 { return session.printJSON(plan) }
        self.show(plan, count, session)
        if self.dryRun || count == 0 { return }
        if try !self.yes && !session.confirm("Go on with \(count == 1 ? "this run" : "these \(count) runs")?") {
            session.talk("Nothing was changed.")
            return
        }
        let answer = try PlannedWork.carryOut(path, plan["plan"]?.text, .object([]), session)
        if session.wantsJSON { session.printJSON(answer) } else { self.report(answer, done, session) }
        if (answer["failed"]?.integer ?? 0) > 0 { throw ClientExit.partly.code }
    }

    private func show(_ plan: JSONValue, _ count: Int64, _ session: ClientSession) {
        if count == 0 { return session.talk("No run matches.") }
        let least = plan["count_is"]?.text == "lower_bound" ? "the newest " : ""
        session.talk("\(least)\(count) \(count == 1 ? "run" : "runs"):")
        let sample = plan["sample"]?.elements ?? []
        for run in sample.map(RunRecord.init) { session.talk("  \(run.name)  \(run.state)  \(run.id)") }
        if count > sample.count { session.talk("  and \(count - Int64(sample.count)) more") }
    }

    private func report(_ answer: JSONValue, _ done: String, _ session: ClientSession) {
        func number(_ name: String) -> Int64 { answer[name]?.integer ?? 0 }
        session.terminal.out.writeLine("\(number("count")) \(done)")
        if number("untouched") > 0 { session.talk("\(number("untouched")) had moved on and were not touched") }
        for error in answer["errors"]?.elements ?? [] {
            session.talk("  \(error["id"]?.text ?? ""): \(error["detail"]?.text ?? error["code"]?.text ?? "")")
        }
    }
}
