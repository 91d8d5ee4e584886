import ArgumentParser
import JobCore

/// `pawl jobs settings`: how a job's attempts are limited and executed.
struct JobSettingsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show a job's limits and way of execution, with who said so; or change them.",
        discussion: """
            Without a change it prints every setting, its value, and where that comes from: the job (you), its handler (the \
            plugin), or the product's default. Changes hold for attempts that start from then on.

            --set takes these names, with durations (500ms, 30s, 10m, 2h), sizes (64M, 2GiB) or numbers; the value "default" \
            takes your word back:
              limits.wall cpu memory output file open_files processes cancel_grace term_grace queue start no_progress
              execution.mode sandbox network output_policy log_policy log_retention_days niceness quarantine pool_runs
              pool_age pool_growth pool_ahead read_paths write_paths
              attempts backoff priority queue retention_days failed_retention_days
              concurrency host_concurrency

            EXAMPLES
              pawl jobs settings csv.to_jsonl
              pawl jobs settings csv.to_jsonl --set limits.wall=30s --set limits.memory=512M
              pawl jobs settings csv.to_jsonl --mode pool --sandbox strict --network off
              pawl jobs settings csv.to_jsonl --set limits.wall=default
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The job.")
    var job: String

    @Option(name: .customLong("set"), help: ArgumentHelp("Change one setting.", valueName: "name=value"))
    var changes: [String] = []

    @Option(help: "fork, spare, pool or spawn.")
    var mode: String?

    @Option(help: "basic or strict.")
    var sandbox: String?

    @Option(help: ArgumentHelp("Whether strict allows the network.", valueName: "on|off"))
    var network: String?

    @Option(name: .customLong("output-policy"), help: "drop or kill: what happens to an attempt that writes too much.")
    var outputPolicy: String?

    @Option(parsing: .unconditional, help: "Added to the host's own for children; -20 to 19.")
    var niceness: String?

    @Option(help: ArgumentHelp("Whether versions that keep crashing are held back.", valueName: "on|off"))
    var quarantine: String?

    @Option(name: .customLong("read-path"), help: "A path that strict allows to read; may be repeated.")
    var readPaths: [String] = []

    @Option(name: .customLong("write-path"), help: "A path that strict allows to write; may be repeated.")
    var writePaths: [String] = []

    @Option(help: "How often a run is tried at most.")
    var attempts: String?

    @Option(
        name: .customLong("queue-time"),
        help: ArgumentHelp(
            "A run fails if it has not begun this long after it is due; or default.", valueName: "duration"))
    var queueTime: String?

    func execute(_ session: ClientSession) throws {
        let path = "/api/v1/jobs/\(ClientSession.escape(self.job))"
        let patch = try self.patch()
        let seen = try session.getTagged(path)
        guard patch != .object([]) else { return self.show(seen.json, session) }
        let answer = try session.send(
            "PATCH", path + "/settings", patch, headers: seen.tag.map { [("If-Match", $0)] } ?? []
        ).json
        self.show(answer, session)
    }

    /// Everything that is to be changed, as the API takes it.
    private func patch() throws(ClientFailure) -> JSONValue {
        var patch = SettingsPatch()
        for change in self.changes { try patch.set(change) }
        for (name, value) in [
            ("execution.mode", self.mode), ("execution.sandbox", self.sandbox), ("execution.network", self.network),
            ("execution.output_policy", self.outputPolicy), ("execution.niceness", self.niceness),
            ("execution.quarantine", self.quarantine), ("attempts", self.attempts), ("limits.queue", self.queueTime),
        ] {
            if let value { try patch.set("\(name)=\(value)") }
        }
        if !self.readPaths.isEmpty {
            try patch.set("execution.read_paths=\(self.readPaths.joined(separator: ","))")
        }
        if !self.writePaths.isEmpty {
            try patch.set("execution.write_paths=\(self.writePaths.joined(separator: ","))")
        }
        return patch.json
    }

    private func show(_ job: JSONValue, _ session: ClientSession) {
        if session.wantsJSON { return session.printJSON(job) }
        var table = Table([
            .init(title: "SETTING", importance: 10), .init(title: "VALUE", importance: 9),
            .init(title: "FROM", importance: 5),
        ])
        for group in ["limits", "execution"] {
            for member in job[group]?.object ?? [] {
                let source = job["sources"]?[group]?[member.key]?.text ?? ""
                table.rows.append([
                    .init(SettingsPatch.shown(group, member.key)), .init(SettingsPatch.words(member)),
                    .init(source, source == "job" ? .yellow : .dim),
                ])
            }
        }
        let names = [
            "attempts", "priority", "queue", "retention_days", "failed_retention_days", "concurrency",
            "host_concurrency",
        ]
        for name in names {
            guard let value = job[name]?.present else { continue }
            let source = job["sources"]?[name]?.text ?? "job"
            table.rows.append([.init(name), .init(value.text ?? value.json), .init(source, .dim)])
        }
        table.print(to: session.terminal)
    }
}
