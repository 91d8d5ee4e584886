import JobCore
import JobStore
import Logging
import Supervision
import UVLoop

/// From the buffer to supervision.
extension Delivery {
    /// What becomes of a claimed run.
    private enum Choice {
        case serve(Serving, isTrial: Bool)
        /// No plugin here has its handler.
        case notServed
        /// The version that has it crashes too often.
        case quarantined
    }

    /// What became of an order to supervision.
    private enum Start {
        case begun
        /// Nothing can be started now.
        case later
        /// Its version is not there; others are.
        case stuck
    }

    /// A run waits for its version here so long; then it goes back, and others have the place.
    private static let stuckAtMost = Duration.seconds(1)

    func dispatchBuffered() {
        var stuck: [ClaimedRun] = []
        // Oldest last, as they were.
        defer { self.buffer += stuck.reversed() }
        while self.machine.freeSlots(ahead: self.aheadCount()) > 0, self.lease != nil, let run = self.buffer.popLast() {
            switch self.choose(run) {
            case .serve(let version, let isTrial):
                switch self.dispatch(run, version, isTrial: isTrial) {
                case .begun: break
                case .later: return
                case .stuck: stuck.append(run)
                }
            case .notServed:
                self.logger.notice(
                    "no plugin here serves a run's handler: it goes back to its queue",
                    metadata: ["run": "\(run.id)", "handler": "\(run.handler)"])
                self.passOver(run)
            case .quarantined:
                self.logger.debug(
                    "a run waits for a version that does not crash",
                    metadata: ["run": "\(run.id)", "handler": "\(run.handler)"])
                self.passOver(run)
            }
        }
    }

    /// Gives short runs to children that are not done with others, so that these go on without waiting for us.
    func dispatchAhead() {
        defer { self.flushAhead() }
        while self.machine.spare > 0, self.lease != nil, let run = self.buffer.last {
            // Whatever is not plain waits for a slot.
            guard run.execution.mode == .pool, run.execution.poolAhead > 0,
                case .serve(let version, isTrial: false) = self.choose(run), !version.isCanary,
                self.startAhead(self.spec(run, version))
            else { return }
            self.buffer.removeLast()
            self.begun(run, version, isAhead: true)
        }
    }

    /// The version that serves its handler, or the canary if the run's dice say so; while that one is in quarantine, the one
    /// before it.
    private func choose(_ run: ClaimedRun) -> Choice {
        let dice = Self.dice(run.id)
        guard let chosen = self.resolve(run.handler, dice, run.avoidVersion) else { return .notServed }
        guard run.execution.quarantine else { return .serve(chosen, isTrial: false) }
        if chosen.isCanary, self.quarantine.admission(run.handler, chosen.sha256) != .free {
            // A canary that is out of service is not tried: the active one is there.
            guard let active = self.resolve(run.handler, dice, chosen.sha256) else { return .notServed }
            return self.admitted(active, run)
        }
        return self.admitted(chosen, run)
    }

    private func admitted(_ version: Serving, _ run: ClaimedRun) -> Choice {
        switch self.quarantine.admission(run.handler, version.sha256) {
        case .free: return .serve(version, isTrial: false)
        case .trial: return .serve(version, isTrial: true)
        case .wait:
            guard let fallback = self.cleanFallback(run.handler) else { return .quarantined }
            return .serve(fallback, isTrial: false)
        }
    }

    /// 0 to 9,999, the same for every attempt of a run and spread evenly over runs. Numbers of runs follow each other, so they
    /// are mixed first (the finalizer of SplitMix64).
    nonisolated static func dice(_ run: RunID) -> UInt32 {
        var bits = UInt64(bitPattern: run.rawValue) &+ 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return UInt32((bits ^ (bits >> 31)) % 10_000)
    }

    /// The version before the active one, if it is loaded and not in quarantine itself.
    func cleanFallback(_ handler: String) -> Serving? {
        guard let fallback = self.resolveFallback(handler),
            self.quarantine.admission(handler, fallback.sha256) == .free
        else { return nil }
        return fallback
    }

    private func dispatch(_ run: ClaimedRun, _ version: Serving, isTrial: Bool) -> Start {
        do {
            try self.start(self.spec(run, version))
        } catch {
            return self.dispatchFailed(run, error)
        }
        if isTrial { self.quarantine.began(run.handler, version.sha256, AttemptKey(run)) }
        self.begun(run, version, isAhead: false)
        return .begun
    }

    private func spec(_ run: ClaimedRun, _ version: Serving) -> AttemptSpec {
        AttemptSpec(
            runID: run.id, runName: "\(run.id)", attempt: run.attempt, version: version.sha256,
            handlerIndex: version.handlerIndex, jobName: run.job, args: Array(run.args.utf8),
            limits: run.limits.merging(over: version.manifest.limits).resolved, execution: run.execution,
            traceparent: run.traceparent)
    }

    private func begun(_ run: ClaimedRun, _ version: Serving, isAhead: Bool) {
        self.machine.dispatched()
        self.onBegan?(version.sha256, run.handler)
        guard let held = self.held[AttemptKey(run)] else { return }
        held.version = version.sha256
        held.isCanary = version.isCanary
        held.dispatchedAt = LoopInstant.now
        held.isAhead = isAhead
    }

    private func dispatchFailed(_ run: ClaimedRun, _ error: DispatchError) -> Start {
        switch error {
        case .alreadyRunning:
            // The same attempt twice would be our own bug; the first one's report decides.
            self.logger.error("a run was dispatched twice", metadata: ["run": "\(run.id)"])
            self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
            return .begun
        case .notLoaded, .retired:
            let key = AttemptKey(run)
            let isNew = self.held[key]?.stuckSince == nil
            let since = self.held[key]?.stuckSince ?? .now
            guard LoopInstant.now - since < Self.stuckAtMost else {
                self.logger.warning(
                    "a run's version is not loaded: it goes back to its queue",
                    metadata: ["run": "\(run.id)", "error": "\(error)"])
                self.passOver(run)
                return .begun
            }
            self.held[key]?.stuckSince = since
            self.tryAgainSoon(run, error, isSaid: !isNew)
            return .stuck
        case .draining, .noSlot, .resources:
            let isSaid = self.saidLater.map { LoopInstant.now - $0 < .seconds(1) } ?? false
            if !isSaid { self.saidLater = .now }
            self.tryAgainSoon(run, error, isSaid: isSaid)
            self.buffer.append(run)
            return .later
        }
    }

    /// Nothing has started. It waits here for the next event, at the latest for the retry timer.
    /// - Parameter isSaid: it need not be said again.
    private func tryAgainSoon(_ run: ClaimedRun, _ error: DispatchError, isSaid: Bool) {
        if !isSaid {
            self.logger.warning(
                "a run could not be started yet", metadata: ["run": "\(run.id)", "error": "\(error)"])
        }
        self.dispatchTimer.start(after: .milliseconds(200)) { [weak self] in self?.schedulePump() }
    }

    /// It cannot be served now: it goes back to its queue, and none of its job is claimed until that may have changed.
    private func passOver(_ run: ClaimedRun) {
        self.giveBack(.release(run.id, attempt: run.attempt, at: WallTime.current))
        self.narrow(without: run.job)
    }

    func giveBack(_ settlement: Settlement) {
        self.machine.released()
        self.settlements.append(settlement)
        self.schedulePump()
    }
}
