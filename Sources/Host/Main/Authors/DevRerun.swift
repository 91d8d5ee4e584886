import JobCore
import UVLoop

/// What `pawl dev` runs after a change, and how it follows that.
@LoopActor
struct DevRerun {
    /// What a person asked for on the command line.
    struct Wish: Sendable {
        var handler: String
        /// Nil: those of its newest run, else none.
        var args: JSONValue?
    }

    struct Choice {
        var handler: String
        var args: JSONValue
        /// Where that comes from, for people.
        var source: String
    }

    let session: ClientSession
    let screen: DevScreen
    /// Holds the sources; its tests/ has the cases.
    let root: String
    let wish: Wish?

    /// Nil when nothing is known that could be run.
    /// - Parameter handlers: of the plugins that changed, with their descriptions as the host gives them.
    func choose(_ handlers: [JSONValue]) throws(ClientFailure) -> Choice? {
        let names = handlers.compactMap { $0["name"]?.text }
        if let wish {
            guard names.contains(wish.handler) else { return nil }
            if let args = wish.args { return Choice(handler: wish.handler, args: args, source: "as asked for") }
            if let choice = try self.known([wish.handler]) { return choice }
            return Choice(handler: wish.handler, args: .object([]), source: "as asked for")
        }
        if let choice = try self.known(names) { return choice }
        return self.withoutArgs(handlers)
    }

    private func known(_ names: [String]) throws(ClientFailure) -> Choice? {
        if let newest = try self.newest(names) { return newest }
        return try self.firstCase(names)
    }

    private func newest(_ names: [String]) throws(ClientFailure) -> Choice? {
        var newest: RunRecord?
        for name in names {
            let runs = try self.session.get("/api/v1/runs", [("job", name), ("limit", "1")])["items"]?.elements ?? []
            guard let run = runs.first.map({ RunRecord(json: $0) }) else { continue }
            if (run.number ?? 0) > (newest?.number ?? -1) { newest = run }
        }
        guard let newest else { return nil }
        let run = try self.session.run(newest.id, include: "args")
        return Choice(
            handler: run.job, args: run.json["args"]?.present ?? .object([]), source: "as \(run.name)")
    }

    private func firstCase(_ names: [String]) throws(ClientFailure) -> Choice? {
        for file in try TestCaseFile.find([self.root + "/tests"]) where Folder.suffix(of: file) == "json" {
            do throws(ClientFailure) {
                guard let test = try TestCase.read(file).first(where: { names.contains($0.handler) }) else { continue }
                let own = Folder.parent(of: file)
                return Choice(
                    handler: test.handler,
                    args: test.args.mappingStrings { $0.replacing(TestRunner.directoryMark, by: own) },
                    source: "as in tests/\(Folder.name(of: file)): \(test.name)")
            } catch {
                // Somebody is writing it.
                self.screen.note(error.message, .yellow)
            }
        }
        return nil
    }

    private func withoutArgs(_ handlers: [JSONValue]) -> Choice? {
        for handler in handlers {
            guard let name = handler["name"]?.text else { continue }
            let needed = handler["args_schema"]?["required"]?.elements ?? []
            if needed.isEmpty { return Choice(handler: name, args: .object([]), source: "without arguments") }
        }
        return nil
    }

    /// Makes the run, shows its log and its end.
    /// - Parameter isObsolete: asked again and again: the run is let go, and cancelled, when something newer is to be done.
    /// - Parameter made: gets its id at once.
    /// - Returns: nil if it was let go.
    func run(_ choice: Choice, made: (String) -> Void, isObsolete: () -> Bool) async throws -> RunRecord? {
        let body = JSONValue.members([
            "job": .string(choice.handler), "args": choice.args, "attempts": .int(1),
        ])
        let answer = try self.session.send("POST", "/api/v1/runs", body)
        guard let id = answer.json["id"]?.text else {
            throw ClientFailure(exit: .bug, message: "The host made no run of \(choice.handler).")
        }
        made(id)
        self.screen.run(choice, id)
        var next: Int64 = 1
        let start = LoopInstant.now
        while true {
            let run = try self.session.run(id)
            next = try self.screen.log(of: id, from: next, self.session)
            if run.isFinished {
                // Lines that came between the two looks.
                _ = try self.screen.log(of: id, from: next, self.session)
                return try self.session.run(id, include: "result")
            }
            if isObsolete() {
                _ = try self.session.send("POST", "/api/v1/runs/\(id)/cancel", .object([]))
                return nil
            }
            try await LoopClock.sleep(
                for: LoopInstant.now - start < .seconds(2) ? .milliseconds(10) : .milliseconds(100))
        }
    }
}
