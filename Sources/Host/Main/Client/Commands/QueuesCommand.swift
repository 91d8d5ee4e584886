import ArgumentParser
import JobCore

/// `pawl queues`: how much waits and runs, and how much may.
struct QueuesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues",
        abstract: "List queues with their counts and limits; pause, drain, resume, limit or clear one.",
        discussion: """
            EXAMPLES
              pawl queues
              pawl queues pause mail --reason 'the mail server moves' --for 30m
              pawl queues drain reports --wait
              pawl queues set mail --concurrency 10 --host-concurrency 4
              pawl queues clear mail --states failed --older 7d
            """,
        subcommands: [List.self, Pause.self, Drain.self, Resume.self, Limit.self, ClearQueueCommand.self],
        defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "List queues with their counts and limits. The default.",
            discussion: """
                LIMIT says how many runs may execute at once, everywhere and on one host (10, 4/host).

                EXAMPLES
                  pawl queues
                  pawl queues --json
                  pawl queues | cut -f1,2
                """)
        @OptionGroup var connection: ConnectionOptions

        func execute(_ session: ClientSession) throws {
            let answer = try session.get("/api/v1/queues")
            if session.wantsJSON { return session.printJSON(answer) }
            let states = ["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
            var table = Table(
                [.init(title: "QUEUE", importance: 10)]
                    + states.map {
                        .init(
                            title: $0.uppercased(), importance: $0 == "queued" || $0 == "running" ? 9 : 5,
                            alignsRight: true)
                    }
                    + [
                        .init(title: "LIMIT", importance: 7), .init(title: "STATE", importance: 8),
                        .init(title: "EXCLUSIVE", importance: 6),
                    ])
            let now = wallMicroseconds()
            for queue in answer["items"]?.elements ?? [] {
                let counts = queue["counts"] ?? queue
                var row: [Table.Cell] = [.init(queue["name"]?.text ?? queue["queue"]?.text ?? "")]
                for state in states { row.append(.init(counts[state]?.integer.map { Format.count($0) } ?? "")) }
                row.append(.init(QueuesCommand.limits(queue)))
                row.append(.init(QueuesCommand.state(queue, now), .yellow))
                row.append(.init(QueuesCommand.exclusive(queue)))
                table.rows.append(row)
            }
            if table.rows.isEmpty { return session.talk("No queue has been used yet.") }
            table.print(to: session.terminal)
        }
    }

    /// "10, 4/host"; empty where nothing is limited.
    static func limits(_ item: JSONValue) -> String {
        [item["concurrency"]?.integer.map(String.init), item["host_concurrency"]?.integer.map { "\($0)/host" }]
            .compactMap(\.self).joined(separator: ", ")
    }

    /// Empty while its runs are claimed.
    static func state(_ item: JSONValue, _ now: Int64) -> String {
        let service = item["service"]?.text ?? (item["paused"]?.bool == true ? "paused" : "active")
        guard service != "active" else { return "" }
        let end = item["pause_until"]?.text.map { ", resumes \(Format.relative($0, now: now))" } ?? ""
        return service + end
    }

    struct Pause: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start nothing new from queues. What runs goes on, what comes waits.",
            discussion: """
                When it has answered, nothing is claimed from them on any host.

                EXAMPLES
                  pawl queues pause mail --reason 'the mail server moves'
                  pawl queues pause mail reports --for 30m
                """)
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var pause: PauseOptions
        @Argument(help: "Queues.") var queues: [String]

        func execute(_ session: ClientSession) throws {
            try PauseTarget.queue.send("pause", self.queues, self.pause.body, session)
        }
    }

    struct Drain: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pause queues, and see when nothing of them runs any more.",
            discussion: """
                EXAMPLES
                  pawl queues drain reports --wait --timeout 10m
                  pawl queues drain reports --reason 'the disk is changed' --for 2h
                """)
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var pause: PauseOptions
        @OptionGroup var drain: DrainOptions
        @Argument(help: "Queues.") var queues: [String]

        func execute(_ session: ClientSession) throws {
            try PauseTarget.queue.send("drain", self.queues, self.pause.body, session)
            try self.drain.follow(.queue, self.queues, session)
        }
    }

    struct Resume: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start runs of paused or drained queues again.",
            discussion: """
                EXAMPLES
                  pawl queues resume mail
                  pawl queues resume mail reports
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Queues.") var queues: [String]

        func execute(_ session: ClientSession) throws {
            try PauseTarget.queue.send("resume", self.queues, .object([]), session)
        }
    }

    struct Limit: ClientCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Say how many runs of a queue may execute at once.",
            discussion: """
                What runs already counts and goes on, even if it is more. "none" takes a limit away.

                EXAMPLES
                  pawl queues set mail --concurrency 10
                  pawl queues set mail --concurrency none --host-concurrency 4
                  pawl queues set new-one --concurrency 1 --create
                """)
        @OptionGroup var connection: ConnectionOptions

        @Argument(help: "The queue.")
        var queue: String

        @Option(help: ArgumentHelp("On all hosts together.", valueName: "n|none"))
        var concurrency: String?

        @Option(name: .customLong("host-concurrency"), help: ArgumentHelp("On each host.", valueName: "n|none"))
        var hostConcurrency: String?

        @Flag(help: "It may be a queue that nothing has come into yet.")
        var create = false

        func validate() throws {
            if self.concurrency == nil && self.hostConcurrency == nil {
                throw ValidationError("Say what to set: --concurrency or --host-concurrency.")
            }
            for text in [self.concurrency, self.hostConcurrency].compactMap(\.self) where text != "none" {
                guard (Int(text) ?? 0) >= 1 else {
                    throw ValidationError("\"\(text)\" is no limit: write a number from 1, or none.")
                }
            }
        }

        func execute(_ session: ClientSession) throws {
            let path = "/api/v1/queues/\(ClientSession.escape(self.queue))"
            let tag = self.create ? "*" : try session.getTagged(path).tag
            var members: [JSONMember] = []
            for (name, text) in [("concurrency", self.concurrency), ("host_concurrency", self.hostConcurrency)] {
                guard let text else { continue }
                members.append(JSONMember(name, Int64(text).map { JSONValue.int($0) } ?? .null))
            }
            let answer = try session.send(
                "PATCH", path, .object(members), headers: tag.map { [(name: "If-Match", value: $0)] } ?? []
            ).json
            if session.wantsJSON { return session.printJSON(answer) }
            let limits = QueuesCommand.limits(answer)
            session.terminal.out.writeLine("\(self.queue)\t\(limits.isEmpty ? "no limit" : limits)")
        }
    }
}
