import JobCore
import JobStore
import Logging
import Supervision
import UVLoop

/// The delivery loop: claims runs, hands them to supervision, settles what ended. `DeliveryStateMachine` decides how many
/// and when; this is its shell.
///
/// Everything a run needs to be settled is held here until the database has answered; an answer that was lost is asked
/// for again, and the guard by run, attempt and epoch makes the repetition harmless.
@LoopActor
final class Delivery {
    /// A claimed run on this host, from the claim until its settlement has an answer.
    struct Held {
        let run: ClaimedRun
        var version: String?
        var pid: Int32?
        var startedAt: WallTime?
        var dispatchedAt: LoopInstant?
        var progress = Progress()
        var cancelRequestedAt: WallTime?
        var hasEnded = false
        /// What was last written to the database for those who look from elsewhere; nil: nothing yet.
        var noted: Progress?
        /// The order to end it that supervision has.
        var obeyed: HostSignal.Action?
    }

    private let store: JobStore
    private let supervisor: Supervisor
    private let logs: LogWriter
    private let watch: RunWatch
    private let logger: Logger
    /// Who serves a handler now.
    private let resolve: @LoopActor (String) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)?

    private(set) var machine: DeliveryStateMachine
    private(set) var held: [AttemptKey: Held] = [:]
    /// The newest attempt held of each run. An older one may still be ending here, after somebody took the run from it.
    private var newest: [RunID: Int] = [:]
    /// Claimed runs that wait for a slot, oldest last.
    private var buffer: [ClaimedRun] = []
    /// Outcomes to settle, oldest first.
    private var settlements: [Settlement] = []
    private var lease: HostLease?
    /// Jobs to claim; nil: all. Narrowed once a run came whose handler is not served here.
    private var servable: Set<String>?
    private var isPumpScheduled = false
    private let retryTimer = LoopTimer()
    private let dispatchTimer = LoopTimer()
    private var retryPause: Duration = .milliseconds(50)
    /// Runs that the database has under this lease and that were not held here at the last look.
    private var strangers: Set<AttemptKey> = []
    private var isLooking = false
    /// Whether enqueues by others notify this host.
    private var isAsleep = false
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    private(set) var counters = DeliveryCounters()

    init(
        slots: Int, store: JobStore, supervisor: Supervisor, logs: LogWriter, watch: RunWatch, logger: Logger,
        resolve: @escaping @LoopActor (String) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)?
    ) {
        self.machine = DeliveryStateMachine(slots: slots)
        self.store = store
        self.supervisor = supervisor
        self.logs = logs
        self.watch = watch
        self.logger = logger
        self.resolve = resolve
    }

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

    /// The plugins have changed: what could not be served may be served now.
    func pluginsChanged() {
        self.servable = nil
        self.hint()
    }

    /// No more claims; what waits for a slot goes back to its queue. Returns when everything is settled.
    func drain() async {
        self.machine.drain()
        self.releaseBuffer()
        while !self.machine.isIdle {
            await withCheckedContinuation { self.idleWaiters.append($0) }
        }
    }

    private func releaseBuffer() {
        for run in self.buffer {
            self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
        }
        self.buffer = []
        self.schedulePump()
    }

    // MARK: Facts from supervision

    func started(_ key: AttemptKey, at time: WallTime, pid: Int32) {
        self.held[key]?.startedAt = time
        self.held[key]?.pid = pid
        self.counters.started += 1
        self.watch.poke(key.run)
    }

    func progressed(_ key: AttemptKey, _ progress: Progress) {
        self.held[key]?.progress = progress
        self.watch.poke(key.run)
    }

    /// Somebody ordered this attempt to end; a later cancel takes nothing back from a terminate.
    func ordered(_ key: AttemptKey, _ action: HostSignal.Action) {
        guard let held = self.held[key] else { return }
        if held.cancelRequestedAt == nil { self.held[key]?.cancelRequestedAt = WallTime.current }
        if held.obeyed != .terminate { self.held[key]?.obeyed = action }
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
            self.held[key]?.noted = held.progress
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
        self.held[key]?.hasEnded = true
        self.held[key]?.progress = report.progress
        let spent = held.dispatchedAt.map { (LoopInstant.now - $0).wholeMicroseconds } ?? 0
        self.machine.ended(micros: spent)
        self.counters.count(report)
        let decision = Settlement.Decision(report, for: held)
        self.logs.append(key, [Self.lastWords(report, decision)])
        let settlement = Settlement(report: report, decision: decision)
        self.logs.whenWritten(key) { [weak self] in
            guard let self else { return }
            self.machine.flushed()
            self.settlements.append(settlement)
            self.schedulePump()
        }
        // The slot is free, whatever the database does.
        self.schedulePump()
    }

    // MARK: The pump

    /// Once per turn of the loop, however many facts came: that is what makes batches.
    private func schedulePump() {
        guard !self.isPumpScheduled else { return }
        self.isPumpScheduled = true
        loopTask {
            self.isPumpScheduled = false
            self.pump()
        }
    }

    private func pump() {
        self.dispatchBuffered()
        if self.machine.isIdle {
            let waiters = self.idleWaiters
            self.idleWaiters = []
            for waiter in waiters { waiter.resume() }
        }
        guard let lease = self.lease, let exchange = self.machine.next() else { return }
        loopTask { await self.perform(exchange, lease) }
    }

    private func perform(_ exchange: DeliveryStateMachine.Exchange, _ lease: HostLease) async {
        let batch = Array(self.settlements.prefix(exchange.settle))
        do {
            let answer = try await self.store.settleAndClaim(
                lease, batch, claim: ClaimRequest(limit: exchange.claim, jobs: self.servable))
            self.retryPause = .milliseconds(50)
            self.settlements.removeFirst(batch.count)
            self.machine.exchanged(exchange, claimed: answer.claimed.count)
            self.accept(batch, answer.settled)
            self.hold(answer.claimed, under: lease)
            await self.sleepOrWake(exchange, claimed: answer.claimed.count, lease)
        } catch {
            self.machine.exchangeFailed()
            self.logger.warning(
                "the database did not answer: claims wait, outcomes are kept",
                metadata: ["outcomes": "\(self.machine.unsettled)", "error": "\(error)"])
            self.retryTimer.start(after: self.retryPause) { [weak self] in
                self?.machine.databaseReturned()
                self?.schedulePump()
            }
            self.retryPause = min(self.retryPause * 2, .seconds(1))
        }
        self.schedulePump()
    }

    /// Enqueues by others notify only hosts that sleep. So: nothing found, mark, look once more, sleep; work found in
    /// plenty, be awake again.
    private func sleepOrWake(_ exchange: DeliveryStateMachine.Exchange, claimed: Int, _ lease: HostLease) async {
        guard exchange.claim > 0 else { return }
        do {
            if claimed < exchange.claim && !self.isAsleep {
                self.isAsleep = true
                try await self.store.markSleeping(lease.id, queues: nil)
                self.machine.hinted()
            } else if claimed == exchange.claim && self.isAsleep {
                self.isAsleep = false
                try await self.store.markAwake(lease.id)
            }
        } catch {
            // The safety-net poll finds what a missing mark would have told.
            self.isAsleep = false
            self.logger.debug("could not mark this host as sleeping or awake", metadata: ["error": "\(error)"])
        }
    }

    /// Gives back runs that the database has under this lease and that nobody here knows: a claim committed, and its
    /// answer was lost. They must have been strangers at two looks, since a claim may be on its way at the first.
    func look() {
        guard let lease = self.lease, !self.isLooking, !self.machine.isDraining else { return }
        self.isLooking = true
        loopTask {
            defer { self.isLooking = false }
            do {
                let live = Set(try await self.store.liveRuns(lease).map { AttemptKey(run: $0.id, attempt: $0.attempt) })
                guard lease == self.lease, !self.machine.isExchanging else { return }
                let pending = Set(self.settlements.map { AttemptKey(run: $0.report.runID, attempt: $0.report.attempt) })
                let strangers = live.filter { self.held[$0] == nil && !pending.contains($0) }
                let lost = strangers.intersection(self.strangers)
                self.strangers = strangers.subtracting(lost)
                guard !lost.isEmpty else { return }
                self.logger.notice("gave back runs whose claim had no answer", metadata: ["runs": "\(lost.count)"])
                self.machine.foundUnknown(lost.count)
                let now = WallTime.current
                self.settlements += lost.map { .release($0.run, attempt: $0.attempt, at: now) }
                self.schedulePump()
            } catch {
                self.logger.debug("no look for lost claims", metadata: ["error": "\(error)"])
            }
        }
    }

    private func accept(_ batch: [Settlement], _ results: [SettleResult]) {
        for (settlement, result) in zip(batch, results) {
            let run = settlement.report.runID
            switch result {
            case .applied: self.counters.settled += 1
            case .alreadyDone: break
            case .fenced:
                self.counters.fenced += 1
                self.logger.notice(
                    "an outcome came too late: somebody else had decided",
                    metadata: ["run": "\(run)", "attempt": "\(settlement.report.attempt)"])
            case .refused(let why):
                self.logger.error("the database refuses an outcome", metadata: ["run": "\(run)", "error": "\(why)"])
            }
            let key = AttemptKey(run: run, attempt: settlement.report.attempt)
            self.held[key] = nil
            if self.newest[run] == key.attempt { self.newest[run] = nil }
            self.logs.forget(key)
            self.watch.poke(run)
        }
    }

    private func hold(_ runs: [ClaimedRun], under lease: HostLease) {
        guard !runs.isEmpty else { return }
        self.counters.claimed += UInt64(runs.count)
        for run in runs {
            self.held[AttemptKey(run)] = Held(run: run)
            self.newest[run.id] = run.attempt
        }
        // Oldest last, so that taking one is popLast.
        self.buffer.insert(contentsOf: runs.reversed(), at: 0)
        // A claim that came back after its lease had ended is nobody's: a sweep takes such runs back.
        if self.machine.isDraining || lease != self.lease { self.releaseBuffer() } else { self.dispatchBuffered() }
    }

    // MARK: Dispatch

    private func dispatchBuffered() {
        while self.machine.freeSlots > 0, self.lease != nil, let run = self.buffer.popLast() {
            guard let version = self.resolve(run.handler) else {
                self.logger.notice(
                    "no plugin here serves a run's handler: it goes back to its queue",
                    metadata: ["run": "\(run.id)", "handler": "\(run.handler)"])
                self.narrow(without: run.job)
                self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
                continue
            }
            let limits = run.limits.merging(over: version.manifest.limits).resolved
            let spec = AttemptSpec(
                runID: run.id, runName: "\(run.id)", attempt: run.attempt, version: version.sha256,
                handlerIndex: version.handlerIndex, jobName: run.job, args: Array(run.args.utf8), limits: limits,
                traceparent: run.traceparent)
            do {
                try self.supervisor.dispatch(spec)
                self.machine.dispatched()
                self.held[AttemptKey(run)]?.version = version.sha256
                self.held[AttemptKey(run)]?.dispatchedAt = LoopInstant.now
            } catch {
                self.dispatchFailed(run, error)
                return
            }
        }
    }

    private func dispatchFailed(_ run: ClaimedRun, _ error: DispatchError) {
        switch error {
        case .alreadyRunning:
            // The same attempt twice would be our own bug; the first one's report decides.
            self.logger.error("a run was dispatched twice", metadata: ["run": "\(run.id)"])
            self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
        case .draining, .notLoaded, .retired, .noSlot, .resources:
            // Nothing has started. It waits here for the next event, at the latest for the retry timer.
            self.logger.warning("a run could not be started yet", metadata: ["run": "\(run.id)", "error": "\(error)"])
            self.buffer.append(run)
            self.dispatchTimer.start(after: .milliseconds(200)) { [weak self] in self?.schedulePump() }
        }
    }

    private func giveBack(_ settlement: Settlement) {
        self.machine.released()
        self.settlements.append(settlement)
        self.schedulePump()
    }

    /// Claims only what is served here from now on, until the plugins change. While the list is being fetched nothing of
    /// this job is claimed either way: the set begins with what the catalog was asked for so far.
    private func narrow(without job: String) {
        guard self.servable == nil else {
            self.servable?.remove(job)
            return
        }
        self.servable = []
        loopTask {
            do {
                var jobs = try await self.loadServableJobs()
                jobs.remove(job)
                // Nil again: the plugins have changed meanwhile.
                if self.servable != nil { self.servable = jobs }
            } catch {
                self.servable = nil
                self.logger.warning("cannot tell which jobs are served here", metadata: ["error": "\(error)"])
            }
            self.hint()
        }
    }

    /// Names of the jobs that this host can run; JobRunner fills it in.
    var loadServableJobs: @LoopActor () async throws(StoreError) -> Set<String> = { () async throws(StoreError) in [] }

    // MARK: Words

    private static func cancelledBeforeStart(_ run: ClaimedRun) -> AttemptReport {
        AttemptReport(
            runID: run.id, attempt: run.attempt, outcome: .cancelled, reason: .requested, ended: WallTime.current,
            sentence: "cancelled before it started")
    }

    /// The host's own last line about an attempt: outcome, what was done, what follows.
    private static func lastWords(_ report: AttemptReport, _ decision: Settlement.Decision) -> LogLine {
        let level: LogLevel =
            switch report.outcome {
            case .succeeded, .snoozed: .info
            case .cancelled, .terminated, .lost: .warning
            case .error, .crashed, .timedOut, .outOfMemory: .error
            }
        var message = report.sentence.isEmpty ? report.outcome.rawValue : report.sentence
        if !report.progress.isEmpty { message += "; " + report.progress.line }
        switch decision {
        case .retry(let at): message += "; next attempt at \(at)"
        case .snooze(let until): message += "; again at \(until)"
        case .requeueLost: message += "; back in its queue"
        case .finish, .finishUncounted, .release: break
        }
        return LogLine(
            time: report.ended, level: level, stream: .host, stage: report.progress.stage, message: message,
            fields: report.progress.isEmpty ? nil : report.progress.summaryJSON)
    }
}

extension AttemptKey {
    init(_ run: ClaimedRun) { self.init(run: run.id, attempt: run.attempt) }
}

extension Settlement.Decision {
    /// By the run's own policy.
    init(_ report: AttemptReport, for held: Delivery.Held) {
        let run = held.run
        let decision = RetryDecision(
            policy: run.backoff, maxAttempts: run.maxAttempts, attemptsUsed: run.attemptsUsed, lostCount: run.lostCount,
            isCancelRequested: held.obeyed != nil)
        self.init(decision.decide(report, now: report.ended, random: .random(in: 0..<1)))
    }
}

/// What a delivery loop has done since its start, for `/metrics`.
struct DeliveryCounters: Sendable {
    var claimed: UInt64 = 0
    var started: UInt64 = 0
    var settled: UInt64 = 0
    var fenced: UInt64 = 0
    /// Attempts that ended, by outcome.
    var ended: [AttemptOutcome: UInt64] = [:]
    var userCPU: Duration = .zero
    var systemCPU: Duration = .zero

    mutating func count(_ report: AttemptReport) {
        self.ended[report.outcome, default: 0] += 1
        self.userCPU += report.resources.userCPU
        self.systemCPU += report.resources.systemCPU
    }
}
