import ArgumentParser
import JobCore

/// `pawl runs`: lists runs, newest first.
struct RunsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "List runs, newest first.",
        discussion: """
            On a terminal the table fits the window; in a pipe it is tab-separated and whole.

            EXAMPLES
              pawl runs --state failed --state retrying
              pawl runs --job csv.to_jsonl --limit 10
              pawl runs --label customer=42 --json | jq '.items[].id'
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Only runs in this state; may be given several times.")
    var state: [String] = []

    @Option(help: "Only runs of this job; may be given several times.")
    var job: [String] = []

    @Option(help: "Only runs of this queue; may be given several times.")
    var queue: [String] = []

    @Option(name: .customLong("label"), help: ArgumentHelp("Only runs with this label.", valueName: "name=value"))
    var labels: [String] = []

    @Option(help: "How many at most, 1 to 200.")
    var limit = 50

    @Option(help: "Where an earlier list ended.")
    var cursor: String?

    func validate() throws {
        if !(1...200).contains(self.limit) { throw ValidationError("--limit is 1 to 200.") }
        for label in self.labels where !label.contains("=") {
            throw ValidationError("\"\(label)\" is no label: write name=value.")
        }
    }

    func execute(_ session: ClientSession) throws {
        var query: [(String, String?)] = [("limit", String(self.limit)), ("cursor", self.cursor)]
        query += self.state.map { ("state", $0) } + self.job.map { ("job", $0) } + self.queue.map { ("queue", $0) }
        for label in self.labels {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.append(("label." + parts[0], String(parts[1])))
        }
        let answer = try session.get("/api/v1/runs", query)
        if session.wantsJSON { return session.printJSON(answer) }
        let runs = (answer["items"]?.elements ?? []).map(RunRecord.init)
        if runs.isEmpty {
            session.talk(query.count > 2 ? "No run matches." : "No runs yet. Start one: pawl run JOB")
            return
        }
        RunTable(runs: runs, terminal: session.terminal).print()
        if let next = answer["next_cursor"]?.text { session.talk("There are more: --cursor \(next)") }
    }
}

/// Runs as a table.
struct RunTable {
    let runs: [RunRecord]
    let terminal: Terminal

    func print() {
        var table = Table([
            .init(title: "RUN", importance: 9, shrinksTo: 12), .init(title: "STATE", importance: 10),
            .init(title: "TITLE", importance: 4, shrinksTo: 8), .init(title: "PROGRESS", importance: 6, shrinksTo: 10),
            .init(title: "ATT", importance: 3), .init(title: "CREATED", importance: 7),
            .init(title: "TIME", importance: 8, alignsRight: true), .init(title: "QUEUE", importance: 2),
            .init(title: "ERROR", importance: 5, shrinksTo: 12), .init(title: "ID", importance: 1),
        ])
        let now = wallMicroseconds()
        for run in self.runs {
            let sign = StateSign(state: run.state)
            let attempt = run.maxAttempts.map { run.attempt == 0 ? "" : "\(run.attempt)/\($0)" } ?? "\(run.attempt)"
            let time = Format.elapsed(run.startedAt, run.finishedAt, now: now)
            // When it will run says more than when it was made.
            let waits = run.state == "scheduled" || run.state == "retrying"
            table.rows.append([
                .init(run.name), .init(sign.text(unicode: self.terminal.isUnicode), sign.ink), .init(run.title ?? ""),
                .init(run.isFinished ? "" : self.progress(run)), .init(attempt),
                .init(Format.relative(waits ? run.runAt ?? run.createdAt : run.createdAt, now: now), .dim),
                .init(run.startedAt == nil ? "" : time.map { Format.span(milliseconds: $0) } ?? ""), .init(run.queue),
                .init(run.state == "succeeded" ? "" : run.errorLine ?? "", .red), .init(run.id, .dim),
            ])
        }
        table.print(to: self.terminal)
    }

    private func progress(_ run: RunRecord) -> String {
        guard let progress = run.progress else { return "" }
        if let percent = progress.percent { return "\(Int(percent))% \(progress.stage ?? "")" }
        return progress.line ?? ""
    }
}
