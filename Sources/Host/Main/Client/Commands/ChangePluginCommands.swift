import ArgumentParser
import JobCore

/// One change of a plugin: what was seen is what is changed, somebody else's change meanwhile is never overwritten.
struct PluginRequest {
    let plugin: String
    let verb: String
    let body: JSONValue

    init(_ plugin: String, _ verb: String, _ members: [(String, JSONValue?)] = [], reason: String?) {
        self.plugin = plugin
        self.verb = verb
        let all = members + [("reason", reason.map(JSONValue.string))]
        self.body = .object(all.compactMap { name, value in value.map { JSONMember(name, $0) } })
    }

    func send(_ session: ClientSession, words: String) throws {
        let path = "/api/v1/plugins/\(ClientSession.escape(self.plugin))"
        let tag = try session.getTagged(path).tag
        let answer: JSONValue
        do throws(ClientFailure) {
            answer = try session.send(
                "POST", "\(path)/\(self.verb)", self.body, headers: tag.map { [("If-Match", $0)] } ?? []
            ).json
        } catch {
            guard error.code == "activation_held" else { throw error }
            var failure = error
            failure.details.append("--force activates it all the same")
            throw failure
        }
        if session.wantsJSON { return session.printJSON(answer) }
        let plugin = answer["plugin"] ?? answer
        session.terminal.out.writeLine(
            [
                self.plugin, PluginWords.short(plugin["active"]?.present),
                answer["changed"]?.bool == false ? "unchanged" : words,
            ].joined(separator: "\t"))
    }
}

/// `pawl plugins activate`.
struct ActivatePluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "activate",
        abstract: "Have a version serve, on all hosts.",
        discussion: """
            Waiting runs and schedules are checked against its schemas first: what it would break is listed, and nothing \
            changes. Runs in flight finish on the version they began with.

            EXAMPLES
              pawl plugins activate csv 3f5a3f5a3f5a
              pawl plugins activate csv 3f5a3f5a3f5a --reason "the fix for #12"
              pawl plugins activate csv 3f5a3f5a3f5a --force
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Argument(help: "The version: its SHA-256, or how that begins.") var version: String

    @Flag(help: "Even if waiting runs or schedules do not fit it.") var force = false

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(
            self.plugin, "activate",
            [("version", .string(self.version)), ("force", self.force ? .boolean(true) : nil)], reason: self.reason
        ).send(session, words: "active")
    }
}

/// `pawl plugins rollback`.
struct RollbackPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Go back to the version before, or end a canary.",
        discussion: """
            EXAMPLES
              pawl plugins rollback csv
              pawl plugins rollback csv --reason "wrong totals"
              pawl plugins rollback csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "rollback", reason: self.reason).send(session, words: "rolled back")
    }
}

/// `pawl plugins canary`.
struct CanaryPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "canary",
        abstract: "Try a version on a share of the runs, or on the next few.",
        discussion: """
            A crash in the canary uses no attempt of its run, which goes to the old version. When more of its runs crash than \
            allowed, the version is rolled back by itself; `pawl plugins activate` takes it over for good.

            EXAMPLES
              pawl plugins canary csv 3f5a3f5a3f5a --percent 5
              pawl plugins canary csv 3f5a3f5a3f5a --runs 100
              pawl plugins canary csv 3f5a3f5a --percent 10 --crash-percent 2 --for 1h
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Argument(help: "The version: its SHA-256, or how that begins.") var version: String

    @Option(help: "Its share of the runs, 1 to 100.") var percent: Int?

    @Option(help: "It takes this many runs, and is judged by them.") var runs: Int?

    @Option(name: .customLong("minimum-runs"), help: "Judged by no fewer runs than this.") var minimumRuns: Int?

    @Option(name: .customLong("crash-percent"), help: "Rolled back when more of its runs crash than this share.")
    var crashPercent: Double?

    @Option(
        name: .customLong("for"), help: ArgumentHelp("Judged after this time at the latest.", valueName: "duration"))
    var limit: String?

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func validate() throws {
        if (self.percent == nil) == (self.runs == nil) {
            throw ValidationError("Say how much with exactly one of --percent and --runs.")
        }
        if let limit, Format.parseDuration(limit) == nil {
            throw ValidationError("\"\(limit)\" is no duration for --for: write 10m, 6h or 2d.")
        }
    }

    func execute(_ session: ClientSession) throws {
        try PluginRequest(
            self.plugin, "canary",
            [
                ("version", .string(self.version)), ("percent", self.percent.map { .int($0) }),
                ("runs", self.runs.map { .int($0) }), ("minimum_runs", self.minimumRuns.map { .int($0) }),
                ("crash_percent_bound", self.crashPercent.map { .number("\($0)") }),
                ("deadline_ms", self.limit.flatMap(Format.parseDuration).map { .int($0) }),
            ], reason: self.reason
        ).send(session, words: "canary")
    }
}

/// `pawl plugins disable`.
struct DisablePluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Start no more runs of a plugin's handlers; they wait.",
        discussion: """
            EXAMPLES
              pawl plugins disable csv
              pawl plugins disable csv --reason "the disk is full"
              pawl plugins disable csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "disable", reason: self.reason).send(session, words: "disabled")
    }
}

/// `pawl plugins enable`.
struct EnablePluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Start runs of a disabled plugin's handlers again.",
        discussion: """
            EXAMPLES
              pawl plugins enable csv
              pawl plugins enable csv --reason "there is room again"
              pawl plugins enable csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "enable", reason: self.reason).send(session, words: "enabled")
    }
}

/// `pawl plugins pin`.
struct PinPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin",
        abstract: "Let no file in a plugin directory change which version serves.",
        discussion: """
            Uploads and orders do as before.

            EXAMPLES
              pawl plugins pin csv
              pawl plugins pin csv --reason "month end"
              pawl plugins pin csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "pin", reason: self.reason).send(session, words: "pinned")
    }
}

/// `pawl plugins unpin`.
struct UnpinPluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin",
        abstract: "Let files in plugin directories change again which version serves.",
        discussion: """
            EXAMPLES
              pawl plugins unpin csv
              pawl plugins unpin csv --reason "the books are closed"
              pawl plugins unpin csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "unpin", reason: self.reason).send(session, words: "unpinned")
    }
}

/// `pawl plugins unquarantine`.
struct UnquarantinePluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "unquarantine",
        abstract: "Start a plugin again whose processes died too often.",
        discussion: """
            For one handler that kept crashing see `pawl quarantines lift`.

            EXAMPLES
              pawl plugins unquarantine csv
              pawl plugins unquarantine csv --reason "the library is there again"
              pawl plugins unquarantine csv --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Option(help: "Why; kept with the plugin.") var reason: String?

    func execute(_ session: ClientSession) throws {
        try PluginRequest(self.plugin, "unquarantine", reason: self.reason).send(session, words: "started again")
    }
}

/// `pawl plugins remove`.
struct RemovePluginCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a version that serves nothing.",
        discussion: """
            Its bytes are gone then, and runs of it cannot be replayed any more. One that serves, or has runs in flight, is \
            not removed.

            EXAMPLES
              pawl plugins remove csv 3f5a3f5a3f5a
              pawl plugins remove csv 3f5a3f5a3f5a --yes
              pawl plugins remove csv 3f5a3f5a3f5a --yes --json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The plugin.") var plugin: String

    @Argument(help: "The version: its SHA-256, or how that begins.") var version: String

    @Flag(help: "Without a question.") var yes = false

    func execute(_ session: ClientSession) throws {
        let path = "/api/v1/plugins/\(ClientSession.escape(self.plugin))"
        let seen = try session.getTagged(path)
        let versions = (seen.json["versions"]?.elements ?? []).compactMap { $0["version"]?.text }
            .filter { $0.hasPrefix(self.version.lowercased()) }
        guard let version = versions.first else {
            throw ClientFailure(exit: .notFound, message: "\(self.plugin) has no version \(self.version).")
        }
        guard versions.count == 1 else {
            throw ClientFailure(
                exit: .usage, message: "\(versions.count) versions of \(self.plugin) begin so: say which.",
                details: versions.map { String($0.prefix(16)) })
        }
        if !self.yes, try !session.confirm("Remove version \(version.prefix(12)) of \(self.plugin)?") { return }
        _ = try session.send(
            "DELETE", "\(path)/versions/\(version)", headers: seen.tag.map { [("If-Match", $0)] } ?? [])
        if session.wantsJSON { return session.printJSON(.members(["removed": .string(version)])) }
        session.terminal.out.writeLine("\(self.plugin)\t\(version.prefix(12))\tremoved")
    }
}
