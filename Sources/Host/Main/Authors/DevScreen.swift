import JobCore
import UVLoop

/// What `pawl dev` shows: one line per step, the compiler's words, the run's log and its end.
struct DevScreen: Sendable {
    let terminal: Terminal

    private var out: Terminal.Stream { self.terminal.out }
    private func sign(_ unicode: String, _ plain: String) -> String { self.terminal.isUnicode ? unicode : plain }
    private var clock: String { self.out.paint(JobClock.timeOfDay(wallMicroseconds()), .dim) }

    func note(_ text: String, _ ink: Terminal.Ink? = nil) {
        self.out.writeLine("\(self.clock) \(self.out.paint(text, ink))")
    }

    func good(_ text: String) { self.note(self.sign("✓ ", "+ ") + text, .green) }
    func bad(_ text: String) { self.note(self.sign("✗ ", "x ") + text, .red) }

    /// What a compiler or a host said, indented, as it is but for control characters.
    func quote(_ text: String, _ ink: Terminal.Ink? = nil) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) where !line.isEmpty {
            self.out.writeLine("    " + self.out.paint(Table.printable(String(line)), ink))
        }
    }

    func run(_ choice: DevRerun.Choice, _ id: String) {
        var args = Table.printable(choice.args.json)
        if args.count > 200 { args = String(args.prefix(199)) + "…" }
        self.note(
            self.sign("▶ ", "> ") + self.out.paint(choice.handler, .bold) + " \(args) "
                + self.out.paint("(\(Table.printable(choice.source)))", .dim))
    }

    func log(_ line: JSONValue) {
        // The outcome summary: but for its counters, the end that follows says the same.
        if line["stream"]?.text == "host", line["level"]?.text == "info",
            let counters = line["fields"]?["counters"]?.object
        {
            if !counters.isEmpty {
                self.quote("counters: " + counters.map { "\($0.key) \($0.value.json)" }.joined(separator: ", "), .dim)
            }
            return
        }
        self.out.writeLine("    " + PrintedLogLine(json: line).text(self.terminal, self.out))
    }

    /// The lines of a run's log from this one on. Returns the number of the next.
    func log(of id: String, from next: Int64, _ session: ClientSession) throws(ClientFailure) -> Int64 {
        let answer = try session.get("/api/v1/runs/\(id)/logs", [("from", "\(next)"), ("limit", "500")])
        for line in answer["items"]?.elements ?? [] { self.log(line) }
        return answer["next_from"]?.integer ?? next
    }

    func end(_ run: RunRecord, isNamed: Bool = false) {
        let sign = StateSign(state: run.state)
        var line = "    " + (isNamed ? run.name + " " : "")
        line += self.out.paint(sign.text(unicode: self.terminal.isUnicode), sign.ink)
        if let outcome = run.outcome, outcome != run.state { line += " (\(outcome))" }
        if let time = Format.elapsed(run.startedAt, run.finishedAt, now: wallMicroseconds()) {
            line += " after \(Format.span(milliseconds: time))"
        }
        self.out.writeLine(line)
        if run.state != "succeeded", let error = run.errorLine { self.quote(error, .red) }
        if let result = run.json["result"]?.present { self.quote(Self.beginning(of: result.pretty, id: run.id)) }
        if run.outcome == "crashed" || run.outcome == "timed_out" {
            self.quote("pawl explain \(run.id), pawl replay \(run.id) --gdb say more", .dim)
        }
    }

    /// How much of a result stays in sight of what was said before it.
    private static let resultLines = 40

    private static func beginning(of text: String, id: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count > Self.resultLines else { return text }
        let rest = lines.count - Self.resultLines
        return (lines.prefix(Self.resultLines) + ["… \(rest) more lines: pawl show \(id)"]).joined(separator: "\n")
    }

    /// From the save to here, and where the time went.
    func time(_ total: Duration, _ parts: [(String, Duration)]) {
        let inside = parts.map { "\($0.0) \(Self.seconds($0.1))" }.joined(separator: ", ")
        self.note(
            self.out.paint("saved \(self.sign("→", "->")) result: \(Self.seconds(total))", .bold) + " (\(inside))")
    }

    static func seconds(_ time: Duration) -> String {
        let hundredths = (time.wholeMilliseconds + 5) / 10
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) s"
    }
}
