import ArgumentParser
import JobCore

/// `pawl crashes`: crashes with the same stack, together.
struct CrashesCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "crashes",
        abstract: "List crashes by stack, or show one kind with its stack and newest runs.",
        discussion: """
            A crash that has just happened is waited for until its stack is read, three seconds at most.

            EXAMPLES
              pawl crashes
              pawl crashes 9f2c41d07b3a5e88
              pawl crashes --json | jq '.items[] | {title, count}'
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "One kind, by the fingerprint that the list shows.")
    var fingerprint: String?

    @Option(help: "How many, 1 to 200.")
    var limit = 50

    @Option(help: "Go on where a list ended: its next_cursor.")
    var cursor: String?

    func execute(_ session: ClientSession) throws {
        if let fingerprint { return try self.show(fingerprint, session) }
        let answer = try session.get(
            "/api/v1/error-groups", [("kind", "crash"), ("limit", "\(self.limit)"), ("cursor", self.cursor)],
            whilePending: { ($0["pending"]?.integer ?? 0) > 0 })
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "FINGERPRINT", importance: 9), .init(title: "COUNT", importance: 10, alignsRight: true),
            .init(title: "SIGNAL", importance: 5), .init(title: "JOB", importance: 7),
            .init(title: "LAST SEEN", importance: 8), .init(title: "FIRST SEEN", importance: 3),
            .init(title: "WHAT", importance: 6, shrinksTo: 20),
        ])
        let now = wallMicroseconds()
        for group in answer["items"]?.elements ?? [] {
            table.rows.append([
                .init(group["fingerprint"]?.text ?? ""), .init(Format.count(group["count"]?.integer ?? 0)),
                .init(group["signal_name"]?.text ?? "", .red), .init(group["job"]?.text ?? ""),
                .init(Format.relative(group["last_seen_at"]?.text, now: now)),
                .init(Format.relative(group["first_seen_at"]?.text, now: now), .dim),
                .init(group["title"]?.text ?? ""),
            ])
        }
        let pending = answer["pending"]?.integer ?? 0
        if table.rows.isEmpty, pending == 0 { return session.talk("Nothing has crashed.") }
        if !table.rows.isEmpty { table.print(to: session.terminal) }
        if pending > 0 {
            let what = pending == 1 ? "1 crash: its stack is" : "\(Format.count(pending)) crashes: their stacks are"
            session.talk("Not listed yet: \(what) still being read. Look again in a moment.")
        }
        if let next = answer["next_cursor"]?.text { session.talk("more: pawl crashes --cursor \(next)") }
    }

    private func show(_ fingerprint: String, _ session: ClientSession) throws {
        let group = try session.get("/api/v1/error-groups/\(ClientSession.escape(fingerprint))")
        if session.wantsJSON { return session.printJSON(group) }
        let (out, now) = (session.terminal.out, wallMicroseconds())
        func line(_ label: String, _ text: String) {
            out.writeLine("  " + out.paint(label.padded(to: 12), .dim) + " " + Table.printable(text))
        }
        out.writeLine(out.paint(Table.printable(group["title"]?.text ?? ""), .bold))
        line("job", group["job"]?.text ?? "")
        line("count", Format.count(group["count"]?.integer ?? 0))
        line("first seen", Format.relative(group["first_seen_at"]?.text, now: now))
        line("last seen", Format.relative(group["last_seen_at"]?.text, now: now))
        let versions = ["first_version", "last_version"].compactMap { group[$0]?.text?.prefix(12) }
        line(
            "versions",
            versions.count == 2 && versions[0] == versions[1] ? String(versions[0]) : versions.joined(separator: " to ")
        )
        for (index, frame) in (group["stack"]?.elements ?? []).prefix(24).enumerated() {
            line(index == 0 ? "stack" : "", DiagnosisReport.place(frame))
        }
        for (index, crash) in (group["crashes"]?.elements ?? []).enumerated() {
            let when = Format.relative(crash["reported_at"]?.text, now: now)
            line(
                index == 0 ? "runs" : "",
                "\(crash["run"]?.text ?? "")  attempt \(crash["attempt"]?.integer ?? 0)  \(when)")
        }
    }
}
