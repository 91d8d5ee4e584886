internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// One child process of a zygote, with all that the host holds of it: the descriptors, the place where it lives, and what
/// is known of it.
///
/// It belongs to the attempt that runs in it, which decides what happens to it. A child that may serve several attempts, or
/// that was made before one needed it, has none in between.
@LoopActor
final class RunChild {
    let zygote: Zygote
    unowned let supervisor: Supervisor
    /// Never used again: the token of its descriptors, and its mark in the environment.
    let serial: UInt64
    /// Its number in the zygote's frames.
    let slot: UInt32
    /// Whose it is at present.
    var attempt: Attempt?

    var data: Int32 = -1
    var stdout: Int32 = -1
    var stderr: Int32 = -1
    var crashPipe: Int32 = -1
    /// Control socket of its monitor; profile `none` only.
    var monitor: Int32 = -1
    var pidfd: Int32 = -1
    var monitorPidfd: Int32 = -1
    var pid: Int32?
    var monitorPID: Int32?
    var leaf: CgroupLeaf?
    var scratch: ScratchDirectory?
    var parser: FrameParser
    var frames: DataFrames
    /// Bytes for the child that its socket had no room for.
    var unsent: [UInt8] = []
    /// Its descriptors are in the readiness set, from SPAWNED on: so its process id is known before anything it says.
    var isWatched = false
    /// Nothing is read from its pipes while the observer is full.
    private(set) var isPaused = false
    private(set) var isForgotten = false

    init(zygote: Zygote, supervisor: Supervisor, runID: UInt64) {
        self.zygote = zygote
        self.supervisor = supervisor
        self.serial = supervisor.nextSerial()
        self.slot = supervisor.takeSlot()
        self.parser = FrameParser(runID: runID)
        self.frames = DataFrames(runID: runID)
    }

    /// What a descriptor of a child is, in the low bits of its token.
    enum Channel: UInt64 {
        case data = 0
        case stdout = 1
        case stderr = 2
        case monitor = 3
    }

    func token(_ channel: Channel) -> UInt64 { self.serial << 2 | channel.rawValue }

    // MARK: Its place and its descriptors

    /// Makes everything that the child needs here. Returns the ends that go to the zygote. After a failure `abandon` takes
    /// everything back.
    func open(_ limits: ResolvedLimits) throws(LoopError) -> [Int32] {
        var theirs: [Int32] = []
        do throws(LoopError) {
            try self.openChannels(&theirs)
            try self.takePlace(limits, &theirs)
        } catch {
            ControlChannel.close(theirs)
            throw error
        }
        self.scratch = self.supervisor.scratch.take()
        return theirs
    }

    /// Nothing of it was ever started.
    func abandon() {
        self.closeAll()
        self.leavePlace(isEmpty: true)
        self.leaveScratch()
    }

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

    /// Returns the reading end; the writing one goes to `theirs`.
    private static func pipe(_ theirs: inout [Int32]) throws(LoopError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        let result = linux_pipe(&ends, true)
        guard result == 0 else { throw LoopError(result, "make a pipe") }
        theirs.append(ends[1])
        return ends[0]
    }

    /// Its cgroup or its monitor's socket.
    private func takePlace(_ limits: ResolvedLimits, _ theirs: inout [Int32]) throws(LoopError) {
        if let root = self.supervisor.cgroups {
            do {
                let leaf = try root.take()
                leaf.limit(limits, controllers: root.controllers)
                self.leaf = leaf
            } catch { throw LoopError(EAGAIN, error.description) }
            return
        }
        var ends: [Int32] = [-1, -1]
        let result = linux_seqpacket_pair(&ends)
        guard result == 0 else { throw LoopError(result, "make a monitor's socket") }
        self.monitor = ends[0]
        theirs.append(ends[1])
        try self.supervisor.readiness.add(self.monitor, .readable, token: self.token(.monitor))
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

    // MARK: What its keeper says

    /// `pidfds`: of the child, and of the monitor if there is one. Ours.
    func spawned(_ body: pawl_c_spawned, pidfds: [Int32]) {
        guard !self.isForgotten, self.pidfd < 0 else { return ControlChannel.close(pidfds) }
        self.pidfd = pidfds.first ?? -1
        self.monitorPidfd = pidfds.count > 1 ? pidfds[1] : -1
        ControlChannel.close(Array(pidfds.dropFirst(2)))
        self.pid = Int32(clamping: body.pid)
        self.monitorPID = body.monitor_pid == 0 ? nil : Int32(clamping: body.monitor_pid)
        self.attempt?.keeperSpawned()
    }

    func exited(_ body: pawl_c_exited) {
        // Too late for a report; the zombie still has to go.
        guard !self.isForgotten else { return self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot)) }
        self.attempt?.keeperExited(body)
    }

    /// Lets go of everything, when its tree is proven empty or has been given up. `isKeeperLost`: nobody else reaps it.
    func forget(isKeeperLost: Bool) {
        guard !self.isForgotten else { return }
        self.isForgotten = true
        self.attempt = nil
        self.supervisor.unwatch(self)
        if self.pidfd >= 0 && isKeeperLost {
            // The leader has come to us as its subreaper.
            var exit = linux_exit()
            _ = linux_wait_pidfd(self.pidfd, false, &exit)
        }
        let isMonitored = self.leaf == nil && self.supervisor.cgroups == nil
        self.closeAll()
        self.leaveScratch()
        // With a cgroup the zygote says when it has reaped the leader.
        if isMonitored { self.zygote.release(self.slot) }
    }

    // MARK: Listening

    /// Begins to listen to the child.
    func watchChannels() throws(LoopError) {
        self.isWatched = true
        let readiness = self.supervisor.readiness
        let events: ReadinessSet.Events = self.unsent.isEmpty ? .readable : [.readable, .writable]
        if self.data >= 0 { try readiness.add(self.data, events, token: self.token(.data)) }
        // While paused they wait for `resume`: a hang-up would be reported without end.
        if !self.isPaused { try self.watchOutput() }
    }

    private func watchOutput() throws(LoopError) {
        let readiness = self.supervisor.readiness
        if self.stdout >= 0 { try readiness.add(self.stdout, .readable, token: self.token(.stdout)) }
        if self.stderr >= 0 { try readiness.add(self.stderr, .readable, token: self.token(.stderr)) }
    }

    /// Reads no output until `resume`.
    func pause() {
        guard !self.isPaused else { return }
        self.isPaused = true
        guard self.isWatched else { return }
        for fd in [self.stdout, self.stderr] where fd >= 0 { self.supervisor.readiness.remove(fd) }
    }

    func resume() {
        guard self.isPaused else { return }
        self.isPaused = false
        guard self.isWatched else { return }
        do { try self.watchOutput() } catch {
            // Out of kernel memory: what the child writes is read when it has ended.
            self.supervisor.logger.error("a child's output cannot be watched: \(error)")
        }
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

    /// Says it to whoever keeps the leader: the monitor, else the zygote.
    func tellKeeper(_ message: [UInt8]) {
        guard self.monitor >= 0 else { return self.zygote.send(message) }
        // A handful of small messages per attempt never fills the socket; a broken one shows as its end.
        _ = message.withUnsafeBytes { linux_send_fds(self.monitor, $0.baseAddress, $0.count, nil, 0) }
    }
}
