/// What hosts do by themselves about runs that run for too long, and about what is left without an owner.
package struct SafetyPolicy: Sendable, Hashable {
    package enum Mode: String, Sendable, Hashable, CaseIterable {
        /// Nobody looks.
        case off
        /// What is found is written down and shown.
        case report
        /// What is found is also put right.
        case act
    }

    package var mode: Mode
    /// What becomes of a stale run.
    package var outcome: StaleOutcome
    /// Running for longer than this, and longer than its own timeout, is stale.
    package var staleAfter: Duration
    package var stuck: StuckRule
    /// Between two sweeps.
    package var sweepEvery: Duration

    package init(
        mode: Mode = .act, outcome: StaleOutcome = .fail, staleAfter: Duration = Self.usualStale,
        stuck: StuckRule = StuckRule(), sweepEvery: Duration = .seconds(300)
    ) {
        self.mode = mode
        self.outcome = outcome
        self.staleAfter = staleAfter
        self.stuck = stuck
        self.sweepEvery = sweepEvery
    }

    /// Source: product.md, "stale".
    package static let usualStale = Duration.seconds(6 * 3600)
    /// A minute to a year.
    package static let staleRange = Duration.seconds(60)...Duration.seconds(366 * 86_400)
    /// A second to a year.
    package static let timeRange = Duration.seconds(1)...Duration.seconds(366 * 86_400)
    /// A second to a day: rarer would be no watch.
    package static let sweepRange = Duration.seconds(1)...Duration.seconds(86_400)
    package static let factorRange = 1.0...1000.0

    /// Throws with a pointer to what is out of range.
    package func check() throws(FieldFault) {
        let times: [(name: String, value: Duration, range: ClosedRange<Duration>)] = [
            ("stale_after_ms", staleAfter, Self.staleRange), ("sweep_every_ms", sweepEvery, Self.sweepRange),
            ("idle_after_ms", stuck.idleAfter, Self.timeRange), ("stuck_after_ms/low", stuck.times.low, Self.timeRange),
            ("stuck_after_ms/medium", stuck.times.medium, Self.timeRange),
            ("stuck_after_ms/high", stuck.times.high, Self.timeRange),
            ("stuck_after_ms/critical", stuck.times.critical, Self.timeRange),
        ]
        for (name, value, range) in times where !range.contains(value) {
            throw FieldFault(
                pointer: "/\(name)", code: "out_of_range",
                detail: "must be from \(range.lowerBound.wholeMilliseconds) to \(range.upperBound.wholeMilliseconds)")
        }
        guard stuck.times.isAscending else {
            throw FieldFault(
                pointer: "/stuck_after_ms", code: "out_of_order", detail: "low, medium, high and critical must grow")
        }
        guard Self.factorRange.contains(stuck.slowFactor) else {
            throw FieldFault(pointer: "/slow_factor", code: "out_of_range", detail: "must be from 1 to 1000")
        }
    }
}

/// What becomes of a run that has been running for too long.
package enum StaleOutcome: String, Sendable, Hashable, CaseIterable {
    /// The run ends `failed`, reason `stale`.
    case fail
    /// The run goes back to its queue; the attempt counts.
    case retry
}

/// What an automatic sweep must know of a run to call it stale.
package struct StaleFacts: Sendable, Hashable {
    package var runningFor: Duration
    package var timeout: Duration
    /// Its host has said something of it lately.
    package var isHeardOf: Bool
    /// Its host is gone for the database: what it does not say means nothing any more.
    package var isHostGone: Bool
    /// Its host has said lately that it stands still, with its clocks.
    package var isFrozen: Bool
    /// How much of its time is left, as its host said lately; it may have been given more. Nil: not said.
    package var timeLeft: Duration?
    /// Its end was asked for: its host is at it.
    package var isEnding: Bool

    package init(
        runningFor: Duration, timeout: Duration, isHeardOf: Bool, isHostGone: Bool = false, isFrozen: Bool = false,
        timeLeft: Duration? = nil, isEnding: Bool = false
    ) {
        self.runningFor = runningFor
        self.timeout = timeout
        self.isHeardOf = isHeardOf
        self.isHostGone = isHostGone
        self.isFrozen = isFrozen
        self.timeLeft = timeLeft
        self.isEnding = isEnding
    }
}

extension SafetyPolicy {
    /// Longer than an ending may take: the longest graces are an hour each.
    private static let longestEnd = Duration.seconds(2 * 3600)

    /// Whether a sweep may end it without anybody looking: it has had more than its own time, nobody keeps it back, and
    /// nobody has given it more. Of a run that its host says nothing of, nobody knows that: its host may be of an earlier
    /// version, or not back yet after an absence of the database. A person who asks for a cleanup says the age himself.
    package func isStale(_ facts: StaleFacts) -> Bool {
        let limit = max(staleAfter, facts.timeout)
        guard facts.runningFor >= limit, facts.isHeardOf || facts.isHostGone, !facts.isFrozen,
            facts.timeLeft.map({ $0 <= .zero }) ?? true
        else { return false }
        return !facts.isEnding || facts.runningFor >= limit + Self.longestEnd
    }
}
