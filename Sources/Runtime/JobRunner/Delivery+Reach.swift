import JobCore
import JobStore
import Logging
import UVLoop

/// What a host's claims take.
struct Reach: Equatable {
    /// Nil: runs of all jobs.
    var jobs: Set<String>?
    /// Jobs of which one run is wanted, as a trial of a version that has crashed too often.
    var trials: Set<String> = []

    static let all = Reach(jobs: nil)
    static let nothing = Reach(jobs: [])
}

extension Reach {
    /// What of these jobs can be served now.
    /// - Parameters:
    ///   - active: the version that serves a handler, if it can be given runs now.
    ///   - hasFallback: whether the version before it can stand in.
    @LoopActor
    init(
        _ rows: [JobRow], quarantine: QuarantineBook, active: (String) -> String?, hasFallback: (String) -> Bool
    ) {
        var served: Set<String> = []
        for job in rows {
            guard let version = active(job.handler) else { continue }
            guard job.execution.merging(over: job.handlerExecution).resolved.quarantine else {
                served.insert(job.name)
                continue
            }
            switch quarantine.admission(job.handler, version) {
            case .free: served.insert(job.name)
            // Among runs that the version before takes, one is the trial.
            case .trial: if hasFallback(job.handler) { served.insert(job.name) } else { self.trials.insert(job.name) }
            case .wait: if hasFallback(job.handler) { served.insert(job.name) }
            }
        }
        self.jobs = served
    }
}

/// Loads of the reach that are under way.
struct ReachLoads {
    var isLoading = false
    /// Something has changed meanwhile: its answer is old.
    var mustRepeat = false
    /// Others may have changed something meanwhile: its answer is good, and may not be all.
    var mustLookAgain = false
    /// Jobs that proved not to be served since the load began.
    var refused: Set<String> = []
}

/// Claims only what can be served here, so that no run is claimed and given back for ever.
///
/// As long as everything is served, claims name no jobs. Once something is not, the database's list of jobs says what to
/// name, and is looked at again with each change and each poll. While a changed list is fetched nothing is claimed.
extension Delivery {
    /// Plugins or quarantines have changed: what could not be served may be served now, or the other way round.
    func reachChanged() {
        self.reachLoads.refused = []
        if self.quarantine.isClear && self.isAllServed() {
            self.reachLoads.mustRepeat = self.reachLoads.isLoading
            self.reach = .all
            self.hint()
        } else {
            self.narrow(without: nil)
        }
    }

    /// The safety net: jobs that others have made or changed.
    func lookAtReach() {
        guard self.reach.jobs != nil else { return }
        self.reachLoads.mustLookAgain = self.reachLoads.isLoading
        self.loadReachOnce()
    }

    /// - Parameter job: one that proved not to be served here; nil: find out.
    func narrow(without job: String?) {
        if let job { self.reachLoads.refused.insert(job) }
        self.reach = .nothing
        self.reachLoads.mustRepeat = self.reachLoads.isLoading
        self.loadReachOnce()
    }

    private func loadReachOnce() {
        // After a load that failed everything may be served again.
        guard !self.reachLoads.isLoading, self.reach != .all else { return }
        self.reachLoads.isLoading = true
        self.reachLoads.mustLookAgain = false
        loopTask {
            let refused = self.reachLoads.refused
            do {
                var reach = try await self.loadReach()
                reach.jobs?.subtract(refused)
                self.loaded(reach, refused)
            } catch {
                self.reachLoads.isLoading = false
                self.logger.warning("cannot tell which jobs are served here", metadata: ["error": "\(error)"])
                self.reachTimer.start(after: .milliseconds(500)) { [weak self] in self?.loadReachOnce() }
            }
        }
    }

    private func loaded(_ reach: Reach, _ refused: Set<String>) {
        self.reachLoads.isLoading = false
        if self.reachLoads.mustRepeat {
            self.reachLoads.mustRepeat = false
            // Everything is served again, it was said meanwhile: then there is nothing to load.
            if self.reach != .all { self.loadReachOnce() }
            return
        }
        self.reachLoads.refused.subtract(refused)
        let isNew = reach != self.reach
        self.reach = reach
        if isNew { self.hint() }
        if self.reachLoads.mustLookAgain { self.loadReachOnce() }
    }

    // MARK: Trials

    /// Whether the next claim should be for a trial: at most one a second, since most find nothing.
    var isTrialDue: Bool { !self.reach.trials.isEmpty && LoopInstant.now >= self.nextTrial }

    func claimRequest(_ limit: Int, isTrial: Bool) -> ClaimRequest {
        if isTrial { return ClaimRequest(limit: 1, jobs: self.reach.trials) }
        // An empty list would look into every queue for nothing.
        return ClaimRequest(
            limit: self.reach.jobs?.isEmpty == true ? 0 : limit, jobs: self.reach.jobs, held: self.heldBehindGates)
    }

    func trialClaimed(_ count: Int) {
        self.nextTrial = LoopInstant.now.advanced(by: .seconds(1))
        if count > 0 {
            // While it runs there is no other; its end says how to go on.
            self.reach.trials = []
        } else {
            self.trialTimer.start(after: .seconds(1)) { [weak self] in self?.hint() }
        }
        // The claim that this one took the place of.
        self.machine.hinted()
    }
}
