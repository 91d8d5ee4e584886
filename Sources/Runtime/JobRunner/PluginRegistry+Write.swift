import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

/// What this host brings into the database: decisions (after the bytes of the version that they name), jobs, what it has,
/// events, other bytes; in this order, and again and again until it is there. Of each there is a bounded amount.
extension PluginRegistry {
    private static let pause: Duration = .milliseconds(500)
    private static let eventBatch = 200

    /// What is refused so many times in a row will be refused for ever: it must not keep the rest waiting.
    private static let patience = 4

    func write() {
        guard !self.isWriting, self.lease != nil else { return }
        self.isWriting = true
        loopTask {
            var refusals = 0
            while let item = self.nextItem, let lease = self.lease {
                do throws(StoreError) {
                    try await self.write(item, lease)
                    refusals = 0
                } catch {
                    refusals = error.isTransient ? 0 : refusals + 1
                    if refusals >= Self.patience {
                        self.giveUp(item, error)
                        refusals = 0
                        continue
                    }
                    self.logger.warning("what plugins do here waits for the database", metadata: ["error": "\(error)"])
                    do { try await LoopClock.sleep(for: Self.pause) } catch { break }
                }
            }
            self.isWriting = false
        }
    }

    /// What is to be written, one piece after the other.
    private enum Item {
        case decision(String, PluginDecisions.Pending)
        case jobs(String)
        case version(PluginVersionRow)
        case notes([PluginHostNote])
        case events
        case bytes(PluginImage)
    }

    /// Nil: there is nothing to write.
    private var nextItem: Item? {
        if let (name, waiting) = self.decisions.min(by: { $0.key < $1.key }), let first = waiting.first {
            // Others are told to serve it once they can have it, even if this host is no more by then.
            if let image = self.unsent.last(where: { $0.sha256 == first.decision.change.version }) {
                return .bytes(image)
            }
            return .decision(name, first)
        }
        if let name = self.unregistered.min() { return .jobs(name) }
        if let version = self.unrecorded.first { return .version(version) }
        let notes = self.places.values.sorted { $0.name < $1.name }.map(\.note)
        if self.noted != notes { return .notes(notes) }
        if !self.unwrittenEvents.isEmpty { return .events }
        return self.unsent.last.map { .bytes($0) }
    }

    private func write(_ item: Item, _ lease: HostLease) async throws(StoreError) {
        switch item {
        case .decision(let name, let pending): try await self.write(name, pending, lease)
        case .jobs(let name): try await self.register(name)
        case .version(let version):
            try await self.store.recordPluginVersion(version, serves: false)
            self.wrote(version)
        case .notes(let notes):
            try await self.store.notePlugins(lease.id, notes)
            self.noted = notes
        case .events: try await self.writeEvents(lease)
        case .bytes(let image): try await self.send(image)
        }
    }

    private func wrote(_ version: PluginVersionRow) {
        if self.unrecorded.first == version { self.unrecorded.removeFirst() }
        // A few thousand names; then some are written once more.
        if self.recorded.count > 10_000 { self.recorded = [] }
        self.recorded.insert(version.sha256)
    }

    /// The database does not take it: the rest goes on without.
    private func giveUp(_ item: Item, _ error: StoreError) {
        let what: String
        switch item {
        case .decision(let name, let pending):
            what = "the decision to \(pending.decision.change.word) \(name)"
            self.fail(name, pending.ask, ReloadFault(.unavailable, "\(error)"))
            self.decided(name, pending)
        case .jobs(let name):
            what = "the jobs of \(name)"
            self.unregistered.remove(name)
            self.wakeWaiters()
            self.onChange?()
        case .version(let version):
            what = "version \(version.sha256.prefix(12))"
            self.wrote(version)
        case .notes(let notes):
            what = "what this host has"
            self.noted = notes
        case .events:
            what = "\(min(self.unwrittenEvents.count, Self.eventBatch)) events"
            self.unwrittenEvents.removeFirst(min(self.unwrittenEvents.count, Self.eventBatch))
        case .bytes(let image):
            what = "the bytes of version \(image.sha256.prefix(12))"
            self.unsent.removeAll { $0.sha256 == image.sha256 }
        }
        self.logger.error(
            "the database does not take something about plugins, and it is given up",
            metadata: ["what": "\(what)", "error": "\(error)"])
    }

    // MARK: Decisions

    private func write(_ name: String, _ pending: PluginDecisions.Pending, _ lease: HostLease) async throws(StoreError)
    {
        // A row that is not known is looked for first: what is decided must be compared with it.
        if self.places[name]?.row == nil, let row = try await self.store.plugin(name) { self.seen(row) }
        guard case .write(let revision) = PluginDecisions.verdict(on: pending, row: self.places[name]?.row) else {
            return self.superseded(name, pending)
        }
        // The version first: a row must not name what nobody knows.
        if case .activate(let sha256) = pending.decision.change, let plugin = self.served[name],
            plugin.sha256 == sha256
        {
            try await self.store.recordPluginVersion(plugin.row)
        }
        var decision = pending.decision
        if pending.isFile { decision.host = lease.id }
        decision.by = decision.by ?? lease.id.description
        let answer = try await self.store.changePlugin(name, decision, ifRevision: revision)
        self.seen(answer.row)
        switch answer {
        case .changed, .unchanged:
            self.decided(name, pending)
            self.decisions[name]?.rebase(from: revision, to: answer.row.revision)
        // Compared with the row as it is now, at the next turn.
        case .mismatch: break
        }
    }

    private func decided(_ name: String, _ pending: PluginDecisions.Pending) {
        // A newer one may have taken its place meanwhile.
        guard self.decisions[name]?.first == pending else { return }
        self.decisions[name]?.removeFirst()
        if self.decisions[name]?.isEmpty == true { self.decisions[name] = nil }
        self.wakeWaiters()
        self.changed()
        self.converge(name)
    }

    private func superseded(_ name: String, _ pending: PluginDecisions.Pending) {
        self.logger.notice(
            "a decision came too late: somebody else has decided about the plugin",
            metadata: ["plugin": "\(name)", "decision": "\(pending.decision.change.word)"])
        self.happened(
            NewPluginEvent(
                plugin: name, sha256: pending.decision.change.version, at: self.now(), kind: "superseded",
                detail: JSONText.object(["decision": pending.decision.change.word])))
        self.fail(
            name, pending.ask,
            ReloadFault(.changed, "somebody else has decided about \(name) meanwhile: look at it again"))
        self.decided(name, pending)
    }

    // MARK: Jobs

    /// The jobs of what all hosts are to serve: only that may say what a job's args are like.
    private func register(_ name: String) async throws(StoreError) {
        guard let plugin = self.served[name], self.places[name]?.row?.active == plugin.sha256 else {
            // Following what others have decided, or about to: then it is another version's turn.
            self.unregistered.remove(name)
            self.wakeWaiters()
            self.onChange?()
            return
        }
        try await self.store.recordPluginVersion(plugin.row)
        try await self.store.registerHandlers(plugin: name, plugin.jobs)
        if self.served[name] == plugin { self.unregistered.remove(name) }
        self.wakeWaiters()
        self.onChange?()
    }

    // MARK: The rest

    private func writeEvents(_ lease: HostLease) async throws(StoreError) {
        let batch = Array(self.unwrittenEvents.prefix(Self.eventBatch))
        let dropped = self.droppedEvents
        try await self.store.addPluginEvents(batch, host: lease.id)
        // The oldest may have gone meanwhile, for want of room.
        self.unwrittenEvents.removeFirst(max(0, batch.count - (self.droppedEvents - dropped)))
        for event in batch {
            guard event.kind == "rejected", let sha256 = event.sha256 else { continue }
            try await self.store.refusePluginVersion(
                PluginVersionRow(sha256: sha256, plugin: event.plugin, state: .rejected, problem: event.words))
        }
    }

    private func send(_ image: PluginImage) async throws(StoreError) {
        if let why = try await self.bytes.put(image) {
            self.logger.error(
                "the bytes of a version do not go into the database: other hosts cannot have it",
                metadata: ["version": "\(image.sha256.prefix(12))", "error": "\(why)"])
            self.cannotShare(image.sha256, why)
        }
        self.unsent.removeAll { $0.sha256 == image.sha256 }
    }

    /// Whoever looks at the plugin shall see it: each other host only says that it cannot have the version.
    private func cannotShare(_ sha256: String, _ why: String) {
        for place in self.places.values where [place.active, place.canary, place.held?.sha256].contains(sha256) {
            guard place.unshared?.sha256 != sha256 else { continue }
            self.change(place.name) { $0.unshared = (sha256, why) }
            self.happened(
                NewPluginEvent(
                    plugin: place.name, sha256: sha256, at: self.now(), kind: "not_shared",
                    detail: JSONText.object(["words": "other hosts cannot have it: \(why)"])))
        }
    }
}

extension NewPluginEvent {
    /// What is said for people in its detail.
    fileprivate var words: String? {
        guard let detail else { return nil }
        do throws(JSONFault) { return try JSONValue(parsing: detail)["words"]?.text } catch { return nil }
    }
}

extension ActivePlugin {
    /// It came from a file of this host's directory.
    var isFile: Bool {
        if case .file = self.source { true } else { false }
    }

    var row: PluginVersionRow {
        PluginVersionRow(
            sha256: self.sha256, plugin: self.manifest.name, label: self.manifest.version,
            abi: "\(self.manifest.abiMajor).\(self.manifest.abiMinor)", sizeBytes: Int64(clamping: self.bytes),
            manifest: self.manifest.json, firstSeenAt: self.loadedAt, lastActiveAt: self.loadedAt,
            kind: self.kind == .ffi ? .ffi : .native, fileName: self.file,
            source: self.isFile ? .directory : .upload, signedBy: self.image.signedBy)
    }

    var jobs: [JobUpsert] {
        self.manifest.handlers.map {
            JobUpsert(
                handler: $0.name, description: $0.description, argsSchema: $0.argsSchema, resultSchema: $0.resultSchema,
                limits: $0.limits)
        }
    }
}

extension PluginManifest {
    /// What it says of itself, for whoever looks at a version later.
    var json: String {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        let handlers = self.handlers.map { handler -> JSONValue in
            .object([
                JSONMember("name", .string(handler.name)), JSONMember("description", text(handler.description)),
                // As text: it is the very text that decides whether two versions have the same contract.
                JSONMember("args_schema", text(handler.argsSchema)),
                JSONMember("result_schema", text(handler.resultSchema)),
            ])
        }
        return JSONValue.object([
            JSONMember("name", .string(self.name)), JSONMember("version", .string(self.version)),
            JSONMember("abi", .string("\(self.abiMajor).\(self.abiMinor)")), JSONMember("handlers", .array(handlers)),
        ]).json
    }
}
