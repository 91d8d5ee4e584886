/// What becomes of a run when one of its attempts has ended. Pure: the same facts give the same answer.
package enum RetryDecision {
    /// The answer; what settles it lives in the store.
    package enum Answer: Hashable, Sendable {
        /// The run is over in this terminal state, and the attempt counts.
        case finish(RunState)
        /// The run is over; the attempt does not count, since it was the host's or zygote's end, not the handler's.
        case finishUncounted(RunState)
        /// Another attempt, not before this time.
        case retry(at: WallTime)
        /// Back to its queue at once; the attempt does not count.
        case requeueLost
        /// Later, because the handler asked for it; the attempt does not count.
        case snooze(until: WallTime)
    }

    /// What is known of the run.
    package struct Facts: Hashable, Sendable {
        /// Attempts that counted before this one.
        package var attemptsUsed: Int
        package var maxAttempts: Int
        /// Attempts lost before this one.
        package var lostCount: Int
        package var backoff: BackoffPolicy

        package init(attemptsUsed: Int, maxAttempts: Int, lostCount: Int, backoff: BackoffPolicy) {
            self.attemptsUsed = attemptsUsed
            self.maxAttempts = maxAttempts
            self.lostCount = lostCount
            self.backoff = backoff
        }
    }

    /// How often a run may be lost (its host or zygote gone under it) before it is given up: something about it may be
    /// what takes hosts down.
    package static let lostLimit = 3

    /// - Parameter random: 0 up to but not including 1, for the backoff's jitter.
    package static func decide(_ report: AttemptReport, _ facts: Facts, random: Double) -> Answer {
        switch report.outcome {
        case .succeeded:
            return .finish(.succeeded)
        case .cancelled, .terminated:
            return .finish(.cancelled)
        case .snoozed:
            // A snooze without a time is a fault of the reporter; at once is the harmless reading.
            return .snooze(until: report.snoozeUntil ?? report.ended)
        case .lost:
            return facts.lostCount + 1 >= Self.lostLimit ? .finishUncounted(.failed) : .requeueLost
        case .error, .crashed, .timedOut, .outOfMemory:
            if report.error?.retry == .never { return .finish(.failed) }
            let used = facts.attemptsUsed + 1
            guard used < facts.maxAttempts else { return .finish(.failed) }
            var at = report.ended.advanced(by: facts.backoff.delay(afterAttempt: used, random: random))
            if let earliest = report.error?.notBefore { at = max(at, earliest) }
            return .retry(at: at)
        }
    }
}
