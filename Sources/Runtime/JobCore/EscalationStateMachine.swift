/// Why the host ends an attempt. The first cause counts, except that force replaces asking.
package enum StopCause: Hashable, Sendable {
    /// Somebody asked for it.
    case cancel
    /// Somebody wants it gone.
    case terminate
    /// Its wall time is over.
    case wall
    /// It used more processor time than allowed.
    case cpu
    /// No sign of progress for too long.
    case noProgress
    /// It wrote more than allowed, and its job says that this ends it.
    case output
    /// Its child did not begin in time.
    case start
    /// The host goes.
    case shutdown
    /// Its processes use more memory than allowed.
    case memory
    /// It has more processes than allowed.
    case processes
    /// It broke the protocol.
    case fault

    /// Whether somebody will ask why it took so long: such an attempt is looked at before it is forced.
    package var isTimeout: Bool {
        switch self {
        case .wall, .cpu, .noProgress, .start: true
        case .cancel, .terminate, .output, .shutdown, .memory, .processes, .fault: false
        }
    }
}

/// The ladder that ends an attempt: CANCEL, a look at what it is doing, SIGTERM, the kill, and giving up on what cannot be
/// killed.
///
/// Steps are recorded before they are acted on. Time is an argument: any clock that only goes forward, as a `Duration`
/// since the attempt was dispatched. The owner calls `tick` at `nextDeadline` or later.
///
/// The clocks of start, wall time and progress stand still while the attempt is frozen. Nothing on the ladder does: who
/// wants a frozen attempt to end thaws it by that.
package struct EscalationStateMachine: Sendable {
    package enum Action: Equatable, Sendable {
        /// Send the CANCEL frame. Reasons as on the wire: 1 asked for, 2 timeout, 3 shutdown.
        case cancel(reason: UInt32, grace: Duration)
        /// Look what its processes are doing, and say `diagnosed` afterwards. It is not waited for longer than
        /// `diagnoseLimit`.
        case diagnose
        /// Let its processes go on, which were frozen: what comes next has to reach them.
        case thaw
        /// SIGTERM, then SIGCONT, to the attempt's process group.
        case term
        /// Kill the whole tree, by cgroup or monitor.
        case kill
        /// The tree does not die (a process in uninterruptible sleep): report, and never use its place again.
        case giveUp
    }

    private enum Phase: Equatable {
        case idle
        /// Was asked; SIGTERM at the time.
        case asked(until: Duration)
        /// Is looked at, SIGTERM at the time; without one it is killed instead.
        case diagnosing(until: Duration, term: Bool)
        case warned(until: Duration)
        /// Killed; the proof is awaited until the time.
        case killed(until: Duration)
        case abandoned
        case over
    }

    /// The longest look at an attempt that ran out of time.
    package static let diagnoseLimit = Duration.seconds(2)

    package let cancelGrace: Duration
    package let termGrace: Duration
    /// How long a killed tree may take to vanish: 2 s with cgroups, 5 s with a monitor.
    package let killLimit: Duration
    /// Without a sign of progress, once it has begun; nil: for ever.
    package let noProgress: Duration?
    package private(set) var cause: StopCause?
    /// What was done, oldest first.
    package private(set) var steps: [LadderStep] = []
    private var phase = Phase.idle
    /// Until STARTED; nil: begun, or without a limit.
    private var startDeadline: Duration?
    /// The end of the wall time; nil before the handler begins, or without a limit.
    package private(set) var wallDeadline: Duration?
    private var progressDeadline: Duration?
    /// Since when its clocks stand still.
    package private(set) var frozenAt: Duration?
    /// Nothing is asked of a leader that is gone.
    private var isLeaderGone = false

    /// `startDeadline`: the latest time of STARTED.
    package init(
        cancelGrace: Duration, termGrace: Duration, killLimit: Duration, startDeadline: Duration? = nil,
        noProgress: Duration? = nil
    ) {
        self.cancelGrace = cancelGrace
        self.termGrace = termGrace
        self.killLimit = killLimit
        self.startDeadline = startDeadline
        self.noProgress = noProgress
    }

    // MARK: Facts

    /// The handler begins, and may run until `deadline`.
    package mutating func started(deadline: Duration?, at now: Duration) {
        guard case .idle = self.phase else { return }
        self.startDeadline = nil
        self.wallDeadline = deadline
        self.progressDeadline = self.noProgress.map { now + $0 }
    }

    /// A sign of life: progress, a log line, or output.
    package mutating func progressed(at now: Duration) {
        guard let noProgress, self.progressDeadline != nil else { return }
        self.progressDeadline = now + noProgress
    }

    /// Moves the wall deadline. False when it is too late for that.
    package mutating func deadlineMoved(to deadline: Duration?) -> Bool {
        guard case .idle = self.phase, !self.isLeaderGone, self.wallDeadline != nil else { return false }
        self.wallDeadline = deadline
        return true
    }

    package var isFrozen: Bool { self.frozenAt != nil }

    /// Its processes stand still from now on. False when it is too late for that, or they do so already: then they may not.
    package mutating func frozen(at now: Duration) -> Bool {
        guard case .idle = self.phase, !self.isLeaderGone, self.frozenAt == nil else { return false }
        self.frozenAt = now
        return true
    }

    /// Its processes go on. What its clocks had left when they stopped is left now. False when it was not frozen.
    package mutating func thawed(at now: Duration) -> Bool {
        guard let since = self.frozenAt else { return false }
        self.frozenAt = nil
        let pause = now - since
        self.startDeadline = self.startDeadline.map { $0 + pause }
        self.wallDeadline = self.wallDeadline.map { $0 + pause }
        self.progressDeadline = self.progressDeadline.map { $0 + pause }
        return true
    }

    /// The look at it is over, or there can be none.
    package mutating func diagnosed(at now: Duration) -> [Action] {
        guard case .diagnosing(_, let term) = self.phase, !self.isLeaderGone else { return [] }
        return term ? self.termNow(now, grace: self.termGrace) : self.killNow(now)
    }

    package mutating func cancelRequested(cause: StopCause, grace: Duration? = nil, at now: Duration) -> [Action] {
        guard !self.isLeaderGone, case .idle = self.phase else { return [] }
        let grace = max(.zero, grace ?? self.cancelGrace)
        self.record(cause)
        let thaw = self.thawToEnd(now)
        self.record("cancel", now)
        self.phase = .asked(until: now + grace)
        let reason: UInt32 =
            switch cause {
            case .wall, .start, .cpu, .noProgress: 2
            case .shutdown: 3
            case .cancel, .terminate, .memory, .processes, .output, .fault: 1
            }
        return thaw + [.cancel(reason: reason, grace: grace)] + (grace == .zero ? self.tick(at: now) : [])
    }

    package mutating func terminateRequested(
        cause: StopCause = .terminate, grace: Duration? = nil, at now: Duration
    ) -> [Action] {
        guard !self.isLeaderGone else { return [] }
        let grace = max(.zero, grace ?? self.termGrace)
        switch self.phase {
        case .idle:
            self.record(cause)
            let thaw = self.thawToEnd(now)
            self.record("cancel", now)
            let reason: UInt32 = cause == .shutdown ? 3 : 1
            return thaw + [.cancel(reason: reason, grace: grace)] + self.termNow(now, grace: grace)
        case .asked, .diagnosing:
            self.replace(cause)
            return self.termNow(now, grace: grace)
        case .warned(let until):
            // A second request may only be more impatient than the first.
            self.replace(cause)
            self.phase = .warned(until: min(until, now + grace))
            return grace == .zero ? self.tick(at: now) : []
        case .killed, .abandoned, .over: return []
        }
    }

    /// No asking: the protocol is broken, memory has run out, or the child never began.
    package mutating func killRequested(cause: StopCause, at now: Duration) -> [Action] {
        switch self.phase {
        case .idle, .asked, .diagnosing, .warned:
            self.record(cause)
            return self.killNow(now)
        case .killed, .abandoned, .over: return []
        }
    }

    /// What is known of the tree when the leader has ended.
    package enum Tree: Sendable { case empty, populated, unknown }

    /// The leader has ended, or nobody will tell any more: what it left is killed, in success as well. Where nothing is
    /// known of the tree, killing it is how to find out, and no step of the ladder.
    package mutating func leaderExited(_ tree: Tree, at now: Duration) -> [Action] {
        guard !self.isLeaderGone else { return [] }
        self.isLeaderGone = true
        switch (self.phase, tree) {
        case (.killed, _), (.abandoned, _), (.over, _), (_, .empty): return []
        case (_, .populated): return self.killNow(now)
        case (_, .unknown):
            self.phase = .killed(until: now + self.killLimit)
            return [.kill]
        }
    }

    /// The tree is proven empty. The ladder is over.
    package mutating func treeEmptied(at now: Duration) {
        if case .over = self.phase { return }
        if !self.steps.isEmpty { self.record("empty", now) }
        self.phase = .over
    }

    /// What is due at `now`.
    package mutating func tick(at now: Duration) -> [Action] {
        switch self.phase {
        case .idle where self.isLeaderGone, .asked where self.isLeaderGone, .diagnosing where self.isLeaderGone,
            .warned where self.isLeaderGone:
            return []
        case .idle: return self.tickClocks(at: now)
        case .asked(let until) where until <= now:
            if self.cause?.isTimeout ?? false { return self.diagnoseNow(now, term: true) }
            return self.termNow(now, grace: self.termGrace)
        case .diagnosing(let until, _) where until <= now: return self.diagnosed(at: now)
        case .warned(let until) where until <= now: return self.killNow(now)
        case .killed(let until) where until <= now:
            self.record("unkillable", now)
            self.phase = .abandoned
            return [.giveUp]
        case .asked, .diagnosing, .warned, .killed, .abandoned, .over: return []
        }
    }

    /// Whose time is over first.
    private mutating func tickClocks(at now: Duration) -> [Action] {
        guard self.frozenAt == nil else { return [] }
        if let deadline = self.startDeadline, deadline <= now {
            // There is nobody yet who could be asked.
            self.record(.start)
            return self.diagnoseNow(now, term: false)
        }
        let wall = self.wallDeadline ?? .seconds(Int64.max)
        let progress = self.progressDeadline ?? .seconds(Int64.max)
        guard min(wall, progress) <= now else { return [] }
        return self.cancelRequested(cause: wall <= progress ? .wall : .noProgress, at: now)
    }

    /// When `tick` has something to do; nil: nothing without a new fact.
    package var nextDeadline: Duration? {
        switch self.phase {
        case .idle:
            if self.isLeaderGone || self.frozenAt != nil { return nil }
            return [self.startDeadline, self.wallDeadline, self.progressDeadline].compactMap(\.self).min()
        case .asked(let until), .diagnosing(let until, _), .warned(let until): return self.isLeaderGone ? nil : until
        case .killed(let until): return until
        case .abandoned, .over: return nil
        }
    }

    /// Whether the handler was forced: signalled or killed, not only asked.
    package var isForced: Bool { self.steps.contains { $0.name == "term" || $0.name == "kill" } }

    // MARK: Inside

    private mutating func diagnoseNow(_ now: Duration, term: Bool) -> [Action] {
        self.record("diagnose", now)
        self.phase = .diagnosing(until: now + Self.diagnoseLimit, term: term)
        return [.diagnose]
    }

    private mutating func termNow(_ now: Duration, grace: Duration) -> [Action] {
        self.record("term", now)
        self.phase = .warned(until: now + grace)
        return [.term] + (grace <= .zero ? self.tick(at: now) : [])
    }

    /// What is to end has to hear of it.
    private mutating func thawToEnd(_ now: Duration) -> [Action] {
        guard self.thawed(at: now) else { return [] }
        self.record("thaw", now)
        return [.thaw]
    }

    private mutating func killNow(_ now: Duration) -> [Action] {
        self.record("kill", now)
        self.phase = .killed(until: now + self.killLimit)
        return [.kill]
    }

    private mutating func record(_ cause: StopCause) { if self.cause == nil { self.cause = cause } }

    /// Force replaces asking; nothing replaces a timeout or another reason of the host's.
    private mutating func replace(_ cause: StopCause) {
        if self.cause == .cancel || self.cause == nil { self.cause = cause }
    }

    private mutating func record(_ step: String, _ now: Duration) {
        self.steps.append(LadderStep(name: step, atMillis: now.wholeMilliseconds))
    }
}
