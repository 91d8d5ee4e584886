import ArgumentParser
import JobCore

/// `pawl queues clear`: takes runs of a queue away.
struct ClearQueueCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Delete runs of a queue: finished ones, or ones that wait.",
        discussion: """
            Shows its plan first: how many runs in which states. Runs that are running are never touched, nor schedules. \
            What is deleted is gone with its attempts and its log.

            EXAMPLES
              pawl queues clear mail --states failed --older 7d
              pawl queues clear mail --states queued,scheduled --dry-run
              pawl queues clear mail --states finished --yes
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The queue.") var queue: String
    @OptionGroup var clearing: ClearOptions

    func execute(_ session: ClientSession) throws {
        try self.clearing.clear("/api/v1/queues/\(ClientSession.escape(self.queue))/clear", self.queue, session)
    }
}

/// `pawl jobs clear`: takes runs of a job away.
struct ClearJobCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Delete runs of a job: finished ones, or ones that wait.",
        discussion: """
            As `pawl queues clear`, for one job in all queues.

            EXAMPLES
              pawl jobs clear csv.to_jsonl --states succeeded --older 1d
              pawl jobs clear csv.to_jsonl --states all --dry-run
              pawl jobs clear csv.to_jsonl --states queued --yes
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The job.") var job: String
    @OptionGroup var clearing: ClearOptions

    func execute(_ session: ClientSession) throws {
        try self.clearing.clear("/api/v1/jobs/\(ClientSession.escape(self.job))/clear", self.job, session)
    }
}

struct ClearOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Which: succeeded, failed, cancelled, queued, scheduled, retrying; or finished, waiting, all.",
            valueName: "state,…"))
    var states: String

    @Option(
        help: ArgumentHelp("Only what has been finished, or has waited, for so long: 1d, 12h.", valueName: "duration"))
    var older: WaitOptions.Limit?

    @Option(help: "Why; kept with the record of it.") var reason: String?
    @Flag(name: .customLong("dry-run"), help: "Show the plan and stop.") var dryRun = false
    @Flag(help: "Do not ask.") var yes = false

    func clear(_ path: String, _ name: String, _ session: ClientSession) throws {
        let states = self.states.split(separator: ",").map { JSONValue.string(String($0)) }
        let order = JSONValue.members([
            "states": .array(states), "older_than_ms": self.older?.milliseconds.map(JSONValue.int),
            "dry_run": .boolean(true),
        ])
        let plan = try session.send("POST", path, order).json
        let count = plan["count"]?.integer ?? 0
        if session.wantsJSON, self.dryRun || count == 0 { return session.printJSON(plan) }
        session.talk(Self.words(plan, name))
        if self.dryRun || count == 0 { return }
        if try !self.yes && !session.confirm("Delete \(count == 1 ? "this run" : "these runs")?") {
            session.talk("Nothing was changed.")
            return
        }
        let body = JSONValue.members(["reason": self.reason.map(JSONValue.string)])
        let answer = try PlannedWork.carryOut(path, plan["plan"]?.text, body, session)
        if session.wantsJSON { return session.printJSON(answer) }
        let done = answer["count"]?.integer ?? 0
        session.terminal.out.writeLine("\(Format.count(done)) \(done == 1 ? "run" : "runs") deleted")
    }

    private static func words(_ plan: JSONValue, _ name: String) -> String {
        let count = plan["count"]?.integer ?? 0
        if count == 0 { return "Nothing to delete in \(name)." }
        let least = plan["count_is"]?.text == "lower_bound" ? "at least " : ""
        let parts = (plan["by_state"]?.object ?? []).map { "\(Format.count($0.value.integer ?? 0)) \($0.key)" }
        let stays = (plan["untouched"]?.object ?? []).map { "\(Format.count($0.value.integer ?? 0)) \($0.key)" }
        return "\(name): \(least)\(Format.count(count)) \(count == 1 ? "run" : "runs")"
            + (parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))")
            + (stays.isEmpty ? "" : "; \(stays.joined(separator: ", ")) stay")
    }
}

/// What is done by a plan, in as many requests as it takes.
enum PlannedWork {
    /// - Returns: the last answer, with the counts of all.
    static func carryOut(
        _ path: String, _ plan: String?, _ body: JSONValue, _ session: ClientSession
    ) throws(ClientFailure) -> JSONValue {
        var plan = plan
        var total: [String: Int64] = [:]
        var removed = JSONValue.object([])
        while true {
            var step = body
            if let plan { step = step.setting("plan", to: .string(plan)) }
            let key = JSONValue.string("cli-\(UInt64.random(in: 0 ... .max))").json
            let answer = try session.send("POST", path, step, headers: [("Idempotency-Key", key)]).json
            for name in ["count", "untouched", "failed"] { total[name, default: 0] += answer[name]?.integer ?? 0 }
            for member in answer["removed"]?.object ?? [] {
                let sum = (removed[member.key]?.integer ?? 0) + (member.value.integer ?? 0)
                removed = removed.setting(member.key, to: .int(sum))
            }
            plan = answer["plan"]?.text
            if plan == nil || answer["stopped_by"]?.text != nil {
                var whole = answer
                for (name, sum) in total where answer[name] != nil { whole = whole.setting(name, to: .int(sum)) }
                if answer["removed"] != nil { whole = whole.setting("removed", to: removed) }
                if let code = answer["stopped_by"]?.text {
                    throw ClientFailure(
                        exit: .tryLater, message: "It stopped before its end: \(code).",
                        details: ["done until then: \(total["count"] ?? 0)", "the command can be repeated"])
                }
                return whole
            }
            session.talk("… \(Format.count(total["count"] ?? 0)) done")
        }
    }
}
