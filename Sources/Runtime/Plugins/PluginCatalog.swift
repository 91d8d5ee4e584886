internal import Glibc
internal import JobCore
package import Logging
package import Supervision
package import UVLoop

/// Whoever has to know which handlers there are.
@LoopActor
package protocol PluginCatalogDelegate: AnyObject {
    /// A version serves from now on. Whoever wanted that is told when this returns.
    func pluginActivated(_ plugin: ActivePlugin) async
    /// A plugin's status has changed.
    func pluginChanged(_ status: PluginStatus)
    /// Whether a version that is ready may serve: not if it would break what waits. Not asked for `source` `.row` and `.rollback`,
    /// and where it is forced.
    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict
    /// Every step, in order. `canary`, `canaryEnded`, `rolledBack`, `disabled`, `enabled`, `withdrawn`: what all hosts are to serve
    /// changes with it, unless they were told so, or it `isConsequence` of another.
    func pluginEvent(_ event: PluginEvent)
    /// The bytes of a version whose file in this host's store is not what it was, from where other hosts have them, back in the
    /// store; nil: they cannot be had.
    func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage?
}

extension PluginCatalogDelegate {
    package func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        .allowed
    }
    package func pluginEvent(_ event: PluginEvent) {}
    package func bytesWanted(_ sha256: String, of plugin: String) async -> PluginImage? { nil }
}

/// The plugins of one host: watches their directory, takes files into the content store, loads them, swaps versions.
///
/// Each plugin has a machine of its own (`ReloadStateMachine`); here its orders are carried out. `+Directory` notices files,
/// `+Orders` is what people and other hosts want, `+Dispatch` says which version a run goes to and judges by how runs end.
@LoopActor
package final class PluginCatalog {
    /// How to start the ingest helper: this program with these arguments before its own.
    package struct Helper: Sendable {
        package var executable: String
        package var arguments: [String]

        package init(executable: String, arguments: [String]) {
            self.executable = executable
            self.arguments = arguments
        }
    }

    package weak var delegate: (any PluginCatalogDelegate)?
    let directory: String?
    let ingester: Ingester
    let content: ContentStore
    /// Path of `pawl-inspect`, which compares declarations of C functions with their library; nil if there is none.
    private let inspector: String?
    let supervisor: Supervisor
    let logger: Logger
    /// By the name of their file, or the one that it would have.
    var entries: [String: PluginEntry] = [:]
    /// Which version serves a handler; replaced as a whole, so that nobody sees half a swap.
    private(set) var serving: [String: Served] = [:]
    var watcher: DirectoryWatcher?
    let rewatchTimer = LoopTimer()
    private let sweepTimer = LoopTimer()
    /// How long the version before stays loaded.
    private let warmFor: Duration
    /// What was taken into the store and is not proposed yet, by hash, and in which order.
    var taken: [String: PluginImage] = [:]
    var takenOrder: [String] = []
    /// The counter of wishes.
    private var lastNumber = 0
    /// Until the directory was looked at once.
    var isFirstLook = true
    /// Orders that are being carried out.
    private var busy = 0
    private var settledWaiters: [CheckedContinuation<Void, Never>] = []
    private(set) var isStopped = false
    private let epoch = LoopInstant.now

    struct Served {
        let sha256: String
        let index: Int
        let manifest: HandlerManifest
        let entry: PluginEntry
    }

    /// directory: nil for none. store: where the content is kept, made if missing. ffiBridge: path of `pawl-ffi.so`, nil
    /// if there is none. inspector: path of `pawl-inspect`, likewise. storeLimit: bytes; beyond it the oldest versions that nobody needs are deleted. warmFor: how long the
    /// version before the one that serves stays loaded.
    package init(
        directory: String?, store: String, ffiBridge: String?, helper: Helper, supervisor: Supervisor, logger: Logger,
        delegate: (any PluginCatalogDelegate)? = nil, signatures: SignaturePolicy = SignaturePolicy(),
        inspector: String? = nil, storeLimit: UInt64 = 4 << 30, warmFor: Duration = .seconds(60)
    ) {
        self.directory = directory
        self.ingester = Ingester(store: store, bridge: ffiBridge, helper: helper, signatures: signatures)
        self.inspector = inspector
        self.content = ContentStore(directory: store, limit: storeLimit)
        self.supervisor = supervisor
        self.logger = logger
        self.delegate = delegate
        self.warmFor = warmFor
    }

    /// Watches the directory and loads what is there; returns when each file is active or rejected.
    package func start() async throws {
        try self.ingester.makeStore()
        self.supervisor.onVersionChange = { [weak self] sha256 in self?.versionChanged(sha256) }
        self.supervisor.onZygoteDeath = { [weak self] sha256 in self?.zygoteDied(sha256) }
        if self.directory != nil {
            try self.watch()
            await self.rescan()
        }
        self.isFirstLook = false
        self.sweepTimer.start(after: .seconds(60), repeating: .seconds(60)) { [weak self] in self?.sweep() }
    }

    /// Looks at the whole directory again; returns when everything found has settled.
    package func rescan() async {
        self.look()
        while self.busy > 0 {
            await withCheckedContinuation { self.settledWaiters.append($0) }
        }
    }

    /// By file name.
    package var statuses: [PluginStatus] {
        self.entries.values.sorted { $0.file < $1.file }.map(\.status)
    }

    /// Which version serves a handler now.
    package func version(
        forHandler name: String
    ) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)? {
        self.serving[name].map { ($0.sha256, $0.index, $0.manifest) }
    }

    /// The same, if a run can be given to it now: its zygote lives or will be started again, or the version before stands in.
    package func ready(forHandler name: String) -> String? {
        guard let served = self.serving[name] else { return nil }
        if self.supervisor.takesAttempts(served.sha256) { return served.sha256 }
        let standIn = served.entry.machine.isCrashLooping ? self.fallback(forHandler: name) : nil
        return standIn == nil ? nil : served.sha256
    }

    /// Whether runs can be given to everything that serves.
    package var isAllReady: Bool {
        self.entries.values.allSatisfy { $0.machine.active.map(self.supervisor.takesAttempts) ?? true }
    }

    func served(_ handler: String) -> Served? { self.serving[handler] }

    /// Watches no more. The supervisor's zygotes are its own business.
    package func stop() {
        self.isStopped = true
        self.watcher?.close()
        self.rewatchTimer.stop()
        self.sweepTimer.stop()
        for entry in self.entries.values {
            entry.warmTimer.stop()
            entry.judgeTimer.stop()
            entry.settleTimer.stop()
            entry.hurryTimer.stop()
            entry.forgiveTimer.stop()
            entry.againTimer.stop()
        }
        self.supervisor.onVersionChange = nil
        self.supervisor.onZygoteDeath = nil
    }

    /// For machines.
    var now: Duration { .now - self.epoch }

    // MARK: Wishes

    /// Makes a wish of a plugin's machine.
    func want(
        _ entry: PluginEntry, _ what: ReloadStateMachine.Request.What, _ intent: PluginEntry.Intent
    ) {
        self.lastNumber += 1
        let number = self.lastNumber
        entry.intents[number] = intent
        let (goal, isForced): (ReloadStateMachine.Goal, Bool) =
            switch intent.wish {
            case .keep: (.keep, true)
            case .activate(let force): (.serve, force)
            case .canary(_, let force): (.trial, force)
            }
        let asks = !isForced && intent.source != .row && intent.source != .rollback
        if let image = intent.image {
            let version = entry.version(image)
            if intent.source == .upload { version.isSent = true }
            self.tell(entry, .staged, version.sha256)
        }
        self.perform(
            entry.machine.wanted(
                .init(
                    number, what, goal: goal, asks: asks, isRollback: intent.source == .rollback,
                    takesBack: intent.takesBack)), entry)
        self.hurry(entry)
    }

    /// What does not come up must not keep newer bytes waiting for as long as it may take.
    private func hurry(_ entry: PluginEntry) {
        guard entry.machine.isWaitedFor, let request = entry.machine.candidate.request else { return }
        entry.hurryTimer.start(after: Self.patience) { [weak self, weak entry] in
            guard let self, let entry, entry.machine.candidate.request == request,
                case .warming(let hash, _) = entry.machine.candidate,
                // What is loaded because it serves, or may at once, is nobody's to end.
                !self.entries.values.contains(where: { $0.machine.uses(hash) })
            else { return }
            self.supervisor.abandon(hash)
        }
    }

    private static let patience = Duration.seconds(2)

    private func intent(_ entry: PluginEntry) -> PluginEntry.Intent {
        guard let request = entry.machine.candidate.request, let intent = entry.intents[request.number] else {
            preconditionFailure("work on a candidate that nobody wanted")
        }
        return intent
    }

    // MARK: Orders

    func perform(_ orders: [ReloadStateMachine.Order], _ entry: PluginEntry) {
        guard !orders.isEmpty else { return }
        for order in orders {
            switch order {
            case .ingest: self.work { await self.ingest(entry) }
            case .load(let hash): self.work { await self.load(hash, entry) }
            case .ask(let hash): self.work { await self.ask(hash, entry) }
            case .serve(let hash, let replaces, let request): self.serve(hash, replaces, request, entry)
            case .beginTrial(let hash, let request): self.beginTrial(hash, request, entry)
            case .retire(let hash): self.retire(hash, entry)
            case .keepWarm(let hash): self.keepWarm(hash, entry)
            case .answer(let number, let answer): self.answer(number, answer, entry)
            }
        }
        self.publish(entry)
    }

    func work(_ body: @escaping @LoopActor () async -> Void) {
        self.busy += 1
        loopTask {
            await body()
            self.busy -= 1
            guard self.busy == 0 else { return }
            let waiters = self.settledWaiters
            self.settledWaiters = []
            for waiter in waiters { waiter.resume() }
        }
    }

    func publish(_ entry: PluginEntry) { self.delegate?.pluginChanged(entry.status) }

    /// Puts a step on record.
    func tell(
        _ entry: PluginEntry, _ kind: PluginEvent.Kind, _ sha256: String? = nil, words: String? = nil,
        problems: [ContractProblem] = [], policy: CanaryPolicy? = nil, isConsequence: Bool = false
    ) {
        var event = PluginEvent(
            plugin: entry.title, file: entry.hasFile ? entry.file : nil, sha256: sha256, kind: kind, at: .now,
            words: words, problems: problems, policy: policy)
        event.isConsequence = isConsequence
        if let sha256 { entry.versions[sha256]?.add(event) }
        self.delegate?.pluginEvent(event)
    }

    private func ingest(_ entry: PluginEntry) async {
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

    private func load(_ hash: String, _ entry: PluginEntry) async {
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

    private func ask(_ hash: String, _ entry: PluginEntry) async {
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

    /// New attempts go to it at once; then whoever keeps books hears of it.
    private func serve(_ hash: String, _ replaces: String?, _ request: Int?, _ entry: PluginEntry) {
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

    private func answer(_ number: Int, _ answer: ReloadStateMachine.Answer, _ entry: PluginEntry) {
        let result: Result<ProposalOutcome, ReloadFault> =
            switch answer {
            case .serves: .success(.active)
            case .onTrial: .success(.canary)
            case .staged: .success(.staged)
            case .unchanged: .success(.unchanged)
            case .held: .success(.held(entry.held.problems, words: entry.held.words))
            case .superseded: .failure(ReloadFault(.superseded, "something newer has taken its place"))
            case .disabled: .success(.held([], words: self.restingWords(entry.intents[number])))
            case .rejected(let words): .failure(entry.fault ?? ReloadFault(.refused, words))
            }
        if case .failure = result, entry.intents[number]?.source == .rollback { self.goesOn(entry) }
        if case .rejected(let words) = answer {
            self.logger.warning(
                "a version of \(entry.title) is rejected: \(words)", metadata: ["file": "\(entry.file)"])
        }
        self.resume(number, result, entry)
    }

    private func restingWords(_ intent: PluginEntry.Intent?) -> String {
        if case .canary = intent?.wish { return "the plugin is disabled: there is nothing to try it beside" }
        return "the plugin is disabled; it serves when it is enabled"
    }

    /// It was to be taken back, and the version before cannot be had: it serves, with all that belongs to that.
    private func goesOn(_ entry: PluginEntry) {
        guard let version = entry.active, version.rest == .rolledBack else { return }
        version.rest = .retired
        version.problem = nil
        self.tell(entry, .active, version.sha256, words: "the version before it cannot serve: it goes on")
    }

    func resume(_ number: Int, _ result: Result<ProposalOutcome, ReloadFault>, _ entry: PluginEntry) {
        guard let intent = entry.intents.removeValue(forKey: number) else { return }
        intent.waiter?.resume(returning: result)
    }

    // MARK: Versions that go

    /// Lets a version go, unless another plugin has the same bytes.
    func retire(_ hash: String, _ entry: PluginEntry) {
        if let version = entry.versions[hash], version.rest == .staged, version.hasServed { version.rest = .retired }
        let isNeeded = self.entries.values.contains {
            $0.machine.uses(hash) || $0.machine.candidate.hash == hash
        }
        if !isNeeded { self.supervisor.retire(hash) }
        self.versionChanged(hash)
    }

    private func keepWarm(_ hash: String, _ entry: PluginEntry) {
        self.supervisor.rest(hash)
        if self.warmFor <= .zero { return self.perform(entry.machine.cooled(), entry) }
        entry.warmTimer.start(after: self.warmFor) { [weak self, weak entry] in
            guard let self, let entry else { return }
            self.perform(entry.machine.cooled(), entry)
        }
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

    /// Swaps what serves in one assignment.
    func swap(_ entry: PluginEntry) {
        var serving = self.serving.filter { $0.value.entry !== entry }
        if let version = entry.active, let manifest = version.manifest {
            for (index, handler) in manifest.handlers.enumerated() {
                serving[handler.name] = Served(
                    sha256: version.sha256, index: index, manifest: handler, entry: entry)
            }
        }
        self.serving = serving
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

    // MARK: The store

    /// Paths that some plugin may still need.
    var neededPaths: Set<String> {
        var paths: Set<String> = []
        for entry in self.entries.values {
            let needed = entry.machine.needed
            for (hash, version) in entry.versions where needed.contains(hash) || version.started > version.ended {
                paths.insert(version.image.path)
            }
            for intent in entry.intents.values { if let image = intent.image { paths.insert(image.path) } }
        }
        return paths
    }

    private func sweep() {
        let removed = self.content.sweep(keeping: self.neededPaths)
        if removed > 0 { self.logger.info("\(removed) old files have left the plugin store, which was full") }
    }
}

extension WallTime {
    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(micros: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
