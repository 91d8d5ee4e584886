internal import CWire
internal import JobCore
internal import UVLoop

extension Attempt {
    /// The run is over, and its pooled child has put itself in order. Either it goes back to the pool and the attempt is
    /// reported, or it ends first, as every other child does.
    func childWaits(_ body: pawl_f_idle) {
        guard let process, !self.hasEnded else { return }
        let used = body.resources
        self.noteAudit(body)
        // Being killed already: its end is under way, whatever it says.
        guard !self.ladder.isForced else { return }
        // Something is left of the run: the others go elsewhere.
        process.aheadState.leftSomething(before: process.ahead.count)
        guard process.takeBack() else {
            self.protocolFault = "it has begun a run that it had to leave alone"
            return self.kill(.fault)
        }
        self.auditScratch()
        if let scratch = process.scratch, !self.supervisor.scratch.renew(scratch) { _ = process.life?.unwanted() }
        switch self.supervisor.pool.audited(process, body.audit) {
        case .offer:
            process.usedBefore = used
            self.restoreNiceness()
            process.lastRSSBytes = Int64(clamping: body.rss_bytes)
            // This drains its output: the child has flushed it, so it is all of this run and nothing of the next.
            self.report()
        case .recycle(let reason):
            self.leaks.recycled = reason
            self.write(process.frames.bye())
        case .fault(let why):
            self.protocolFault = why
            self.kill(.fault)
        case .nothing, .dismiss, .bury, .proceed: preconditionFailure("an audit has one of three ends")
        }
    }
}

extension Attempt {
    func noteAudit(_ body: pawl_f_idle) {
        guard let process else { return }
        self.resources = body.resources
        self.resources.subtract(process.usedBefore)
        self.leaks = body.leaks(growth: process.lastRSSBytes.map { Int64(clamping: body.rss_bytes) - $0 })
    }
}

extension pawl_f_idle {
    var resources: ResourceUsage {
        ResourceUsage(
            userCPU: .microseconds(Int64(clamping: self.user_us)),
            systemCPU: .microseconds(Int64(clamping: self.system_us)),
            maxRSSBytes: Int64(clamping: self.max_rss_bytes), minorFaults: Int64(clamping: self.minor_faults),
            majorFaults: Int64(clamping: self.major_faults), blocksIn: Int64(clamping: self.blocks_in),
            blocksOut: Int64(clamping: self.blocks_out),
            voluntarySwitches: Int64(clamping: self.voluntary_switches),
            involuntarySwitches: Int64(clamping: self.involuntary_switches))
    }

    var audit: PooledChildStateMachine.Audit {
        PooledChildStateMachine.Audit(
            resetStatus: self.reset_status, processes: Int(self.processes), descriptors: Int(self.descriptors),
            threads: Int(self.threads), rssBytes: Int64(clamping: self.rss_bytes),
            isUnfit: self.flags & PAWL_IDLE_UNFIT != 0)
    }

    /// `growth`: of its resident size since the run before; nil: there was none, and a first run always grows.
    func leaks(growth: Int64?) -> LeakReport {
        let words = [
            (PAWL_IDLE_CWD, "cwd"), (PAWL_IDLE_UMASK, "umask"), (PAWL_IDLE_ENVIRONMENT, "environment"),
            (PAWL_IDLE_SIGNALS, "signals"), (PAWL_IDLE_LOCALE, "locale"),
        ]
        return LeakReport(
            processes: Int(self.processes), descriptors: Int(self.descriptors), threads: Int(self.threads),
            // Less than a mebibyte is the allocator's way, not the handler's.
            growthBytes: growth.map { $0 >= 1 << 20 ? $0 : 0 } ?? 0,
            restored: words.filter { self.flags & $0.0 != 0 }.map(\.1))
    }
}

extension ResourceUsage {
    /// Leaves what came after `earlier`. The peak is a maximum, not a sum.
    mutating func subtract(_ earlier: ResourceUsage) {
        self.userCPU -= earlier.userCPU
        self.systemCPU -= earlier.systemCPU
        self.minorFaults -= earlier.minorFaults
        self.majorFaults -= earlier.majorFaults
        self.blocksIn -= earlier.blocksIn
        self.blocksOut -= earlier.blocksOut
        self.voluntarySwitches -= earlier.voluntarySwitches
        self.involuntarySwitches -= earlier.involuntarySwitches
    }
}
