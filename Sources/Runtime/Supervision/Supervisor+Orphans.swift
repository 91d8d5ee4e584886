internal import CLinux
internal import Glibc
package import JobCore
internal import Logging
internal import UVLoop

/// What is on this machine and belongs to no run of this host any more. Normally nothing: every end of an attempt is proven, and what a
/// predecessor left is killed at the start. What is here got away some other way.
extension Supervisor {
    /// Processes, cgroups and scratch directories. Looks at all processes of the machine, a piece at a time.
    package func orphans() async -> [Orphan] {
        guard self.phase == .running else { return [] }
        return await self.processesWithoutRun() + self.cgroupsWithoutRun + self.scratchWithoutRun
    }

    /// Puts right those that still are what they were, and still belong to nothing.
    /// - Returns: those that were put right.
    package func clean(_ orphans: [Orphan]) async -> Set<Orphan.Key> {
        guard !orphans.isEmpty else { return [] }
        let present = Set(await self.orphans().map(\.key))
        var done: Set<Orphan.Key> = []
        for key in orphans.map(\.key) where present.contains(key) {
            let isDone =
                switch key.kind {
                case .processWithoutRun: Self.kill(key)
                case .cgroupWithoutRun: await Self.removeCgroup(key.name)
                case .scratchWithoutRun: await ScratchPool.remove(key.name)
                default: false
                }
            if isDone { done.insert(key) }
        }
        if !done.isEmpty { self.lookForStraysRepeatedly() }
        return done
    }

    // MARK: Processes

    /// Between two pieces the loop does other things.
    private static let processesAtOnce = 64

    /// Who asks while somebody looks gets the same answer.
    private func processesWithoutRun() async -> [Orphan] {
        if let scan = self.processScan { return await scan.value }
        let scan = loopTask {
            defer { self.processScan = nil }
            return await self.lookForProcesses()
        }
        self.processScan = scan
        return await scan.value
    }

    private func lookForProcesses() async -> [Orphan] {
        var processes: [ProcessOwnership] = []
        for (index, name) in SmallFiles.entries("/proc").enumerated() {
            if index % Self.processesAtOnce == Self.processesAtOnce - 1 {
                do { try await LoopClock.sleep(for: .milliseconds(1)) } catch { return [] }
            }
            guard let pid = Int32(name), let facts = ProcessFacts(pid), !facts.isDead else { continue }
            processes.append(ProcessOwnership(pid: pid, parent: facts.parent))
        }
        // What is known is asked last: a child that came meanwhile was in no list, or has a parent that is known.
        let found = OrphanKind.processesWithoutRun(among: processes, known: self.knownProcesses, host: getpid())
        // An environment is the process's own memory, which it can keep from being read: not of processes of others.
        let marker = [Array(self.childEnvironment.instanceMarker.utf8)]
        return found.compactMap { pid in
            guard ProcessTable.carries(marker, pid), let began = ProcessTable.startTicks(pid) else { return nil }
            let command = SmallFiles.text("/proc/\(pid)/comm").map { String($0.prefix { $0 != "\n" }) } ?? "?"
            return Orphan(kind: .processWithoutRun, name: "\(pid)", mark: "\(began)", detail: command)
        }
    }

    /// Roots of everything that is ours: zygotes, monitors, children, and what is in their cgroups.
    private var knownProcesses: Set<Int32> {
        var known = Set(self.everyZygote.compactMap(\.pid))
        for child in self.watched.values {
            if let pid = child.pid { known.insert(pid) }
            if let pid = child.monitorPID { known.insert(pid) }
        }
        for attempt in self.attempts.values { if let pid = attempt.pid { known.insert(pid) } }
        known.formUnion(self.pool.waiting)
        known.formUnion(self.cgroups?.processesOfLent ?? [])
        // Helpers, and the database server of this host.
        for pid in ProcessTable.children() where ChildProcess.isOurs(pid) { known.insert(pid) }
        return known
    }

    /// By a descriptor that was opened before the last look at whose it is.
    private static func kill(_ key: Orphan.Key) -> Bool {
        guard let pid = Int32(key.name) else { return false }
        let pidfd = linux_pidfd_open(pid)
        guard pidfd >= 0 else { return false }
        defer { close(pidfd) }
        guard let began = ProcessTable.startTicks(pid), "\(began)" == key.mark else { return false }
        return linux_pidfd_send_signal(pidfd, SIGKILL) == 0
    }

    // MARK: Cgroups and directories

    private var cgroupsWithoutRun: [Orphan] {
        guard let root = self.cgroups else { return [] }
        return root.strayLeaves().filter { !root.knows($0) }.compactMap { path in
            let pids = SmallFiles.numbers("\(path)/cgroup.procs")
            return Self.orphan(.cgroupWithoutRun, path, "\(pids.count) processes")
        }
    }

    private var scratchWithoutRun: [Orphan] {
        self.scratch.strays().compactMap { Self.orphan(.scratchWithoutRun, $0, "in the scratch directory") }
    }

    /// Nil: it is gone.
    package static func orphan(_ kind: OrphanKind, _ path: String, _ detail: String) -> Orphan? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return Orphan(kind: kind, name: path, mark: "\(status.st_dev):\(status.st_ino)", detail: detail)
    }

    private static func removeCgroup(_ path: String) async -> Bool {
        for _ in 0..<100 {
            SmallFiles.write("1", to: "\(path)/cgroup.kill")
            CgroupLeaf.removeTree(path)
            if access(path, F_OK) != 0 { return true }
            do { try await LoopClock.sleep(for: .milliseconds(10)) } catch { return false }
        }
        return false
    }
}
