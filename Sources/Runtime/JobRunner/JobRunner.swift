import Inspection
package import JobCore
package import JobStore
package import Logging
package import Plugins
package import Supervision
package import UVLoop

/// A host's work: claims runs, executes them under supervision, settles them; registers plugins' jobs; fires schedules;
/// keeps its place among the hosts.
///
/// The parts know each other only through this object: `Delivery` (claim to settle), `LogWriter`, `Liveness`,
/// `Timekeeper`, `PluginRegistry`, `QuarantineBook`, `CrashFiler`, `RunWatch`.
@LoopActor
package final class JobRunner {
    package struct Configuration: Sendable {
        package var slots: Int
        package var registration: HostRegistration
        /// Where versions of plugins lie until they are checked, after they came from another host; should be on the file system
        /// of the content store.
        package var storeDirectory: String
        /// Where log lines wait while the database takes none, and how many bytes of them; 0: none.
        package var spillDirectory: String
        package var spillBytes: Int
        /// As the store has them.
        package var liveness: LivenessTimes

        package init(
            slots: Int, registration: HostRegistration, storeDirectory: String, spillDirectory: String, spillBytes: Int,
            liveness: LivenessTimes = .standard
        ) {
            self.slots = slots
            self.registration = registration
            self.storeDirectory = storeDirectory
            self.spillDirectory = spillDirectory
            self.spillBytes = spillBytes
            self.liveness = liveness
        }
    }

    package let store: JobStore
    package let supervisor: Supervisor
    package let catalog: PluginCatalog
    /// Pokes for those who follow runs.
    package let watch = RunWatch()
    let logger: Logger
    let delivery: Delivery
    let logs: LogWriter
    let liveness: Liveness
    let timekeeper: Timekeeper
    let registry: PluginRegistry
    let hands: CatalogHands
    let quarantine: QuarantineBook
    let crashes: CrashFiler
    let safety: SafetyWatch
    private let pollTimer = LoopTimer()
    private let sampleTimer = LoopTimer()
    private let upkeepTimer = LoopTimer()
    private var isListening = false
    private var isUpkeeping = false
    private var isSorting = false
    /// Runs that this host has ended because they were not started in time.
    private(set) var expired: UInt64 = 0
    private var isNoting = false
    package private(set) var isDraining = false

    /// Every this long the queues are looked at without any hint, in case one was lost.
    package static let pollInterval: Duration = .seconds(5)

    /// The supervisor's observer and the catalog's delegate become this runner's.
    package init(
        _ configuration: Configuration, store: JobStore, supervisor: Supervisor, catalog: PluginCatalog,
        logger: Logger
    ) {
        self.store = store
        self.supervisor = supervisor
        self.catalog = catalog
        self.logger = logger
        let spill = LogSpill(directory: configuration.spillDirectory, limit: configuration.spillBytes)
        self.logs = LogWriter(store: store, spill: spill, logger: logger)
        self.liveness = Liveness(
            store: store, registration: configuration.registration, times: configuration.liveness, logger: logger)
        self.timekeeper = Timekeeper(store: store, logger: logger)
        self.safety = SafetyWatch(store: store, logger: logger)
        self.registry = PluginRegistry(store: store, directory: configuration.storeDirectory, logger: logger)
        self.hands = CatalogHands(catalog: catalog, registry: self.registry)
        self.quarantine = QuarantineBook(store: store, logger: logger)
        // Its own: what it does in the background must not be in the way of a diagnosis.
        let inspector = supervisor.configuration.inspectorPath.map { Inspector(toolPath: $0, logger: logger) }
        self.crashes = CrashFiler(store: store, naming: CrashNaming(inspector), logger: logger)
        self.delivery = Delivery(
            slots: configuration.slots, store: store, logs: self.logs, watch: self.watch, quarantine: self.quarantine,
            logger: logger,
            start: { [supervisor] spec throws(DispatchError) in try supervisor.dispatch(spec) },
            resolve: { [registry, hands] in registry.mayServe($0) ? hands.choose($0, dice: $1, avoiding: $2) : nil },
            resolveFallback: { [registry, hands] in registry.mayServe($0) ? hands.fallback($0) : nil })
        supervisor.observer = self
        catalog.delegate = self.hands
        self.registry.hands = self.hands
        self.wire()
    }

    private func wire() {
        self.wireSafety()
        self.logs.onRoom = { [weak self] in self?.supervisor.logsAccepted() }
        self.delivery.startAhead = { [supervisor] in supervisor.dispatchAhead($0) }
        self.delivery.flushAhead = { [supervisor] in supervisor.flushAhead() }
        self.delivery.aheadCount = { [supervisor] in supervisor.aheadCount }
        self.logs.onWritten = { [weak self] runs in
            for run in runs { self?.watch.poke(run) }
        }
        self.timekeeper.lease = { [weak self] in self?.lease }
        self.timekeeper.onWork = { [weak self] in self?.delivery.hint() }
        self.registry.onChange = { [weak self] in self?.delivery.reachChanged() }
        self.liveness.onLease = { [weak self] in self?.leased($0) }
        self.liveness.onFenced = { [weak self] in self?.endEverything() }
        self.liveness.onTaken = { [weak self] in self?.delivery.hint() }
        self.delivery.onFencedOutcome = { [weak self] in self?.liveness.look() }
        self.delivery.isAllServed = { [weak self] in
            guard let self else { return true }
            return self.registry.isClear && self.catalog.isAllReady
        }
        self.delivery.onVerdict = { [weak self] in self?.hands.judged($0, $1) ?? false }
        self.delivery.onBegan = { [weak self] in self?.hands.began($0, $1) }
        self.delivery.onAbandoned = { [weak self] in self?.hands.abandoned($0, $1) }
        self.delivery.onRedo = { [weak self] in self?.timekeeper.look() }
        self.delivery.onCrash = { [weak self] in self?.crashes.look() }
        self.delivery.loadReach = { [weak self] () async throws(StoreError) -> Reach in
            guard let self else { return .nothing }
            return self.reach(of: try await self.store.jobs())
        }
        self.quarantine.onChange = { [weak self] in self?.delivery.reachChanged() }
        self.quarantine.isServed = { [weak self] key in
            self?.catalog.version(forHandler: key.handler)?.sha256 == key.version
        }
        self.quarantine.onTerm = { [weak self] key, isOut in self?.quarantineChanged(key, isOut) }
    }

    // MARK: Life

    /// Begins. The schema must be current, supervisor and catalog started. Returns at once; work begins with the
    /// registration, which is tried until the database has it.
    package func start() {
        loopTask {
            // Before the registration, which settles the attempts of an earlier life: who sees an end sees the log.
            await self.logs.takeOver()
            if !self.isDraining { self.liveness.start() }
        }
        self.upkeepTimer.start(after: .seconds(1), repeating: .seconds(1)) { [weak self] in self?.upkeep() }
        self.sampleTimer.start(after: .seconds(1), repeating: .seconds(1)) { [weak self] in self?.noteStarted() }
    }

    /// Registered, and every active plugin's jobs are in the database.
    package var isReady: Bool { self.liveness.lease != nil && self.registry.isSettled }
    package var lease: HostLease? { self.liveness.lease }

    private func leased(_ lease: HostLease) {
        self.crashes.begin(lease)
        self.registry.begin(lease)
        loopTask {
            // First what must not be given any run.
            await self.quarantine.begin(lease)
            if self.lease == lease { self.delivery.begin(lease) }
        }
        self.timekeeper.look()
        self.pollTimer.start(after: Self.pollInterval, repeating: Self.pollInterval) { [weak self] in self?.poll() }
        self.poll()
    }

    /// Subscribes to what others announce; tried again with each poll until it has worked once.
    private func listen(_ lease: HostLease) {
        guard !self.isListening else { return }
        self.isListening = true
        loopTask {
            do {
                try await self.store.listen(
                    host: lease.id, onWake: { [weak self] _ in self?.delivery.hint() },
                    onSignal: { [weak self] in self?.obey($0) },
                    onPlugin: { [weak self] in
                        self?.registry.heard($0)
                        // Jobs may have come or gone with it.
                        self?.delivery.lookAtReach()
                    },
                    onHolding: { [weak self] in self?.liveness.look() },
                    onSchedule: { [weak self] in self?.timekeeper.look() },
                    onReconnect: { [weak self] in self?.poll() })
            } catch {
                self.isListening = false
                self.logger.warning("cannot listen for notifications yet", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Claims no more, lets what runs end for at most `timeout`, then ends it by force (which uses up no attempt), settles
    /// everything and signs off. Gives up waiting for an absent database after `settleLimit`: its successor, or another
    /// host, requeues what could not be settled.
    package func drain(timeout: Duration, settleLimit: Duration = .seconds(10)) async {
        self.isDraining = true
        self.timekeeper.stop()
        self.pollTimer.stop()
        await self.liveness.announceStopping()
        let drained = loopTask { await self.delivery.drain() }
        if await self.wait(for: drained, atMost: timeout) == false {
            self.logger.notice(
                "the drain's time is over: ending what runs", metadata: ["runs": "\(self.supervisor.running.count)"])
        }
        await self.finish(drained, settleLimit: settleLimit)
    }

    /// As the end of `drain`, without its wait: for a second SIGTERM. May be called while `drain` waits.
    package func hurry() {
        self.isHurried = true
        self.endWait()
    }

    private var waiting: CheckedContinuation<Void, Never>?
    private var isHurried = false

    private func endWait() {
        self.waiting?.resume()
        self.waiting = nil
    }

    private func finish(_ drained: Task<Void, Never>, settleLimit: Duration) async {
        // First the catalog: it would start a zygote that ends.
        self.catalog.stop()
        await self.supervisor.shutdown(killAll: true)
        self.isHurried = false
        _ = await self.wait(for: drained, atMost: settleLimit)
        self.registry.fenced()
        self.logs.stop()
        self.upkeepTimer.stop()
        self.crashes.stop()
        self.sampleTimer.stop()
        self.watch.close()
        await self.liveness.stop()
    }

    /// True if the task ended, false if the time was over or somebody is in a hurry.
    private func wait(for task: Task<Void, Never>, atMost limit: Duration) async -> Bool {
        guard !self.isHurried else { return false }
        var isDone = false
        let timer = LoopTimer()
        timer.start(after: max(limit, .milliseconds(1))) { [weak self] in self?.endWait() }
        loopTask {
            await task.value
            isDone = true
            self.endWait()
        }
        await withCheckedContinuation { self.waiting = $0 }
        timer.stop()
        return isDone
    }

    /// Others have taken this host's attempts: nothing that still runs here may go on. Not by `terminate`, whose outcome
    /// would be somebody's wish; as at a shutdown they end as lost, which decides nothing.
    private func endEverything() {
        self.delivery.fenced()
        self.timekeeper.fenced()
        self.registry.fenced()
        self.quarantine.fenced()
        for attempt in self.supervisor.running {
            self.supervisor.cancel(attempt.runID, attempt.attempt, reason: .shutdown, grace: .zero)
        }
    }

    // MARK: Hints and orders

    /// A run came into a queue, or will be due: through this host, so no notification is needed.
    package func enqueued(isDue: Bool) { if isDue { self.delivery.hint() } else { self.timekeeper.look() } }

    /// Asks an attempt of this host to stop; ignored where it does not run here.
    package func cancel(_ run: RunID, attempt: Int, grace: Duration?) {
        self.delivery.ordered(AttemptKey(run: run, attempt: attempt), .cancel)
        self.supervisor.cancel(run, attempt, reason: .requested, grace: grace)
    }

    /// Ends an attempt of this host by force; ignored where it does not run here.
    package func terminate(_ run: RunID, attempt: Int, grace: Duration?) {
        self.delivery.ordered(AttemptKey(run: run, attempt: attempt), .terminate)
        self.supervisor.terminate(run, attempt, grace: grace)
    }

    /// Returns when all lines that an attempt of this host has said so far can be read in the database, or after a second.
    package func logsWritten(of run: RunID) async {
        guard let held = self.delivery.current(run) else { return }
        await self.logs.written(AttemptKey(held.run), limit: .seconds(1))
    }

    private func obey(_ signal: HostSignal) {
        switch signal.action {
        case .cancel: self.cancel(signal.runID, attempt: signal.attempt, grace: signal.grace)
        case .terminate: self.terminate(signal.runID, attempt: signal.attempt, grace: signal.grace)
        }
    }

    /// The safety net: what a lost hint or notification would have told.
    private func poll() {
        self.delivery.hint()
        self.delivery.look()
        self.delivery.lookAtReach()
        self.quarantine.look()
        self.crashes.look()
        self.registry.look()
        guard let lease = self.lease else { return }
        self.listen(lease)
        loopTask {
            do {
                for signal in try await self.store.pendingSignals(lease) where !self.isObeyed(signal) {
                    self.obey(signal)
                }
            } catch {
                self.logger.debug("no look at pending orders", metadata: ["error": "\(error)"])
            }
        }
    }

    /// An order that supervision has already: repeating a terminate would begin its grace anew.
    private func isObeyed(_ signal: HostSignal) -> Bool {
        guard let held = self.delivery.held[AttemptKey(run: signal.runID, attempt: signal.attempt)] else { return true }
        return held.obeyed == signal.action || held.obeyed == .terminate
    }

    // MARK: Upkeep

    /// For those who look from other hosts: attempts older than a second, and their progress.
    private func noteStarted() {
        guard !self.isNoting, let lease = self.lease else { return }
        let notes = self.delivery.takeNotes()
        guard !notes.isEmpty else { return }
        self.isNoting = true
        loopTask {
            do { try await self.store.noteStarted(lease, notes) } catch {
                self.delivery.notesFailed(notes)
                self.logger.debug("attempts not noted yet", metadata: ["error": "\(error)"])
            }
            self.isNoting = false
        }
    }

    private func upkeep() {
        self.sortLanes()
        if let lease = self.lease { self.safety.tick(lease, isDraining: self.isDraining) }
        guard !self.isUpkeeping, self.lease != nil else { return }
        self.isUpkeeping = true
        loopTask {
            do {
                try await self.expire()
                // One does it for all; who believes it for too long finds a lock.
                if self.liveness.holds(.upkeep) { _ = try await self.store.maintain() }
            } catch {
                self.logger.debug("no upkeep now", metadata: ["error": "\(error)"])
            }
            self.isUpkeeping = false
        }
    }
}

extension JobRunner {
    /// Queued runs of jobs that have got rules go to lanes of their own. Beside the other upkeep: there may be millions.
    private func sortLanes() {
        guard !self.isSorting, self.lease != nil else { return }
        self.isSorting = true
        loopTask {
            do {
                let moved = try await self.store.sortLanes()
                if moved > 0 {
                    self.logger.info("runs of jobs with rules wait by themselves", metadata: ["runs": "\(moved)"])
                }
            } catch {
                self.logger.debug("lanes not sorted now", metadata: ["error": "\(error)"])
            }
            self.isSorting = false
        }
    }

    /// Ends what was not started in time, each second; several hosts may do so at once.
    private func expire() async throws(StoreError) {
        let limit = 1000
        while true {
            let expired = try await self.store.expireQueued(limit: limit)
            self.expired += UInt64(expired.count)
            for run in expired { self.watch.poke(run) }
            if !expired.isEmpty {
                self.logger.notice(
                    "runs were not started within their queue time", metadata: ["runs": "\(expired.count)"])
            }
            if expired.count < limit { return }
        }
    }
}

extension JobRunner: AttemptObserver {
    package var acceptsLogs: Bool { self.logs.acceptsMore }

    package func acceptsLogs(of runID: RunID, attempt: Int) -> Bool {
        self.logs.acceptsMore || self.logs.accepts(AttemptKey(run: runID, attempt: attempt))
    }

    package func attemptStarted(_ runID: RunID, _ attempt: Int, at time: WallTime, pid: Int32?) {
        self.delivery.started(AttemptKey(run: runID, attempt: attempt), at: time, pid: pid)
    }

    package func attemptLogged(_ runID: RunID, _ attempt: Int, lines: [LogLine]) {
        self.delivery.held[AttemptKey(run: runID, attempt: attempt)]?.loggedAt = lines.last?.time
        self.logs.append(AttemptKey(run: runID, attempt: attempt), lines)
    }

    package func attemptProgressed(_ runID: RunID, _ attempt: Int, progress: Progress) {
        self.delivery.progressed(AttemptKey(run: runID, attempt: attempt), progress)
    }

    package func attemptReturned(_ runID: RunID, _ attempt: Int) {
        self.delivery.returned(AttemptKey(run: runID, attempt: attempt))
    }

    package func attemptEnded(_ report: AttemptReport) { self.delivery.ended(report) }
}
