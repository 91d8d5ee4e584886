import Crypto
import Glibc
import JobCore
import Plugins
import UVLoop

/// From what was built to what serves.
extension DevSession {
    /// A plugin that was put, or found, in the plugin directory.
    struct Delivery {
        var file: String
        /// Names the bytes; nil where a failed build stands in their place.
        var sha256: String?
        /// What the plugin's row said was wrong before.
        var errorBefore: String?
    }

    /// Puts what was built into the plugin directory; in the place of what was not, the compiler's words.
    func deliver(_ outcomes: [SourceBuild.Outcome]) throws -> [Delivery] {
        let rows = try self.rows()
        var deliveries: [Delivery] = []
        for outcome in outcomes {
            let errors = { (file: String) in rows.first { $0["file"]?.text == file }?["error"]?.text }
            guard outcome.isSuccess else {
                for file in self.files(of: outcome) {
                    try self.put(Self.failure(outcome.words), as: file)
                    self.delivered[file] = nil
                }
                continue
            }
            let products =
                outcome.step.product.map { ["\(self.settings.build.output)/\($0)"] } ?? self.settings.build.products
            for product in products {
                let file = Folder.name(of: product)
                guard case .success(let bytes) = ClientFiles.read(product) else { continue }
                let hash = Self.hash(bytes)
                guard self.delivered[file] != hash else { continue }
                try self.put(bytes, as: file)
                self.delivered[file] = hash
                deliveries.append(Delivery(file: file, sha256: hash, errorBefore: errors(file)))
            }
            if outcome.step.product == nil, !products.isEmpty {
                for file in self.placed.subtracting(products.map(Folder.name(of:))).sorted() {
                    self.takeAway(file, "make does not make it any more")
                }
            }
            if products.isEmpty {
                self.screen.bad("make left no .so in \(self.settings.build.root) or its build/")
            }
        }
        guard deliveries.isEmpty, outcomes.allSatisfy(\.isSuccess) else { return deliveries }
        // The same bytes again: a case was edited, or a comment.
        return self.delivered.keys.sorted().map { Delivery(file: $0, sha256: self.delivered[$0]) }
    }

    /// What stands in the plugin directory, also from last time.
    var pluginFiles: [String] {
        Folder.entries(self.settings.directory + "/plugins").map(\.name).filter {
            $0.hasSuffix(".so") && !$0.hasPrefix(".")
        }
    }

    /// Plugins whose sources are gone serve no more.
    /// - Returns: those of the files that were such a source.
    func takeAwayGone(_ changed: Set<String>) -> Set<String> {
        // What make makes is known when it has made it.
        if self.settings.build.hasMakefile { return [] }
        let before = self.placed
        for file in self.placed.subtracting(self.settings.build.expectedProducts).sorted() {
            self.takeAway(file, "its source is gone")
            unlink(self.settings.build.output + "/" + file)
        }
        return changed.filter { name in
            SourceBuild.isSource(name) && before.contains(Folder.stem(of: name) + ".so")
                && access("\(self.settings.build.root)/\(name)", F_OK) != 0
        }
    }

    private func takeAway(_ file: String, _ why: String) {
        self.placed.remove(file)
        self.delivered[file] = nil
        if unlink(self.settings.directory + "/plugins/" + file) == 0 {
            self.screen.note("\(file) is taken away: \(why)", .yellow)
        }
    }

    /// The rows that a failed build is told on.
    private func files(of outcome: SourceBuild.Outcome) -> [String] {
        if let product = outcome.step.product { return [product] }
        let known = self.settings.build.products.map(Folder.name(of:))
        return known.isEmpty ? [Folder.name(of: self.settings.build.root) + ".so"] : known
    }

    private static func failure(_ words: String) -> [UInt8] {
        var words = words
        while words.utf8.count > BuildFailure.limit {
            words.removeLast(max(1, (words.utf8.count - BuildFailure.limit) / 4))
        }
        while words.last?.isNewline == true { words.removeLast() }
        return BuildFailure.content(words)
    }

    /// Written beside its place and renamed into it.
    private func put(_ bytes: [UInt8], as file: String) throws(ClientFailure) {
        let place = self.settings.directory + "/plugins/"
        try ClientFiles.write(bytes, to: place + ".\(file).new", mode: 0o755, isReplacing: true)
        self.placed.insert(file)
        guard rename(place + ".\(file).new", place + file) == 0 else {
            throw ClientFailure(
                exit: .configuration,
                message: "\(place)\(file) cannot be put there: \(String(cString: strerror(errno))).")
        }
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func rows() throws -> [JSONValue] { try self.client?.get("/api/v1/plugins")["items"]?.elements ?? [] }

    /// How long a plugin may take to load before that is said.
    private static var patience: Duration { .seconds(30) }
    /// How long the same words as before on a row are taken for those of before.
    private static var sameWords: Duration { .seconds(3) }

    /// Waits until the host serves the new bytes, or says why not.
    /// - Returns: the handlers of those that serve.
    func waitUntilLive(_ deliveries: [Delivery]) async throws -> [JSONValue] {
        var handlers: [JSONValue] = []
        for delivery in deliveries {
            let start = LoopInstant.now
            while true {
                let row = try self.rows().first { $0["file"]?.text == delivery.file }
                if let row, row["version"]?.text == delivery.sha256, row["state"]?.text == "active" {
                    let own = row["handlers"]?.elements ?? []
                    try await self.waitForJobs(own)
                    handlers += own
                    let short = delivery.sha256?.prefix(12) ?? ""
                    self.screen.good(
                        "\(delivery.file): live in \(DevScreen.seconds(LoopInstant.now - start)), version \(short)")
                    self.complainAboutSchemas(own)
                    break
                }
                let waited = LoopInstant.now - start
                if let error = row?["error"]?.text, error != delivery.errorBefore || waited > Self.sameWords {
                    self.screen.bad("\(delivery.file) is not served")
                    self.screen.quote(error)
                    if let hint = LoadHint.of(error) { self.screen.quote("hint: \(hint)", .dim) }
                    break
                }
                if let held = row?["held"]?.present, held["version"]?.text == delivery.sha256 {
                    self.screen.bad("\(delivery.file) is held: what waits does not fit it")
                    for problem in held["problems"]?.elements ?? [] {
                        self.screen.quote(problem["words"]?.text ?? problem["detail"]?.text ?? problem.json)
                    }
                    break
                }
                guard waited < Self.patience else {
                    self.screen.bad("\(delivery.file) is not live after \(DevScreen.seconds(waited))")
                    break
                }
                try await LoopClock.sleep(for: .milliseconds(10))
            }
        }
        return handlers
    }

    /// A schema that cannot be used refuses nothing: without a word its author would believe that it does.
    private func complainAboutSchemas(_ handlers: [JSONValue]) {
        for handler in handlers {
            for (what, member) in [("args", "args_schema"), ("result", "result_schema")] {
                guard let schema = handler[member]?.present else { continue }
                do throws(JSONSchemaFault) {
                    _ = try JSONSchema(parsing: schema.json)
                } catch {
                    let name = handler["name"]?.text ?? ""
                    self.screen.note(
                        "the schema of \(name)'s \(what) cannot be used, so nothing is checked: \(error)", .yellow)
                }
            }
        }
    }

    /// The host serves a version at once, and writes its jobs into the database a moment later.
    private func waitForJobs(_ handlers: [JSONValue]) async throws {
        let start = LoopInstant.now
        for name in handlers.compactMap({ $0["name"]?.text }) {
            while true {
                do throws(ClientFailure) {
                    _ = try self.client?.get("/api/v1/jobs/\(ClientSession.escape(name))")
                    break
                } catch {
                    guard error.exit == .notFound, LoopInstant.now - start < Self.patience else { throw error }
                }
                try await LoopClock.sleep(for: .milliseconds(10))
            }
        }
    }
}
