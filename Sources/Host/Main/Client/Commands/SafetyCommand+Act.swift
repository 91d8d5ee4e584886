import ArgumentParser
import JobCore

extension SafetyCommand {
    struct Orphans: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What is left without what it belongs to, and its cleanup.",
            discussion: """
                EXAMPLES
                  pawl safety orphans
                  pawl safety orphans clean --dry-run
                  pawl safety orphans clean --kind scratch_without_run --yes
                """,
            subcommands: [List.self, Clean.self], defaultSubcommand: List.self)

        struct List: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Show them; processes, cgroups and files of the host that answers.")
            @OptionGroup var connection: ConnectionOptions
            @Option(help: "Only of this kind; may be given several times.") var kind: [String] = []

            func execute(_ session: ClientSession) throws {
                let query = QueryText(self.kind.map { ("kind", $0) })
                let answer = try session.get("/api/v1/safety/orphans" + query.text)
                if session.wantsJSON { return session.printJSON(answer) }
                let items = answer["items"]?.elements ?? []
                if items.isEmpty { session.talk("There are none.") }
                for item in items { session.terminal.out.writeLine(Orphans.line(item)) }
                Orphans.sayWhoWasNotSeen(answer, session)
            }
        }

        struct Clean: ClientCommand {
            static let configuration = CommandConfiguration(
                abstract: "Put them right: the plan first; nothing happens before you agree, or say --yes.")
            @OptionGroup var connection: ConnectionOptions
            @Option(help: "Only of this kind; may be given several times.") var kind: [String] = []
            @Option(help: "Why; kept with the history.") var reason: String?
            @Flag(name: .customLong("dry-run"), help: "Show the plan and stop.") var dryRun = false
            @Flag(help: "Do not ask.") var yes = false

            func execute(_ session: ClientSession) throws {
                let path = "/api/v1/safety/orphans/cleanup"
                let kinds = self.kind.isEmpty ? nil : JSONValue.array(self.kind.map { .string($0) })
                let plan = try session.send(
                    "POST", path, .members(["kinds": kinds, "dry_run": .boolean(true)])
                ).json
                let count = plan["count"]?.integer ?? 0
                if session.wantsJSON && (self.dryRun || count == 0) { return session.printJSON(plan) }
                session.talk(count == 0 ? "There are none." : "\(count) to be put right:")
                for item in plan["sample"]?.elements ?? [] { session.talk("  " + Orphans.line(item)) }
                Orphans.sayWhoWasNotSeen(plan, session)
                if self.dryRun || count == 0 { return }
                if try !self.yes && !session.confirm("Go on with \(count == 1 ? "it" : "these \(count)")?") {
                    session.talk("Nothing was changed.")
                    return
                }
                let body = JSONValue.members(["reason": self.reason.map(JSONValue.string)])
                let answer = try PlannedWork.carryOut(path, plan["plan"]?.text, body, session)
                if session.wantsJSON { return session.printJSON(answer) }
                session.terminal.out.writeLine("\(answer["count"]?.integer ?? 0) put right")
                let left = answer["untouched"]?.integer ?? 0
                if left > 0 { session.talk("\(left) were left alone: they had changed.") }
            }
        }

        static func line(_ item: JSONValue) -> String {
            Table.printable(
                "\((item["kind"]?.text ?? "").padded(to: 22)) \(item["name"]?.text ?? "")  "
                    + "\(item["detail"]?.text ?? "")  \(item["remedy"]?.text ?? "")")
        }

        static func sayWhoWasNotSeen(_ answer: JSONValue, _ session: ClientSession) {
            let others = (answer["hosts_not_seen"]?.elements ?? []).compactMap(\.text)
            if !others.isEmpty {
                session.talk(
                    "Processes and files of other hosts are seen there only: \(others.joined(separator: ", ")).")
            }
        }
    }

    struct Policy: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show, or change, what hosts do by themselves about stale runs and orphans.",
            discussion: """
                EXAMPLES
                  pawl safety policy
                  pawl safety policy --mode report --reason "a week of watching"
                  pawl safety policy --stale-after 12h --outcome retry
                """)
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "off, report or act.") var mode: String?
        @Option(help: "What becomes of stale runs: fail or retry.") var outcome: String?
        @Option(name: .customLong("stale-after"), help: ArgumentHelp("When a run is stale.", valueName: "duration"))
        var staleAfter: WaitOptions.Limit?
        @Option(name: .customLong("sweep-every"), help: ArgumentHelp("Between two sweeps.", valueName: "duration"))
        var sweepEvery: WaitOptions.Limit?
        @Option(
            name: .customLong("idle-after"), help: ArgumentHelp("When a run counts as idle.", valueName: "duration"))
        var idleAfter: WaitOptions.Limit?
        @Option(help: "Why; kept in the audit.") var reason: String?

        func execute(_ session: ClientSession) throws {
            let path = "/api/v1/safety/policy"
            let (policy, tag) = try session.getTagged(path)
            let changes = JSONValue.members([
                "mode": self.mode.map(JSONValue.string), "outcome": self.outcome.map(JSONValue.string),
                "stale_after_ms": self.staleAfter?.milliseconds.map(JSONValue.int),
                "sweep_every_ms": self.sweepEvery?.milliseconds.map(JSONValue.int),
                "idle_after_ms": self.idleAfter?.milliseconds.map(JSONValue.int),
            ])
            guard let members = changes.object, !members.isEmpty else { return self.show(policy, session) }
            var body = JSONValue.members(["reason": self.reason.map(JSONValue.string)])
            for name in [
                "mode", "outcome", "stale_after_ms", "stuck_after_ms", "slow_factor", "idle_after_ms", "sweep_every_ms",
            ] {
                if let value = changes[name] ?? policy[name] { body = body.setting(name, to: value) }
            }
            let answer = try session.send("PUT", path, body, headers: tag.map { [("If-Match", $0)] } ?? []).json
            self.show(answer, session)
        }

        private func show(_ policy: JSONValue, _ session: ClientSession) {
            if session.wantsJSON { return session.printJSON(policy) }
            func span(_ name: String) -> String { policy[name]?.integer.map { Format.span(milliseconds: $0) } ?? "?" }
            let out = session.terminal.out
            out.writeLine("mode         \(policy["mode"]?.text ?? "?")")
            out.writeLine("outcome      \(policy["outcome"]?.text ?? "?")")
            out.writeLine("stale after  \(span("stale_after_ms"))")
            out.writeLine("sweep every  \(span("sweep_every_ms"))")
            out.writeLine("idle after   \(span("idle_after_ms"))")
            out.writeLine("slow factor  \(policy["slow_factor"]?.json ?? "?")")
        }
    }

    struct EmergencyCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "emergency",
            abstract: "Have every host stop something until it is lifted.",
            discussion: """
                Modes: pause_queues (nothing new is started), stop_scheduling (no schedule fires), refuse_new (no runs from \
                outside), terminate_all (everything that runs ends by force, and nothing new is started).

                EXAMPLES
                  pawl safety emergency
                  pawl safety emergency on terminate_all --reason "wrong data" --dry-run
                  pawl safety emergency off
                """,
            subcommands: [Show.self, On.self, Off.self], defaultSubcommand: Show.self)

        struct Show: ClientCommand {
            static let configuration = CommandConfiguration(abstract: "What stands, who said so and why.")
            @OptionGroup var connection: ConnectionOptions

            func execute(_ session: ClientSession) throws {
                EmergencyCommand.show(try session.get("/api/v1/safety/emergency"), session)
            }
        }

        struct On: ClientCommand {
            static let configuration = CommandConfiguration(abstract: "Have it stand from now on.")
            @OptionGroup var connection: ConnectionOptions
            @Argument(help: "pause_queues, stop_scheduling, refuse_new or terminate_all.") var mode: String
            @Option(help: "Why; everybody who is refused reads it.") var reason: String?
            @Flag(name: .customLong("dry-run"), help: "Show what it would do and stop.") var dryRun = false
            @Flag(help: "Do not ask.") var yes = false

            func execute(_ session: ClientSession) throws {
                let path = "/api/v1/safety/emergency"
                let plan = try session.send(
                    "POST", path, .members(["mode": .string(self.mode), "dry_run": .boolean(true)])
                ).json
                if self.dryRun && session.wantsJSON { return session.printJSON(plan) }
                session.talk(plan["effect"]?.text ?? "")
                let count = plan["count"]?.integer ?? 0
                if count > 0 { session.talk("\(count) \(count == 1 ? "run" : "runs") would end.") }
                if self.dryRun { return }
                guard let reason = self.reason else {
                    throw ClientFailure(exit: .usage, message: "Why?", details: ["say it with --reason"])
                }
                if try !self.yes && !session.confirm("Declare \(self.mode)?") {
                    session.talk("Nothing was changed.")
                    return
                }
                let body = JSONValue.members(["mode": .string(self.mode), "reason": .string(reason)])
                    .setting("plan", to: .string(plan["plan"]?.text ?? ""))
                let key = JSONValue.string("cli-\(UInt64.random(in: 0 ... .max))").json
                let answer = try session.send("POST", path, body, headers: [("Idempotency-Key", key)]).json
                EmergencyCommand.show(answer, session)
            }
        }

        struct Off: ClientCommand {
            static let configuration = CommandConfiguration(abstract: "Lift it: this mode, or all.")
            @OptionGroup var connection: ConnectionOptions
            @Argument(help: "Only this mode.") var mode: String?
            @Option(help: "Why; kept in the audit.") var reason: String?

            func execute(_ session: ClientSession) throws {
                let query = QueryText([("mode", self.mode), ("reason", self.reason)])
                EmergencyCommand.show(try session.send("DELETE", "/api/v1/safety/emergency" + query.text).json, session)
            }
        }

        static func show(_ answer: JSONValue, _ session: ClientSession) {
            if session.wantsJSON { return session.printJSON(answer) }
            let orders = answer["orders"]?.elements ?? []
            if orders.isEmpty { session.talk("There is no emergency.") }
            for order in orders {
                session.terminal.out.writeLine(
                    Table.printable(
                        "\((order["mode"]?.text ?? "").padded(to: 16)) since \(order["since"]?.text ?? "")  "
                            + "\(order["actor"]?.text ?? "")  \(order["reason"]?.text ?? "")"))
            }
        }
    }
}
