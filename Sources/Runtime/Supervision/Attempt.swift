internal import CLinux
internal import CWire
internal import Glibc
internal import JobCore
internal import Logging
internal import UVLoop

/// One accepted attempt: the shell that carries out what its two machines order, from dispatch to the report.
///
/// It owns the host's ends of the child's descriptors. What it reads goes to the observer; what ends it goes through the
/// ladder. In `Attempt+Launch` it gets a child, in `Attempt+Input` it listens, in `Attempt+End` it ends.
@LoopActor
final class Attempt {
    let spec: AttemptSpec
    unowned let supervisor: Supervisor
    var zygote: Zygote
    /// Orders attempts.
    let serial: UInt64
    let dispatched = LoopInstant.now

    var child: ChildStateMachine
    var ladder: EscalationStateMachine
    let timer = LoopTimer()
    /// Of the search after a monitor's death; the ladder stops and starts the other one as it likes.
    let sweepTimer = LoopTimer()
    /// The monitor is dead, and the zygote has not said yet that what came to it is gone.
    var awaitsZygote = false

    /// Its present child; nil before the first one, and between two.
    var process: RunChild?
    var launched: LoopInstant?
    /// How its process is made; known when it is.
    var mode: ExecutionMode
    /// Nobody's run: it only ends a child that had none.
    let isFarewell: Bool
    /// When the handler's last word came. Its child has a few seconds to end or to wait for the next run.
    var finishedAt: LoopInstant?
    /// What its pooled child has said of itself, until it is acted on.
    var audit: pawl_f_idle?
    /// What the run left behind.
    var leaks = LeakReport()
    /// The child that has it before its time.
    var holder: RunChild?
    /// What was wanted of it while that child began it.
    var wishes: [(Attempt) -> Void] = []

    // MARK: What is known of it

    var startedAt: WallTime?
    var startedInstant: LoopInstant?
    var progress = Progress()
    var ending: AttemptEnding?
    var result = ResultAssembler()
    var resources = ResourceUsage()
    var crash: CrashInfo?
    var spawnFailure: String?
    /// Runs that it wants, and the bytes of their frames.
    var followUps: [FollowUp] = []
    var followUpBytes = 0
    /// Why it could not have the sandbox that its job asks for.
    var sandboxFault: String?
    var protocolFault: String?
    var silentDeaths = 0
    /// Times that the machine had no room for its process.
    var shortages = 0
    var survivorsKilled = 0
    var isUnkillable = false
    /// What its machine and its keeper have counted for it.
    var ledger = AttemptLedger()
    var hasEnded = false
    var cancelRequestedAt: WallTime?
    /// What it is found doing, or was before it was ended.
    var diagnosis: String?
    /// Where its handler called its SDK last, when it was asked.
    var position: CodePosition?
    /// Added to the host's own niceness.
    var niceness: Int32
    /// The newest lines of its log, for the crash report.
    var lastLines: [LogLine] = []
    /// The newest picture that the observer has not got yet.
    var newProgress: Progress?

    // MARK: Its output

    var stdoutLines = LineSplitter()
    var stderrLines = LineSplitter()
    var kept = OutputKeeper()
    var outputBytes: Int64 = 0
    var droppedOutputBytes: UInt64 = 0
    /// Of earlier children of the same attempt, and of the present one.
    var droppedLogLines: UInt64 = 0
    /// Credit used up by the child that has not been given back.
    var owedCredit: UInt32 = 0
    /// Lines of the present read that the observer has not got yet.
    var collected: [LogLine] = []

    init(_ spec: AttemptSpec, zygote: Zygote, supervisor: Supervisor) {
        self.spec = spec
        self.zygote = zygote
        self.supervisor = supervisor
        self.serial = supervisor.nextSerial()
        self.mode = spec.execution.mode
        self.niceness = spec.execution.niceness ?? supervisor.configuration.niceness
        self.isFarewell = false
        self.child = ChildStateMachine(redispatches: 3)
        self.ladder = Self.newLadder(spec, isCgroup: supervisor.capabilities.profile == .cgroup)
    }

    /// `isCgroup`: a cgroup empties sooner. A monitor gives its own sweep 5 s, and must be able to say so.
    private static func newLadder(_ spec: AttemptSpec, isCgroup: Bool) -> EscalationStateMachine {
        EscalationStateMachine(
            cancelGrace: spec.limits.cancelGrace, termGrace: spec.limits.termGrace,
            killLimit: isCgroup ? .seconds(2) : .seconds(7), startDeadline: spec.limits.start,
            noProgress: spec.limits.noProgress)
    }

    /// As at its dispatch: the time until its start goes on.
    func newLadder() -> EscalationStateMachine {
        Self.newLadder(self.spec, isCgroup: self.supervisor.capabilities.profile == .cgroup)
    }

    /// Ends a child that has no run, and proves its tree empty. Nobody gets a report.
    init(farewellTo process: RunChild) {
        self.spec = AttemptSpec(
            runID: RunID(0), runName: "", attempt: 0, version: process.zygote.image.sha256, handlerIndex: 0,
            jobName: "", args: [],
            limits: Limits(cancelGrace: .seconds(2), termGrace: .seconds(1)).resolved)
        self.zygote = process.zygote
        self.supervisor = process.supervisor
        self.serial = process.supervisor.nextSerial()
        self.mode = .fork
        self.niceness = process.supervisor.configuration.niceness
        self.isFarewell = true
        self.child = ChildStateMachine(redispatches: 0)
        if process.pid != nil { _ = self.child.spawned() }
        self.ladder = EscalationStateMachine(
            cancelGrace: self.spec.limits.cancelGrace, termGrace: self.spec.limits.termGrace,
            killLimit: process.leaf == nil ? .seconds(7) : .seconds(2))
        self.process = process
        self.launched = .now
        process.attempt = self
    }

    /// Asks the child of a farewell to end. One that does not is signalled, then killed.
    func sayBye() {
        if let process { process.write(process.frames.bye()) }
        self.perform(self.ladder.cancelRequested(cause: .shutdown, at: self.now))
    }

    /// The ladder's clock.
    var now: Duration { .now - self.dispatched }

    /// From the handler's last word to the end of its process, or to the wait for the next run.
    static let endLimit = Duration.seconds(5)

    var isStarted: Bool { self.child.stage >= .started }

    var logger: Logger {
        var logger = self.supervisor.logger
        logger[metadataKey: "run"] = "\(self.spec.runName)"
        logger[metadataKey: "attempt"] = "\(self.spec.attempt)"
        return logger
    }

    var snapshot: RunningAttempt {
        let state: RunningAttempt.State =
            switch self.child.life {
            case .sweeping, .gone: .ending
            case .spawning, .alive:
                self.ladder.cause != nil ? .stopping : self.isStarted ? .running : .starting
            }
        return RunningAttempt(
            runID: self.spec.runID, attempt: self.spec.attempt, pid: self.pid, version: self.spec.version,
            jobName: self.spec.jobName, mode: self.mode, startedAt: self.startedAt, progress: self.progress,
            state: state,
            cancelRequestedAt: self.cancelRequestedAt,
            residentBytes: self.ledger.samples.latest.map { UInt64(clamping: $0.rssBytes) },
            isFrozen: self.ladder.isFrozen, deadline: self.deadline, niceness: self.niceness,
            latest: self.ledger.samples.latest)
    }

    // MARK: Requests

    func cancel(_ cause: StopCause, grace: Duration?) {
        guard !self.hasEnded, !self.hasPassedOn(orLater: { $0.cancel(cause, grace: grace) }),
            self.isWithdrawn(orLater: { $0.cancel(cause, grace: grace) })
        else { return }
        if self.cancelRequestedAt == nil { self.cancelRequestedAt = .now }
        self.child.stopWanted()
        if self.launched == nil { return self.endUnstarted(nil, cause: cause) }
        self.perform(self.ladder.cancelRequested(cause: cause, grace: grace, at: self.now))
    }

    func terminate(_ cause: StopCause, grace: Duration?) {
        guard !self.hasEnded, !self.hasPassedOn(orLater: { $0.terminate(cause, grace: grace) }),
            self.isWithdrawn(orLater: { $0.terminate(cause, grace: grace) })
        else { return }
        if self.cancelRequestedAt == nil { self.cancelRequestedAt = .now }
        self.child.stopWanted()
        if self.launched == nil { return self.endUnstarted(nil, cause: cause) }
        self.perform(self.ladder.terminateRequested(cause: cause, grace: grace, at: self.now))
    }

    /// No grace: it must not go on.
    func kill(_ cause: StopCause) {
        guard !self.hasEnded else { return }
        self.child.stopWanted()
        self.perform(self.ladder.killRequested(cause: cause, at: self.now))
    }

    // MARK: The ladder

    func perform(_ actions: [EscalationStateMachine.Action]) {
        // What its child has not begun is not hurt with it.
        if !actions.isEmpty { self.process?.takeBack() }
        for action in actions {
            switch action {
            case .cancel(let reason, let grace):
                if let process { process.write(process.frames.cancel(self.spec.wireID, reason: reason, grace: grace)) }
            case .diagnose: self.diagnoseBeforeTheEnd()
            case .thaw: self.letGoOn()
            case .term:
                // The keeper holds the leader, so the group's number is still its own. A stopped process gets it as well.
                self.tellKeeper(ControlOrder.signal(SIGTERM, slot: self.slot))
                self.tellKeeper(ControlOrder.signal(SIGCONT, slot: self.slot))
            case .kill: self.killTree()
            case .giveUp: self.giveUp()
            }
        }
        self.armTimer()
    }

    /// Deadlines that are far away are left to the supervisor's slow tick: most attempts end before they need a timer.
    func armTimer() {
        guard let deadline = self.ladder.nextDeadline, !self.hasEnded else { return self.timer.stop() }
        let wait = deadline - self.now
        if wait > .seconds(2) { return self.timer.stop() }
        self.timer.start(after: wait) { [weak self] in self?.tick() }
    }

    func tick() {
        guard !self.hasEnded, self.holder == nil, !self.hasPassedOn(orLater: { $0.tick() }) else { return }
        if self.launched == nil {
            // It still waits for its zygote.
            guard let deadline = self.ladder.nextDeadline, deadline <= self.now else { return self.armTimer() }
            return self.endUnstarted("it could not begin in time", cause: .start)
        }
        // Its words wait in full pipes until the observer takes lines again: that it is silent is not its fault.
        if self.process?.isPaused ?? false { self.ladder.progressed(at: self.now) }
        let actions = self.ladder.tick(at: self.now)
        // Its time is over: another child would not get more.
        if self.ladder.cause != nil { self.child.stopWanted() }
        self.perform(actions)
    }

    /// The supervisor's look at every attempt, once a second.
    func slowTick() {
        guard !self.hasEnded, self.holder == nil else { return }
        // It cannot end while nobody reads what it still writes.
        if self.finishedAt != nil, self.process?.isPaused ?? false { self.finishedAt = .now }
        // Its reset() or its exit hangs. What the handler has said stands.
        if let finishedAt, !self.ladder.isFrozen, .now - finishedAt > Self.endLimit { self.kill(.fault) }
        if case .sweeping = self.child.life { self.lookAtTree() }
        self.armTimer()
    }

    private func killTree() {
        if let leaf = self.leaf {
            let error = leaf.kill()
            if error != 0 { self.logger.error("cgroup.kill of \(leaf.path): errno \(error)") }
            leaf.watch { [weak self] in self?.lookAtTree() }
        } else {
            self.tellKeeper(ControlOrder.plain(PAWL_C_KILL, slot: self.slot))
        }
        // A leader that has left its cgroup, which a handler with our own rights can do.
        if self.pidfd >= 0, self.child.exit == nil { linux_pidfd_send_signal(self.pidfd, SIGKILL) }
    }
}

extension WallTime {
    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(micros: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
