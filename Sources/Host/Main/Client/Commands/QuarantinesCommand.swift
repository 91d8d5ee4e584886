import ArgumentParser
import JobCore

/// `pawl quarantines`: what is out of service because it kept crashing.
struct QuarantinesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantines",
        abstract: "List versions of handlers that are out of service because they kept crashing; put one back.",
        discussion: """
            EXAMPLES
              pawl quarantines
              pawl quarantines --json
              pawl quarantines lift etl.load 3f5a3f5a3f5a
            """,
        subcommands: [List.self, Lift.self], defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List them. The default.")
        @OptionGroup var connection: ConnectionOptions

        func execute(_ session: ClientSession) throws {
            let answer = try session.get("/api/v1/quarantines")
            if session.wantsJSON { return session.printJSON(answer) }
            var table = Table([
                .init(title: "HANDLER", importance: 10), .init(title: "VERSION", importance: 9),
                .init(title: "CRASHED", importance: 7, alignsRight: true), .init(title: "SINCE", importance: 5),
                .init(title: "NEXT TRY", importance: 8), .init(title: "REASON", importance: 4, shrinksTo: 16),
            ])
            let now = wallMicroseconds()
            for item in answer["items"]?.elements ?? [] {
                let crashed = "\(item["crashes"]?.integer ?? 0) of \(item["attempts"]?.integer ?? 0)"
                table.rows.append([
                    .init(item["handler"]?.text ?? ""), .init(String((item["version"]?.text ?? "").prefix(12))),
                    .init(crashed, .red), .init(Format.relative(item["since"]?.text, now: now)),
                    .init(item["on_trial"]?.bool == true ? "now" : Format.relative(item["until"]?.text, now: now)),
                    .init(item["reason"]?.text ?? ""),
                ])
            }
            if table.rows.isEmpty { return session.talk("Nothing is in quarantine.") }
            table.print(to: session.terminal)
        }
    }

    struct Lift: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve a version again at once.",
            discussion: """
                EXAMPLES
                  pawl quarantines lift etl.load 3f5a3f5a3f5a
                  pawl quarantines lift etl.load
                """)
        @OptionGroup var connection: ConnectionOptions

        @Argument(help: "The handler.")
        var handler: String

        @Argument(help: "Its version, or how that begins; may be left out where there is one only.")
        var version: String?

        func execute(_ session: ClientSession) throws {
            let version = try self.version ?? self.only(session)
            let path = "/api/v1/quarantines/\(ClientSession.escape(self.handler))/\(ClientSession.escape(version))/lift"
            let answer = try session.send("POST", path, .object([])).json
            if session.wantsJSON { return session.printJSON(answer) }
            let whole = answer["quarantine"]?["version"]?.text ?? version
            session.terminal.out.writeLine("\(self.handler)\t\(whole.prefix(12))\tserved again")
        }

        private func only(_ session: ClientSession) throws(ClientFailure) -> String {
            let all = (try session.get("/api/v1/quarantines")["items"]?.elements ?? [])
                .filter { $0["handler"]?.text == self.handler }.compactMap { $0["version"]?.text }
            guard let first = all.first else {
                throw ClientFailure(exit: .notFound, message: "No version of \(self.handler) is in quarantine.")
            }
            guard all.count == 1 else {
                throw ClientFailure(
                    exit: .usage, message: "\(all.count) versions of \(self.handler) are in quarantine: say which.",
                    details: all.map { String($0.prefix(12)) })
            }
            return first
        }
    }
}
