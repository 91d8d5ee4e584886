import ArgumentParser
import JobCore

/// `pawl jobs`: what can be run.
struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List jobs, show one with the arguments it takes, change its settings, pause or define one.",
        discussion: """
            EXAMPLES
              pawl jobs
              pawl jobs csv.to_jsonl
              pawl jobs schema csv.to_jsonl
              pawl jobs settings csv.to_jsonl --set limits.wall=30s
              pawl jobs pause csv.to_jsonl --for 30m
              pawl jobs create nightly-export --handler csv.to_jsonl
              pawl jobs clear csv.to_jsonl --states finished --older 7d
            """,
        subcommands: [
            ListJobsCommand.self, JobSettingsCommand.self, JobSchemaCommand.self, CreateJobCommand.self,
            DeleteJobCommand.self, ClearJobCommand.self, PauseJobCommand.self, DrainJobCommand.self,
            ResumeJobCommand.self,
        ],
        defaultSubcommand: ListJobsCommand.self)
}

/// `pawl jobs [JOB]`.
struct ListJobsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List jobs, or show one with the arguments it takes. The default.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "One job.")
    var job: String?

    func execute(_ session: ClientSession) throws {
        if let job {
            let answer = try session.get("/api/v1/jobs/\(ClientSession.escape(job))")
            // A schema has no better form than its own.
            return session.terminal.out.writeLine(session.wantsJSON ? answer.json : answer.pretty)
        }
        let answer = try session.get("/api/v1/jobs")
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "JOB", importance: 10), .init(title: "QUEUE", importance: 3),
            .init(title: "ATTEMPTS", importance: 2, alignsRight: true), .init(title: "HANDLER", importance: 4),
            .init(title: "LIMIT", importance: 5), .init(title: "STATE", importance: 7),
            .init(title: "DESCRIPTION", importance: 6, shrinksTo: 16),
        ])
        let now = wallMicroseconds()
        for job in answer["items"]?.elements ?? [] {
            let name = job["name"]?.text ?? ""
            let handler = job["handler"]?.text ?? ""
            table.rows.append([
                .init(name), .init(job["queue"]?.text ?? ""),
                .init((job["attempts"] ?? job["max_attempts"])?.integer.map(String.init) ?? ""),
                .init(handler == name ? "" : handler), .init(QueuesCommand.limits(job)),
                .init(QueuesCommand.state(job, now), .yellow), .init(job["description"]?.text ?? ""),
            ])
        }
        if table.rows.isEmpty { return session.talk("No jobs: no plugin with a handler is loaded. See: pawl plugins") }
        table.print(to: session.terminal)
    }
}

/// `pawl jobs schema`.
struct JobSchemaCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of a job's arguments, or of its result.",
        discussion: """
            Runs whose arguments do not fit are refused when they are enqueued.

            EXAMPLES
              pawl jobs schema csv.to_jsonl
              pawl jobs schema csv.to_jsonl --result
              pawl jobs schema csv.to_jsonl > args.schema.json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The job.")
    var job: String

    @Flag(help: "Of the result.")
    var result = false

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/jobs/\(ClientSession.escape(self.job))/schema")
        if session.wantsJSON { return session.printJSON(answer) }
        let part = self.result ? "result" : "args"
        guard let schema = answer[part]?.present else {
            throw ClientFailure(exit: .notFound, message: "\(self.job) declares no schema of its \(part).")
        }
        session.printJSON(schema)
    }
}
