import UVLoop

/// How long to wait between attempts to connect.
package struct ReconnectBackoff: Sendable, Equatable {
    /// Wait after the first failure; doubled at each further one.
    package var initial: Duration
    /// The longest wait, before jitter.
    package var limit: Duration

    /// Default: 100 ms, 200 ms, … 5 s.
    package init(initial: Duration = .milliseconds(100), limit: Duration = .seconds(5)) {
        self.initial = initial
        self.limit = limit
    }

    /// - Parameters:
    ///   - failures: in a row, at least 1.
    ///   - jitter: from 0 to 1; shortens the wait by up to a half, so that many hosts do not come back in step.
    func delay(afterFailures failures: Int, jitter: Double) -> Duration {
        let doubled = initial * (1 << min(failures - 1, 20))
        return min(doubled, limit) * (1 - jitter / 2)
    }
}

/// Decides when one self-healing connection connects again. It never gives up by itself.
struct ReconnectStateMachine {
    private enum State {
        case idle
        /// An attempt is under way.
        case connecting
        case connected(since: LoopInstant)
        /// Waits for the time of the next attempt.
        case waiting
        case stopped
    }

    enum Action: Equatable {
        case connect
        /// Say `delayPassed` after this time.
        case wait(Duration)
        /// The new connection is not wanted any more: close it.
        case discard
        case none
    }

    /// A connection that lived shorter than this counts as a failed attempt, so that a server which accepts and hangs up
    /// is not asked in a tight loop.
    static var stableAfter: Duration { .seconds(5) }

    private let backoff: ReconnectBackoff
    private var state = State.idle
    private var failures = 0

    init(_ backoff: ReconnectBackoff) { self.backoff = backoff }

    mutating func started() -> Action {
        guard case .idle = state else { return .none }
        state = .connecting
        return .connect
    }

    mutating func connected(at now: LoopInstant) -> Action {
        guard case .connecting = state else { return .discard }
        state = .connected(since: now)
        return .none
    }

    mutating func attemptFailed(jitter: Double) -> Action {
        guard case .connecting = state else { return .none }
        return failed(jitter)
    }

    mutating func lost(at now: LoopInstant, jitter: Double) -> Action {
        guard case .connected(let since) = state else { return .none }
        guard now - since >= Self.stableAfter else { return failed(jitter) }
        failures = 0
        state = .connecting
        return .connect
    }

    mutating func delayPassed() -> Action {
        guard case .waiting = state else { return .none }
        state = .connecting
        return .connect
    }

    mutating func stopped() { state = .stopped }

    private mutating func failed(_ jitter: Double) -> Action {
        failures += 1
        state = .waiting
        return .wait(backoff.delay(afterFailures: failures, jitter: jitter))
    }
}
