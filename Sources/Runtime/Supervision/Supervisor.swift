internal import CWire
internal import Glibc
internal import Inspection
package import JobCore
package import Logging
package import UVLoop

/// Runs attempts in child processes: one zygote per plugin version, one child per attempt, and for each attempt exactly
/// one report, made when its process tree is proven empty.
///
/// Everything happens on the loop. `Zygote` and `Attempt` do the work; this is what they share, and the way in.
@LoopActor
package final class Supervisor {
    package let configuration: SupervisorConfiguration
    package let logger: Logger
    /// Gets the facts. Held weakly: it usually owns the supervisor.
    package weak var observer: (any AttemptObserver)?
    /// What the machine can do. Meaningful after `start()`.
    package internal(set) var capabilities = Capabilities(profile: .none)

    struct AttemptKey: Hashable {
        let runID: RunID
        let attempt: Int
    }

    enum Phase { case new, running, draining, stopped }
    var phase = Phase.new
    var zygotes: [String: Zygote] = [:]
    /// Of versions that could be forked, for jobs that want each child to load the plugin afresh.
    private var spawnZygotes: [String: Zygote] = [:]
    /// Retired zygotes that still have children.
    var leaving: [Zygote] = []
    /// Accepted and not ended.
    var attempts: [AttemptKey: Attempt] = [:]
    /// Those with descriptors in the readiness set, by serial.
    private(set) var watched: [UInt64: RunChild] = [:]
    private var pausedAttempts: [Attempt] = []
    /// Ends of children without a run, under way.
    private var farewells: [UInt64: Attempt] = [:]
    private(set) lazy var pool = ChildPool(supervisor: self)
    /// Nil with profile `none`.
    var cgroups: CgroupRoot?
    private var quarantined: [CgroupLeaf] = []
    let scratch: ScratchPool
    let sandboxUsers: SandboxUsers
    private let slowTimer = LoopTimer()
    let strayTimer = LoopTimer()
    /// The look at all processes that is under way.
    var processScan: Task<[Orphan], Never>?
    private let sampler = Sampler()
    private(set) lazy var machineMemory = MachineMemory()
    /// Looks at live processes and tells what they do, as a JSON object; nil where nothing can.
    var inspect: (@LoopActor (_ pids: [Int32], _ limit: Duration) async -> String)?
    private var ticks = 0
    private var lastSerial: UInt64 = 0
    private var lastSlot: UInt32 = 0
    /// Who waits until nothing runs.
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []
    private var readinessSet: ReadinessSet?
    /// Attempts that children have before their time; they take no slots.
    package internal(set) var aheadCount = 0
    /// Children that have been given such since the last flush, and those that have some.
    var offering: [RunChild] = []
    var holders: [RunChild] = []
    let aheadTimer = LoopTimer()
    var isAheadWatched = false
    /// One for all: everything read is used up before the next read.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private(set) lazy var childEnvironment = ChildEnvironment(configuration)

    package init(
        _ configuration: SupervisorConfiguration, logger: Logger, observer: (any AttemptObserver)? = nil
    ) {
        precondition(configuration.slots > 0, "a supervisor without slots runs nothing")
        self.configuration = configuration
        self.scratch = ScratchPool(parent: "\(configuration.dataDirectory)/scratch")
        self.sandboxUsers = SandboxUsers(configuration.sandboxUsers, instance: configuration.instance)
        self.logger = logger
        self.observer = observer
        if let path = configuration.inspectorPath {
            let inspector = Inspector(toolPath: path, logger: logger)
            self.inspect = { await inspector.processes($0, limit: $1) }
        }
    }

    isolated deinit { self.readBuffer.deallocate() }

    /// Finds out what the machine can do, makes its cgroup and scratch directories, becomes subreaper, and kills what a
    /// predecessor of the same instance left behind. Nothing is dispatched before it returns.
    package func start() async throws(SupervisionError) {
        precondition(self.phase == .new, "started twice")
        do {
            self.readinessSet = try ReadinessSet { [weak self] token, events in self?.ready(token, events) }
        } catch { throw SupervisionError(error.description) }
        do { try await self.prepareMachine() } catch {
            self.cgroups?.remove()
            throw error
        }
        self.phase = .running
        self.machineMemory.tick()
        self.slowTimer.start(after: .seconds(1), repeating: .seconds(1)) { [weak self] in self?.slowTick() }
    }

    // MARK: Versions

    /// Starts a zygote for the version and waits until it is ready; keeps it warm. A version that is loaded already
    /// answers at once. Cancelling the task does not stop the load.
    package func load(
        _ image: PluginImage, timeout: Duration = .seconds(10)
    ) async throws(PluginRefusal) -> PluginManifest {
        guard self.phase == .running else {
            throw PluginRefusal(reason: .unavailable, message: "the host is not running")
        }
        if let known = self.zygotes[image.sha256] {
            if known.isRetired {
                self.zygotes[image.sha256] = nil
            } else if known.pid == nil, !known.image.isIntact {
                // It died and its file was changed: it would never start again. The right bytes are another file.
                self.retire(image.sha256)
            }
        }
        let zygote = self.zygotes[image.sha256] ?? Zygote(image: image, timeout: timeout, supervisor: self)
        self.zygotes[image.sha256] = zygote
        return try await zygote.load().get()
    }

    /// No new attempts for this version; its zygote exits when the last child has. Unknown versions are ignored.
    package func retire(_ sha256: String) {
        let zygotes = [self.zygotes.removeValue(forKey: sha256), self.spawnZygotes.removeValue(forKey: sha256)]
        for zygote in zygotes.compactMap(\.self) {
            self.leaving.append(zygote)
            zygote.retire()
            self.pool.dismissAll(of: zygote)
        }
    }

    /// It is not given new attempts for now: its children that wait are ended, its zygote stays. A new attempt wakes it.
    package func rest(_ sha256: String) {
        for zygote in [self.zygotes[sha256], self.spawnZygotes[sha256]].compactMap(\.self) {
            self.pool.dismissAll(of: zygote)
        }
    }

    /// Lets a version be tried again whose zygote died too often: now, and without a grudge. Unknown versions are ignored.
    package func forgive(_ sha256: String) { self.zygotes[sha256]?.forgive() }

    /// Ends the load of a version that nobody waits for any more, though it has not answered: it is refused.
    package func abandon(_ sha256: String) {
        self.zygotes[sha256]?.fail("it takes long to load, and something newer waits")
    }

    /// What a loaded version says of itself.
    package func manifest(of sha256: String) -> PluginManifest? { self.zygotes[sha256]?.manifest }

    /// Whether the version's zygote died so often that attempts wait for it.
    package func isCrashLooping(_ sha256: String) -> Bool { self.zygotes[sha256]?.isCrashLooping ?? false }

    /// What was found out about a version after it was loaded, for people: why its attempts are not executed as asked.
    package func remarks(on sha256: String) -> [String] {
        (self.zygotes[sha256]?.remarks ?? []) + (self.spawnZygotes[sha256]?.remarks ?? [])
    }

    /// Whether anything of a version is left: its zygote, or attempts.
    package func isLoaded(_ sha256: String) -> Bool {
        self.zygotes[sha256] != nil || self.leaving.contains { $0.image.sha256 == sha256 }
    }

    /// Whether a version can be given attempts: it was loaded, and its zygote lives or will be started again by itself.
    package func takesAttempts(_ sha256: String) -> Bool {
        self.zygotes[sha256].map { $0.hasLoaded && !$0.isRetired } ?? false
    }

    /// Is told when a version's zygote has died under its attempts, when a retired one is gone, and of new remarks.
    package var onVersionChange: (@LoopActor (_ sha256: String) -> Void)?
    /// Is told when a version's zygote has died that was to live.
    package var onZygoteDeath: (@LoopActor (_ sha256: String) -> Void)?

    // MARK: Attempts

    /// Starts an attempt, or throws and has done nothing. Afterwards the observer hears of it, never before this returns.
    package func dispatch(_ spec: AttemptSpec) throws(DispatchError) {
        guard self.phase == .running else { throw .draining }
        guard let loaded = self.zygotes[spec.version], loaded.hasLoaded else {
            let isLeaving = self.leaving.contains { $0.image.sha256 == spec.version }
            throw isLeaving ? .retired(version: spec.version) : .notLoaded(version: spec.version)
        }
        guard self.attempts.count - self.aheadCount < self.configuration.slots else {
            throw .noSlot(self.configuration.slots)
        }
        let key = AttemptKey(runID: spec.runID, attempt: spec.attempt)
        guard self.attempts[key] == nil else { throw .alreadyRunning }
        let isSpawned = spec.execution.mode == .spawn || loaded.isDemoted
        let zygote = isSpawned ? self.spawnZygote(for: loaded) : loaded
        let attempt = Attempt(spec, zygote: zygote, supervisor: self)
        if let fault = self.sandboxFault(spec.execution) {
            attempt.refuseSandbox(fault)
        } else if zygote.isReady {
            try attempt.launch()
        } else {
            zygote.enqueue(attempt)
        }
        self.attempts[key] = attempt
    }

    /// Asks an attempt to stop, with its cancel grace or the given one; then the ladder. Ignored when it is not running.
    package func cancel(_ runID: RunID, _ attempt: Int, reason: CancelReason = .requested, grace: Duration? = nil) {
        let cause: StopCause =
            switch reason {
            case .requested: .cancel
            case .timeout: .wall
            case .shutdown: .shutdown
            }
        self.attempts[AttemptKey(runID: runID, attempt: attempt)]?.cancel(cause, grace: grace)
    }

    /// Ends an attempt: CANCEL and SIGTERM at once, the kill after `grace` (its term grace if nil).
    package func terminate(_ runID: RunID, _ attempt: Int, grace: Duration? = nil) {
        self.attempts[AttemptKey(runID: runID, attempt: attempt)]?.terminate(.terminate, grace: grace)
    }

    /// The observer accepts logs again.
    package func logsAccepted() {
        let paused = self.pausedAttempts
        self.pausedAttempts = []
        for attempt in paused { attempt.resume() }
    }

    /// Process ids of children that wait for a run. For people and tests; never to be signalled.
    package var waitingChildren: [Int32] { self.pool.waiting }

    package var running: [RunningAttempt] {
        self.attempts.values.sorted { $0.serial < $1.serial }.map(\.snapshot)
    }

    /// Of the run's newest attempt here.
    package func snapshot(_ runID: RunID) -> RunningAttempt? {
        self.attempts.values.filter { $0.spec.runID == runID }.max { $0.spec.attempt < $1.spec.attempt }?.snapshot
    }

    /// Ends the zygotes. With `killAll` everything that runs is terminated first and reported `lost`/`host`; without it
    /// waits until what runs has ended. Nothing is accepted any more.
    package func shutdown(killAll: Bool) async {
        guard self.phase == .running || self.phase == .draining else { return }
        self.phase = .draining
        if killAll { for attempt in Array(self.attempts.values) { attempt.terminate(.shutdown, grace: nil) } }
        await self.idle { self.attempts.isEmpty }
        self.pool.dismissAll()
        for sha256 in Array(self.zygotes.keys) { self.retire(sha256) }
        let overdue = LoopTimer()
        overdue.start(after: .seconds(5)) { [weak self] in
            for zygote in self?.leaving ?? [] { zygote.fail("it does not end") }
        }
        await self.idle { self.leaving.isEmpty && self.farewells.isEmpty }
        overdue.stop()
        self.lookForStrays()
        self.slowTimer.stop()
        self.strayTimer.stop()
        self.aheadTimer.stop()
        self.sampler.stop()
        self.cgroups?.remove()
        self.scratch.clear()
        rmdir(self.scratch.parent)
        self.readinessSet = nil
        self.phase = .stopped
    }

    private func idle(_ condition: () -> Bool) async {
        while !condition() {
            await withCheckedContinuation { self.idleWaiters.append($0) }
        }
    }

    private func somethingEnded() {
        let waiters = self.idleWaiters
        self.idleWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: For zygotes

    /// It died under its attempts, and will be restarted.
    func zygoteDied(_ zygote: Zygote) {
        self.onVersionChange?(zygote.image.sha256)
        self.onZygoteDeath?(zygote.image.sha256)
    }

    /// It is gone for good.
    func zygoteEnded(_ zygote: Zygote) {
        self.leaving.removeAll { $0 === zygote }
        if self.zygotes[zygote.image.sha256] === zygote { self.zygotes[zygote.image.sha256] = nil }
        if self.spawnZygotes[zygote.image.sha256] === zygote { self.spawnZygotes[zygote.image.sha256] = nil }
        self.onVersionChange?(zygote.image.sha256)
        self.somethingEnded()
    }

    var zygoteEnvironment: [String: String] { self.childEnvironment.ofZygote }

    // MARK: For attempts

    var readiness: ReadinessSet {
        guard let set = self.readinessSet else { preconditionFailure("the supervisor was not started") }
        return set
    }

    var hasMemoryController: Bool { self.cgroups?.controllers.contains("memory") ?? false }

    func nextSerial() -> UInt64 {
        self.lastSerial += 1
        return self.lastSerial
    }

    /// Never used again within 2^32 attempts: a zygote may know a number a moment longer than its attempt lives.
    func takeSlot() -> UInt32 {
        self.lastSlot = self.lastSlot == .max ? 1 : self.lastSlot + 1
        return self.lastSlot
    }

    func watch(_ child: RunChild) { self.watched[child.serial] = child }
    func unwatch(_ child: RunChild) { self.watched[child.serial] = nil }
    func paused(_ attempt: Attempt) { self.pausedAttempts.append(attempt) }
    func quarantine(_ leaf: CgroupLeaf) { self.quarantined.append(leaf) }

    func marker(of attempt: Attempt) -> String { self.childEnvironment.marker(attempt.process?.serial ?? 0) }

    /// Ends a child that has no run: makes what proves its tree empty.
    func bury(_ child: RunChild) -> Attempt {
        let farewell = Attempt(farewellTo: child)
        self.farewells[farewell.serial] = farewell
        return farewell
    }

    func buried(_ farewell: Attempt) {
        self.farewells[farewell.serial] = nil
        if !self.idleWaiters.isEmpty { self.somethingEnded() }
    }

    /// The version's zygote without the plugin; the usual one where that is so already. Started when it is first needed.
    func spawnZygote(for loaded: Zygote) -> Zygote {
        guard loaded.manifest?.forkMode != .spawn else { return loaded }
        if let known = self.spawnZygotes[loaded.image.sha256], !known.isRetired { return known }
        let zygote = Zygote(spawning: loaded, supervisor: self)
        self.spawnZygotes[loaded.image.sha256] = zygote
        zygote.start()
        return zygote
    }

    /// An attempt whose child died before it began waits for its zygote again.
    func requeue(_ attempt: Attempt) {
        if attempt.zygote.isRetired {
            attempt.endUnstarted("its plugin version was retired")
        } else {
            attempt.zygote.enqueue(attempt)
        }
    }

    /// It was given to a child before its time, and has not begun. A stop that came in between ends it here.
    func returned(_ attempt: Attempt) {
        let wishes = attempt.wishes
        attempt.wishes = []
        for wish in wishes { wish(attempt) }
        guard !attempt.hasEnded else { return }
        attempt.hasEnded = true
        attempt.timer.stop()
        self.attempts[AttemptKey(runID: attempt.spec.runID, attempt: attempt.spec.attempt)] = nil
        self.observer?.attemptReturned(attempt.spec.runID, attempt.spec.attempt)
        if !self.idleWaiters.isEmpty { self.somethingEnded() }
    }

    func accept(_ attempt: Attempt) {
        self.attempts[AttemptKey(runID: attempt.spec.runID, attempt: attempt.spec.attempt)] = attempt
    }

    func isKnown(_ spec: AttemptSpec) -> Bool {
        self.attempts[AttemptKey(runID: spec.runID, attempt: spec.attempt)] != nil
    }

    /// A version that takes attempts now.
    func loaded(_ version: String) -> Zygote? {
        self.zygotes[version].flatMap { $0.hasLoaded && $0.isReady && !$0.isRetired ? $0 : nil }
    }

    func ended(_ attempt: Attempt, _ report: AttemptReport) {
        self.attempts[AttemptKey(runID: attempt.spec.runID, attempt: attempt.spec.attempt)] = nil
        self.observer?.attemptEnded(report)
        if !self.idleWaiters.isEmpty { self.somethingEnded() }
    }

    // MARK: The loop calls

    private func ready(_ token: UInt64, _ events: ReadinessSet.Events) {
        // Not there: its descriptor was closed earlier in the same turn.
        guard let child = self.watched[token >> 2], let channel = RunChild.Channel(rawValue: token & 3) else { return }
        child.ready(channel, events)
    }

    /// Those that are to end included.
    var everyZygote: [Zygote] { Array(self.zygotes.values) + Array(self.spawnZygotes.values) + self.leaving }

    private func slowTick() {
        self.ticks += 1
        if self.pausedAttempts.contains(where: { $0.acceptsLogs }) { self.logsAccepted() }
        for attempt in Array(self.attempts.values) { attempt.slowTick() }
        self.machineMemory.tick()
        self.sampler.sample(Array(self.attempts.values))
        for farewell in Array(self.farewells.values) { farewell.slowTick() }
        self.pool.tick(self.ticks)
        self.letStoppedKeepersGoOn()
        if self.ticks % 5 == 0 { for zygote in self.everyZygote { zygote.ping(at: .now) } }
        if self.ticks % 10 == 0 {
            self.lookForStrays()
            self.releaseQuarantined()
        }
    }

    /// What could not be killed may have died since.
    private func releaseQuarantined() {
        for leaf in self.quarantined where !leaf.isPopulated { leaf.remove() }
        self.quarantined.removeAll { !$0.isPopulated }
    }
}
