internal import CWire
internal import JobCore
internal import UVLoop

extension Attempt {
    /// Gets a child, writes RUN, and orders the child. Has done nothing when it throws.
    func launch() throws(DispatchError) {
        let supervisor = self.supervisor
        let process = RunChild(
            zygote: self.zygote, supervisor: supervisor, runID: UInt64(bitPattern: self.spec.runID.rawValue))
        let theirs: [Int32]
        do throws(LoopError) { theirs = try process.open(self.spec.limits) } catch {
            process.abandon()
            throw .resources("\(error)")
        }
        process.attempt = self
        self.process = process
        self.launched = .now
        if supervisor.hasMemoryController { self.oomKillsBefore = process.leaf?.oomKills ?? 0 }
        supervisor.watch(process)
        let scratch = Array((process.scratch?.path ?? "").utf8)
        // The wall time counts from STARTED; what passes until then is a few milliseconds.
        let deadline = LoopInstant.now.advanced(by: self.spec.limits.wall)
        process.write(
            process.frames.run(self.spec, deadlineNanos: Int64(clamping: deadline.nanoseconds), scratch: scratch))
        let message = ControlOrder.spawn(
            self.spec, slot: process.slot,
            flags: process.leaf == nil ? PAWL_SPAWN_HAS_MONITOR : PAWL_SPAWN_HAS_CGROUP,
            niceness: supervisor.configuration.niceness, environment: supervisor.environment(of: self),
            directory: scratch)
        self.zygote.spawn(process, message, fds: theirs, lent: process.leaf?.directory)
    }

    /// As above, for an attempt that was accepted before.
    func launchNow() {
        guard !self.hasEnded else { return }
        do { try self.launch() } catch { self.endUnstarted("\(error)") }
    }

    /// Nothing of it runs: straight to the report.
    func endUnstarted(_ why: String?, cause: StopCause? = nil) {
        guard !self.hasEnded else { return }
        if let cause { _ = self.ladder.cancelRequested(cause: cause, at: self.now) }
        self.zygote.dequeue(self)
        self.spawnFailure = why
        self.report()
    }
}
