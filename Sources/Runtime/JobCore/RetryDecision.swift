/// What becomes of a run when an attempt has ended. Pure: time and chance are arguments.
package struct RetryDecision: Sendable {
    package enum Outcome: Hashable, Sendable {
        /// The run is over. `counts`: the attempt uses one up.
        case finish(RunState, counts: Bool)
        /// Waits as `retrying`; the attempt counts.
        case retry(at: WallTime)
        /// Back to its queue at once; the attempt does not count, the lost one does, unless its host stopped in good order.
        case requeueLost
        /// Once more at once, in another version; the attempt does not count.
        case redo(at: WallTime)
        /// Waits as `scheduled`; the attempt does not count.
        case snooze(until: WallTime)
    }

    /// How often a run may be lost with its host or zygote before it fails (decisions 3).
    package static let lostBound = 3
    /// No wait is longer, whatever a handler asks for: ten years.
    private static let longestWait: Duration = .seconds(3653 * 86_400)

    package var policy: BackoffPolicy
    package var maxAttempts: Int
    /// Before this attempt.
    package var attemptsUsed: Int
    package var lostCount: Int
    /// Somebody asked for the run's end while it ran.
    package var isCancelRequested: Bool
    /// It ran in a version on trial, beside one that serves: a crash is the trial's business, not the run's.
    package var isCanary: Bool

    package init(
        policy: BackoffPolicy, maxAttempts: Int, attemptsUsed: Int, lostCount: Int, isCancelRequested: Bool = false,
        isCanary: Bool = false
    ) {
        self.policy = policy
        self.maxAttempts = maxAttempts
        self.attemptsUsed = attemptsUsed
        self.lostCount = lostCount
        self.isCancelRequested = isCancelRequested
        self.isCanary = isCanary
    }

    /// - Parameters:
    ///   - now: the end of the attempt.
    ///   - random: 0 to 1, for the jitter; asked for only when a retry waits as the policy says.
    package func decide(_ report: AttemptReport, now: WallTime, random: @autoclosure () -> Double) -> Outcome {
        switch report.outcome {
        case .succeeded:
            return .finish(.succeeded, counts: true)
        case .cancelled, .terminated:
            return .finish(.cancelled, counts: true)
        case .lost:
            if isCancelRequested { return .finish(.cancelled, counts: false) }
            if report.wasHostShutdown { return .requeueLost }
            return lostCount + 1 >= Self.lostBound ? .finish(.failed, counts: false) : .requeueLost
        case .snoozed:
            if isCancelRequested { return .finish(.cancelled, counts: false) }
            return .snooze(until: clamped(report.snoozeUntil ?? now, now))
        case .error, .crashed, .timedOut, .outOfMemory:
            if isCancelRequested { return .finish(.cancelled, counts: true) }
            // Not to have come to the handler in time is no fault of the run's either.
            let isTrials = report.outcome == .crashed || (report.outcome == .timedOut && report.reason == .start)
            if isCanary && isTrials { return .redo(at: now) }
            let used = attemptsUsed + 1
            if !isWorthAnother(report) || used >= maxAttempts { return .finish(.failed, counts: true) }
            let byPolicy = now.advanced(by: policy.delay(afterAttempt: used, random: random()))
            return .retry(at: clamped(max(byPolicy, report.error?.notBefore ?? byPolicy), now))
        }
    }

    /// The handler knows best; where it says nothing, the policy does.
    private func isWorthAnother(_ report: AttemptReport) -> Bool {
        switch report.error?.retry {
        case .never: false
        case .yes: true
        // Not before a certain time is a yes, too.
        case .byPolicy where report.error?.notBefore != nil: true
        case .byPolicy, nil: policy.rules.allow(report.outcome, errorCode: report.error?.code)
        }
    }

    private func clamped(_ time: WallTime, _ now: WallTime) -> WallTime {
        min(max(time, now), now.advanced(by: Self.longestWait))
    }
}
