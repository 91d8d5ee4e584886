import JobCore
import JobStore
import Logging
import UVLoop

/// The talk with the database: settles what has ended and claims, in one exchange at a time.
extension Delivery {
    func takeSettlements(_ count: Int) -> [Settlement] {
        let batch = Array(self.settlements.prefix(count))
        self.settlements.removeFirst(count)
        return batch
    }

    /// How many of the oldest ones are plain.
    var plainSettlements: Int {
        self.settlements.prefix(DeliveryStateMachine.settleLimit).prefix { self.isPlain($0) }.count
    }

    /// Its settlement concerns nobody else: no place behind a limit becomes free, and no run is asked for.
    private func isPlain(_ settlement: Settlement) -> Bool {
        guard case .finish = settlement.decision, settlement.report.followUps.isEmpty else { return false }
        let key = AttemptKey(run: settlement.report.runID, attempt: settlement.report.attempt)
        return self.held[key].map { !$0.run.isLimited } ?? false
    }

    /// Settles what has gathered while an exchange is on its way.
    func settleAside(_ batch: [Settlement], _ lease: HostLease) async {
        do {
            let answer = try await self.store.settleAndClaim(lease, batch, claim: ClaimRequest(limit: 0))
            self.machine.settledAside()
            self.accept(batch, answer.settled)
        } catch {
            self.settlements.insert(contentsOf: batch, at: 0)
            self.machine.asideFailed()
            self.databaseFailed(error)
        }
        self.schedulePump()
    }

    private func databaseFailed(_ error: StoreError) {
        self.logger.warning(
            "the database did not answer: claims wait, outcomes are kept",
            metadata: ["outcomes": "\(self.machine.unsettled)", "error": "\(error)"])
        self.retryTimer.start(after: self.retryPause) { [weak self] in
            self?.machine.databaseReturned()
            self?.schedulePump()
        }
        self.retryPause = min(self.retryPause * 2, .seconds(1))
    }

    func perform(_ exchange: DeliveryStateMachine.Exchange, _ batch: [Settlement], _ lease: HostLease) async {
        let isTrial = exchange.claim > 0 && self.isTrialDue
        do {
            let answer = try await self.store.settleAndClaim(
                lease, batch, claim: self.claimRequest(exchange.claim, isTrial: isTrial))
            self.answered(exchange, batch, answer, isTrial: isTrial, lease)
            if isTrial {
                self.trialClaimed(answer.claimed.count)
            } else {
                await self.sleepOrWake(exchange, claimed: answer.claimed.count, lease)
            }
        } catch {
            self.settlements.insert(contentsOf: batch, at: 0)
            self.machine.exchangeFailed()
            self.databaseFailed(error)
        }
        self.schedulePump()
    }

    /// Stores requests in the commit of a claim, if each of them has a free slot and nothing else has to be done first: then they begin
    /// after one commit. Nil: not now, and nothing was stored.
    func storeAndClaim(_ runs: [NewRun]) async -> Result<[Enqueued?], StoreError>? {
        guard let lease = self.lease, self.store.canStoreAndClaim, !self.isTrialDue, self.reach.jobs?.isEmpty != true,
            let exchange = self.machine.nextStoring(runs.count)
        else { return nil }
        defer { self.schedulePump() }
        do {
            let request = self.claimRequest(exchange.claim, isTrial: false)
            let answer = try await self.store.storeAndClaim(lease, runs, claim: request)
            self.answered(exchange, [], answer, isTrial: false, lease)
            // Whoever waits for the requests need not wait for that.
            loopTask {
                await self.sleepOrWake(exchange, claimed: answer.claimed.count, lease)
                self.schedulePump()
            }
            return .success(answer.stored)
        } catch {
            if error.isTransient, !error.isLockTaken {
                self.machine.exchangeFailed()
                self.databaseFailed(error)
            } else {
                // One of the requests is refused: their own way finds out which. Or somebody changes rules, which only claims wait
                // for. The claim is made again.
                self.machine.exchanged(exchange, claimed: 0)
                self.machine.hinted()
            }
            return error.mayHaveCommitted ? .failure(error) : nil
        }
    }

    /// The database has done what an exchange asked for.
    private func answered(
        _ exchange: DeliveryStateMachine.Exchange, _ batch: [Settlement], _ answer: JobStore.Exchanged, isTrial: Bool,
        _ lease: HostLease
    ) {
        self.retryPause = .milliseconds(50)
        let bytes = answer.claimed.reduce(0) { $0 + $1.args.utf8.count }
        self.machine.exchanged(exchange, claimed: answer.claimed.count, bytes: bytes)
        let freed = self.limited(batch)
        self.accept(batch, answer.settled)
        self.hold(answer.claimed, under: lease)
        self.placesFreed(freed, exchange, answer, lease)
        // This host has taken all that it has room for, or may not take everything: others may be asleep.
        let isFull = exchange.claim > 0 ? answer.claimed.count == exchange.claim : !self.machine.hasRoom
        // The claim beside a settlement may not know the lanes that it fills: only the next one shows that all is taken.
        let takesAll = !isFull && !isTrial && self.reach == .all
        if takesAll && exchange.claim > 0 { self.fresh = [] }
        self.fresh.formUnion(answer.filled)
        if !takesAll { self.tellOfFresh() }
    }

    /// Notifies hosts that sleep of runs that came into these queues. One question at a time; those that come meanwhile go together.
    fileprivate func tellOfFresh() {
        self.untold.formUnion(self.fresh)
        self.fresh = []
        guard !self.untold.isEmpty, !self.isTelling else { return }
        self.isTelling = true
        loopTask {
            while !self.untold.isEmpty {
                let queues = self.untold
                self.untold = []
                do { try await self.store.wakeSleepers(queues: queues) } catch {
                    // Their safety-net poll finds what they were not told.
                    self.logger.debug("sleeping hosts were not told of runs", metadata: ["error": "\(error)"])
                }
            }
            self.isTelling = false
        }
    }

    /// Enqueues by others notify only hosts that sleep. So: nothing found, mark, look once more, sleep; work found in
    /// plenty, be awake again.
    fileprivate func sleepOrWake(_ exchange: DeliveryStateMachine.Exchange, claimed: Int, _ lease: HostLease) async {
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
                guard lease == self.lease, !self.machine.isExchanging, self.machine.settlingAside == 0 else { return }
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

    fileprivate func accept(_ batch: [Settlement], _ results: [SettleResult]) {
        var hasCrash = false
        var hasRedo = false
        var hasFollowUps = false
        var isFenced = false
        for (settlement, result) in zip(batch, results) {
            let run = settlement.report.runID
            switch result {
            case .applied, .followUpsRefused: self.counters.settled += 1
            case .alreadyDone: break
            case .fenced:
                self.counters.fenced += 1
                isFenced = true
                self.logger.notice(
                    "an outcome came too late: somebody else had decided",
                    metadata: ["run": "\(run)", "attempt": "\(settlement.report.attempt)"])
            case .refused(let why):
                self.counters.unsettleable += 1
                self.logger.error(
                    "the database refuses an outcome: the run has failed as unsettleable",
                    metadata: ["run": "\(run)", "error": "\(why)"])
            }
            let key = AttemptKey(run: run, attempt: settlement.report.attempt)
            if let held = self.held[key], settlement.report.asksForRuns {
                self.judge(held, result == .followUpsRefused ? settlement.report.refused : settlement.report)
            }
            if result == .applied, settlement.report.outcome == .crashed, settlement.report.crash != nil {
                hasCrash = true
            }
            if case .redo = settlement.decision, result == .applied { hasRedo = true }
            if result == .applied, !settlement.report.followUps.isEmpty { hasFollowUps = true }
            self.held[key] = nil
            if self.newest[run] == key.attempt { self.newest[run] = nil }
            self.logs.forget(key)
            self.watch.poke(run)
        }
        if hasCrash { self.onCrash?() }
        if isFenced { self.onFencedOutcome?() }
        // Some of them may be due now, others later.
        if hasFollowUps { self.machine.hinted() }
        if hasRedo || hasFollowUps { self.onRedo?() }
    }

    fileprivate func hold(_ runs: [ClaimedRun], under lease: HostLease) {
        guard !runs.isEmpty else { return }
        self.counters.claimed += UInt64(runs.count)
        for run in runs {
            self.held[AttemptKey(run)] = Held(run)
            self.newest[run.id] = run.attempt
            self.logs.begin(AttemptKey(run), LogPlan(run))
        }
        // Oldest last, so that taking one is popLast.
        self.buffer.insert(contentsOf: runs.reversed(), at: 0)
        // A claim that came back after its lease had ended is nobody's: a sweep takes such runs back.
        if self.machine.isDraining || lease != self.lease { self.releaseBuffer() } else { self.dispatchBuffered() }
    }
}
