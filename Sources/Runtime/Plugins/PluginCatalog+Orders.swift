package import JobCore
package import Supervision
internal import UVLoop

/// What others may want of the plugins. Each call returns when it is done.
extension PluginCatalog {
    /// Takes a file that is not in the plugin directory into the content store: sent by somebody, or fetched from where other
    /// hosts can get it. The file stays where it is.
    /// - Parameters:
    ///   - fileName: tells by its ending what it is (`.so`, `.pawl.json`); never used as a path.
    ///   - bridge: for a manifest of C functions: the library that serves it; nil: this host's own.
    ///   - signature: detached, 64 bytes, of the file.
    package func take(
        _ path: String, fileName: String, bridge: String? = nil, signature: [UInt8]? = nil
    ) async throws(ReloadFault) -> PluginImage {
        guard let kind = PluginEntry.kind(of: fileName) else {
            throw ReloadFault(.badFile, "a plugin's name ends in .so or .pawl.json")
        }
        do throws(IngestFault) {
            let image = try await self.ingester.ingest(
                path, kind, hint: fileName, bridge: bridge, signature: signature)
            self.taken[image.sha256] = image
            self.takenOrder.removeAll { $0 == image.sha256 }
            self.takenOrder.append(image.sha256)
            if self.takenOrder.count > Self.takenAtMost { self.taken[self.takenOrder.removeFirst()] = nil }
            return image
        } catch { throw ReloadFault(error) }
    }

    /// A version that is in this host's content store; nil: it is not, or nobody here knows whose signature it has where that
    /// counts.
    package func image(of sha256: String) -> PluginImage? {
        for entry in self.entries.values {
            if let image = entry.versions[sha256]?.image, FileSeal(of: image.path) != nil { return image }
        }
        if let image = self.taken[sha256], FileSeal(of: image.path) != nil { return image }
        guard !self.ingester.signatures.isRequired, let file = self.content.library(sha256) else { return nil }
        return PluginImage(sha256: sha256, path: file.path, bytes: file.bytes, nameHint: String(sha256.prefix(12)))
    }

    /// Does with a version in the store what is wished, the same way as with a file that appears: loads it, tries a first
    /// process, asks whether it may serve.
    /// - Parameter plugin: what it must call itself; nil: as its file is called.
    package func propose(
        _ image: PluginImage, plugin: String? = nil, source: ProposalSource = .upload,
        wish: ProposalWish = .activate(force: false)
    ) async throws(ReloadFault) -> ProposalOutcome {
        guard !self.isStopped else { throw ReloadFault(.unavailable, "the host is going down") }
        let entry = self.entry(named: plugin, of: image)
        if let plugin, entry.name == nil { entry.name = plugin }
        let result: Result<ProposalOutcome, ReloadFault> = await withCheckedContinuation { waiter in
            self.want(
                entry, .image(image.sha256), .init(source: source, wish: wish, image: image, waiter: waiter))
        }
        if case .failure = result { self.forgetIfUnused(entry) }
        return try result.get()
    }

    /// All hosts are to serve this version, or (with a policy) to try it beside the one that serves.
    package func follow(
        plugin: String, version: PluginImage, canary policy: CanaryPolicy? = nil
    ) async throws(ReloadFault) {
        let wish: ProposalWish = policy.map { .canary($0, force: true) } ?? .activate(force: true)
        if case .held(_, let words) = try await self.propose(version, plugin: plugin, source: .row, wish: wish) {
            throw ReloadFault(.disabled, words)
        }
    }

    /// Serves a version that is here.
    package func activate(
        plugin: String, sha256: String, force: Bool = false
    ) async throws(ReloadFault) -> ProposalOutcome {
        let image = try self.known(plugin, sha256)
        return try await self.propose(image, plugin: plugin, source: .order, wish: .activate(force: force))
    }

    /// Serves the version before the active one again, whatever it breaks.
    package func rollback(plugin: String) async throws(ReloadFault) {
        let entry = try self.entry(plugin)
        guard !entry.machine.isDisabled else { throw ReloadFault(.disabled, "\(plugin) is disabled: enable it first") }
        guard let last = entry.machine.previous.first, let image = entry.versions[last]?.image else {
            throw ReloadFault(.notFound, "no version of \(plugin) before the one that serves is known here")
        }
        if let active = entry.machine.active {
            entry.versions[active]?.rest = .rolledBack
            entry.versions[active]?.problem = "taken back by somebody"
        }
        _ = try await self.propose(image, plugin: plugin, source: .rollback, wish: .activate(force: true))
    }

    /// Tries a version that is here.
    package func setCanary(
        plugin: String, sha256: String, _ policy: CanaryPolicy, force: Bool = false
    ) async throws(ReloadFault) -> ProposalOutcome {
        let image = try self.known(plugin, sha256)
        return try await self.propose(image, plugin: plugin, source: .order, wish: .canary(policy, force: force))
    }

    /// Ends a trial without a judgement; does nothing where there is none.
    package func endCanary(plugin: String, reason: String? = nil) async {
        guard let entry = self.named(plugin), let trial = entry.machine.canary else { return }
        self.endTrial(trial, .canaryEnded, words: reason, entry)
    }

    /// Serves none of its handlers until `enable`. What runs goes on.
    package func disable(plugin: String, reason: String? = nil) async throws(ReloadFault) {
        let entry = try self.entry(plugin)
        guard !entry.machine.isDisabled else { return }
        let orders = entry.machine.disabled()
        self.stopServing(entry, orders)
        self.tell(entry, .disabled, words: reason)
    }

    package func enable(plugin: String) async throws(ReloadFault) {
        let entry = try self.entry(plugin)
        guard entry.machine.isDisabled else { return }
        let resting = entry.machine.enabled()
        self.tell(entry, .enabled)
        self.publish(entry)
        guard let resting, let image = entry.versions[resting]?.image else { return }
        _ = try await self.propose(image, plugin: plugin, source: .row, wish: .activate(force: true))
    }

    /// Serves nothing of it any more, as if its file had been removed.
    package func withdraw(plugin: String, reason: String? = nil) async {
        guard let entry = self.named(plugin) else { return }
        let served = entry.machine.active
        let orders = entry.machine.removed()
        if served != nil { self.tell(entry, .withdrawn, served, words: reason) }
        self.stopServing(entry, orders)
        self.forgetIfGone(entry)
    }

    /// Starts the zygote of the version that serves again, though it died too often.
    package func unquarantine(plugin: String) async throws(ReloadFault) {
        let entry = try self.entry(plugin)
        guard let version = entry.active else { throw ReloadFault(.notFound, "no version of \(plugin) serves here") }
        if self.supervisor.isLoaded(version.sha256) {
            self.supervisor.forgive(version.sha256)
        } else {
            await self.reload(entry, version)
        }
    }

    /// Forgets a version and removes its bytes from this host's store, unless it is in use.
    package func remove(plugin: String, sha256: String) async throws(ReloadFault) {
        let entry = try self.entry(plugin)
        guard let version = entry.versions[sha256] else {
            throw ReloadFault(.notFound, "no version \(sha256.prefix(12)) of \(plugin) is known here")
        }
        guard version.started <= version.ended, entry.machine.forget(sha256) else {
            throw ReloadFault(.inUse, "version \(sha256.prefix(12)) serves, is on trial, or still runs attempts")
        }
        self.tell(entry, .removed, sha256)
        entry.forget(sha256)
        self.content.drop(version.image, unless: self.neededPaths)
        self.publish(entry)
    }

    // MARK: Who is meant

    /// How many images of files that came another way are remembered until somebody proposes them.
    private static let takenAtMost = 64

    private func named(_ plugin: String) -> PluginEntry? {
        // A file that was renamed has left one behind whose attempts go on.
        let named = self.entries.values.filter { $0.name == plugin }
        return named.first { $0.machine.active != nil || $0.machine.isDisabled } ?? named.first { $0.hasFile }
            ?? named.first ?? self.entries.values.first { $0.title == plugin }
    }

    private func entry(_ plugin: String) throws(ReloadFault) -> PluginEntry {
        guard let entry = self.named(plugin) else {
            throw ReloadFault(.notFound, "there is no plugin \(plugin) on this host")
        }
        return entry
    }

    /// Makes one for a plugin that is not here yet.
    private func entry(named plugin: String?, of image: PluginImage) -> PluginEntry {
        let kind = image.configuration == nil ? PluginStatus.Kind.native : .ffi
        let suffix = kind == .native ? ".so" : ".pawl.json"
        let ending = [suffix, ".ffi.json"].first { image.nameHint.hasSuffix($0) } ?? ""
        let title = plugin ?? String(image.nameHint.dropLast(ending.utf8.count))
        if let entry = self.named(title) { return entry }
        let file = title + suffix
        let entry = self.entries[file] ?? PluginEntry(file: file, kind: kind)
        self.entries[file] = entry
        return entry
    }

    private func known(_ plugin: String, _ sha256: String) throws(ReloadFault) -> PluginImage {
        guard let image = self.image(of: sha256) else {
            throw ReloadFault(.notFound, "no version \(sha256.prefix(12)) of \(plugin) is in this host's store")
        }
        return image
    }

    /// A plugin that was never more than a wish.
    private func forgetIfUnused(_ entry: PluginEntry) {
        guard !entry.hasFile, entry.machine.isIdle, entry.machine.active == nil, entry.machine.held == nil,
            !entry.machine.isDisabled, !entry.versions.values.contains(where: \.hasServed),
            self.entries[entry.file] === entry
        else { return }
        self.entries[entry.file] = nil
    }
}
