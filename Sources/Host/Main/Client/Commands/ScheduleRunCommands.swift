import ArgumentParser
import JobCore

extension SchedulesCommand {
    /// The id of a schedule that somebody named by its id or its name.
    static func find(_ reference: String, _ session: ClientSession) throws -> String {
        let all = try session.get("/api/v1/schedules")["items"]?.elements ?? []
        let matches = all.filter { $0["id"]?.text == reference || $0["name"]?.text == reference }
        guard let id = matches.first?["id"]?.text else {
            throw ClientFailure(exit: .notFound, message: "There is no schedule \"\(reference)\".")
        }
        guard matches.count == 1 else {
            throw ClientFailure(
                exit: .usage, message: "\"\(reference)\" names \(matches.count) schedules.",
                details: matches.compactMap { $0["id"]?.text })
        }
        return id
    }

    private static func path(_ reference: String, _ session: ClientSession) throws -> String {
        "/api/v1/schedules/\(ClientSession.escape(try find(reference, session)))"
    }

    struct Trigger: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a run of a schedule now.",
            discussion: """
                The run is the schedule's with the changes that are given. It does not move the schedule's next time, nor \
                count for its number of runs. A schedule that is disabled or paused can be triggered too.

                EXAMPLES
                  pawl schedules trigger nightly
                  pawl schedules trigger nightly --arg day=2026-11-20 --queue slow
                  pawl schedules trigger nightly --overlap queue_one
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Id or name of a schedule.") var schedule: String
        @Option(
            name: .customLong("arg"),
            help: ArgumentHelp(
                "One argument: name=text, or name:=json. Given arguments replace all of the schedule's.",
                valueName: "name=value"))
        var members: [String] = []
        @Option(
            name: .customLong("args"),
            help: ArgumentHelp("All arguments: JSON, @FILE, or - for standard input.", valueName: "json"))
        var arguments: String?
        @Option(
            help: ArgumentHelp(
                "While a run of it is going: allow, skip, queue_one, cancel_running or terminate_running.",
                valueName: "rule"))
        var overlap: String?
        @Option(help: "Why; kept with the record of it.") var reason: String?
        @OptionGroup(title: "How its run is run") var terms: RunTerms

        func validate() throws { try self.terms.check() }

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members([
                "overlap": self.overlap.map(JSONValue.string), "reason": self.reason.map(JSONValue.string),
            ])
            if let arguments = try ArgumentsBuilder.build(whole: self.arguments, members: self.members) {
                body = body.setting("args", to: arguments)
            }
            for (name, value) in self.terms.fields { body = body.setting(name, to: value) }
            let path = try SchedulesCommand.path(self.schedule, session) + "/trigger"
            let run = try ArgumentsBuilder.sending(self.members) { () throws(ClientFailure) in
                try session.send("POST", path, body).json
            }
            if session.wantsJSON { return session.printJSON(run) }
            session.terminal.out.writeLine(run["id"]?.text ?? "")
            if run["state"]?.text == "blocked" { session.talk("It waits for the run that is going.") }
        }
    }

    struct SkipToNow: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "skip-to-now",
            abstract: "Leave out all times of schedules that are due.",
            discussion: """
                For after an outage, or before a pause ends: what has been planned up to now makes no runs; its rows say \
                `skipped`.

                EXAMPLES
                  pawl schedules skip-to-now nightly
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Ids or names of schedules.") var schedules: [String]

        func execute(_ session: ClientSession) throws {
            var answers: [JSONValue] = []
            for reference in self.schedules {
                let path = try SchedulesCommand.path(reference, session) + "/skip"
                answers.append(try session.send("POST", path, .members(["until": .string("now")])).json)
                session.talk("\(reference): times up to now are left out")
            }
            if session.wantsJSON { session.printJSON(.array(answers)) }
        }
    }

    struct Backfill: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make runs of a schedule for times gone by.",
            discussion: """
                Shows its plan first: how many times of the range have no run yet. Both ends belong to the range. At most \
                --max-parallel of the runs go at once, the oldest first; the others are blocked until then.

                EXAMPLES
                  pawl schedules backfill nightly --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --dry-run
                  pawl schedules backfill nightly --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --max-parallel 2
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Id or name of a schedule.") var schedule: String
        @Option(help: ArgumentHelp("The first time (RFC 3339).", valueName: "time")) var from: String
        @Option(help: ArgumentHelp("The last time, not in the future.", valueName: "time")) var to: String
        @Option(name: .customLong("max-parallel"), help: "So many of its runs go at once; 1 unless told.")
        var maxParallel: Int?
        @Flag(
            name: .customLong("include-forgotten"),
            help: "Also times of more than 90 days ago, whether they had a run or not: that is forgotten.")
        var includesForgotten = false
        @Option(help: "Why; kept with the record of it.") var reason: String?
        @Flag(name: .customLong("dry-run"), help: "Show the plan and stop.") var dryRun = false
        @Flag(help: "Do not ask.") var yes = false

        func execute(_ session: ClientSession) throws {
            let path = try SchedulesCommand.path(self.schedule, session) + "/backfill"
            let order = JSONValue.members([
                "from": .string(self.from), "to": .string(self.to),
                "max_parallel": self.maxParallel.map { .int(Int64($0)) }, "dry_run": .boolean(true),
                "include_forgotten": self.includesForgotten ? .boolean(true) : nil,
            ])
            let plan = try session.send("POST", path, order).json
            let count = plan["count"]?.integer ?? 0
            if session.wantsJSON, self.dryRun || count == 0 { return session.printJSON(plan) }
            session.talk(Self.words(plan, self.schedule))
            if self.dryRun || count == 0 { return }
            if try !self.yes && !session.confirm("Make \(count == 1 ? "this run" : "these runs")?") {
                session.talk("Nothing was changed.")
                return
            }
            let body = JSONValue.members([
                "plan": plan["plan"], "reason": self.reason.map(JSONValue.string),
            ])
            let key = JSONValue.string("cli-\(UInt64.random(in: 0 ... .max))").json
            let answer = try session.send("POST", path, body, headers: [("Idempotency-Key", key)]).json
            if session.wantsJSON { return session.printJSON(answer) }
            let done = answer["count"]?.integer ?? 0
            session.terminal.out.writeLine("\(Format.count(done)) \(done == 1 ? "run" : "runs") made")
        }

        private static func words(_ plan: JSONValue, _ name: String) -> String {
            let count = plan["count"]?.integer ?? 0
            var words =
                count == 0
                ? "\(name): no time of this range is without a run"
                : "\(name): \(Format.count(count)) \(count == 1 ? "run" : "runs")"
            if count > 0, let first = plan["first"]?.text, let last = plan["last"]?.text {
                words += " for \(first) to \(last), \(plan["max_parallel"]?.integer ?? 1) at once"
            }
            if let existing = plan["existing"]?.integer, existing > 0 { words += "; \(existing) have a run already" }
            if let excluded = plan["excluded"]?.integer, excluded > 0 { words += "; \(excluded) are left out" }
            return words
        }
    }
}
