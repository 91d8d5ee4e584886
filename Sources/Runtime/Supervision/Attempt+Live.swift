internal import CWire
internal import Glibc
package import JobCore
internal import Logging
internal import UVLoop

/// What can be done with an attempt while it runs, other than ending it.
extension Attempt {
    private var isLive: Bool {
        !self.hasEnded && !self.isFarewell && self.pid != nil && self.child.exit == nil && self.ladder.cause == nil
    }

    // MARK: Freeze and thaw

    /// Has the whole tree stand still, and its clocks. False when it is too late for that, or it does already.
    func freeze() -> Bool {
        guard self.isLive, self.leaf != nil || self.monitor >= 0, self.ladder.frozen(at: self.now) else { return false }
        if let leaf = self.leaf {
            let error = leaf.freeze(true)
            if error != 0 {
                self.logger.error("cgroup.freeze of \(leaf.path): errno \(error)")
                _ = self.ladder.thawed(at: self.now)
                return false
            }
        } else {
            self.tellKeeper(ControlOrder.plain(PAWL_C_FREEZE, slot: self.slot))
        }
        self.say(.info, "frozen: its processes and its clocks stand still")
        self.armTimer()
        return true
    }

    /// Has it go on. False when it was not frozen.
    func thaw() -> Bool {
        guard !self.hasEnded, self.ladder.thawed(at: self.now) else { return false }
        self.letGoOn()
        self.say(.info, "thawed: it goes on with the time it had left")
        self.armTimer()
        return true
    }

    /// Its processes go on; its clocks do so already.
    func letGoOn() {
        if let leaf = self.leaf {
            let error = leaf.freeze(false)
            if error != 0 { self.logger.error("cgroup.freeze of \(leaf.path): errno \(error)") }
        } else if self.monitor >= 0 {
            self.tellKeeper(ControlOrder.plain(PAWL_C_THAW, slot: self.slot))
        }
        // It had no chance to end in time.
        if self.finishedAt != nil { self.finishedAt = .now }
        self.tellDeadline()
    }

    // MARK: The deadline

    /// When its wall time is over, were it to go on now.
    var deadline: WallTime? {
        guard let left = self.timeLeft else { return nil }
        return WallTime.now.advanced(by: left)
    }

    private var timeLeft: Duration? {
        guard let deadline = self.ladder.wallDeadline, self.child.exit == nil else { return nil }
        return deadline - (self.ladder.frozenAt ?? self.now)
    }

    /// Gives it more wall time (or less). Returns the new deadline; nil when it is too late, or has not begun.
    func extend(by extra: Duration) -> WallTime? {
        guard self.isLive, let deadline = self.ladder.wallDeadline, self.ladder.deadlineMoved(to: deadline + extra)
        else {
            return nil
        }
        self.tellDeadline()
        self.say(.info, "its deadline was moved by \(extra.wholeMilliseconds) ms")
        self.armTimer()
        return self.deadline
    }

    private func tellDeadline() {
        guard let process, let deadline = self.ladder.wallDeadline else { return }
        process.write(
            process.frames.deadline(
                self.spec.wireID, Int64(clamping: self.dispatched.advanced(by: deadline).nanoseconds)))
    }

    // MARK: Niceness

    /// Every thread of every process of the tree. False when none could be changed.
    func setNiceness(_ niceness: Int32) -> Bool {
        guard self.isLive, Self.renice(self.treePIDs(limit: 4096), niceness) else { return false }
        // What was forked meanwhile has its parent's old one.
        _ = Self.renice(self.treePIDs(limit: 4096), niceness)
        self.niceness = niceness
        self.say(.info, "niceness \(niceness)")
        return true
    }

    /// A pooled child goes on with what the next attempt expects.
    func restoreNiceness() {
        let usual = self.spec.execution.niceness ?? self.supervisor.configuration.niceness
        guard self.niceness != usual else { return }
        _ = Self.renice(self.treePIDs(limit: 4096), usual)
        self.niceness = usual
    }

    private static func renice(_ pids: [Int32], _ niceness: Int32) -> Bool {
        let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        let wanted = min(19, max(-20, own + niceness))
        var any = false
        for pid in pids {
            // Linux knows a niceness of threads only.
            for name in SmallFiles.entries("/proc/\(pid)/task") {
                if let thread = id_t(name), setpriority(__priority_which_t(PRIO_PROCESS.rawValue), thread, wanted) == 0
                {
                    any = true
                }
            }
        }
        return any
    }
}

extension Supervisor {
    private func live(_ runID: RunID, _ attempt: Int) -> Attempt? {
        self.attempts[AttemptKey(runID: runID, attempt: attempt)]
    }

    /// Has a running attempt's processes stand still, and the clocks of its start, wall time and progress with them. False
    /// when it is not here, is frozen already, or was asked to end.
    package func freeze(_ runID: RunID, _ attempt: Int) -> Bool { self.live(runID, attempt)?.freeze() ?? false }

    /// Has a frozen attempt go on with the time it had left. False when it is not here, or not frozen.
    package func thaw(_ runID: RunID, _ attempt: Int) -> Bool { self.live(runID, attempt)?.thaw() ?? false }

    /// Moves the wall deadline of a running attempt, and returns the new one. Nil when it is not here, has not begun, or was
    /// asked to end.
    @discardableResult
    package func extend(_ runID: RunID, _ attempt: Int, by extra: Duration) -> WallTime? {
        self.live(runID, attempt)?.extend(by: extra)
    }

    /// Changes the niceness of a running attempt's whole tree: so much is added to the host's own, -20 to 19 in the end.
    /// False when it is not here, or the kernel refuses (a lower one needs a privilege).
    package func setNiceness(_ runID: RunID, _ attempt: Int, _ niceness: Int32) -> Bool {
        self.live(runID, attempt)?.setNiceness(niceness) ?? false
    }

    /// What a running attempt is doing now, as a JSON object. Nil when it is not here, or nothing can look at it.
    package func diagnose(_ runID: RunID, _ attempt: Int) async -> String? {
        guard let attempt = self.live(runID, attempt), attempt.pid != nil, !attempt.hasEnded else { return nil }
        return await attempt.look()
    }
}
