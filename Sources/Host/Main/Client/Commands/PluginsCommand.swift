import ArgumentParser
import JobCore

/// `pawl plugins`: what is loaded, what was refused and why, and which version serves.
struct PluginsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "List plugins; upload versions, switch between them, try one on a share of the runs.",
        discussion: """
            EXAMPLES
              pawl plugins
              pawl plugins show csv
              pawl plugins upload csv build/csv.so --sign key.pem
              pawl plugins canary csv 3f5a3f5a3f5a --percent 5
              pawl plugins rollback csv --reason "wrong totals"
            """,
        subcommands: [
            ListPluginsCommand.self, ShowPluginCommand.self, UploadPluginCommand.self, ActivatePluginCommand.self,
            RollbackPluginCommand.self, CanaryPluginCommand.self, DisablePluginCommand.self, EnablePluginCommand.self,
            PinPluginCommand.self, UnpinPluginCommand.self, UnquarantinePluginCommand.self, RemovePluginCommand.self,
            PluginEventsCommand.self, SignPluginCommand.self,
            MakeKeyCommand.self,
        ], defaultSubcommand: ListPluginsCommand.self)
}

/// `pawl plugins list`.
struct ListPluginsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List plugins with version, state and handlers, or why one was refused. The default.",
        discussion: """
            EXAMPLES
              pawl plugins
              pawl plugins --json | jq '.items[] | select(.error)'
              watch pawl plugins
            """)

    @OptionGroup var connection: ConnectionOptions

    /// Of what a compiler said.
    private static let linesOfRemark = 12

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/plugins")
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Table([
            .init(title: "PLUGIN", importance: 9), .init(title: "STATE", importance: 10),
            .init(title: "LABEL", importance: 4), .init(title: "VERSION", importance: 5),
            .init(title: "FILE", importance: 3, shrinksTo: 10), .init(title: "HANDLERS", importance: 7, shrinksTo: 12),
        ])
        var remarks: [PluginRemark] = []
        for plugin in answer["items"]?.elements ?? [] {
            let state = plugin["state"]?.text ?? ""
            let file = plugin["file"]?.text ?? ""
            let name = PluginWords.name(plugin)
            table.rows.append([
                .init(name), .init(state, PluginWords.ink(state)), .init(plugin["label"]?.text ?? ""),
                .init(String((plugin["version"]?.text ?? plugin["sha256"]?.text ?? "").prefix(12)), .dim),
                .init(file),
                .init((plugin["handlers"]?.elements ?? []).compactMap { $0["name"]?.text }.joined(separator: " ")),
            ])
            remarks += PluginWords.remarks(plugin)
        }
        if table.rows.isEmpty {
            return session.talk(
                "No plugins. Copy a .so into the host's plugin directory, or: pawl plugins upload NAME FILE")
        }
        table.print(to: session.terminal)
        // Below the table: an error that is cut to a cell helps nobody.
        for remark in remarks {
            let ink: Terminal.Ink = remark.isBad ? .red : .dim
            let about = session.terminal.talk.paint("\(Table.printable(remark.about)):", ink)
            let lines = remark.lines(atMost: Self.linesOfRemark, rest: "pawl plugins show \(remark.plugin)")
            if lines.count == 1 {
                session.talk("\(about) \(lines[0])")
            } else {
                session.talk(about)
                for line in lines { session.talk("    " + line) }
            }
        }
    }
}

/// Something to say below the table.
struct PluginRemark {
    var about: String
    var words: String
    var isBad: Bool
    /// Its plugin.
    var plugin = ""

    /// Its lines, ready to be printed: those of a compiler stay lines.
    /// - Parameter rest: the command that shows all of them.
    func lines(atMost limit: Int = .max, rest: String = "") -> [String] {
        let all = self.words.split(whereSeparator: \.isNewline).map { Table.printable(String($0)) }
        guard all.count > limit else { return all.isEmpty ? [""] : all }
        return all.prefix(limit - 1) + ["… \(all.count - limit + 1) more lines: \(rest)"]
    }
}

/// Plugins in words.
enum PluginWords {
    static func name(_ plugin: JSONValue) -> String {
        plugin["name"]?.text.flatMap { $0.isEmpty ? nil : $0 } ?? plugin["file"]?.text ?? ""
    }

    static func ink(_ state: String) -> Terminal.Ink? {
        switch state {
        case "active": .green
        case "canary", "held", "staged", "verifying", "warming": .yellow
        case "rejected", "crash_loop", "rolled_back": .red
        default: .dim
        }
    }

    static func remarks(_ plugin: JSONValue) -> [PluginRemark] {
        let (name, file) = (self.name(plugin), plugin["file"]?.text ?? "")
        var remarks: [PluginRemark] = []
        if let error = plugin["error"]?.text, !error.isEmpty {
            remarks.append(PluginRemark(about: file.isEmpty ? name : file, words: error, isBad: true, plugin: name))
        }
        for handler in plugin["handlers"]?.elements ?? [] {
            guard let quarantine = handler["quarantine"]?.present else { continue }
            let crashed = "\(quarantine["crashes"]?.integer ?? 0) of \(quarantine["attempts"]?.integer ?? 0)"
            remarks.append(
                PluginRemark(
                    about: handler["name"]?.text ?? name,
                    words: "in quarantine, \(crashed) attempts crashed; see: pawl quarantines", isBad: true))
        }
        if let held = plugin["held"]?.present {
            let count = held["problems"]?.elements?.count ?? 0
            remarks.append(
                PluginRemark(
                    about: name,
                    words: "version \(self.short(held["version"])) is held, \(count) problems; see: pawl plugins show "
                        + name, isBad: true))
        }
        if let canary = plugin["canary"]?.present {
            remarks.append(PluginRemark(about: name, words: "canary: " + self.canary(canary), isBad: false))
        }
        if let drift = plugin["drift"]?.integer, drift > 0 {
            remarks.append(
                PluginRemark(
                    about: name, words: "\(drift) hosts have another version; see: pawl plugins show \(name)",
                    isBad: true))
        }
        if plugin["disabled"]?.bool == true {
            remarks.append(PluginRemark(about: name, words: "disabled: no run of its handlers starts", isBad: true))
        }
        if plugin["pinned"]?.bool == true {
            remarks.append(PluginRemark(about: name, words: "pinned: files do not change what serves", isBad: false))
        }
        for note in (plugin["notes"]?.elements ?? []).compactMap(\.text) {
            remarks.append(PluginRemark(about: name, words: note, isBad: false))
        }
        return remarks
    }

    /// `3f5a3f5a3f5a takes 5 % of the runs; 2 of 120 crashed`
    static func canary(_ canary: JSONValue) -> String {
        var words = "\(self.short(canary["version"])) takes "
        if let percent = canary["percent"]?.integer {
            words += "\(percent) % of the runs"
        } else {
            words += "the first \(canary["runs"]?.integer ?? 0) runs"
        }
        if let seen = canary["seen"]?.present {
            words += "; \(seen["crashed"]?.integer ?? 0) of \(seen["runs"]?.integer ?? 0) crashed"
        }
        return words
    }

    static func short(_ version: JSONValue?) -> String { String((version?.text ?? "").prefix(12)) }
}
