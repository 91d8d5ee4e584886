/// The states of one run and what may move it. The tables hold the truth; their statements allow exactly these moves, and
/// tests compare the two.
package struct RunStateMachine: Sendable, Hashable {
    package enum Event: Hashable, Sendable {
        /// Its time has come, or what it waited for is there.
        case due
        /// A host took it. +1 to the fencing number.
        case claimed
        /// Claimed and handed back without a start.
        case released
        /// An attempt ended; what follows was decided by `RetryDecision`.
        case settled(attempt: Int, RetryDecision.Outcome)
        /// Somebody wants its end.
        case cancelRequested
    }

    package enum Effect: Hashable, Sendable {
        /// It is in this state now.
        case moved(RunState)
        /// It runs: its host has to end the attempt.
        case signalHost
        /// It is over, or somebody else decided: nothing changed.
        case ignored
        /// It cannot happen in this state: our own mistake, if not a late message.
        case refused
    }

    package private(set) var state: RunState
    /// Fencing number.
    package private(set) var attempt: Int
    package private(set) var attemptsUsed: Int
    package private(set) var lostCount: Int
    package private(set) var isCancelRequested = false

    /// - Parameter isDue: false: it waits for a time first.
    package init(isDue: Bool) {
        self.init(state: isDue ? .queued : .scheduled, attempt: 0, attemptsUsed: 0, lostCount: 0)
    }

    package init(state: RunState, attempt: Int, attemptsUsed: Int, lostCount: Int) {
        self.state = state
        self.attempt = attempt
        self.attemptsUsed = attemptsUsed
        self.lostCount = lostCount
    }

    package mutating func apply(_ event: Event) -> Effect {
        if state.isTerminal { return .ignored }
        switch (event, state) {
        case (.due, .scheduled), (.due, .retrying), (.due, .blocked):
            return move(.queued)
        case (.claimed, .queued):
            attempt += 1
            return move(.running)
        case (.released, .running):
            return move(.queued)
        case (.settled(let attempt, let outcome), .running):
            return attempt == self.attempt ? settle(outcome) : .ignored
        case (.settled(let attempt, _), _):
            // Of an attempt that was taken from its host.
            return attempt <= self.attempt ? .ignored : .refused
        case (.cancelRequested, .running):
            isCancelRequested = true
            return .signalHost
        case (.cancelRequested, _):
            return move(.cancelled)
        case (.due, _), (.claimed, _), (.released, _):
            return .refused
        }
    }

    private mutating func settle(_ outcome: RetryDecision.Outcome) -> Effect {
        switch outcome {
        case .finish(let final, let counts):
            precondition(final.isTerminal, "an attempt that finishes a run leaves it in a terminal state")
            if counts { attemptsUsed += 1 }
            return move(final)
        case .retry:
            attemptsUsed += 1
            return move(.retrying)
        case .redo:
            return move(.retrying)
        case .snooze:
            return move(.scheduled)
        case .requeueLost:
            lostCount += 1
            return move(.queued)
        }
    }

    private mutating func move(_ next: RunState) -> Effect {
        state = next
        return .moved(next)
    }
}
