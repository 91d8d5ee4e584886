internal import JobCore
internal import Logging
internal import Supervision
internal import UVLoop

/// Versions that come to serve, and versions that go.
extension PluginCatalog {
    /// New attempts go to it at once; then whoever keeps books hears of it.
    func serve(_ hash: String, _ replaces: String?, _ request: Int?, _ entry: PluginEntry) {
        guard let version = entry.versions[hash] else { preconditionFailure("a version without a record") }
        let source = request.flatMap { entry.intents[$0]?.source } ?? .order
        let isRollback = source == .rollback || (request == nil && entry.trial?.sha256 != hash)
        if let trial = entry.trial, trial.sha256 != hash {
            self.overtaken(trial, "version \(hash.prefix(12)) serves all runs", entry)
        }
        entry.trial = nil
        version.hasServed = true
        version.rest = .retired
        version.problem = nil
        entry.warmTimer.stop()
        entry.forgiveTimer.stop()
        entry.standsIn = []
        entry.isReady = true
        self.swap(entry)
        if let replaces, let old = entry.versions[replaces], old.rest != .rolledBack { old.rest = .retired }
        entry.guard =
            isRollback || replaces == nil
            ? nil : .init(at: self.now, oldCrashPercent: replaces.flatMap { entry.versions[$0]?.crashPercent })
        self.armJudge(entry)
        self.tell(entry, .active, hash)
        if let replaces { self.tell(entry, .draining, replaces) }
        if let manifest = version.manifest {
            self.logger.info(
                "\(manifest.name) \(manifest.version) serves \(manifest.handlers.count) handlers",
                metadata: ["file": "\(entry.file)", "sha256": "\(hash.prefix(12))"])
        }
        guard var plugin = self.plugin(entry, hash, source: isRollback ? .rollback : source) else { return }
        plugin.replaces = replaces
        self.work {
            await self.delegate?.pluginActivated(plugin)
            if let request { self.resume(request, .success(.active), entry) }
        }
    }

    func plugin(_ entry: PluginEntry, _ hash: String, source: ProposalSource) -> ActivePlugin? {
        guard let version = entry.versions[hash], let manifest = version.manifest else { return nil }
        return ActivePlugin(
            file: entry.file, kind: entry.kind, image: version.image, manifest: manifest,
            loadedAt: version.loadedAt ?? .now, source: source)
    }

    /// Lets a version go, unless another plugin has the same bytes.
    func retire(_ hash: String, _ entry: PluginEntry) {
        if let version = entry.versions[hash], version.rest == .staged, version.hasServed { version.rest = .retired }
        let isNeeded = self.entries.values.contains {
            $0.machine.uses(hash) || $0.machine.candidate.hash == hash
        }
        if !isNeeded { self.supervisor.retire(hash) }
        self.versionChanged(hash)
    }

    func keepWarm(_ hash: String, _ entry: PluginEntry) {
        self.supervisor.rest(hash)
        if self.warmFor <= .zero { return self.perform(entry.machine.cooled(), entry) }
        entry.warmTimer.start(after: self.warmFor) { [weak self, weak entry] in
            guard let self, let entry else { return }
            self.perform(entry.machine.cooled(), entry)
        }
    }

    /// Nothing of it serves any more.
    func stopServing(_ entry: PluginEntry, _ orders: [ReloadStateMachine.Order]) {
        if let trial = entry.trial { self.overtaken(trial, "the plugin serves nothing", entry) }
        entry.trial = nil
        entry.guard = nil
        entry.warmTimer.stop()
        entry.judgeTimer.stop()
        entry.forgiveTimer.stop()
        entry.standsIn = []
        self.swap(entry)
        self.perform(orders, entry)
        self.publish(entry)
    }

    func forgetIfGone(_ entry: PluginEntry) {
        guard entry.machine.isRemoved, !entry.hasFile, entry.machine.isIdle, entry.machine.draining.isEmpty,
            self.entries[entry.file] === entry
        else { return }
        self.entries[entry.file] = nil
        self.publish(entry)
    }
}
