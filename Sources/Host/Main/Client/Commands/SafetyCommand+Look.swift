import ArgumentParser
import JobCore

extension SafetyCommand {
    struct Stuck: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Runs that take too long or do nothing, worst first, and why they count as such.",
            discussion: """
                EXAMPLES
                  pawl safety stuck
                  pawl safety stuck --severity critical
                  pawl safety stuck --in-queue mail --json
                """)
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Only these: low, medium, high or critical.") var severity: String?
        @Option(name: .customLong("in-queue"), help: "Only of this queue.") var inQueue: String?

        func execute(_ session: ClientSession) throws {
            let query = QueryText([("severity", self.severity), ("queue", self.inQueue)])
            let answer = try session.get("/api/v1/safety/stuck" + query.text)
            if session.wantsJSON { return session.printJSON(answer) }
            let items = answer["items"]?.elements ?? []
            if items.isEmpty { return session.talk("Nothing is stuck.") }
            let out = session.terminal.out
            for item in items {
                let severity = item["severity"]?.text ?? ""
                let time = item["running_for_ms"]?.integer.map { Format.span(milliseconds: $0) } ?? ""
                out.writeLine(
                    out.paint(severity.padded(to: 9), severity == "low" ? .yellow : .red)
                        + Table.printable(time.padded(to: 10) + RunRecord(json: item).name.padded(to: 28))
                        + (item["id"]?.text ?? ""))
                out.writeLine(
                    "  " + Table.printable((item["evidence"]?.elements ?? []).map(Self.words).joined(separator: "; ")))
            }
        }

        /// One piece of evidence, in words.
        static func words(_ evidence: JSONValue) -> String {
            func span(_ name: String) -> String { evidence[name]?.integer.map { Format.span(milliseconds: $0) } ?? "?" }
            switch evidence["kind"]?.text {
            case "runs_long": return "runs for long"
            case "slower_than_usual":
                return "\(evidence["times"]?.json ?? "?") times what 95 of 100 runs take (\(span("p95_ms")))"
            case "past_timeout": return "its timeout of \(span("timeout_ms")) has passed"
            case "no_progress": return "no progress and no line for \(span("for_ms"))"
            case "no_cpu": return "no processor time for \(span("for_ms"))"
            case "host_silent": return "its host is silent"
            default: return evidence["kind"]?.text ?? "?"
            }
        }
    }

    struct Sweeps: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "What sweeps and people have found and done, newest first.",
            discussion: """
                EXAMPLES
                  pawl safety sweeps
                  pawl safety sweeps --found
                  pawl safety sweeps --limit 200 --json
                """)
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "So many.") var limit: Int = 20
        @Flag(help: "Only those that found something.") var found = false

        func execute(_ session: ClientSession) throws {
            let query = QueryText([("limit", "\(self.limit)"), ("found", self.found ? "true" : nil)])
            let answer = try session.get("/api/v1/safety/sweeps" + query.text)
            if session.wantsJSON { return session.printJSON(answer) }
            let items = answer["items"]?.elements ?? []
            if items.isEmpty { return session.talk("Nobody has swept yet.") }
            for item in items {
                func count(_ name: String) -> Int64 { item[name]?.integer ?? 0 }
                let orphans = (item["orphans"]?.object ?? []).reduce(0) { $0 + ($1.value.integer ?? 0) }
                let cleaned = (item["cleaned"]?.object ?? []).reduce(0) { $0 + ($1.value.integer ?? 0) }
                session.terminal.out.writeLine(
                    Table.printable(
                        "\(item["at"]?.text ?? "")  \((item["kind"]?.text ?? "").padded(to: 14)) "
                            + "stale \(count("stale")), failed \(count("failed")), requeued \(count("requeued")), "
                            + "orphans \(orphans), cleaned \(cleaned)"
                            + (item["actor"]?.text.map { "  by \($0)" } ?? "")))
            }
        }
    }
}

/// A query of a URL, without what is nil.
struct QueryText {
    let text: String

    init(_ items: [(name: String, value: String?)]) {
        let parts = items.compactMap { item in item.value.map { "\(item.name)=\(Self.escaped($0))" } }
        text = parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.append(Character(UnicodeScalar(byte)))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
