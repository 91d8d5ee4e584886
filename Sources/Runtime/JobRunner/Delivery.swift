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
    private(set) var held: [RunID: Held] = [:]
    /// Claimed runs that wait for a slot, oldest last.
    private var buffer: [ClaimedRun] = []
    /// Outcomes to settle, oldest first.
    private var settlements: [Settlement] = []
    private var lease: HostLease?
    /// Jobs to claim; nil: all. Narrowed once a run came whose handler is not served here.
    private var servable: Set<String>?
    private var isPumpScheduled = false
    private let retryTimer = LoopTimer()
    private var retryPause: Duration = .milliseconds(50)
    /// A claim may have committed although its answer never came: look for runs that are ours and unknown.
    private var mayHoldUnknown = false
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
        self.mayHoldUnknown = false
        self.isAsleep = false
        self.hint()
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
            self.giveBack(run, .release(run.id, attempt: run.attempt, at: WallTime.current))
        }
        self.buffer = []
        self.schedulePump()
    }

    // MARK: Facts from supervision

    func started(_ run: RunID, at time: WallTime, pid: Int32) {
        self.held[run]?.startedAt = time
        self.held[run]?.pid = pid
        self.counters.started += 1
        self.watch.poke(run)
    }

    func progressed(_ run: RunID, _ progress: Progress) {
        self.held[run]?.progress = progress
        self.watch.poke(run)
    }

    func ordered(_ run: RunID, _ action: HostSignal.Action) {
        if self.held[run]?.cancelRequestedAt == nil { self.held[run]?.cancelRequestedAt = WallTime.current }
        self.held[run]?.obeyed = action
        // Claimed and not dispatched: supervision does not know it, so it ends here.
        guard let index = self.buffer.firstIndex(where: { $0.id == run }) else { return }
        let waiting = self.buffer.remove(at: index)
        self.giveBack(
            waiting, Settlement(report: Self.cancelledBeforeStart(waiting), decision: .finishUncounted(.cancelled)))
    }

    /// Attempts older than a second whose start or progress the database does not know. Counts as noted until `notesFailed`.
    func takeNotes() -> [StartedAttempt] {
        let old = WallTime.current.advanced(by: .seconds(-1))
        var notes: [StartedAttempt] = []
        for (id, held) in self.held {
            guard let startedAt = held.startedAt, startedAt <= old, !held.hasEnded, held.noted != held.progress else {
                continue
            }
            self.held[id]?.noted = held.progress
            notes.append(
                StartedAttempt(
                    id: id, attempt: held.run.attempt, pid: held.pid, version: held.version, startedAt: startedAt,
                    progress: held.progress))
        }
        return notes
    }

    func notesFailed(_ notes: [StartedAttempt]) { for note in notes { self.held[note.id]?.noted = nil } }

    func ended(_ report: AttemptReport) {
        guard let held = self.held[report.runID], held.run.attempt == report.attempt, !held.hasEnded else {
            // Supervision promises one report per dispatch; a second one must not be able to decide anything.
            self.logger.error("an attempt ended that is not held", metadata: ["run": "\(report.runID)"])
            return
        }
        self.held[report.runID]?.hasEnded = true
        self.held[report.runID]?.progress = report.progress
        let spent = held.dispatchedAt.map { (LoopInstant.now - $0).wholeMicroseconds } ?? 0
        self.machine.ended(micros: spent)
        self.counters.count(report)
        let decision = Settlement.Decision(report, for: held)
        self.logs.append(report.runID, report.attempt, [Self.lastWords(report, decision)])
        let settlement = Settlement(report: report, decision: decision)
        self.logs.whenWritten(report.runID, report.attempt) { [weak self] in
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
            if self.mayHoldUnknown {
                try await self.releaseUnknown(lease)
                self.mayHoldUnknown = false
            }
            let answer = try await self.store.settleAndClaim(
                lease, batch, claim: ClaimRequest(limit: exchange.claim, jobs: self.servable))
            self.retryPause = .milliseconds(50)
            self.settlements.removeFirst(batch.count)
            self.machine.exchanged(exchange, claimed: answer.claimed.count)
            self.accept(batch, answer.settled)
            self.hold(answer.claimed)
            await self.sleepOrWake(exchange, claimed: answer.claimed.count, lease)
        } catch {
            if exchange.claim > 0 { self.mayHoldUnknown = true }
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

    /// After a claim whose answer was lost: runs that the database has under this lease and that are not held here go
    /// back to their queues.
    private func releaseUnknown(_ lease: HostLease) async throws(StoreError) {
        let unknown = try await self.store.liveRuns(lease).filter { self.held[$0.id]?.run.attempt != $0.attempt }
        guard !unknown.isEmpty else { return }
        self.logger.notice("gave back runs whose claim had no answer", metadata: ["runs": "\(unknown.count)"])
        self.machine.foundUnknown(unknown.count)
        for run in unknown {
            self.settlements.append(.release(run.id, attempt: run.attempt, at: WallTime.current))
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
            if self.held[run]?.run.attempt == settlement.report.attempt { self.held[run] = nil }
            self.logs.forget(run, settlement.report.attempt)
            self.watch.poke(run)
        }
    }

    private func hold(_ runs: [ClaimedRun]) {
        guard !runs.isEmpty else { return }
        self.counters.claimed += UInt64(runs.count)
        for run in runs { self.held[run.id] = Held(run: run) }
        // Oldest last, so that taking one is popLast.
        self.buffer.insert(contentsOf: runs.reversed(), at: 0)
        if self.machine.isDraining { self.releaseBuffer() } else { self.dispatchBuffered() }
    }

    // MARK: Dispatch

    private func dispatchBuffered() {
        while self.machine.freeSlots > 0, let run = self.buffer.popLast() {
            guard let version = self.resolve(run.handler) else {
                self.logger.notice(
                    "no plugin here serves a run's handler: it goes back to its queue",
                    metadata: ["run": "\(run.id)", "handler": "\(run.handler)"])
                self.narrow(without: run.job)
                self.giveBack(run, .release(run.id, attempt: run.attempt, at: WallTime.current))
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
                self.held[run.id]?.version = version.sha256
                self.held[run.id]?.dispatchedAt = LoopInstant.now
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
            self.giveBack(run, .release(run.id, attempt: run.attempt, at: WallTime.current))
        case .draining, .notLoaded, .retired, .noSlot, .resources:
            // Nothing has started. It waits here for the next event, at the latest for the retry timer.
            self.logger.warning("a run could not be started yet", metadata: ["run": "\(run.id)", "error": "\(error)"])
            self.buffer.append(run)
            self.retryTimer.start(after: .milliseconds(200)) { [weak self] in self?.schedulePump() }
        }
    }

    private func giveBack(_ run: ClaimedRun, _ settlement: Settlement) {
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

extension Settlement.Decision {
    /// By the run's own policy.
    init(_ report: AttemptReport, for held: Delivery.Held) {
        let run = held.run
        let decision = RetryDecision(
            policy: run.backoff, maxAttempts: run.maxAttempts, attemptsUsed: run.attemptsUsed, lostCount: run.lostCount,
            isCancelRequested: held.obeyed != nil)
        switch decision.decide(report, now: report.ended, random: .random(in: 0..<1)) {
        case .finish(let state, counts: true): self = .finish(state)
        case .finish(let state, counts: false): self = .finishUncounted(state)
        case .retry(let at): self = .retry(at: at)
        case .requeueLost: self = .requeueLost
        case .snooze(let until): self = .snooze(until: until)
        }
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
