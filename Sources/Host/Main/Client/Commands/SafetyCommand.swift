import ArgumentParser
import JobCore

/// `pawl safety`: what is wrong, and what can be done about it.
struct SafetyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "safety",
        abstract: "Health, what is stuck, cleanup of stale runs and orphans, forced termination, emergencies.",
        discussion: """
            EXAMPLES
              pawl safety
              pawl safety stuck --severity critical
              pawl safety cleanup-stale --older 6h --dry-run
              pawl safety emergency on pause_queues --reason "the disk is full"
            """,
        subcommands: [
            Health.self, Stuck.self, CleanupStale.self, Orphans.self, Terminate.self, Policy.self, Sweeps.self,
            EmergencyCommand.self,
        ], defaultSubcommand: Health.self)

    struct Health: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Report whether anything needs attention. Exit code 1 if so.")
        @OptionGroup var connection: ConnectionOptions

        func execute(_ session: ClientSession) throws {
            let answer = try session.get("/api/v1/safety/health")
            let verdict = answer["verdict"]?.text ?? "unknown"
            if session.wantsJSON {
                session.printJSON(answer)
            } else {
                let out = session.terminal.out
                let good = Self.good(verdict)
                out.writeLine(out.paint(verdict, good ? .green : .red))
                for check in answer["checks"]?.elements ?? [] {
                    let state = check["ok"]?.bool.map { $0 ? "ok" : "attention" } ?? check["status"]?.text ?? ""
                    let name = check["name"]?.text ?? ""
                    let detail = check["detail"]?.text ?? ""
                    out.writeLine(
                        "  " + out.paint(state.padded(to: 10), Self.good(state) ? .green : .red) + " "
                            + Table.printable(name.padded(to: 16)) + " " + Table.printable(detail))
                }
            }
            if !Self.good(verdict) { throw ClientExit.failed.code }
        }

        static func good(_ word: String) -> Bool { ["ok", "healthy", "pass", "good"].contains(word) }
    }

    struct CleanupStale: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "cleanup-stale",
            abstract: "End runs that have been running for too long.",
            discussion: """
                Shows its plan first: how many runs, which, for how long. Nothing happens before you agree, or say --yes.

                EXAMPLES
                  pawl safety cleanup-stale --dry-run
                  pawl safety cleanup-stale --older 2h
                  pawl safety cleanup-stale --older 6h --outcome retry --in-queue mail --yes
                """)
        @OptionGroup var connection: ConnectionOptions
        @Option(
            help: ArgumentHelp(
                "Running for at least this long; what the policy says unless told.", valueName: "duration"))
        var older: WaitOptions.Limit?
        @Option(help: "What becomes of them: fail or retry.") var outcome: String?
        @Option(name: .customLong("in-queue"), help: "Runs of this queue; may be given several times.")
        var inQueue: [String] = []
        @Option(help: "Why; kept with the history.") var reason: String?
        @Flag(name: .customLong("dry-run"), help: "Show the plan and stop.") var dryRun = false
        @Flag(help: "Do not ask.") var yes = false

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members([
                "older_than_ms": self.older?.milliseconds.map(JSONValue.int),
                "outcome": self.outcome.map(JSONValue.string),
                "queues": self.inQueue.isEmpty ? nil : .array(self.inQueue.map { .string($0) }),
                "reason": self.reason.map(JSONValue.string),
            ])
            let plan = try session.send(
                "POST", "/api/v1/safety/cleanup-stale", body.setting("dry_run", to: .boolean(true))
            ).json
            let count = plan["count"]?.integer ?? 0
            if session.wantsJSON && (self.dryRun || count == 0) { return session.printJSON(plan) }
            self.show(plan, count, session)
            if self.dryRun || count == 0 { return }
            if try !self.yes && !session.confirm("End \(count == 1 ? "this run" : "these \(count) runs")?") {
                session.talk("Nothing was changed.")
                return
            }
            // The plan's own token, so that what was shown is what is done.
            if let token = plan["plan"]?.text { body = body.setting("plan", to: .string(token)) }
            let answer = try session.send("POST", "/api/v1/safety/cleanup-stale", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            let done = (answer["count"] ?? answer["cleaned"])?.integer ?? count
            session.terminal.out.writeLine("\(done) \(done == 1 ? "run" : "runs") ended")
        }

        private func show(_ plan: JSONValue, _ count: Int64, _ session: ClientSession) {
            session.talk(count == 0 ? "No run is stale." : "\(count) stale \(count == 1 ? "run" : "runs"):")
            let now = wallMicroseconds()
            for item in plan["sample"]?.elements ?? [] {
                let run = RunRecord(json: item)
                let time = Format.elapsed(run.startedAt, nil, now: now).map {
                    "running for \(Format.span(milliseconds: $0))"
                }
                session.talk("  \(run.name)  \(time ?? "")  \(run.id)")
            }
            let shown = Int64(plan["sample"]?.elements?.count ?? 0)
            if count > shown { session.talk("  and \(count - shown) more") }
        }
    }

    struct Terminate: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "End one run by force, recorded as an emergency.",
            discussion: """
                EXAMPLES
                  pawl safety terminate @last
                  pawl safety terminate csv.to_jsonl#1234 --reason "holds a lock"
                  pawl safety terminate csv.to_jsonl#1234 --dry-run
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The run: its id, JOB#NUMBER, @last or @last-failed.") var run: String
        @Option(help: "Why; kept with the run.") var reason: String?
        @Option(help: ArgumentHelp("How long the handler may take to end by itself.", valueName: "duration"))
        var grace: WaitOptions.Limit?
        @Flag(name: .customLong("dry-run"), help: "Show what would end and stop.") var dryRun = false

        func execute(_ session: ClientSession) throws {
            let id = try session.resolve(self.run)
            let body = JSONValue.members([
                "reason": self.reason.map(JSONValue.string), "grace_ms": self.grace?.milliseconds.map(JSONValue.int),
            ])
            if self.dryRun {
                let plan = try session.send(
                    "POST", "/api/v1/safety/terminate/\(id)", .object([]).setting("dry_run", to: .boolean(true))
                ).json
                if session.wantsJSON { return session.printJSON(plan) }
                return session.terminal.out.writeLine("\(id)\t\(plan["effect"]?.text ?? "")")
            }
            let answer = try session.send("POST", "/api/v1/safety/terminate/\(id)", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            session.terminal.out.writeLine("\(id)\t\((answer["run"] ?? answer)["state"]?.text ?? "told to end")")
        }
    }
}
