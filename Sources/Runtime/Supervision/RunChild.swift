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
    private var trialWords = ""
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

    // MARK: Its place and its descriptors

    /// What a child is made after.
    struct Order {
        var runID: UInt64 = 0
        var attempt = 0
        var limits: ResolvedLimits
        var execution: ResolvedExecution
        /// Nil: what all children of the host have; the rest comes with RUN.
        var environment: ((RunChild) -> [UInt8])?
        var isPooled: Bool
        /// No run will come.
        var isTrial = false

        /// For a child that only has to come up.
        init(trialWith limits: ResolvedLimits) {
            self.limits = limits
            self.execution = ExecutionSettings().resolved
            self.isPooled = false
            self.isTrial = true
        }

        /// For a child without an attempt.
        init(make: ChildMake, limits: ResolvedLimits) {
            self.limits = limits
            self.execution = make.execution
            self.isPooled = make.kind == .pooled
        }

        init(_ spec: AttemptSpec, isPooled: Bool) {
            self.runID = UInt64(bitPattern: spec.runID.rawValue)
            self.attempt = spec.attempt
            self.limits = spec.limits
            self.execution = spec.execution
            self.isPooled = isPooled
            // The kernel cannot forget what earlier runs used: its limit comes with each.
            if isPooled { self.limits.cpu = nil }
        }
    }

    /// Makes everything that the child needs here, and orders it. After a failure `abandon` takes everything back.
    ///
    /// `prepared` is called before the child is ordered, so that its first frames are there when it looks.
    func order(_ order: Order, prepared: () -> Void = {}) throws(LoopError) {
        var theirs: [Int32] = []
        do throws(LoopError) {
            try self.openChannels(&theirs)
            try self.takePlace(order.limits, &theirs)
        } catch {
            ControlChannel.close(theirs)
            throw error
        }
        self.scratch = self.supervisor.scratch.take()
        let sandbox: [UInt8]
        do throws(LoopError) { sandbox = try self.takeSandbox(order.execution) } catch {
            ControlChannel.close(theirs)
            throw error
        }
        self.supervisor.watch(self)
        prepared()
        let configuration = self.supervisor.configuration
        var flags = self.leaf == nil ? PAWL_SPAWN_HAS_MONITOR : PAWL_SPAWN_HAS_CGROUP
        if order.isPooled { flags |= PAWL_SPAWN_POOLED }
        if order.isTrial { flags |= PAWL_SPAWN_TRIAL }
        let message = ControlOrder.spawn(
            order, slot: self.slot, flags: flags, niceness: order.execution.niceness ?? configuration.niceness,
            environment: order.environment?(self) ?? self.supervisor.childEnvironment.ofWaiting(self),
            directory: Array((self.scratch?.path ?? "").utf8), sandbox: sandbox)
        guard message.count <= Int(PAWL_CONTROL_MAX) else {
            ControlChannel.close(theirs)
            throw LoopError(E2BIG, "order a child with so long an environment or so long paths")
        }
        self.zygote.spawn(self, message, fds: theirs, lent: self.leaf?.directory)
    }

    /// Nothing of it was ever started.
    func abandon() {
        self.supervisor.unwatch(self)
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
        self.leaveSandbox()
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
        if let attempt { return attempt.keeperSpawned() }
        do throws(LoopError) { try self.watchChannels() } catch {
            self.supervisor.pool.broke(self, "it cannot be watched: \(error)")
        }
    }

    func failed(_ body: pawl_c_spawn_failed) {
        if let attempt { return attempt.keeperFailed(body) }
        guard !self.isForgotten else { return }
        let why = String(cString: strerror(body.error))
        self.tried(.failure(PluginRefusal(reason: .unavailable, message: "no process can be made of it: \(why)")))
        self.supervisor.pool.failed(self, why)
    }

    func exited(_ body: pawl_c_exited) {
        // Too late for a report; the zombie still has to go.
        guard !self.isForgotten else { return self.tellKeeper(ControlOrder.plain(PAWL_C_REAP, slot: self.slot)) }
        if self.trial != nil {
            self.readWhileWaiting()  // Its last words.
            self.tried(.failure(self.trialRefusal(body)))
        }
        self.supervisor.pool.died(self).keeperExited(body)
    }

    /// Whether it comes up is known.
    func tried(_ result: Result<Void, PluginRefusal>) {
        let trial = self.trial
        self.trial = nil
        trial?(result)
    }

    private func trialRefusal(_ body: pawl_c_exited) -> PluginRefusal {
        let words = self.trialWords.isEmpty ? "" : ": \(self.trialWords)"
        switch body.processExit {
        case .signal(let signal):
            return PluginRefusal(
                reason: .crashed(signal: signal),
                message: "its first process crashed with \(OutcomeClassifier.signalName(signal))\(words)")
        case .code(let code):
            return PluginRefusal(
                reason: .exited(code: code), message: "its first process ended with exit code \(code)\(words)")
        }
    }

    /// The zygote died. Nobody, or only a monitor, will tell the leader's exit.
    func keeperLost() {
        guard !self.isForgotten else { return }
        self.tried(.failure(PluginRefusal(reason: .unavailable, message: "its zygote ended under its first process")))
        self.supervisor.pool.died(self).keeperLost()
    }

    private func monitorGone() {
        guard !self.isForgotten, self.monitor >= 0 else { return }
        self.supervisor.pool.died(self).monitorGone()
    }

    func readMonitor() {
        for _ in 0..<16 where self.monitor >= 0 {
            let outcome = ControlSocket.receive(self.monitor) { event in
                guard case .message(let bytes, let fds) = event else { return }
                self.monitorSaid(bytes, Array(fds))
            }
            switch outcome {
            case nil: return
            case true: break
            case false: return self.monitorGone()
            }
        }
    }

    private func monitorSaid(_ bytes: UnsafeRawBufferPointer, _ fds: [Int32]) {
        do throws(WireFault) {
            switch try ControlMessage(bytes) {
            case .spawned(_, let body): return self.spawned(body, pidfds: fds)
            case .spawnFailed(_, let body): self.failed(body)
            case .exited(_, let body): self.exited(body)
            case .empty(_, let body): self.attempt?.keeperEmptied(body)
            case .orphan, .note, .pong: break
            case .ready, .refused, .manifestPiece: throw WireFault("a monitor that speaks like a zygote")
            }
        } catch {
            self.supervisor.logger.error("a monitor broke the protocol: \(error)")
            ControlChannel.close(fds)
            return self.monitorGone()
        }
        ControlChannel.close(fds)
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
    private func readWhileWaiting() {
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

    /// Says it to whoever keeps the leader: the monitor, else the zygote.
    func tellKeeper(_ message: [UInt8]) {
        guard self.monitor >= 0 else { return self.zygote.send(message) }
        // A handful of small messages per attempt never fills the socket; a broken one shows as its end.
        _ = message.withUnsafeBytes { linux_send_fds(self.monitor, $0.baseAddress, $0.count, nil, 0) }
    }
}
