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
    /// It broke the protocol.
    case fault
}

/// The ladder that ends an attempt: CANCEL, SIGTERM, the kill, and giving up on what cannot be killed.
///
/// Steps are recorded before they are acted on. Time is an argument: any clock that only goes forward, as a `Duration`
/// since the attempt was dispatched. The owner calls `tick` at `nextDeadline` or later.
package struct EscalationStateMachine: Sendable {
    package enum Action: Equatable, Sendable {
        /// Send the CANCEL frame. Reasons as on the wire: 1 asked for, 2 timeout, 3 shutdown.
        case cancel(reason: UInt32, grace: Duration)
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
        case warned(until: Duration)
        /// Killed; the proof is awaited until the time.
        case killed(until: Duration)
        case abandoned
        case over
    }

    package let cancelGrace: Duration
    package let termGrace: Duration
    /// How long a killed tree may take to vanish: 2 s with cgroups, 5 s with a monitor.
    package let killLimit: Duration
    package private(set) var cause: StopCause?
    /// What was done, oldest first.
    package private(set) var steps: [LadderStep] = []
    private var phase = Phase.idle
    /// The end of the wall time; nil before the handler begins, or without a limit.
    private var wallDeadline: Duration?
    /// Nothing is asked of a leader that is gone.
    private var isLeaderGone = false

    package init(cancelGrace: Duration, termGrace: Duration, killLimit: Duration) {
        self.cancelGrace = cancelGrace
        self.termGrace = termGrace
        self.killLimit = killLimit
    }

    // MARK: Facts

    /// The handler begins, and may run until `deadline`.
    package mutating func started(deadline: Duration?) {
        if case .idle = self.phase { self.wallDeadline = deadline }
    }

    /// Moves the wall deadline. False when it is too late for that.
    package mutating func deadlineMoved(to deadline: Duration?) -> Bool {
        guard case .idle = self.phase, self.wallDeadline != nil else { return false }
        self.wallDeadline = deadline
        return true
    }

    package mutating func cancelRequested(cause: StopCause, grace: Duration? = nil, at now: Duration) -> [Action] {
        guard !self.isLeaderGone, case .idle = self.phase else { return [] }
        let grace = max(.zero, grace ?? self.cancelGrace)
        self.record(cause)
        self.record("cancel", now)
        self.phase = .asked(until: now + grace)
        let reason: UInt32 =
            switch cause {
            case .wall, .start, .cpu, .noProgress: 2
            case .shutdown: 3
            case .cancel, .terminate, .memory, .output, .fault: 1
            }
        return [.cancel(reason: reason, grace: grace)] + (grace == .zero ? self.tick(at: now) : [])
    }

    package mutating func terminateRequested(
        cause: StopCause = .terminate, grace: Duration? = nil, at now: Duration
    ) -> [Action] {
        guard !self.isLeaderGone else { return [] }
        let grace = max(.zero, grace ?? self.termGrace)
        switch self.phase {
        case .idle:
            self.record(cause)
            self.record("cancel", now)
            self.record("term", now)
            self.phase = .warned(until: now + grace)
            let reason: UInt32 = cause == .shutdown ? 3 : 1
            return [.cancel(reason: reason, grace: grace), .term] + (grace == .zero ? self.tick(at: now) : [])
        case .asked:
            self.replace(cause)
            self.record("term", now)
            self.phase = .warned(until: now + grace)
            return [.term] + (grace == .zero ? self.tick(at: now) : [])
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
        case .idle, .asked, .warned:
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
        case .idle where self.isLeaderGone, .asked where self.isLeaderGone, .warned where self.isLeaderGone: return []
        case .idle:
            guard let deadline = self.wallDeadline, deadline <= now else { return [] }
            return self.cancelRequested(cause: .wall, at: now)
        case .asked(let until) where until <= now:
            self.record("term", now)
            self.phase = .warned(until: now + self.termGrace)
            return [.term] + (self.termGrace <= .zero ? self.tick(at: now) : [])
        case .warned(let until) where until <= now: return self.killNow(now)
        case .killed(let until) where until <= now:
            self.record("unkillable", now)
            self.phase = .abandoned
            return [.giveUp]
        case .asked, .warned, .killed, .abandoned, .over: return []
        }
    }

    /// When `tick` has something to do; nil: nothing without a new fact.
    package var nextDeadline: Duration? {
        switch self.phase {
        case .idle: self.isLeaderGone ? nil : self.wallDeadline
        case .asked(let until), .warned(let until): self.isLeaderGone ? nil : until
        case .killed(let until): until
        case .abandoned, .over: nil
        }
    }

    /// Whether the handler was forced: signalled or killed, not only asked.
    package var isForced: Bool { self.steps.contains { $0.name == "term" || $0.name == "kill" } }

    // MARK: Inside

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
