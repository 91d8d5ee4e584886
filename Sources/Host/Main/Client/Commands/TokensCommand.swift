import ArgumentParser
import JobCore

/// `pawl tokens`: who else may ask, and for what.
struct TokensCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens",
        abstract: "List, make, rotate and revoke tokens for programs and people.",
        discussion: """
            Roles: viewer reads, operator also makes and ends runs, admin also changes queues, jobs, schedules and plugins, \
            owner does everything.

            EXAMPLES
              pawl tokens
              pawl tokens create ci --role operator --queue 'ci-*' --expires 30d
              pawl tokens rotate ci --grace 1h
              pawl tokens revoke ci
            """,
        subcommands: [List.self, Create.self, Rotate.self, Revoke.self], defaultSubcommand: List.self)

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(abstract: "List them. The default.")
        @OptionGroup var connection: ConnectionOptions
        @Flag(help: "Revoked ones too.") var revoked = false

        func execute(_ session: ClientSession) throws {
            let answer = try session.get("/api/v1/tokens", [("revoked", self.revoked ? "true" : nil)])
            if session.wantsJSON { return session.printJSON(answer) }
            var table = Table([
                .init(title: "NAME", importance: 10), .init(title: "ROLE", importance: 9),
                .init(title: "CONFINED TO", importance: 7, shrinksTo: 16), .init(title: "EXPIRES", importance: 8),
                .init(title: "USED", importance: 6), .init(title: "FROM", importance: 3),
                .init(title: "MADE BY", importance: 2), .init(title: "ID", importance: 5),
            ])
            let now = wallMicroseconds()
            for item in answer["items"]?.elements ?? [] {
                let isRevoked = item["revoked_at"]?.text != nil
                table.rows.append([
                    .init(item["name"]?.text ?? ""),
                    .init(isRevoked ? "revoked" : item["role"]?.text ?? "", isRevoked ? .dim : nil),
                    .init(Self.bounds(item["bounds"])),
                    .init(item["expires_at"]?.text.map { Format.relative($0, now: now) } ?? "never"),
                    .init(item["last_used_at"]?.text.map { Format.relative($0, now: now) } ?? "never"),
                    .init(item["last_used_from"]?.text ?? ""), .init(item["created_by"]?.text ?? ""),
                    .init(item["id"]?.text ?? "", .dim),
                ])
            }
            if table.rows.isEmpty { return session.talk("No tokens but the host's own.") }
            table.print(to: session.terminal)
        }

        static func bounds(_ bounds: JSONValue?) -> String {
            let parts = [("queue", "queues"), ("job", "jobs"), ("owner", "owners")].flatMap { word, name in
                (bounds?[name]?.elements ?? []).compactMap(\.text).map { "\(word) \($0)" }
            }
            return parts.isEmpty ? "-" : parts.joined(separator: ", ")
        }
    }

    struct Create: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token. It is printed once, on standard output, and kept nowhere.",
            discussion: """
                Whoever is confined to queues, jobs or owners (repeat the option for several) may ask about those alone; a \
                star at the end stands for any ending.

                EXAMPLES
                  pawl tokens create grafana --role viewer
                  pawl tokens create ci --role operator --queue 'ci-*' --expires 30d
                  PAWL_TOKEN=$(pawl tokens create once --role admin --expires 1h) pawl queues
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "A name that no other token has.") var name: String
        @Option(help: "viewer, operator, admin or owner.") var role: String
        @Option(help: ArgumentHelp("When it ends by itself: 1h, 30d.", valueName: "duration")) var expires: String?
        @Option(name: .customLong("queue"), help: ArgumentHelp("Confine it to this queue.", valueName: "pattern"))
        var queues: [String] = []
        @Option(name: .customLong("job"), help: ArgumentHelp("Confine it to this job.", valueName: "pattern"))
        var jobs: [String] = []
        @Option(
            name: .customLong("owner"), help: ArgumentHelp("Confine it to runs of this owner.", valueName: "pattern"))
        var owners: [String] = []

        func validate() throws {
            if let expires, (Format.parseDuration(expires) ?? 0) <= 0 {
                throw ValidationError("\"\(expires)\" is no duration: write 30m, 6h or 30d.")
            }
        }

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members(["name": .string(self.name), "role": .string(self.role)])
            if let expires = self.expires.flatMap(Format.parseDuration) {
                body = body.setting("expires_in_ms", to: .int(expires))
            }
            for (name, list) in [("queues", self.queues), ("jobs", self.jobs), ("owners", self.owners)] {
                if !list.isEmpty { body = body.setting(name, to: .array(list.map { .string($0) })) }
            }
            let answer = try session.send("POST", "/api/v1/tokens", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            session.terminal.out.writeLine(answer["token"]?.text ?? "")
            session.talk(
                "This is the only time that the token is shown. Revoke it with: pawl tokens revoke \(self.name)")
        }
    }

    struct Rotate: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new token in the place of one. It is printed once, on standard output.",
            discussion: """
                It has the name, the role and the bounds of the old one. That ends at once, and with it the sessions that \
                came from it; with --grace it goes on for a while as NAME~NUMBER, so that `pawl tokens` shows who still \
                uses it.

                EXAMPLES
                  pawl tokens rotate ci
                  pawl tokens rotate ci --grace 1h --expires 90d
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Its name or id.") var token: String
        @Option(
            help: ArgumentHelp("How long the old one goes on: 10m, 1d. Default: not at all.", valueName: "duration"))
        var grace: String?
        @Option(
            help: ArgumentHelp(
                "When the new one ends by itself. Default: as long from now as the old one had from its making.",
                valueName: "duration"))
        var expires: String?
        @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason: String?

        func validate() throws {
            for text in [self.grace, self.expires].compactMap(\.self) where (Format.parseDuration(text) ?? 0) <= 0 {
                throw ValidationError("\"\(text)\" is no duration: write 30m, 6h or 30d.")
            }
        }

        func execute(_ session: ClientSession) throws {
            var body = JSONValue.members([:])
            if let expires = self.expires.flatMap(Format.parseDuration) {
                body = body.setting("expires_in_ms", to: .int(expires))
            }
            if let grace = self.grace.flatMap(Format.parseDuration) { body = body.setting("grace_ms", to: .int(grace)) }
            if let reason { body = body.setting("reason", to: .string(reason)) }
            let id = try TokensCommand.id(of: self.token, session)
            let answer = try session.send("POST", "/api/v1/tokens/\(ClientSession.escape(id))/rotate", body).json
            if session.wantsJSON { return session.printJSON(answer) }
            session.terminal.out.writeLine(answer["token"]?.text ?? "")
            let old = answer["replaced"]
            session.talk(
                old?["revoked_at"]?.text != nil
                    ? "This is the only time that the token is shown. The old one has ended."
                    : "This is the only time that the token is shown. The old one ends at \(old?["expires_at"]?.text ?? "?")."
            )
        }
    }

    /// What a person calls it becomes its id.
    static func id(of reference: String, _ session: ClientSession) throws -> String {
        let all = try session.get("/api/v1/tokens")["items"]?.elements ?? []
        let found = all.first { $0["id"]?.text == reference } ?? all.first { $0["name"]?.text == reference }
        guard let id = found?["id"]?.text else {
            throw ClientFailure(exit: .notFound, message: "There is no token \"\(reference)\".")
        }
        return id
    }

    struct Revoke: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke tokens for good.",
            discussion: """
                EXAMPLES
                  pawl tokens revoke ci
                  pawl tokens revoke tok_7 tok_8
                """)
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Names or ids.") var tokens: [String]

        func execute(_ session: ClientSession) throws {
            for reference in self.tokens {
                let id = try TokensCommand.id(of: reference, session)
                _ = try session.send("DELETE", "/api/v1/tokens/\(ClientSession.escape(id))")
                session.talk("revoked \(reference)")
            }
        }
    }
}

/// `pawl whoami`
struct WhoamiCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Say who the server takes you for, and what you may.",
        discussion: """
            EXAMPLES
              pawl whoami
              pawl whoami --json
              PAWL_TOKEN=… pawl whoami --server http://other:7070
            """)
    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let answer = try session.get("/api/v1/auth/whoami")
        if session.wantsJSON { return session.printJSON(answer) }
        let bounds = TokensCommand.List.bounds(answer["bounds"])
        var line = "\(answer["name"]?.text ?? "nobody")\t\(answer["role"]?.text ?? "no role")"
        if bounds != "-" { line += "\tonly " + bounds }
        if let expires = answer["expires_at"]?.text { line += "\tuntil \(expires)" }
        session.terminal.out.writeLine(line)
    }
}
