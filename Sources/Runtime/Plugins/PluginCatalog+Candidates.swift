internal import JobCore
internal import Supervision
internal import UVLoop

/// From a file, or an image, to a version that may serve: taken into the store, compared with its library, loaded, tried, allowed.
extension PluginCatalog {
    func ingest(_ entry: PluginEntry) async {
        guard let directory else { preconditionFailure("a file without a directory") }
        entry.isConflict = false
        do throws(IngestFault) {
            let image = try await self.ingester.ingest(
                "\(directory)/\(entry.file)", entry.kind, hint: entry.file)
            entry.fileHash = image.sha256
            let isNew = entry.versions[image.sha256] == nil || entry.versions[image.sha256]?.rest != .staged
            if image.sha256 != entry.machine.active {
                entry.version(image).problem = nil
                if isNew { self.tell(entry, .staged, image.sha256) }
                self.tell(entry, .verified, image.sha256)
            }
            entry.versions[image.sha256]?.isFile = true
            self.perform(entry.machine.ingested(image.sha256), entry)
        } catch {
            // A file that is gone by now is no broken one.
            if self.fingerprint(entry.file) == nil { self.fileGone(entry) }
            let fault = ReloadFault(error)
            entry.fault = fault
            let before = entry.machine.rejection
            let orders = entry.machine.ingestFailed(error.words)
            let isRepeated = fault.code == .unavailable && before == error.words
            if entry.machine.rejection == error.words, !isRepeated {
                self.tell(entry, .rejected, words: error.words)
            }
            self.perform(orders, entry)
            self.lookAgain(entry, after: fault)
        }
        self.forgetIfGone(entry)
    }

    func load(_ hash: String, _ entry: PluginEntry) async {
        guard let version = entry.versions[hash] else { preconditionFailure("nothing to load") }
        let intent = self.intent(entry)
        version.problem = nil
        self.tell(entry, .warming, hash)
        do throws(ReloadFault) {
            version.image = try await self.intact(version.image, entry)
            try await self.compareDeclarations(version)
            let manifest = try await self.warm(version.image)
            entry.pause = PluginEntry.firstPause
            if let taken = self.conflict(manifest, entry) {
                entry.isConflict = true
                throw taken
            }
            version.manifest = manifest
            version.loadedAt = .now
            if entry.name == nil { entry.name = manifest.name }
            self.perform(entry.machine.loaded(hash), entry)
        } catch {
            if error.code == .conflict, self.handOver(entry, version, intent) { return }
            entry.fault = error
            version.problem = error.words
            version.rest = .rejected
            self.tell(entry, .rejected, hash, words: error.words)
            self.perform(entry.machine.refused(hash, error.words), entry)
            self.retire(hash, entry)
            if !version.hasServed { self.content.drop(version.image, unless: self.neededPaths) }
            if case .file = intent.source { self.lookAgain(entry, after: error) }
        }
        self.forgetIfGone(entry)
    }

    /// Where a library says how its functions are called, a manifest that says otherwise is not loaded at all.
    private func compareDeclarations(_ version: PluginVersion) async throws(ReloadFault) {
        guard let text = version.image.configuration else { return }
        let check = await DeclarationCheck.of(text, inspector: self.inspector)
        version.declarations = check
        if let words = check.refusal { throw ReloadFault(.refused, words) }
    }

    /// Nothing is dispatched to a version that has not already run a child.
    private func warm(_ image: PluginImage) async throws(ReloadFault) -> PluginManifest {
        do throws(PluginRefusal) {
            let manifest = try await self.supervisor.load(image)
            try await self.supervisor.tryOut(image.sha256)
            return manifest
        } catch {
            throw ReloadFault(error.reason == .unavailable ? .unavailable : .refused, error.message)
        }
    }

    func ask(_ hash: String, _ entry: PluginEntry) async {
        let intent = self.intent(entry)
        guard let candidate = self.plugin(entry, hash, source: intent.source) else {
            preconditionFailure("a version that is ready has a manifest")
        }
        let serving = entry.machine.active.flatMap { self.plugin(entry, $0, source: .row) }
        let verdict = await self.delegate?.mayActivate(candidate, replacing: serving) ?? .allowed
        switch verdict {
        case .allowed: self.perform(entry.machine.allowed(hash), entry)
        case .held(let problems):
            let handlers = Set(problems.map(\.handler)).sorted().joined(separator: ", ")
            self.hold(hash, problems, "it would break what waits (\(handlers))", entry)
        case .declined(let words): self.hold(hash, [], words, entry)
        }
        self.forgetIfGone(entry)
    }

    private func hold(_ hash: String, _ problems: [ContractProblem], _ words: String, _ entry: PluginEntry) {
        entry.held = (problems, words)
        let orders = entry.machine.denied(hash)
        if entry.machine.held == hash {
            entry.versions[hash]?.rest = .held
            entry.versions[hash]?.problem = words
            self.tell(entry, .held, hash, words: words, problems: problems)
        }
        self.perform(orders, entry)
    }

    /// Handlers belong to the file that had them first.
    private func conflict(_ manifest: PluginManifest, _ entry: PluginEntry) -> ReloadFault? {
        if let name = entry.name, name != manifest.name, entry.machine.active != nil {
            return ReloadFault(.conflict, "it calls itself \(manifest.name), and \(entry.file) is the plugin \(name)")
        }
        for handler in manifest.handlers {
            if let served = self.serving[handler.name], served.entry !== entry {
                return ReloadFault(.conflict, "handler \(handler.name) is served by \(served.entry.file) already")
            }
        }
        // Everybody else knows a plugin by its name.
        for other in self.entries.values where other !== entry && other.name == manifest.name {
            guard other.machine.active != nil || other.machine.isDisabled else { continue }
            return ReloadFault(.conflict, "it calls itself \(manifest.name), as \(other.file) does already")
        }
        return nil
    }

    /// A file that is new turns out to be of a plugin that came here another way: the plugin gets its file.
    private func handOver(_ entry: PluginEntry, _ version: PluginVersion, _ intent: PluginEntry.Intent) -> Bool {
        guard entry.hasFile, entry.machine.active == nil,
            let name = self.supervisor.manifest(of: version.sha256)?.name,
            let other = self.entries.values.first(where: { $0.name == name && $0 !== entry && !$0.hasFile })
        else { return false }
        self.entries[other.file] = nil
        other.file = entry.file
        other.hasFile = true
        other.fingerprint = entry.fingerprint
        other.fileHash = entry.fileHash
        self.entries[entry.file] = other
        for intent in entry.intents.values {
            intent.waiter?.resume(returning: .failure(ReloadFault(.superseded, "\(name) has it now")))
        }
        entry.intents = [:]
        entry.settleTimer.stop()
        self.want(
            other, .image(version.sha256),
            .init(source: intent.source, wish: intent.wish, image: version.image, waiter: nil))
        other.versions[version.sha256]?.isFile = true
        return true
    }
}
