internal import JobCore
internal import UVLoop

/// Attempts that are given to children which are not done with others yet.
extension Supervisor {
    /// Larger args are not sent before their time: they would fill the socket in front of a cancellation.
    private static let largestArgs = 16 << 10

    /// Gives an attempt to a pooled child that is not done with another; it takes no slot until its turn has come. It is sent with
    /// `flushAhead`. If its turn does not come, the observer gets it back (`attemptReturned`), as if it had not been dispatched.
    /// - Returns: false where it can not be done; nothing has happened then.
    package func dispatchAhead(_ spec: AttemptSpec) -> Bool {
        guard self.phase == .running, spec.execution.mode == .pool, spec.execution.poolAhead > 0,
            spec.args.count <= Self.largestArgs, let zygote = self.loaded(spec.version),
            zygote.mode(for: .pool) == .pool, self.sandboxFault(spec.execution) == nil, !self.isKnown(spec),
            let child = self.pool.childWithRoom(ChildMake(spec, .pooled), most: spec.execution.poolAhead)
        else { return false }
        let attempt = Attempt(spec, zygote: child.zygote, supervisor: self)
        attempt.mode = .pool
        child.offer(attempt, environment: self.childEnvironment.over(spec))
        self.accept(attempt)
        self.aheadCount += 1
        if !self.offering.contains(where: { $0 === child }) { self.offering.append(child) }
        return true
    }

    /// Sends what was given since the last time.
    package func flushAhead() {
        guard !self.offering.isEmpty else { return }
        for child in self.offering {
            child.isFilling = false
            child.flushAhead()
            if !self.holders.contains(where: { $0 === child }) { self.holders.append(child) }
        }
        self.offering = []
        guard !self.isAheadWatched else { return }
        self.isAheadWatched = true
        let period = AheadStateMachine.presentAtMost
        self.aheadTimer.start(after: period, repeating: period) { [weak self] in
            self?.lookAtHolders()
        }
    }

    private func lookAtHolders() {
        let now = RunChild.now
        for child in self.holders where !child.ahead.isEmpty && child.aheadState.isOverdue(at: now) {
            // It may have said that it is done; it is asked before others are.
            child.drainData()
            guard child.aheadState.isOverdue(at: RunChild.now) else { continue }
            child.aheadState.slow()
            child.takeBack()
        }
        self.holders.removeAll { $0.ahead.isEmpty }
        guard self.holders.isEmpty else { return }
        self.aheadTimer.stop()
        self.isAheadWatched = false
    }
}
