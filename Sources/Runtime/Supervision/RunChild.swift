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
    /// Of the attempt that it was made for, or after.
    let limits: ResolvedLimits
    /// Set where it may be without an attempt.
    var make: ChildMake?
    var life: PooledChildStateMachine?
    /// Whom to tell whether it comes up; only of a child that was made to find that out.
    var trial: ((Result<Void, PluginRefusal>) -> Void)?
    /// The last line of a trial, in case it does not come up.
    var trialWords = ""
    /// What it had used up when its present run began.
    var usedBefore = ResourceUsage()
    /// Resident after its last run; nil: there was none.
    var lastRSSBytes: Int64?

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
    /// Nobody else's meanwhile; nil: the host's own.
    var sandboxUser: UInt32?
    var parser = FrameParser()
    var frames = DataFrames()
    /// Of a pooled child; nil: nothing is sent ahead.
    var board: RunBoard?
    /// Runs that it has been sent and has not begun, as far as is known; the next one first.
    var ahead: [Offer] = []
    var aheadState = AheadStateMachine(capacity: Int(PAWL_AHEAD_MAX), at: RunChild.now)
    /// It is being given runs ahead of their time.
    var isFilling = false
    /// What it says is being worked off.
    var isReading = false
    /// Bytes for the child that its socket had no room for.
    var unsent: [UInt8] = []
    /// Its descriptors are in the readiness set, from SPAWNED on: so its process id is known before anything it says.
    var isWatched = false
    /// Nothing is read from its pipes while the observer is full.
    private(set) var isPaused = false
    private(set) var isForgotten = false

    init(zygote: Zygote, supervisor: Supervisor, limits: ResolvedLimits) {
        self.zygote = zygote
        self.supervisor = supervisor
        self.limits = limits
        self.serial = supervisor.nextSerial()
        self.slot = supervisor.takeSlot()
    }

    /// What a descriptor of a child is, in the low bits of its token.
    enum Channel: UInt64 {
        case data = 0
        case stdout = 1
        case stderr = 2
        case monitor = 3
    }

    func token(_ channel: Channel) -> UInt64 { self.serial << 2 | channel.rawValue }

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

    /// One of its descriptors is ready.
    func ready(_ channel: Channel, _ events: ReadinessSet.Events) {
        switch channel {
        case .monitor: self.readMonitor()
        case .data, .stdout, .stderr:
            // What it has written is of the run that it has gone on with.
            if channel != .data, !self.ahead.isEmpty { self.drainData() }
            if let attempt { return attempt.ready(channel, events) }
            if channel == .data { self.readWhileWaiting() } else { self.dropOutput(channel) }
        }
    }

    /// Nobody's run is in it: all it may say is that it has come up.
    func readWhileWaiting() {
        guard self.data >= 0 else { return }
        let buffer = self.supervisor.readBuffer
        let length = recv(self.data, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        if length < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard length > 0 else {
            // Its keeper tells more, and is not waited for here: the socket would be ready without end.
            close(self.data)
            self.data = -1
            return
        }
        var isUp = false
        do throws(WireFault) {
            try self.parser.consume(UnsafeRawBufferPointer(rebasing: buffer[..<length])) {
                (header, payload) throws(WireFault) in
                switch try ChildMessage(header, payload) {
                case .up: isUp = true
                // A plugin that is loaded in the child may have words to say; without a run they are nobody's.
                case .log(let line): if self.trial != nil { self.trialWords = line.message }
                case .dropped, .unknown, .pong: break
                default: throw WireFault("a frame of kind \(header.kind) without a run")
                }
            }
        } catch { return self.supervisor.pool.broke(self, error.description) }
        guard isUp else { return }
        if self.trial != nil { self.tried(.success(())) } else { self.supervisor.pool.isUp(self) }
    }

    /// What is written between runs belongs to none of them.
    private func dropOutput(_ channel: Channel) {
        let fd = channel == .stdout ? self.stdout : self.stderr
        guard fd >= 0 else { return }
        let buffer = self.supervisor.readBuffer
        let length = read(fd, buffer.baseAddress, buffer.count)
        if length < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard length > 0 else {
            close(fd)
            if channel == .stdout { self.stdout = -1 } else { self.stderr = -1 }
            return self.supervisor.pool.broke(self, "its output is closed")
        }
        self.supervisor.logger.debug("\(length) bytes that a child without a run has written are dropped")
    }

    /// Gives it a run of an attempt that has just taken it.
    func begin(_ spec: AttemptSpec, environment: [UInt8]) {
        if self.make?.kind == .pooled, self.board == nil, spec.execution.poolAhead > 0 { self.board = RunBoard() }
        self.aheadState.gets(at: Self.now)
        self.write(self.order(spec, place: self.board?.offer() ?? 0, isAhead: false, environment))
    }

    /// RUN and ARGS.
    func order(_ spec: AttemptSpec, place: UInt32, isAhead: Bool, _ environment: [UInt8]) -> [UInt8] {
        // The wall time counts from STARTED; what passes until then is a few milliseconds.
        let deadline = LoopInstant.now.advanced(by: spec.limits.wall)
        return self.frames.run(
            spec, deadlineNanos: Int64(clamping: deadline.nanoseconds),
            scratch: Array((self.scratch?.path ?? "").utf8), environment: environment,
            cpu: self.make?.kind == .pooled ? spec.limits.kernelCPU : nil, place: place, isAhead: isAhead)
    }

    /// On the clock of its machines.
    static var now: Duration { .nanoseconds(Int64(clamping: LoopInstant.now.nanoseconds)) }

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
        let sent = bytes.withUnsafeBytes { self.put($0) }
        if sent == bytes.count || (sent < 0 && !Self.isPassing(errno)) { return }
        self.unsent = Array(bytes[max(sent, 0)...])
        guard self.isWatched else { return }
        self.supervisor.readiness.change(self.data, [.readable, .writable], token: self.token(.data))
    }

    func flush() {
        guard self.data >= 0 else { return }
        // All was sent meanwhile.
        guard !self.unsent.isEmpty else {
            return self.supervisor.readiness.change(self.data, .readable, token: self.token(.data))
        }
        let sent = self.unsent.withUnsafeBytes { self.put($0) }
        if sent < 0 && Self.isPassing(errno) { return }
        self.unsent.removeFirst(sent < 0 ? self.unsent.count : sent)
        if self.unsent.isEmpty {
            self.supervisor.readiness.change(self.data, .readable, token: self.token(.data))
        }
    }

    /// How much of it was sent, or -1 and `errno`. The board goes with the first bytes.
    private func put(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let board, board.descriptor >= 0 else {
            return send(self.data, bytes.baseAddress, bytes.count, Self.sendFlags)
        }
        let sent = linux_send_fds(self.data, bytes.baseAddress, bytes.count, [board.descriptor], 1)
        if sent < 0 { errno = Int32(-sent) }
        if sent >= 0 { board.closeDescriptor() }
        return sent < 0 ? -1 : sent
    }

    /// The socket is full, or the machine short of memory or, for the board, of descriptors on their way.
    private static func isPassing(_ error: Int32) -> Bool { [EAGAIN, ENOMEM, ENOBUFS, ETOOMANYREFS].contains(error) }

    private static var sendFlags: Int32 { Int32(MSG_NOSIGNAL | MSG_DONTWAIT) }
}
