internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// One plugin version's zygote: its process, restarts included, the attempts that it keeps, and who waits for it.
@LoopActor
final class Zygote {
    let image: PluginImage
    private(set) var manifest: PluginManifest?
    /// It was started without the plugin, whether that could be forked or not.
    private var isSpawning = false
    /// It refuses to fork: threads have appeared in it since it was ready.
    private(set) var isDemoted = false
    private var machine: ZygoteStateMachine
    private unowned let supervisor: Supervisor
    private let logger: Logger
    private let epoch = LoopInstant.now
    private let timer = LoopTimer()

    /// The living process, if any.
    private var process: ChildProcess?
    private var channel: ControlChannel?
    /// Counts processes, so that late words of an earlier one are not taken for the present one's.
    private var generation = 0
    private var manifestText: [UInt8] = []
    private var notes: [String] = []
    private var refusal: PluginRefusal?
    private var waiters: [CheckedContinuation<Result<PluginManifest, PluginRefusal>, Never>] = []
    /// Children that this process keeps, by slot.
    private var kept: [UInt32: RunChild] = [:]
    /// Leaves of ended children whose leader this process has not reaped yet: it looks into the leaf then, and kills what
    /// it finds there.
    private var parked: [UInt32: CgroupLeaf] = [:]
    /// Accepted attempts that wait for the process to be ready.
    private var queued: [Attempt] = []
    private var pingSent: LoopInstant?

    /// A zygote that does not load the plugin: each child does, of a version whose manifest is known already.
    convenience init(spawning loaded: Zygote, supervisor: Supervisor) {
        self.init(image: loaded.image, timeout: .seconds(10), supervisor: supervisor)
        self.isSpawning = true
        self.manifest = loaded.manifest
    }

    init(image: PluginImage, timeout: Duration, supervisor: Supervisor) {
        self.image = image
        self.machine = ZygoteStateMachine(loadTimeout: timeout)
        self.supervisor = supervisor
        var logger = supervisor.logger
        logger[metadataKey: "plugin"] = "\(image.nameHint)"
        logger[metadataKey: "version"] = "\(image.sha256.prefix(12))"
        self.logger = logger
    }

    private var now: Duration { .now - self.epoch }

    var isReady: Bool { self.machine.state == .ready && self.channel != nil }
    var isRetired: Bool { self.machine.state == .retiring || self.machine.state == .gone }
    /// It was ready once.
    var hasLoaded: Bool { self.manifest != nil }
    var isCrashLooping: Bool { self.machine.isCrashLooping }
    var isIdle: Bool { self.kept.isEmpty && self.queued.isEmpty }
    /// For people.
    var pid: Int32? { self.process?.pid }

    // MARK: What others want of it

    /// Waits until it is ready, starting it if need be.
    func load() async -> Result<PluginManifest, PluginRefusal> {
        if let manifest, self.machine.state == .ready { return .success(manifest) }
        return await withCheckedContinuation { continuation in
            self.waiters.append(continuation)
            self.perform(self.machine.wanted())
            // Already on its way out: nothing would ever answer.
            if self.machine.state == .gone || self.machine.state == .retiring { self.answer(self.unavailable) }
        }
    }

    /// Starts it, if it has not been started yet; nobody waits for it.
    func start() { self.perform(self.machine.wanted()) }

    /// No more attempts.
    func retire() { self.perform(self.machine.retire()) }

    /// It may be tried again, though it died too often.
    func forgive() {
        self.perform(self.machine.forgiven())
        self.supervisor.onVersionChange?(self.image.sha256)
    }

    /// It broke the protocol, or does not answer.
    func fail(_ why: String) {
        self.logger.error("the zygote is killed: \(why)")
        if self.refusal == nil { self.refusal = PluginRefusal(reason: .protocolFault, message: why) }
        self.perform(self.machine.failed())
    }

    /// Starts the attempt's child, now or when the process is ready.
    func enqueue(_ attempt: Attempt) { self.queued.append(attempt) }

    /// Sends SPAWN and keeps the child under its slot until it is released. The descriptors are given away, but for `lent`.
    func spawn(_ child: RunChild, _ message: [UInt8], fds: [Int32], lent: Int32?) {
        self.kept[child.slot] = child
        guard let channel else { return ControlChannel.close(fds) }
        channel.send(message, fds: fds, lent: lent, slot: child.slot)
    }

    func send(_ message: [UInt8]) { self.channel?.send(message) }

    /// The leader is reaped, or was never there.
    func release(_ slot: UInt32) {
        self.kept[slot] = nil
        if let leaf = self.parked.removeValue(forKey: slot) { self.supervisor.cgroups?.giveBack(leaf) }
    }

    /// The child's leaf is empty; it can be used again when this process has let go of it.
    func park(_ leaf: CgroupLeaf, slot: UInt32) {
        if self.kept[slot] == nil { self.supervisor.cgroups?.giveBack(leaf) } else { self.parked[slot] = leaf }
    }

    /// Whether this process has not let go of the slot.
    func keeps(_ slot: UInt32) -> Bool { self.process != nil && self.kept[slot] != nil }

    /// An attempt that waited is not to be started any more.
    func dequeue(_ attempt: Attempt) { self.queued.removeAll { $0 === attempt } }

    /// After somebody has stopped it.
    func letGoOn() { self.process?.signal(SIGCONT) }

    /// Once in a while, to notice a process that stands still.
    func ping(at now: LoopInstant) {
        guard self.isReady, !self.kept.isEmpty else {
            self.pingSent = nil
            return
        }
        if let sent = self.pingSent {
            if now - sent > .seconds(15) { self.fail("it has not answered for 15 s") }
            return
        }
        self.pingSent = now
        self.send(ControlOrder.plain(PAWL_C_PING))
    }

    /// How a child is made for an attempt that wants `mode`: a plugin that cannot be forked or reused is not.
    func mode(for wanted: ExecutionMode) -> ExecutionMode {
        let isSpawning = self.isSpawning || self.isDemoted || self.manifest?.forkMode == .spawn
        let isReusable = (self.manifest?.flags ?? 0) & PluginManifest.reusable != 0
        switch wanted {
        case .pool where !isReusable:
            self.remark("the plugin does not say that it can be reused (PAWL_PF_REUSABLE): pooled jobs are forked")
            return isSpawning ? .spawn : .fork
        case .fork where isSpawning: return .spawn
        case .fork, .spare, .pool, .spawn: return wanted
        }
    }

    /// Something that people should know of the version, said once.
    private(set) var remarks: [String] = []

    func remark(_ text: String) {
        guard !self.remarks.contains(text) else { return }
        self.remarks.append(text)
        self.logger.notice("\(text)")
        self.supervisor.onVersionChange?(self.image.sha256)
    }

    /// It cannot fork any more. Other attempts go to a zygote without the plugin.
    func wasDemoted() {
        self.isDemoted = true
        self.remark("threads have appeared in the zygote after loading: every attempt loads the plugin afresh")
    }

    // MARK: Orders of the machine

    private func perform(_ order: ZygoteStateMachine.Order) {
        switch order {
        case .nothing: break
        case .start: self.startAnew()
        case .serve: self.serve()
        case .sendRetire:
            self.send(ControlOrder.plain(PAWL_C_RETIRE))
            self.answer(self.unavailable)
        case .kill: self.process?.signal(SIGKILL)
        case .refuse: self.refuse()
        case .restart(let at):
            self.logger.warning("the zygote died; the next one starts in \((at - self.now).wholeMilliseconds) ms")
            self.supervisor.zygoteDied(self)
        case .end:
            self.answer(self.unavailable)
            self.abandonQueue("its plugin version was retired")
            self.supervisor.zygoteEnded(self)
        }
        self.armTimer()
    }

    private func armTimer() {
        guard let deadline = self.machine.nextDeadline else { return self.timer.stop() }
        self.timer.start(after: deadline - self.now) { [weak self] in
            guard let self else { return }
            if case .loading = self.machine.state {
                self.refusal = PluginRefusal(
                    reason: .timedOut, message: "loading \(self.image.nameHint) did not end in time and was stopped")
            }
            self.perform(self.machine.tick(at: self.now))
        }
    }

    /// Starts its process, for the first time or again.
    private func startAnew() {
        do {
            try self.startProcess()
            self.perform(self.machine.spawned(at: self.now))
        } catch {
            self.logger.error("the zygote cannot be started: \(error)")
            self.refusal = PluginRefusal(reason: .unavailable, message: "the zygote cannot be started: \(error)")
            self.perform(self.machine.spawnFailed(at: self.now))
        }
    }

    private func startProcess() throws(LoopError) {
        guard self.image.isIntact else { throw LoopError(ESTALE, "use \(self.image.path), which is not what it was") }
        var ends: [Int32] = [-1, -1]
        let result = linux_seqpacket_pair(&ends)
        guard result == 0 else { throw LoopError(result, "make a control socket") }
        defer { close(ends[1]) }
        self.generation += 1
        let generation = self.generation
        self.manifestText = []
        self.notes = []
        self.isDemoted = false
        self.refusal = nil
        self.pingSent = nil
        let channel: ControlChannel
        do {
            channel = try ControlChannel(fd: ends[0]) { [weak self] event in self?.received(event, generation) }
        } catch {
            close(ends[0])
            throw error
        }
        do {
            let process = try ChildProcess.spawn(self.processSpec(control: ends[1], generation))
            self.process = process
            self.channel = channel
            loopTask { [weak self] in
                let status = await process.wait()
                self?.exited(status, generation)
            }
        } catch {
            channel.close()
            throw error
        }
        channel.send(
            ControlOrder.hello(
                self.image, hostPID: getpid(), profile: self.supervisor.capabilities.profile,
                flags: self.isSpawning ? PAWL_HELLO_SPAWN_MODE : 0))
    }

    private func processSpec(control: Int32, _ generation: Int) -> ChildProcess.Spec {
        let output: ChildProcess.OutputTarget = .stream { [weak self] bytes in self?.said(bytes) }
        return ChildProcess.Spec(
            executable: self.supervisor.configuration.zygotePath,
            environment: self.supervisor.zygoteEnvironment, workingDirectory: "/", stdout: output, stderr: output,
            newSession: true, descriptors: [(child: Int32(PAWL_ZYGOTE_FD_CONTROL), parent: control)])
    }

    /// Output of the plugin's own while it loads, or of the zygote itself.
    private func said(_ bytes: [UInt8]) {
        let text = bytes.withUnsafeBytes { String(repairing: $0) }
        for line in text.split(separator: "\n") { self.note(String(line)) }
    }

    private func note(_ text: String) {
        self.logger.info("\(text)")
        // A plugin that talks without end while loading must not fill the memory.
        if self.notes.count < 100 { self.notes.append(text) }
    }

    private func serve() {
        guard let manifest else { preconditionFailure("ready without a manifest") }
        self.answer(.success(manifest))
        self.launchQueued()
    }

    private func launchQueued() {
        let queued = self.queued
        self.queued = []
        for attempt in queued { attempt.launchNow() }
    }

    private func refuse() {
        let refusal =
            self.refusal ?? PluginRefusal(reason: .unavailable, message: "the zygote ended without a word")
        self.answer(.failure(refusal))
        self.abandonQueue(refusal.message)
        self.supervisor.zygoteEnded(self)
    }

    private func abandonQueue(_ why: String) {
        let queued = self.queued
        self.queued = []
        for attempt in queued { attempt.endUnstarted(why) }
    }

    private var unavailable: Result<PluginManifest, PluginRefusal> {
        .failure(PluginRefusal(reason: .unavailable, message: "\(self.image.nameHint) is being retired"))
    }

    private func answer(_ result: Result<PluginManifest, PluginRefusal>) {
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume(returning: result) }
    }

    // MARK: What the process says

    private func received(_ event: ControlChannel.Event, _ generation: Int) {
        switch event {
        case .closed: break  // Its exit tells more.
        case .unsendable(let error, let slot):
            guard generation == self.generation else { return }
            // An order with a descriptor that is none, or for which there is no number left: only that child is not made.
            if let child = self.kept[slot], [EBADF, EMFILE, ENFILE].contains(error) {
                self.release(slot)
                return child.failed(pawl_c_spawn_failed(error: error, stage: 2))
            }
            self.fail("a message cannot be sent to it: \(String(cString: strerror(error)))")
        case .message(let bytes, let fds):
            guard generation == self.generation else { return ControlChannel.close(Array(fds)) }
            do throws(WireFault) {
                try self.handle(try ControlMessage(bytes), fds)
            } catch {
                ControlChannel.close(Array(fds))
                self.broke(error)
            }
        }
    }

    private func broke(_ fault: WireFault) {
        self.refusal = PluginRefusal(reason: .protocolFault, message: "the zygote broke the protocol: \(fault)")
        self.fail("it broke the protocol: \(fault)")
    }

    private func handle(_ message: ControlMessage, _ fds: ArraySlice<Int32>) throws(WireFault) {
        if case .spawned(let slot, let body) = message, let child = self.kept[slot] {
            return child.spawned(body, pidfds: Array(fds))
        }
        ControlChannel.close(Array(fds))
        switch message {
        case .manifestPiece(let piece):
            // A thousand handlers with schemas fit easily.
            guard self.manifestText.count + piece.count <= 64 << 20 else { throw WireFault("an endless manifest") }
            self.manifestText += piece
        case .ready(let body): try self.ready(body)
        case .refused(let refusal):
            self.refusal = refusal
            self.perform(self.machine.refused())
        case .pong: self.pingSent = nil
        case .note(let text): self.note(text)
        case .spawned: break  // Of an attempt that has been given up.
        case .spawnFailed(let slot, let body):
            let child = self.kept[slot]
            self.release(slot)
            child?.failed(body)
        case .exited(let slot, let body): self.kept[slot]?.exited(body)
        case .empty(let slot, _):
            let child = self.kept[slot]
            self.release(slot)
            child?.attempt?.zygoteEmptied()
        case .orphan(let body): self.logger.debug("an escapee ended, pid \(body.pid), status \(body.status)")
        }
    }

    private func ready(_ body: pawl_c_ready) throws(WireFault) {
        guard body.wire_version == PAWL_WIRE_VERSION else { throw WireFault("wire version \(body.wire_version)") }
        if !self.manifestText.isEmpty || self.manifest == nil {
            self.manifest = try PluginManifest(zygote: self.manifestText, body, notes: self.notes)
            self.manifestText = []
        }
        // A plugin that does not bear forking has been looked at now; the process goes on afresh without it, and its
        // children load it.
        self.perform(self.machine.becameReady())
    }

    private func exited(_ status: ChildProcess.ExitStatus, _ generation: Int) {
        guard generation == self.generation else { return }
        // Its last words first: EXITED frames may lie in the socket.
        self.channel?.drain()
        self.channel?.close()
        self.channel = nil
        self.process = nil
        if self.refusal == nil {
            let name = self.image.nameHint
            self.refusal =
                switch status {
                case .signal(let signal):
                    PluginRefusal(
                        reason: .crashed(signal: signal),
                        message: "loading \(name) crashed with \(OutcomeClassifier.signalName(signal))\(self.lastNote)")
                case .code(let code):
                    PluginRefusal(
                        reason: .exited(code: code),
                        message: "loading \(name) ended the process with exit code \(code)\(self.lastNote)")
                }
        }
        let lost = self.kept
        for slot in lost.keys { self.release(slot) }
        if !lost.isEmpty { self.logger.warning("the zygote ended with \(status) under \(lost.count) children") }
        for child in lost.values.sorted(by: { $0.serial < $1.serial }) { child.keeperLost() }
        self.perform(self.machine.died(at: self.now))
        self.supervisor.lookForStraysRepeatedly()
    }

    private var lastNote: String { self.notes.last.map { ": \($0)" } ?? "" }
}
