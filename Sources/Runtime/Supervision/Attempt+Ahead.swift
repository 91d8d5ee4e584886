internal import CWire
internal import JobCore
internal import UVLoop

/// An attempt that was given to a child before its time, until the child goes on with it.
extension Attempt {
    /// The child has gone on with this one.
    func takeOver(_ process: RunChild, number: UInt64) {
        self.holder = nil
        self.process = process
        process.attempt = self
        process.aheadState.goesOn(with: number, at: RunChild.now)
        self.zygote = process.zygote
        self.launched = .now
        self.ladder = self.newLadder()
        _ = self.child.spawned()
        _ = self.child.up()
        // What the run before could not tell the observer has been read.
        process.resume()
    }

    /// This one is over, and its child has gone on with the next by itself.
    func passOn(_ body: pawl_f_idle) throws(WireFault) {
        guard let process else { return }
        let used = body.resources
        self.noteAudit(body)
        if let why = self.supervisor.pool.wentOn(process, body.audit) { throw WireFault(why) }
        process.usedBefore = used
        self.restoreNiceness()
        process.lastRSSBytes = Int64(clamping: body.rss_bytes)
        let offer = process.ahead.removeFirst()
        let next = offer.attempt
        self.supervisor.aheadCount -= 1
        next.takeOver(process, number: offer.number)
        if self.supervisor.hasMemoryController { next.ledger.oomKillsBefore = process.leaf?.oomKills ?? 0 }
        self.report(hasPassedOn: true)
    }

    /// What was wanted of it while its child began it.
    func heedWishes() {
        let wishes = self.wishes
        self.wishes = []
        for wish in wishes { wish(self) }
    }

    /// Withdraws it from its child. False: the child has begun it, and what was wanted of it is done when it says so.
    func isWithdrawn(orLater wish: @escaping (Attempt) -> Void) -> Bool {
        guard let holder else { return true }
        if holder.withdraw(self) { return true }
        self.wishes.append(wish)
        return false
    }

    /// Whether its child has done with it already, and gone on: then it must not be disturbed on its account. While its words about
    /// that are still on their way, `again` is tried.
    func hasPassedOn(orLater again: @escaping (Attempt) -> Void) -> Bool {
        guard let process, !process.ahead.isEmpty else { return false }
        process.aheadState.slow()
        process.takeBack()
        process.drainData()
        if self.hasEnded { return true }
        guard !process.ahead.isEmpty, process.aheadState.mayStillSay(at: RunChild.now) else { return false }
        self.timer.start(after: .milliseconds(50)) { [weak self] in self.map(again) }
        return true
    }
}
