import JobCore
import JobStore
import Logging
import Supervision
import UVLoop

/// The delivery loop: claims runs, hands them to supervision, settles what ended. `DeliveryStateMachine` decides how many
/// and when; this is its shell. `Delivery+Exchange` talks to the database, `Delivery+Dispatch` to supervision,
/// `Delivery+Reach` knows what to claim.
///
/// Everything a run needs to be settled is held here until the database has answered; an answer that was lost is asked
/// for again, and the guard by run, attempt and epoch makes the repetition harmless.
@LoopActor
final class Delivery {
    /// A claimed run on this host, from the claim until its settlement has an answer.
    final class Held {
        let run: ClaimedRun
        init(_ run: ClaimedRun) { self.run = run }
        var version: String?
        /// That version was on trial beside one that serves.
        var isCanary = false
        var pid: Int32?
        var startedAt: WallTime?
        var dispatchedAt: LoopInstant?
        /// It was dispatched ahead of its time, and has not begun.
        var isAhead = false
        /// Since when its version is not there to take it.
        var stuckSince: LoopInstant?
        var progress = Progress()
        /// When it last did something, as of the last look.
        var activity: RunActivity?
        /// Of its last line.
        var loggedAt: WallTime?
        var cancelRequestedAt: WallTime?
        var hasEnded = false
        /// What was last written to the database for those who look from elsewhere; nil: nothing yet.
        var noted: Progress?
        /// The order to end it that supervision has.
        var obeyed: HostSignal.Action?
    }

    /// A version and where the handler is in it.
    struct Serving {
        var sha256: String
        var handlerIndex: Int
        var manifest: HandlerManifest
        /// It is on trial beside one that serves.
        var isCanary = false
    }

    let store: JobStore
    /// Supervision's door: after it has taken an attempt, `ended` follows exactly once.
    let start: @LoopActor (AttemptSpec) throws(DispatchError) -> Void
    /// The same for a run whose turn comes later: false if it is not taken. `returned` may follow instead of `ended`.
    var startAhead: @LoopActor (AttemptSpec) -> Bool = { _ in false }
    /// All that was started ahead is on its way.
    var flushAhead: @LoopActor () -> Void = {}
    /// How many wait for their turn.
    var aheadCount: @LoopActor () -> Int = { 0 }
    let logs: LogWriter
    let watch: RunWatch
    let logger: Logger
    /// Who serves a run of a handler now: by the run's dice, and not a version on trial that it must not meet.
    let resolve: @LoopActor (_ handler: String, _ dice: UInt32, _ avoided: String?) -> Serving?
    /// The version before that one, if it is loaded.
    let resolveFallback: @LoopActor (String) -> Serving?
    let quarantine: QuarantineBook

    var machine: DeliveryStateMachine
    var held: [AttemptKey: Held] = [:]
    /// The newest attempt held of each run. An older one may still be ending here, after somebody took the run from it.
    var newest: [RunID: Int] = [:]
    /// Claimed runs that wait for a slot, oldest last.
    var buffer: [ClaimedRun] = []
    /// Outcomes to settle that no exchange has yet, oldest first.
    var settlements: [Settlement] = []
    var lease: HostLease?
    /// What to claim. Narrowed once a run came that cannot be served here.
    var reach = Reach.all
    var reachLoads = ReachLoads()
    let reachTimer = LoopTimer()
    let trialTimer = LoopTimer()
    /// When a trial may be claimed for again.
    var nextTrial = LoopInstant.now
    private var isPumpScheduled = false
    let retryTimer = LoopTimer()
    let dispatchTimer = LoopTimer()
    let gateTimer = LoopTimer()
    var gatePause = Delivery.shortestGatePause
    var retryPause: Duration = .milliseconds(50)
    /// Runs that the database has under this lease and that were not held here at the last look.
    var strangers: Set<AttemptKey> = []
    var isLooking = false
    /// Whether enqueues by others notify this host.
    var isAsleep = false
    /// Everything that is active here may be given runs.
    var isAllServed: @LoopActor () -> Bool = { true }
    /// How an attempt ended, for whoever judges its version. Answers whether its crash is the version's fault alone: it was on
    /// trial, or is taken back for it.
    var onVerdict: @LoopActor (_ held: Held, _ report: AttemptReport) -> Bool = { held, _ in held.isCanary }
    /// A run was given to a version; `onVerdict` follows.
    var onBegan: (@LoopActor (_ version: String, _ handler: String) -> Void)?
    /// It has not begun after all.
    var onAbandoned: (@LoopActor (_ version: String, _ handler: String) -> Void)?
    /// Runs go back to wait for the next look, or have been made that wait.
    var onRedo: (@LoopActor () -> Void)?
    /// Somebody else had decided about an attempt that ended here: perhaps this host was fenced.
    var onFencedOutcome: (@LoopActor () -> Void)?
    /// An outcome with a crash record was settled.
    var onCrash: (@LoopActor () -> Void)?
    /// What this host can serve, by the database's list of jobs; JobRunner fills it in.
    var loadReach: @LoopActor () async throws(StoreError) -> Reach = { () async throws(StoreError) in .nothing }
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []
    /// Queues into which this host's settlements have put follow-up runs, until a claim has shown whether it takes them all.
    var fresh: Set<String> = []
    /// Those that others must know of.
    var untold: Set<String> = []
    var isTelling = false
    /// When it was last said that something cannot be started.
    var saidLater: LoopInstant?

    var counters = DeliveryCounters()

    init(
        slots: Int, store: JobStore, logs: LogWriter, watch: RunWatch, quarantine: QuarantineBook, logger: Logger,
        start: @escaping @LoopActor (AttemptSpec) throws(DispatchError) -> Void,
        resolve: @escaping @LoopActor (String, UInt32, String?) -> Serving?,
        resolveFallback: @escaping @LoopActor (String) -> Serving?
    ) {
        self.machine = DeliveryStateMachine(slots: slots)
        self.store = store
        self.start = start
        self.logs = logs
        self.watch = watch
        self.logger = logger
        self.resolve = resolve
        self.resolveFallback = resolveFallback
        self.quarantine = quarantine
        store.storeWithClaim = { [weak self] in await self?.storeAndClaim($0) ?? nil }
        quarantine.isFull = { [weak self] in self.map { $0.executing >= $0.machine.slots } ?? false }
    }

    /// Attempts that have a slot, and claimed runs that wait for one.
    var executing: Int { self.machine.executing - self.aheadCount() }
    var waitingHere: Int { self.machine.buffered + self.aheadCount() }

    // MARK: Life

    /// Begins (or goes on) under a registration. What was held under an earlier one is settled under the new one and
    /// found fenced: nothing is decided twice.
    func begin(_ lease: HostLease) {
        self.lease = lease
        self.strangers = []
        self.isAsleep = false
        self.hint()
    }

    /// Somebody has taken this host's attempts: nothing is claimed, dispatched or settled until the next `begin`.
    func fenced() {
        self.lease = nil
        self.releaseBuffer()
    }

    /// The newest attempt of a run that is held here.
    func current(_ run: RunID) -> Held? {
        self.newest[run].flatMap { self.held[AttemptKey(run: run, attempt: $0)] }
    }

    /// Something may be waiting.
    func hint() {
        self.machine.hinted()
        self.schedulePump()
    }

    /// No more claims; what waits for a slot goes back to its queue. Returns when everything is settled.
    func drain() async {
        self.machine.drain()
        self.releaseBuffer()
        while !self.machine.isIdle {
            await withCheckedContinuation { self.idleWaiters.append($0) }
        }
    }

    func releaseBuffer() {
        for run in self.buffer {
            self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
        }
        self.buffer = []
        self.schedulePump()
    }

    // MARK: Facts from supervision

    func started(_ key: AttemptKey, at time: WallTime, pid: Int32?) {
        if let held = self.held[key] {
            held.startedAt = time
            held.pid = pid
            if held.isAhead {
                held.isAhead = false
                held.dispatchedAt = LoopInstant.now
            }
        }
        self.counters.started += 1
        self.watch.poke(key.run)
    }

    /// A run that was dispatched ahead has not begun: it is the next one here. Those that come back together come the last first.
    func returned(_ key: AttemptKey) {
        guard let held = self.held[key], held.isAhead else {
            self.logger.error("an attempt came back that was not dispatched ahead", metadata: ["run": "\(key.run)"])
            return
        }
        if let version = held.version { self.onAbandoned?(version, held.run.handler) }
        held.isAhead = false
        held.version = nil
        held.isCanary = false
        held.dispatchedAt = nil
        self.machine.returned()
        self.buffer.append(held.run)
        if self.machine.isDraining || self.lease == nil { self.releaseBuffer() } else { self.schedulePump() }
    }

    func progressed(_ key: AttemptKey, _ progress: Progress) {
        self.held[key]?.progress = progress
        self.watch.poke(key.run)
    }

    /// Somebody ordered this attempt to end; a later cancel takes nothing back from a terminate.
    func ordered(_ key: AttemptKey, _ action: HostSignal.Action) {
        guard let held = self.held[key] else { return }
        if held.cancelRequestedAt == nil { held.cancelRequestedAt = WallTime.current }
        if held.obeyed != .terminate { held.obeyed = action }
        // Claimed and not dispatched: supervision does not know it, so it ends here.
        guard let index = self.buffer.firstIndex(where: { AttemptKey($0) == key }) else { return }
        let waiting = self.buffer.remove(at: index)
        self.giveBack(Settlement(report: Self.cancelledBeforeStart(waiting), decision: .finishUncounted(.cancelled)))
    }

    /// Attempts older than a second whose start or progress the database does not know. Counts as noted until `notesFailed`.
    func takeNotes() -> [StartedAttempt] {
        let old = WallTime.current.advanced(by: .seconds(-1))
        var notes: [StartedAttempt] = []
        for (key, held) in self.held {
            guard let startedAt = held.startedAt, startedAt <= old, !held.hasEnded, held.noted != held.progress else {
                continue
            }
            held.noted = held.progress
            notes.append(
                StartedAttempt(
                    id: key.run, attempt: key.attempt, pid: held.pid, version: held.version, startedAt: startedAt,
                    progress: held.progress))
        }
        return notes
    }

    func notesFailed(_ notes: [StartedAttempt]) {
        for note in notes { self.held[AttemptKey(run: note.id, attempt: note.attempt)]?.noted = nil }
    }

    func ended(_ report: AttemptReport) {
        let key = AttemptKey(run: report.runID, attempt: report.attempt)
        guard let held = self.held[key], !held.hasEnded else {
            // Supervision promises one report per dispatch; a second one must not be able to decide anything.
            self.logger.error("an attempt ended that is not held", metadata: ["run": "\(report.runID)"])
            return
        }
        held.hasEnded = true
        held.progress = report.progress
        let spent = held.dispatchedAt.map { (LoopInstant.now - $0).wholeMicroseconds } ?? 0
        self.machine.ended(micros: spent)
        var report = report
        let dropped = self.logs.droppedLines(key)
        if dropped > 0 { report.droppedLogLines += dropped }
        // Whether it is a success is known when the runs are there that it asks for.
        let isOnTrial = report.asksForRuns ? false : self.judge(held, report)
        let decision = Settlement.Decision(report, for: held, isOnTrial: isOnTrial)
        let settlement = Settlement(
            report: report, decision: decision, failedRetentionDays: held.run.failedRetentionDays)
        if let words = Self.lastWords(report, decision, isSilent: !self.logs.hasLines(key)) {
            self.logs.append(key, [words])
            self.logs.whenWritten(key) { [weak self] in self?.flushed(settlement, held.run) }
        } else {
            self.flushed(settlement, held.run)
        }
        // The slot is free, whatever the database does.
        self.schedulePump()
    }

    private func flushed(_ settlement: Settlement, _ run: ClaimedRun) {
        self.machine.flushed()
        // The exchange that frees its place shall fill it.
        if run.isLimited { self.machine.hinted() }
        self.settlements.append(settlement)
        self.schedulePump()
    }

    /// Tells those who keep books of versions how an attempt ended.
    /// - Returns: whether its crash is the version's fault alone.
    @discardableResult
    func judge(_ held: Held, _ report: AttemptReport) -> Bool {
        self.counters.count(report, due: held.run.runAt)
        if held.run.execution.quarantine, let version = held.version {
            self.quarantine.ended(held.run.handler, version, report)
        }
        return self.onVerdict(held, report)
    }

    // MARK: The pump

    /// Once per turn of the loop, however many facts came: that is what makes batches.
    func schedulePump() {
        guard !self.isPumpScheduled else { return }
        self.isPumpScheduled = true
        loopTask {
            self.isPumpScheduled = false
            self.pump()
        }
    }

    private func pump() {
        self.dispatchBuffered()
        self.dispatchAhead()
        if self.machine.isIdle {
            let waiters = self.idleWaiters
            self.idleWaiters = []
            for waiter in waiters { waiter.resume() }
        }
        guard let lease = self.lease else { return }
        if let exchange = self.machine.next() {
            let batch = self.takeSettlements(exchange.settle)
            loopTask { await self.perform(exchange, batch, lease) }
        } else if self.machine.maySettleAside, let count = self.machine.nextAside(plain: self.plainSettlements) {
            let batch = self.takeSettlements(count)
            loopTask { await self.settleAside(batch, lease) }
        }
    }
}
