package import JobCore
internal import Logging
internal import Supervision
internal import UVLoop

/// Which version a run goes to, and what its end says of it.
extension PluginCatalog {
    /// The version that a run goes to now.
    /// - Parameters:
    ///   - dice: 0 ..< 10,000, fixed for the run.
    ///   - avoided: a version on trial that it must not go to (again).
    package func choose(handler: String, dice: UInt32, avoiding avoided: String? = nil) -> ChosenVersion? {
        guard let served = self.served(handler) else { return nil }
        let entry = served.entry
        if let trial = entry.trial, trial.sha256 == entry.machine.canary, trial.sha256 != avoided,
            trial.machine.takes(dice: dice),
            let (index, manifest) = self.handler(handler, entry, trial.sha256)
        {
            return ChosenVersion(
                sha256: trial.sha256, handlerIndex: index, manifest: manifest, isCanary: true)
        }
        // The zygote of the one that serves dies again and again: the one before it is better than none.
        if entry.machine.isCrashLooping, let warm = entry.machine.warm, self.supervisor.takesAttempts(warm),
            let (index, manifest) = self.handler(handler, entry, warm)
        {
            return ChosenVersion(sha256: warm, handlerIndex: index, manifest: manifest, isCanary: false)
        }
        return ChosenVersion(
            sha256: served.sha256, handlerIndex: served.index, manifest: served.manifest, isCanary: false)
    }

    func handler(_ name: String, _ entry: PluginEntry, _ sha256: String) -> (Int, HandlerManifest)? {
        guard let manifest = entry.versions[sha256]?.manifest,
            let index = manifest.handlers.firstIndex(where: { $0.name == name })
        else { return nil }
        return (index, manifest.handlers[index])
    }

    /// Whose version an attempt is of. Another file may have the same bytes, and serve nothing.
    private func entry(of sha256: String, _ handler: String) -> PluginEntry? {
        // Asked for twice in each run: it is nearly always the one that serves the handler.
        if let served = self.served(handler)?.entry, served.machine.uses(sha256) { return served }
        let known = self.entries.values.filter { $0.versions[sha256] != nil }
        return known.first { $0.machine.uses(sha256) } ?? known.first { $0.versions[sha256]?.hasServed == true }
            ?? known.first
    }

    /// A run was given to a version.
    package func began(sha256: String, handler: String) {
        guard let entry = self.entry(of: sha256, handler) else { return }
        entry.versions[sha256]?.started += 1
        if entry.trial?.sha256 == sha256 { entry.trial?.machine.began() }
    }

    /// It was given back without having begun: it says nothing of the version.
    package func abandoned(sha256: String, handler: String) {
        guard let entry = self.entry(of: sha256, handler), let version = entry.versions[sha256] else { return }
        version.started = max(version.ended, version.started - 1)
        if entry.trial?.sha256 == sha256 { entry.trial?.machine.abandoned() }
    }

    /// An attempt has ended that `began` was called for.
    /// - Returns: whether the crash is the version's business alone: it uses no attempt of the run, which goes to another version.
    @discardableResult
    package func ended(sha256: String, handler: String, verdict: AttemptVerdict) -> Bool {
        guard let entry = self.entry(of: sha256, handler), let version = entry.versions[sha256] else { return false }
        version.ended += 1
        switch verdict {
        case .ok: break
        case .failed: version.failed += 1
        case .crashed, .infrastructure: version.crashed += 1
        }
        let isBad = verdict == .crashed || verdict == .infrastructure
        if entry.trial?.sha256 == sha256 {
            let decision = entry.trial?.machine.ended(verdict, at: self.now) ?? .keep
            self.judged(decision, entry)
            return isBad
        }
        if entry.machine.active == sha256, let decision = entry.guard?.ended(verdict, at: self.now) {
            return self.judged(decision, sha256, entry) && isBad
        }
        // Its trial, or its time as the one that serves, ended while the run was under way.
        return isBad && version.rest == .rolledBack && (entry.machine.active != sha256 || entry.isTakingBack)
    }

    // MARK: Trials

    func beginTrial(_ hash: String, _ request: Int, _ entry: PluginEntry) {
        guard let intent = entry.intents[request], case .canary(let policy, _) = intent.wish else {
            preconditionFailure("a trial that nobody wanted")
        }
        let old = entry.trial
        entry.trial = .init(
            sha256: hash, machine: CanaryStateMachine(policy, at: self.now), beganAt: .now)
        entry.versions[hash]?.problem = nil
        entry.versions[hash]?.hasServed = true
        self.tell(entry, .canary, hash, policy: policy)
        if let old, old.sha256 != hash {
            self.overtaken(old, "version \(hash.prefix(12)) is tried in its place", entry)
        }
        self.armJudge(entry)
        self.resume(request, .success(.canary), entry)
    }

    /// A trial ends without a judgement because of what happened otherwise.
    func overtaken(_ trial: PluginEntry.Trial, _ words: String, _ entry: PluginEntry) {
        entry.versions[trial.sha256]?.rest = .retired
        self.tell(entry, .canaryEnded, trial.sha256, words: words, isConsequence: true)
    }

    /// Acts on what a trial has shown.
    func judged(_ decision: CanaryStateMachine.Decision, _ entry: PluginEntry) {
        guard let trial = entry.trial else { return }
        switch decision {
        case .keep: break
        case .promote(let words):
            self.logger.notice(
                "a version on trial has passed: \(words)", metadata: ["plugin": "\(entry.title)"])
            self.perform(entry.machine.promoted(trial.sha256), entry)
        case .rollBack(let words): self.endTrial(trial.sha256, .rolledBack, words: words, entry)
        }
    }

    func endTrial(_ hash: String, _ kind: PluginEvent.Kind, words: String?, _ entry: PluginEntry) {
        let orders = entry.machine.trialEnded(hash)
        entry.trial = nil
        entry.versions[hash]?.rest = kind == .rolledBack ? .rolledBack : .retired
        entry.versions[hash]?.problem = kind == .rolledBack ? words : nil
        self.logger.notice(
            "a version is not tried any more: \(words ?? "nobody wants it")", metadata: ["plugin": "\(entry.title)"])
        self.tell(entry, kind, hash, words: words)
        self.armJudge(entry)
        self.perform(orders, entry)
    }

    /// Acts on what the first runs of a version have shown.
    /// - Returns: whether it was taken back.
    @discardableResult
    func judged(_ decision: ReloadGuardStateMachine.Decision, _ sha256: String, _ entry: PluginEntry) -> Bool {
        switch decision {
        case .keep: return false
        case .over:
            entry.guard = nil
            return false
        case .rollBack(let words):
            entry.guard = nil
            guard let last = entry.machine.previous.first, let image = entry.versions[last]?.image else { return false }
            entry.versions[sha256]?.rest = .rolledBack
            entry.versions[sha256]?.problem = words
            self.logger.error(
                "a new version is taken back: \(words)",
                metadata: ["plugin": "\(entry.title)", "sha256": "\(sha256.prefix(12))"])
            self.tell(entry, .rolledBack, sha256, words: words)
            if let orders = entry.machine.takenBack(sha256) {
                self.perform(orders, entry)
            } else {
                self.want(
                    entry, .image(last),
                    .init(
                        source: .rollback, wish: .activate(force: true), image: image, waiter: nil, takesBack: sha256))
            }
            return true
        }
    }

    /// Trials and guards end by time too.
    func armJudge(_ entry: PluginEntry) {
        let deadlines = [entry.trial?.machine.deadline, entry.guard?.deadline].compactMap(\.self)
        guard let next = deadlines.min() else { return entry.judgeTimer.stop() }
        entry.judgeTimer.start(after: max(next - self.now, .milliseconds(1))) { [weak self, weak entry] in
            guard let self, let entry else { return }
            if let decision = entry.trial?.machine.tick(at: self.now) { self.judged(decision, entry) }
            if let active = entry.machine.active, let decision = entry.guard?.tick(at: self.now) {
                self.judged(decision, active, entry)
            }
            self.armJudge(entry)
        }
    }

    // MARK: Views

    /// By name.
    package var plugins: [PluginReport] {
        self.entries.values.map(\.report).sorted { $0.name < $1.name }
    }
}
