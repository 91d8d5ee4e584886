internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

extension Attempt {
    /// What a descriptor of an attempt is, in the low bits of its token.
    enum Channel: UInt64 {
        case data = 0
        case stdout = 1
        case stderr = 2
        case monitor = 3
    }

    func token(_ channel: Channel) -> UInt64 { self.serial << 2 | channel.rawValue }

    /// Makes everything that the child needs, writes RUN, and orders the child. Has done nothing when it throws.
    func launch() throws(DispatchError) {
        let supervisor = self.supervisor
        self.slot = supervisor.takeSlot()
        var theirs: [Int32] = []
        do throws(LoopError) {
            try self.openChannels(&theirs)
            try self.takePlace(&theirs)
        } catch {
            ControlChannel.close(theirs)
            self.closeAll()
            self.leavePlace(isEmpty: true)
            self.leaveScratch()
            throw .resources("\(error)")
        }
        self.launched = .now
        supervisor.watch(self)
        let scratch = Array((self.scratch?.path ?? "").utf8)
        // The wall time counts from STARTED; what passes until then is a few milliseconds.
        let deadline = LoopInstant.now.advanced(by: self.spec.limits.wall)
        self.write(
            self.frames.run(self.spec, deadlineNanos: Int64(clamping: deadline.nanoseconds), scratch: scratch))
        let message = ControlOrder.spawn(
            self.spec, slot: self.slot,
            flags: self.leaf == nil ? PAWL_SPAWN_HAS_MONITOR : PAWL_SPAWN_HAS_CGROUP,
            niceness: supervisor.configuration.niceness, environment: supervisor.environment(of: self),
            directory: scratch)
        self.zygote.spawn(self, message, fds: theirs, lent: self.leaf?.directory)
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

    // MARK: Descriptors

    private func openChannels(_ theirs: inout [Int32]) throws(LoopError) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw .last("make a data socket")
        }
        self.data = ends[0]
        theirs.append(ends[1])
        self.stdout = try Self.pipe(&theirs)
        self.stderr = try Self.pipe(&theirs)
        self.crashPipe = try Self.pipe(&theirs)
    }

    /// Begins to listen to the child.
    func watchChannels() {
        self.isWatched = true
        let events: ReadinessSet.Events = self.unsent.isEmpty ? .readable : [.readable, .writable]
        do throws(LoopError) {
            if self.data >= 0 { try self.supervisor.readiness.add(self.data, events, token: self.token(.data)) }
            // While paused they wait for `resume`: a hang-up would be reported without end.
            if self.stdout >= 0, !self.isPaused {
                try self.supervisor.readiness.add(self.stdout, .readable, token: self.token(.stdout))
            }
            if self.stderr >= 0, !self.isPaused {
                try self.supervisor.readiness.add(self.stderr, .readable, token: self.token(.stderr))
            }
        } catch {
            // Out of kernel memory. A child that nobody hears must not go on.
            self.logger.error("a child cannot be watched: \(error)")
            self.kill(.fault)
        }
    }

    /// Returns the reading end; the writing one goes to `theirs`.
    private static func pipe(_ theirs: inout [Int32]) throws(LoopError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        let result = linux_pipe(&ends, true)
        guard result == 0 else { throw LoopError(result, "make a pipe") }
        theirs.append(ends[1])
        return ends[0]
    }

    /// Its cgroup or its monitor's socket, and its scratch directory.
    private func takePlace(_ theirs: inout [Int32]) throws(LoopError) {
        let supervisor = self.supervisor
        if let root = supervisor.cgroups {
            do {
                let leaf = try root.take()
                leaf.limit(self.spec.limits, controllers: root.controllers)
                if supervisor.hasMemoryController { self.oomKillsBefore = leaf.oomKills }
                self.leaf = leaf
            } catch { throw LoopError(EAGAIN, error.description) }
        } else {
            var ends: [Int32] = [-1, -1]
            let result = linux_seqpacket_pair(&ends)
            guard result == 0 else { throw LoopError(result, "make a monitor's socket") }
            self.monitor = ends[0]
            theirs.append(ends[1])
            try supervisor.readiness.add(self.monitor, .readable, token: self.token(.monitor))
        }
        if self.scratch == nil {
            self.scratch = supervisor.scratch.take()
        }
    }

    /// `isEmpty`: nothing was ever in it, or it is proven to be empty.
    func leavePlace(isEmpty: Bool) {
        guard let leaf = self.leaf else { return }
        self.leaf = nil
        leaf.stopWatching()
        if isEmpty { self.zygote.park(leaf, slot: self.slot) } else { self.supervisor.quarantine(leaf) }
    }

    func leaveScratch() {
        guard let scratch = self.scratch else { return }
        self.scratch = nil
        self.supervisor.scratch.giveBack(scratch)
    }

    func closeAll() {
        for fd in [self.data, self.stdout, self.stderr, self.crashPipe, self.monitor, self.pidfd, self.monitorPidfd]
        where fd >= 0 {
            close(fd)
        }
        self.data = -1
        self.stdout = -1
        self.stderr = -1
        self.crashPipe = -1
        self.monitor = -1
        self.pidfd = -1
        self.monitorPidfd = -1
        self.isWatched = false
        self.unsent = []
    }

    // MARK: Writing to the child

    /// Writes now what fits, and the rest when there is room. A child that is gone does not want it.
    func write(_ bytes: [UInt8]) {
        guard self.data >= 0 else { return }
        if !self.unsent.isEmpty {
            self.unsent += bytes
            return
        }
        let sent = bytes.withUnsafeBytes { send(self.data, $0.baseAddress, $0.count, Self.sendFlags) }
        if sent == bytes.count || (sent < 0 && errno != EAGAIN) { return }
        self.unsent = Array(bytes[max(sent, 0)...])
        guard self.isWatched else { return }
        self.supervisor.readiness.change(self.data, [.readable, .writable], token: self.token(.data))
    }

    func flush() {
        guard self.data >= 0, !self.unsent.isEmpty else { return }
        let sent = self.unsent.withUnsafeBytes { send(self.data, $0.baseAddress, $0.count, Self.sendFlags) }
        if sent < 0 && errno == EAGAIN { return }
        self.unsent.removeFirst(sent < 0 ? self.unsent.count : sent)
        if self.unsent.isEmpty {
            self.supervisor.readiness.change(self.data, .readable, token: self.token(.data))
        }
    }

    private static var sendFlags: Int32 { Int32(MSG_NOSIGNAL | MSG_DONTWAIT) }
}
