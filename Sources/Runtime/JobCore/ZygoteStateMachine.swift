/// One zygote, from its start to its end, through restarts.
///
/// Time is an argument: a `Duration` on any clock that only goes forward.
package struct ZygoteStateMachine: Sendable {
    package enum State: Equatable, Sendable {
        /// No process; one may be started.
        case idle
        /// The process has been started and loads the plugin, at most until the time.
        case loading(until: Duration)
        /// Takes attempts.
        case ready
        /// Takes none any more; exits when childless.
        case retiring
        /// It was told to die, and its exit is awaited. `refused`: it cannot serve, no restart.
        case dying(refused: Bool)
        /// Died; the next one may start at the time.
        case dead(until: Duration)
        /// Over for good: retired, or refused.
        case gone
    }

    package enum Order: Equatable, Sendable {
        case nothing
        /// Start a process.
        case start
        /// Attempts may go to it; whoever waits for the load has it.
        case serve
        /// Tell it to exit when childless.
        case sendRetire
        case kill
        /// The plugin cannot be served: tell whoever waits, and forget it.
        case refuse
        /// It died under its attempts; try again at the time.
        case restart(at: Duration)
        /// Nothing of it is left and nothing is to be done.
        case end
    }

    package private(set) var state = State.idle
    /// Deaths of a zygote that had been ready, within the window.
    private var deaths: [Duration] = []
    private var hasBeenReady = false
    private var isRetirementWanted = false
    private let loadTimeout: Duration

    /// Deaths within this time count together.
    package static let window = Duration.seconds(30)
    /// So many of them are a crash loop.
    package static let crashLoopCount = 3
    private static let longestBackoff = Duration.seconds(30)

    package init(loadTimeout: Duration) { self.loadTimeout = loadTimeout }

    /// Whether it died so often that there is no point in waiting for it.
    package var isCrashLooping: Bool { self.deaths.count >= Self.crashLoopCount }

    // MARK: Facts

    /// Somebody needs it.
    package mutating func wanted() -> Order {
        guard case .idle = self.state, !self.isRetirementWanted else { return .nothing }
        return .start
    }

    package mutating func spawned(at now: Duration) -> Order {
        self.state = .loading(until: now + self.loadTimeout)
        return .nothing
    }

    /// The process could not even be started.
    package mutating func spawnFailed(at now: Duration) -> Order { self.died(at: now) }

    package mutating func becameReady() -> Order {
        guard case .loading = self.state else { return .nothing }
        self.hasBeenReady = true
        if self.isRetirementWanted {
            self.state = .retiring
            return .sendRetire
        }
        self.state = .ready
        return .serve
    }

    /// It says that the plugin cannot be served, or broke the protocol while loading.
    package mutating func refused() -> Order {
        guard case .loading = self.state else { return .nothing }
        self.state = .dying(refused: true)
        return .kill
    }

    package mutating func tick(at now: Duration) -> Order {
        switch self.state {
        case .loading(let until) where until <= now:
            // A restart that takes too long may succeed next time; a first load is refused.
            self.state = .dying(refused: !self.hasBeenReady)
            return .kill
        case .dead(let until) where until <= now:
            self.state = .idle
            return .start
        default: return .nothing
        }
    }

    /// It must not live: it broke the protocol or does not answer.
    package mutating func failed() -> Order {
        switch self.state {
        case .ready:
            self.state = .dying(refused: false)
            return .kill
        case .retiring, .loading:
            self.state = .dying(refused: !self.hasBeenReady)
            return .kill
        case .idle, .dying, .dead, .gone: return .nothing
        }
    }

    /// No more attempts.
    package mutating func retire() -> Order {
        self.isRetirementWanted = true
        switch self.state {
        case .ready:
            self.state = .retiring
            return .sendRetire
        case .idle, .dead:
            self.state = .gone
            return .end
        case .loading, .retiring, .dying, .gone: return .nothing
        }
    }

    /// Its process has ended.
    package mutating func died(at now: Duration) -> Order {
        switch self.state {
        case .gone, .dead: return .nothing
        case .retiring:
            self.state = .gone
            return .end
        case .dying(refused: true):
            self.state = .gone
            return .refuse
        case .idle, .loading, .ready, .dying(refused: false):
            if !self.hasBeenReady {
                self.state = .gone
                return .refuse
            }
            if self.isRetirementWanted {
                self.state = .gone
                return .end
            }
            self.deaths.removeAll { $0 + Self.window < now }
            self.deaths.append(now)
            // 1 s, 2 s, 4 s, … (s6 never restarts faster than once a second).
            let backoff = min(Self.longestBackoff, .seconds(1 << min(self.deaths.count - 1, 5)))
            self.state = .dead(until: now + backoff)
            return .restart(at: now + backoff)
        }
    }

    /// Earlier deaths do not count any more; if it waits to be started again, that is now.
    package mutating func forgiven() -> Order {
        self.deaths = []
        guard case .dead = self.state else { return .nothing }
        self.state = .idle
        return .start
    }

    /// When `tick` has something to do.
    package var nextDeadline: Duration? {
        switch self.state {
        case .loading(let until), .dead(let until): until
        case .idle, .ready, .retiring, .dying, .gone: nil
        }
    }
}
