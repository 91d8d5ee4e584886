import JobCore
import Supervision

/// All findings about one file, and how they are told.
struct CheckReport: Sendable {
    let file: String
    var findings: [CheckFinding] = []
    /// What the plugin says of itself; nil if it could not be loaded.
    var manifest: PluginManifest?

    init(file: String) { self.file = file }

    mutating func add(_ finding: CheckFinding) { self.findings.append(finding) }

    /// The worst.
    var level: CheckFinding.Level { self.findings.map(\.level).max() ?? .ok }

    private func count(_ level: CheckFinding.Level) -> Int { self.findings.count { $0.level == level } }

    // MARK: For people

    func print(to terminal: Terminal, all: Bool) {
        let out = terminal.out
        if let manifest {
            let names = manifest.handlers.map(\.name)
            let shown = names.prefix(6).joined(separator: ", ") + (names.count > 6 ? ", …" : "")
            out.writeLine(
                out.paint(Table.printable("\(manifest.name) \(manifest.version)"), .bold)
                    + "  \(names.count == 1 ? "handler" : "\(names.count) handlers") \(Table.printable(shown))")
        }
        let shown = self.findings.filter { all || $0.level >= .note }.sorted { $0.level > $1.level }
        for finding in shown {
            out.writeLine(self.line(finding, terminal))
            if let advice = finding.advice {
                out.writeLine(
                    "             " + out.paint((terminal.isUnicode ? "→ " : "-> ") + Table.printable(advice), .dim))
            }
        }
        out.writeLine(
            out.paint(self.summary, self.level == .refused ? .red : self.level == .warning ? .yellow : .green))
    }

    private func line(_ finding: CheckFinding, _ terminal: Terminal) -> String {
        let (sign, ink): (String, Terminal.Ink?) =
            switch finding.level {
            case .ok: ("✓", .green)
            case .note: ("·", .dim)
            case .warning: ("!", .yellow)
            case .refused: ("✗", .red)
            }
        let word = finding.level.rawValue.padded(to: 7)
        let label = terminal.out.paint((terminal.isUnicode ? sign + " " : "") + word, ink)
        return "\(label)  \(Table.printable(finding.check)): \(Table.printable(finding.words))"
    }

    private var summary: String {
        let warnings = self.count(.warning)
        let words = warnings == 1 ? "1 warning" : "\(warnings) warnings"
        return switch self.level {
        case .refused: "refused: no host takes it as it is" + (warnings == 0 ? "" : " (and \(words))")
        case .warning: "it works, with \(words)"
        case .ok, .note: "fine"
        }
    }

    // MARK: For programs

    var json: JSONValue {
        var members = [
            JSONMember("file", .string(self.file)),
            JSONMember(
                "verdict", .string(self.level == .refused ? "refused" : self.level == .warning ? "warnings" : "fine")),
        ]
        if let manifest { members.append(JSONMember("plugin", Self.json(manifest))) }
        members.append(JSONMember("findings", .array(self.findings.map(\.json))))
        return .object(members)
    }

    private static func json(_ manifest: PluginManifest) -> JSONValue {
        let handlers = manifest.handlers.map { handler -> JSONValue in
            .object([
                JSONMember("name", .string(handler.name)),
                JSONMember("has_args_schema", .boolean(handler.argsSchema != nil)),
                JSONMember("has_result_schema", .boolean(handler.resultSchema != nil)),
            ])
        }
        let micros = manifest.loadTime / .microseconds(1)
        return .object([
            JSONMember("name", .string(manifest.name)), JSONMember("version", .string(manifest.version)),
            JSONMember("abi", .string("\(manifest.abiMajor).\(manifest.abiMinor)")),
            JSONMember("fork_mode", .string(manifest.forkMode.rawValue)),
            JSONMember("threads", .number("\(manifest.threads)")),
            JSONMember("rss_bytes", .number("\(manifest.rssBytes)")),
            JSONMember("load_us", .number("\(Int64(micros))")), JSONMember("handlers", .array(handlers)),
        ])
    }
}
