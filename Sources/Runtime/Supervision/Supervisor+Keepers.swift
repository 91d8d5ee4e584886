internal import CLinux
internal import Glibc
internal import Logging
internal import UVLoop

extension Supervisor {
    // MARK: What zygotes and monitors leave behind

    /// Kills what dead zygotes and monitors have left to us, and reaps it. Returns what still had to be killed. With
    /// cgroups the leaf finds them.
    func killStrays() -> Set<Int32> {
        ProcessTable.reapStrays()
        guard self.cgroups == nil else { return [] }
        // Monitors outlive their zygote, and finish their work as our children.
        let monitors = self.watched.values.compactMap { $0.monitor >= 0 ? $0.monitorPID : nil }
        return ProcessTable.killStrays(except: Set(monitors), marker: self.childEnvironment.instanceMarker)
    }

    @discardableResult
    func lookForStrays() -> Int {
        let killed = self.killStrays()
        if !killed.isEmpty { self.logger.warning("killed \(killed.count) processes that dead zygotes have left") }
        let reaped = ProcessTable.reapStrays()
        if reaped > 0 { self.logger.debug("reaped \(reaped) strays") }
        return reaped
    }

    /// Now, and a few times more within the second: the kernel's list of children may leave out one of them while others
    /// end (proc(5), `/proc/pid/task/tid/children`).
    ///
    /// And a zygote may leave more dead than one look finds.
    func lookForStraysRepeatedly(again: Duration = .milliseconds(20)) {
        let reaped = self.lookForStrays()
        guard self.cgroups == nil || reaped > 0, self.phase != .stopped, again < .seconds(1) else { return }
        self.strayTimer.start(after: again) { [weak self] in self?.lookForStraysRepeatedly(again: again * 2) }
    }

    // MARK: What stops them

    /// A handler runs as the user of its zygote and its monitor, and may stop them. Then nothing is started, noticed or
    /// reaped, and whatever goes on forking below a subreaper that stands still fills the machine's table of processes with
    /// its dead within seconds. Nothing of ours stops them, so whoever did it was not asked to. Called once a second.
    func letStoppedKeepersGoOn() {
        for zygote in self.everyZygote {
            guard let pid = zygote.pid, ProcessFacts(pid)?.isStopped == true else { continue }
            self.logger.warning("somebody has stopped a zygote; it is let go on", metadata: ["pid": "\(pid)"])
            zygote.letGoOn()
        }
        for child in self.watched.values {
            guard let pid = child.monitorPID, child.monitorPidfd >= 0, ProcessFacts(pid)?.isStopped == true else {
                continue
            }
            self.logger.warning("somebody has stopped a monitor; it is let go on", metadata: ["pid": "\(pid)"])
            _ = linux_pidfd_send_signal(child.monitorPidfd, SIGCONT)
        }
    }
}
