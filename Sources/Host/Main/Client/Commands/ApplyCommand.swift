import ArgumentParser
import JobCore

/// What `plan` and `apply` share.
struct StateOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .customLong("file")],
        help: ArgumentHelp(
            "A file, a directory with such files, or - for standard input. Several are one whole.", valueName: "path"))
    var files: [String] = []

    @Flag(help: "Remove schedules and calendars that were applied before and stand in no file any more.")
    var prune = false

    @Option(help: ArgumentHelp("Whose files they are: --prune looks at no other set.", valueName: "name"))
    var set = "default"

    func validate() throws {
        if self.files.isEmpty { throw ValidationError("Say which files: -f PATH.") }
    }

    /// The host's answer, faults told by file and line.
    /// - Parameter plan: what was shown: nothing else is done.
    func send(
        _ state: StateFiles, dryRun: Bool, plan: String? = nil, reason: String? = nil, _ session: ClientSession
    ) throws(ClientFailure) -> JSONValue {
        var body = state.json.setting("set", to: .string(self.set))
        if self.prune { body = body.setting("prune", to: .boolean(true)) }
        if dryRun { body = body.setting("dry_run", to: .boolean(true)) }
        if let plan { body = body.setting("plan", to: .string(plan)) }
        if let reason { body = body.setting("reason", to: .string(reason)) }
        do throws(ClientFailure) {
            return try session.send("POST", "/api/v1/apply", body).json
        } catch {
            throw Self.placed(error, state)
        }
    }

    /// A refusal that points into the body says where in the files that is.
    private static func placed(_ failure: ClientFailure, _ state: StateFiles) -> ClientFailure {
        let spots = failure.places.map { state.spot($0.pointer) }
        guard spots.contains(where: { $0 != nil }) else { return failure }
        var placed = failure
        placed.details = zip(failure.places, spots).map { place, spot in
            guard let spot else { return "\(place.pointer): \(place.detail)" }
            return "\(spot.file):\(spot.place.line): \(spot.path): \(place.detail)"
        }
        placed.message =
            spots.count == 1 ? "One thing is not right." : "\(spots.count) things are not right."
        return placed
    }

    static func printChanges(_ answer: JSONValue, _ session: ClientSession) {
        let out = session.terminal.out
        for change in answer["changes"]?.elements ?? [] {
            let action = change["action"]?.text ?? ""
            let sign = ["create": "+", "change": "~", "delete": "-"][action] ?? "?"
            let colour: Terminal.Ink = action == "create" ? .green : action == "delete" ? .red : .yellow
            let name = Table.printable("\(sign) \(change["kind"]?.text ?? "") \(change["name"]?.text ?? "")")
            out.writeLine(out.paint(name, colour))
            guard action == "change" else { continue }
            for field in change["fields"]?.elements ?? [] {
                let from = field["from"]?.present.map { $0.text ?? $0.json } ?? "(none)"
                let to = field["to"]?.present.map { $0.text ?? $0.json } ?? "(none)"
                out.writeLine(Table.printable("    \(field["name"]?.text ?? ""): \(from) -> \(to)"))
            }
        }
    }
}

/// `pawl plan -f`: what `apply` would change.
struct PlanCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what applying files would change.",
        discussion: """
            Files say what there is to be: calendars, queues, jobs and schedules, in YAML or JSON, in the words of the API \
            (docs/schedules.md). Nothing is changed.

            Exit codes: 0 everything is so already, 2 something would change, 65 a file is wrong.

            EXAMPLES
              pawl plan -f state/
              pawl plan -f schedules.yaml -f calendars.yaml
              pawl plan -f state/ --prune --json
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var state: StateOptions

    func execute(_ session: ClientSession) throws {
        let answer = try self.state.send(try StateFiles(self.state.files), dryRun: true, session)
        let changes = answer["changes"]?.elements ?? []
        if session.wantsJSON {
            session.printJSON(answer)
        } else {
            StateOptions.printChanges(answer, session)
            session.talk(
                changes.isEmpty ? "nothing to change" : "\(changes.count) to change; pawl apply would do so")
        }
        if !changes.isEmpty { throw ClientExit.partly.code }
    }
}

/// `pawl apply -f`.
struct ApplyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make calendars, queues, jobs and schedules what files say.",
        discussion: """
            All of it or nothing, in one transaction; what is so already is not touched, so that it may be said again at any time. \
            A job or queue that stands in the files has exactly the settings that stand there. With --prune, schedules and calendars \
            that an earlier apply of the same set made, and that stand in no file any more, are removed, which it asks about first; jobs and \
            queues never are.

            EXAMPLES
              pawl apply -f state/
              pawl apply -f schedules.yaml --prune --yes --reason 'release 12'
              pawl schedules export | pawl apply -f -
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var state: StateOptions

    @Option(help: "Why; kept with the record of it.") var reason: String?
    @Flag(help: "Do not ask before something is removed.") var yes = false

    func execute(_ session: ClientSession) throws {
        // Read once: standard input is gone after that.
        let files = try StateFiles(self.state.files)
        var plan: String?
        if self.state.prune, !self.yes {
            let shown = try self.state.send(files, dryRun: true, session)
            plan = shown["plan"]?.text
            let removed = (shown["changes"]?.elements ?? []).filter { $0["action"]?.text == "delete" }
            if !removed.isEmpty {
                for change in removed {
                    session.talk(Table.printable("- \(change["kind"]?.text ?? "") \(change["name"]?.text ?? "")"))
                }
                if try !session.confirm("Remove \(removed.count == 1 ? "it" : "these \(removed.count)")?") {
                    session.talk("Nothing was changed.")
                    return
                }
            }
        }
        let answer = try self.state.send(files, dryRun: false, plan: plan, reason: self.reason, session)
        if session.wantsJSON { return session.printJSON(answer) }
        StateOptions.printChanges(answer, session)
        let changes = answer["changes"]?.elements ?? []
        session.talk(changes.isEmpty ? "nothing to change" : "changed: \(changes.count)")
    }
}
