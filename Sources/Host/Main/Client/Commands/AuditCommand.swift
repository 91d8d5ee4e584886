import ArgumentParser
import JobCore

/// `pawl audit`: who did what.
struct AuditCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show who changed what, why, and what came of it; the newest first.",
        discussion: """
            EXAMPLES
              pawl audit --since 1d
              pawl audit --actor token:ci --action 'run.*' -n 200
              pawl audit --target nightly --json
            """)

    @OptionGroup var connection: ConnectionOptions
    @Option(help: ArgumentHelp("No older than this: 1h, 7d.", valueName: "duration")) var since: String?
    @Option(help: ArgumentHelp("Only of this one: admin, token:NAME, unix:USER.", valueName: "name")) var actor: String?
    @Option(help: ArgumentHelp("Only this action, or a beginning and a star: 'run.*'.", valueName: "action"))
    var action: String?
    @Option(help: ArgumentHelp("Only about this: a run, a queue, a job, …", valueName: "name")) var target: String?
    @Option(help: ArgumentHelp("Only what ended so: ok, insufficient_scope, …", valueName: "code")) var result: String?
    @Option(name: [.customShort("n"), .customLong("limit")], help: "How many at most.") var limit = 50

    func validate() throws {
        if self.limit < 1 { throw ValidationError("-n is 1 or more.") }
        if let since, (Format.parseDuration(since) ?? 0) <= 0 {
            throw ValidationError("\"\(since)\" is no duration: write 30m, 6h or 7d.")
        }
    }

    func execute(_ session: ClientSession) throws {
        let since = self.since.flatMap(Format.parseDuration).map {
            WallTime(micros: wallMicroseconds() - $0 * 1000).rfc3339
        }
        var items: [JSONValue] = []
        var cursor: String?
        repeat {
            let page = try session.get(
                "/api/v1/audit",
                [
                    ("actor", self.actor), ("action", self.action), ("target", self.target), ("result", self.result),
                    ("since", since), ("limit", String(min(200, self.limit - items.count))), ("cursor", cursor),
                ])
            items += page["items"]?.elements ?? []
            cursor = page["next_cursor"]?.text
        } while cursor != nil && items.count < self.limit
        if session.wantsJSON { return session.printJSON(.array(items)) }
        var table = Table([
            .init(title: "WHEN", importance: 9), .init(title: "WHO", importance: 10),
            .init(title: "ACTION", importance: 10), .init(title: "WHAT", importance: 8, shrinksTo: 16),
            .init(title: "RESULT", importance: 7), .init(title: "REASON", importance: 6, shrinksTo: 16),
            .init(title: "FROM", importance: 2),
        ])
        let now = wallMicroseconds()
        for item in items {
            let result = item["result"]?.text ?? ""
            table.rows.append([
                .init(Format.relative(item["time"]?.text, now: now)), .init(item["actor"]?.text ?? "a host"),
                .init(item["action"]?.text ?? ""), .init(item["target"]?.text ?? ""),
                .init(result, result == "ok" ? .green : .red), .init(item["reason"]?.text ?? ""),
                .init(item["address"]?.text ?? "", .dim),
            ])
        }
        if table.rows.isEmpty { return session.talk("Nothing of that kind.") }
        table.print(to: session.terminal)
    }
}
