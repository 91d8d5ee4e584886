import ArgumentParser
import JobCore

/// `pawl explain`: why a run is as it is.
struct ExplainCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a run failed, waits or runs, and what to type next; or what a code means.",
        discussion: """
            The cause in words, the evidence (limits, times, signal, place in the code, last words, position in the queue), and \
            the next commands. A crash that has just happened is waited for until its stack is read, three seconds at most. \
            Of a code (a problem's, an outcome's or a state's) it says what it means; no server is asked then.

            EXAMPLES
              pawl explain @last-failed
              pawl explain csv.to_jsonl#1234 --json | jq -r '.explanation.next[].command'
              pawl explain etag_mismatch
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(
        help: ArgumentHelp("A run (its id, JOB#NUMBER, @last or @last-failed), or a code.", valueName: "run or code"))
    var subject: String

    func run() throws {
        // A code is explained without any server.
        guard !Self.isRun(self.subject) else { return try self.runWithServer() }
        let terminal = Terminal(environment: Terminal.environment())
        guard let entry = CodeBook.entry(self.subject) else {
            let near = NearMatches.find(self.subject, among: CodeBook.codes)
            terminal.report(
                ClientFailure(
                    exit: .notFound, message: "\"\(self.subject)\" is no code, and names no run.",
                    details: near.isEmpty ? [] : ["did you mean \(near.joined(separator: ", "))?"]))
            throw ClientExit.notFound.code
        }
        if self.connection.json {
            let value = JSONValue.members(["code": .string(self.subject), "means": .string(entry)])
            return terminal.out.writeLine(terminal.out.isTerminal ? value.pretty : value.json)
        }
        terminal.out.writeLine(terminal.out.paint(self.subject, .bold))
        terminal.out.writeLine("  " + entry)
    }

    private static func isRun(_ text: String) -> Bool {
        text.hasPrefix("@") || text.contains("#") || RunID(parsing: text) != nil
    }

    func execute(_ session: ClientSession) throws {
        let id = try session.resolve(self.subject)
        let answer = try session.get(
            "/api/v1/runs/\(id)/explain",
            whilePending: { answer in
                (answer["explanation"]?["evidence"]?.elements ?? []).contains { $0["fact"]?.text == "stack_pending" }
            })
        if session.wantsJSON { return session.printJSON(answer) }
        let (out, explanation) = (session.terminal.out, answer["explanation"] ?? .null)
        let sign = StateSign(state: answer["state"]?.text ?? "")
        out.writeLine(
            out.paint(sign.text(unicode: session.terminal.isUnicode), sign.ink) + "  "
                + out.paint(Table.printable(explanation["summary"]?.text ?? ""), .bold))
        if let because = explanation["because"]?.text { out.writeLine("  " + Table.printable(because)) }
        let evidence = (explanation["evidence"]?.elements ?? []).compactMap { $0["text"]?.text }
        if !evidence.isEmpty {
            out.writeLine()
            for text in evidence { out.writeLine("  - " + Table.printable(text)) }
        }
        let next = (explanation["next"]?.elements ?? []).compactMap { step in
            step["command"]?.text.map { (command: $0, why: step["why"]?.text ?? "") }
        }
        guard !next.isEmpty else { return }
        out.writeLine()
        out.writeLine(out.paint("next", .dim))
        let width = min(60, next.map(\.command.count).max() ?? 0)
        for step in next {
            out.writeLine(
                "  " + Table.printable(step.command).padded(to: width) + "  "
                    + out.paint(Table.printable(step.why), .dim))
        }
    }
}
