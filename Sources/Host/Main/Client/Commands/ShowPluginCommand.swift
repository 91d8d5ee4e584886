import ArgumentParser
import JobCore

/// `pawl plugins show`: the versions of one plugin side by side, and what happened to them.
struct ShowPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract:
            "Show a plugin's versions side by side, what holds one back, what changed between two, and who has which.",
        discussion: """
            EXAMPLES
              pawl plugins show csv
              pawl plugins show csv --from 3f5a3f5a3f5a --to 9c019c019c01
              pawl plugins show csv --json | jq .versions
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.")
    var plugin: String

    @Option(help: ArgumentHelp("Compare the schemas of this version…", valueName: "version"))
    var from: String?

    @Option(help: ArgumentHelp("…with those of this one.", valueName: "version"))
    var to: String?

    func execute(_ session: ClientSession) throws {
        let plugin = try session.get(
            "/api/v1/plugins/\(ClientSession.escape(self.plugin))", [("from", self.from), ("to", self.to)])
        if session.wantsJSON { return session.printJSON(plugin) }
        let out = session.terminal.out
        let state = plugin["state"]?.text ?? ""
        let facts = [
            state, plugin["label"]?.text, plugin["file"]?.text, plugin["kind"]?.text,
            plugin["reason"]?.text.map { "\"\($0)\"" },
        ].compactMap { $0 }.filter { !$0.isEmpty }
        out.writeLine(
            out.paint(Table.printable(PluginWords.name(plugin)), .bold) + "  "
                + Table.printable(facts.joined(separator: ", ")))
        for remark in PluginWords.remarks(plugin) {
            for line in remark.lines() { out.writeLine("  " + out.paint(line, remark.isBad ? .red : .dim)) }
        }
        if let held = plugin["held"]?.present { Self.print(held, to: out) }
        Self.versions(plugin).print(to: session.terminal)
        for version in plugin["versions"]?.elements ?? [] { Self.printSteps(version, to: out) }
        if let changes = plugin["changes"]?.present { Self.printChanges(changes, to: out) }
        Self.hosts(plugin).print(to: session.terminal)
    }

    static func print(_ held: JSONValue, to out: Terminal.Stream) {
        for problem in held["problems"]?.elements ?? [] {
            let place = [problem["handler"]?.text, problem["where"]?.text].compactMap { $0 }.joined(separator: ", ")
            out.writeLine("    " + Table.printable("\(place): \(problem["words"]?.text ?? "")"))
        }
    }

    private static func versions(_ plugin: JSONValue) -> Table {
        var table = Table([
            .init(title: "VERSION", importance: 10), .init(title: "LABEL", importance: 8),
            .init(title: "STATE", importance: 9), .init(title: "RUNS", importance: 7, alignsRight: true),
            .init(title: "FAILED", importance: 6, alignsRight: true),
            .init(title: "CRASHED", importance: 7, alignsRight: true),
            .init(title: "RUNNING", importance: 6, alignsRight: true), .init(title: "LOADED", importance: 4),
            .init(title: "SIZE", importance: 3, alignsRight: true), .init(title: "SOURCE", importance: 3),
            .init(title: "SIGNED BY", importance: 5, shrinksTo: 12),
        ])
        let now = wallMicroseconds()
        for version in plugin["versions"]?.elements ?? [] {
            let state = version["state"]?.text ?? ""
            func count(_ name: String) -> String { version[name]?.integer.map { Format.count($0) } ?? "" }
            table.rows.append([
                .init(PluginWords.short(version["version"])), .init(version["label"]?.text ?? ""),
                .init(state, PluginWords.ink(state)), .init(count("runs")), .init(count("failed")),
                .init(count("crashed"), (version["crashed"]?.integer ?? 0) > 0 ? .red : nil), .init(count("running")),
                .init(Format.relative(version["loaded_at"]?.text, now: now)),
                .init(version["size_bytes"]?.integer.map { Format.bytes($0) } ?? ""),
                .init(version["source"]?.text ?? ""), .init(version["signed_by"]?.text ?? "", .dim),
            ])
        }
        return table
    }

    /// `3f5a3f5a3f5a: staged 12:04:05.120, verified +12ms, active +80ms`
    private static func printSteps(_ version: JSONValue, to out: Terminal.Stream) {
        let steps = version["steps"]?.elements ?? []
        guard !steps.isEmpty else { return }
        let words = steps.map { step -> String in
            let name = (step["step"]?.text ?? "").replacing("_", with: " ")
            let after = step["after_ms"]?.integer.map { " +\(Format.span(milliseconds: $0))" }
            let time = (step["at"]?.text ?? "").dropFirst(11).prefix(12)
            return "\(name)\(after ?? " \(time)")" + (step["detail"]?.text.map { " (\($0))" } ?? "")
        }
        out.writeLine(
            "  " + out.paint(PluginWords.short(version["version"]), .dim) + ": "
                + Table.printable(words.joined(separator: ", ")))
    }

    private static func printChanges(_ changes: JSONValue, to out: Terminal.Stream) {
        let handlers = changes["handlers"]?.elements ?? []
        out.writeLine(
            "changes from \(PluginWords.short(changes["from"])) to \(PluginWords.short(changes["to"])): "
                + (handlers.isEmpty ? "none in handlers and schemas" : ""))
        for handler in handlers {
            let name = handler["handler"]?.text ?? ""
            let kind = handler["kind"]?.text ?? ""
            let isBreaking = handler["breaking"]?.bool == true
            out.writeLine("  " + out.paint(Table.printable("\(name): \(kind)"), isBreaking ? .red : .dim))
            for change in handler["changes"]?.elements ?? [] {
                let isBreaking = change["breaking"]?.bool == true
                let place = "\(change["of"]?.text ?? "")\(change["pointer"]?.text ?? "")"
                out.writeLine(
                    "    " + (isBreaking ? out.paint("breaking ", .red) : "")
                        + Table.printable("\(place): \(change["words"]?.text ?? "")"))
            }
        }
    }

    private static func hosts(_ plugin: JSONValue) -> Table {
        var table = Table([
            .init(title: "HOST", importance: 10), .init(title: "VERSION", importance: 9),
            .init(title: "STATE", importance: 8), .init(title: "DRIFT", importance: 9),
            .init(title: "SINCE", importance: 4), .init(title: "PROBLEM", importance: 6, shrinksTo: 16),
        ])
        let now = wallMicroseconds()
        for host in plugin["hosts"]?.elements ?? [] {
            let state = host["state"]?.text ?? ""
            table.rows.append([
                .init(host["name"]?.text ?? host["host"]?.text ?? ""), .init(PluginWords.short(host["version"])),
                .init(state, PluginWords.ink(state)), .init(host["drift"]?.bool == true ? "drift" : "", .red),
                .init(Format.relative(host["updated_at"]?.text, now: now)), .init(host["error"]?.text ?? ""),
            ])
        }
        return table
    }
}

/// `pawl plugins events`.
struct PluginEventsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List what happened to a plugin, newest first.",
        discussion: """
            EXAMPLES
              pawl plugins events csv
              pawl plugins events csv --limit 200
              pawl plugins events csv --json | jq '.items[].kind'
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.")
    var plugin: String

    @Option(help: "1 to 200.")
    var limit = 50

    func validate() throws {
        if !(1...200).contains(self.limit) { throw ValidationError("--limit is 1 to 200.") }
    }

    func execute(_ session: ClientSession) throws {
        let answer = try session.get(
            "/api/v1/plugins/\(ClientSession.escape(self.plugin))/events", [("limit", String(self.limit))])
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "TIME", importance: 10), .init(title: "WHAT", importance: 10),
            .init(title: "VERSION", importance: 9), .init(title: "HOST", importance: 4),
            .init(title: "DETAIL", importance: 7, shrinksTo: 16),
        ])
        for event in answer["items"]?.elements ?? [] {
            let kind = event["kind"]?.text ?? ""
            table.rows.append([
                .init(event["at"]?.text ?? ""), .init(kind, PluginWords.ink(kind)),
                .init(PluginWords.short(event["version"])), .init(event["host_name"]?.text ?? ""),
                .init(Self.words(event["detail"]?.present)),
            ])
        }
        if table.rows.isEmpty { return session.talk("Nothing has happened to \(self.plugin).") }
        table.print(to: session.terminal)
    }

    private static func words(_ detail: JSONValue?) -> String {
        guard let detail else { return "" }
        if let words = detail["words"]?.text ?? detail.text { return words }
        guard let policy = detail["policy"]?.present else { return detail.json }
        return policy["percent"]?.integer.map { "on \($0) % of the runs" }
            ?? "on the first \(policy["runs"]?.integer ?? 0) runs"
    }
}
