internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// What an attempt's processes have used, from all who count: samples, the cgroup, the keeper, the crash record.
struct AttemptLedger {
    var samples = SampleSeries()
    /// Of the tree, and of its first process, in any sample.
    var largestResident: Int64 = 0
    var largestAddressSpace: UInt64 = 0
    /// The kernel's kills for lack of memory in its leaf: before, and since.
    var oomKillsBefore = 0
    var oomKills = 0
    /// Of its leaf, when its tree was empty.
    var cgroup: CgroupCPU?
    /// Of everything that its monitor has waited for, when its tree was empty.
    var tree: ResourceUsage?
    /// `errno` and size when it called exit().
    var exitError: Int32?

    /// What the keeper told of the leader, corrected by those who saw more.
    func total(_ leader: ResourceUsage) -> ResourceUsage {
        var total = self.tree ?? leader
        if let cgroup, cgroup.usage > total.userCPU + total.systemCPU {
            total.userCPU = cgroup.user
            total.systemCPU = cgroup.system
        }
        total.maxRSSBytes = max(total.maxRSSBytes, leader.maxRSSBytes, self.largestResident)
        return total
    }
}

extension Attempt {
    /// So many processes of a tree are looked at in one sample. Of more, only the number is known with a cgroup.
    private static let sampledProcesses = 512

    /// Processes of the tree, its first one included. At most `limit` without a cgroup.
    func treePIDs(limit: Int) -> [Int32] {
        if let leaf = self.leaf { return leaf.processes }
        guard let root = self.monitorPID ?? self.pid else { return [] }
        var found = self.monitorPID == nil ? [root] : ProcessTable.children(of: root)
        var next = 0
        while next < found.count, found.count < limit {
            found += ProcessTable.children(of: found[next])
            next += 1
        }
        return found
    }

    /// Looks at its processes, and enforces what the kernel cannot. True: it should be looked at again soon.
    func takeSample() -> Bool {
        guard let pid = self.pid, let process, self.isStarted, !self.hasEnded, !self.isFarewell, self.child.exit == nil
        else { return false }
        let limits = self.spec.limits
        let limit = max(Self.sampledProcesses, (limits.processes ?? 0) + 1)
        let pids = self.treePIDs(limit: limit)
        var sample = ResourceSample(
            atMillis: (LoopInstant.now - (self.startedInstant ?? .now)).wholeMilliseconds, cpuMillis: 0, rssBytes: 0,
            processes: pids.count, threads: 0, descriptors: ProcessTable.openDescriptors(pid))
        var micros: UInt64 = 0
        for other in pids.prefix(Self.sampledProcesses) {
            guard let facts = ProcessFacts(other) else {
                sample.processes -= 1
                continue
            }
            if facts.isDead { sample.processes -= 1 } else { sample.threads += facts.threads }
            sample.rssBytes += facts.residentBytes
            micros += facts.cpuMicros + facts.waitedMicros
            if other == pid {
                self.ledger.largestAddressSpace = max(self.ledger.largestAddressSpace, facts.addressSpaceBytes)
            }
        }
        if let leaf = self.leaf {
            sample.cpuMillis = leaf.cpu.usage.wholeMilliseconds
        } else {
            // What has ended was reaped by its parent, or by the monitor.
            if let monitorPID, let facts = ProcessFacts(monitorPID) { micros += facts.waitedMicros }
            let before = process.usedBefore.userCPU + process.usedBefore.systemCPU
            sample.cpuMillis = max(0, Int64(clamping: micros / 1000) - before.wholeMilliseconds)
        }
        self.ledger.samples.add(sample)
        self.ledger.largestResident = max(self.ledger.largestResident, sample.rssBytes)
        return self.enforce(limits, sample)
    }

    /// True: it is near a limit that a second is too long for.
    private func enforce(_ limits: ResolvedLimits, _ sample: ResourceSample) -> Bool {
        if limits.memoryBytes > 0, sample.rssBytes > limits.memoryBytes {
            self.logger.warning("the tree uses \(sample.rssBytes) bytes; it is killed")
            self.say(.error, "its processes use \(sample.rssBytes) bytes of memory together; it is killed")
            self.kill(.memory)
            return false
        }
        if let most = limits.processes, sample.processes > most {
            self.say(.error, "it has \(sample.processes) processes, where \(most) are allowed; it is killed")
            self.kill(.processes)
            return false
        }
        if let most = limits.cpu, sample.cpuMillis >= most.wholeMilliseconds, self.ladder.cause == nil {
            self.say(.error, "its processes used \(sample.cpuMillis) ms of processor time together; it is ended")
            self.perform(self.ladder.cancelRequested(cause: .cpu, at: self.now))
        }
        return sample.processes > max(32, (limits.processes ?? 0) / 2)
            || (limits.memoryBytes > 0 && sample.rssBytes > limits.memoryBytes / 4 * 3)
    }

    // MARK: At the end

    /// Everything in the leaf has ended, or this run has.
    func takeLedger(of leaf: CgroupLeaf) {
        if self.isBriefInPool {
            leaf.forgetCPU(self.resources)
        } else {
            if self.ledger.cgroup == nil { self.ledger.cgroup = leaf.cpu }
            leaf.forgetCPU()
        }
        if self.supervisor.hasMemoryController { self.ledger.oomKills = leaf.oomKills - self.ledger.oomKillsBefore }
    }

    /// A pooled child reports what it and all that it has reaped have used. Only processes whose parents ignored their
    /// ends are missing there; in so short a time they cannot have used what would be worth the kernel's sum over all
    /// processors, which is a twentieth of a pooled run without work.
    private var isBriefInPool: Bool {
        guard case .alive = self.child.life, self.process?.make?.kind == .pooled, self.leaks.processes == 0,
            self.ledger.cgroup == nil, let began = self.startedInstant
        else { return false }
        return LoopInstant.now - began < .milliseconds(10)
    }

    /// The monitor has waited for everything.
    func takeLedger(of body: pawl_c_empty) {
        guard let process else { return }
        var total = body.resources
        total.subtract(process.usedBefore)
        self.ledger.tree = total
    }

    var memoryEvidence: MemoryEvidence {
        var evidence = MemoryEvidence()
        evidence.oomKills = self.ledger.oomKills
        // A kill that nobody here ordered.
        if evidence.oomKills == 0, self.child.exit == .signal(SIGKILL), self.ladder.cause == nil {
            evidence.oomKills = self.supervisor.machineMemory.claimKill() ? 1 : 0
        }
        evidence.addressSpaceBytes = self.ledger.largestAddressSpace
        evidence.residentBytes = self.resources.maxRSSBytes
        evidence.exitError = self.ledger.exitError
        return evidence
    }
}

extension ResolvedLimits {
    /// What the kernel allows a single process: more than the host allows the tree, so that the host can ask, look and
    /// signal first. It counts for a host that stands still.
    var kernelCPU: Duration? { self.cpu.map { $0 + self.cancelGrace + .seconds(3) } }
}

extension pawl_c_empty {
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
}
