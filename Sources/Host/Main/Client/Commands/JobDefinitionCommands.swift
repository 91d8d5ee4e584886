import ArgumentParser
import JobCore

/// `pawl jobs create`: a job of another name over a handler.
struct CreateJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Define a job: a name of its own over a handler, with settings of its own.",
        discussion: """
            It takes the arguments that its handler takes, whatever version of its plugin serves. Several jobs may share a \
            handler. --set takes what `pawl jobs settings` takes.

            EXAMPLES
              pawl jobs create data-conversion --handler data.convert
              pawl jobs create nightly-export --handler csv.to_jsonl --description 'For the archive' \\
                --set limits.wall=10m --set queue=slow
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "Its name: a-z, 0-9, dot, dash and underscore.")
    var name: String

    @Option(help: "The handler that runs it. See: pawl plugins")
    var handler: String

    @Option(help: "What it is for; else the handler's words.")
    var description: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Set something from the start.", valueName: "name=value"))
    var changes: [String] = []

    @Flag(name: .customLong("if-missing"), help: "Do nothing if there is such a job over this handler already.")
    var ifMissing = false

    func execute(_ session: ClientSession) throws {
        var members = [JSONMember("name", .string(self.name)), JSONMember("handler", .string(self.handler))]
        if let description { members.append(JSONMember("description", .string(description))) }
        var patch = SettingsPatch()
        for change in self.changes { try patch.set(change) }
        if patch.json != .object([]) { members.append(JSONMember("settings", patch.json)) }
        let job: JSONValue
        do throws(ClientFailure) {
            job = try session.send("POST", "/api/v1/jobs", .object(members)).json
        } catch {
            guard self.ifMissing, error.code == "job_exists" else { throw error }
            return try self.accept(error, session)
        }
        if session.wantsJSON { return session.printJSON(job) }
        session.talk("created \(self.name)")
    }

    /// What is there already will do, unless it is another job under this name.
    private func accept(_ refusal: ClientFailure, _ session: ClientSession) throws(ClientFailure) {
        let present = try session.get("/api/v1/jobs/\(ClientSession.escape(self.name))")
        guard present["handler"]?.text == self.handler else { throw refusal }
        if session.wantsJSON { return session.printJSON(present) }
        session.talk("\(self.name) is there already")
    }
}

/// `pawl jobs delete`.
struct DeleteJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Remove jobs that were defined. Their finished runs are kept.",
        discussion: """
            Refused while runs are under way, and while runs wait or schedules name the job, unless --cascade is given.

            EXAMPLES
              pawl jobs delete nightly-export
              pawl jobs delete nightly-export --cascade --dry-run
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "Jobs.")
    var jobs: [String]

    @Flag(help: "Cancel runs that wait, and remove schedules.")
    var cascade = false

    @Flag(name: .customLong("dry-run"), help: "Only say what would go.")
    var dryRun = false

    func execute(_ session: ClientSession) throws {
        for job in self.jobs {
            let path = "/api/v1/jobs/\(ClientSession.escape(job))"
            // What was seen is what is deleted: a change in between is refused.
            let tag = try session.getTagged(path).tag
            let query = ClientSession.query([
                ("cascade", self.cascade ? "true" : nil), ("dry_run", self.dryRun ? "true" : nil),
            ])
            let answer = try session.send(
                "DELETE", path + query, headers: tag.map { [(name: "If-Match", value: $0)] } ?? []
            ).json
            if session.wantsJSON {
                session.printJSON(answer)
                continue
            }
            let runs = answer["ended_runs"]?.integer ?? 0
            let schedules = answer["removed_schedules"]?.integer ?? 0
            let rest = runs + schedules == 0 ? "" : ", with waiting runs: \(runs), schedules: \(schedules)"
            session.talk("\(self.dryRun ? "would delete" : "deleted") \(job)\(rest)")
        }
    }
}
