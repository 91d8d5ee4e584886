/// How badly a run is stuck.
package enum Severity: String, Sendable, Hashable, CaseIterable, Comparable {
    case low, medium, high, critical

    package static func < (left: Severity, right: Severity) -> Bool { left.step < right.step }

    /// The next one; the worst stays as it is.
    package var worse: Severity { Self.allCases[min(step + 1, Self.allCases.count - 1)] }

    private var step: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// Running for this long is this severe. Lower bounds, inclusive, each longer than the one before.
package struct StuckTimes: Sendable, Hashable {
    package var low: Duration
    package var medium: Duration
    package var high: Duration
    package var critical: Duration

    package init(low: Duration, medium: Duration, high: Duration, critical: Duration) {
        self.low = low
        self.medium = medium
        self.high = high
        self.critical = critical
    }

    /// 10 and 30 minutes, 1 and 2 hours. Source: product.md, "stuck".
    package static let standard = StuckTimes(
        low: .seconds(600), medium: .seconds(1800), high: .seconds(3600), critical: .seconds(7200))

    package subscript(_ severity: Severity) -> Duration {
        switch severity {
        case .low: low
        case .medium: medium
        case .high: high
        case .critical: critical
        }
    }

    /// Nil: not long enough for any.
    package func severity(of time: Duration) -> Severity? { Severity.allCases.last { time >= self[$0] } }

    var isAscending: Bool { low < medium && medium < high && high < critical }
}

/// What is known of a run that is running.
package struct StuckFacts: Sendable, Hashable {
    package var runningFor: Duration
    /// What its wall time is limited to.
    package var timeout: Duration
    /// Of the job's runs that ended lately; nil: too few did.
    package var p95: Duration?
    /// Since it last reported progress or said a line, or since it began; nil: nobody knows.
    package var withoutProgress: Duration?
    /// Since its processes last used the processor; nil: nobody knows.
    package var withoutCPU: Duration?
    /// Somebody has it stand still: that it does nothing is no news.
    package var isFrozen: Bool
    /// Its host has said nothing for so long that others will take its runs.
    package var isHostSilent: Bool

    package init(
        runningFor: Duration, timeout: Duration = .seconds(3600), p95: Duration? = nil,
        withoutProgress: Duration? = nil, withoutCPU: Duration? = nil, isFrozen: Bool = false,
        isHostSilent: Bool = false
    ) {
        self.runningFor = runningFor
        self.timeout = timeout
        self.p95 = p95
        self.withoutProgress = withoutProgress
        self.withoutCPU = withoutCPU
        self.isFrozen = isFrozen
        self.isHostSilent = isHostSilent
    }
}

/// Why a run counts as stuck.
package enum StuckEvidence: Sendable, Hashable {
    /// Past the time of a severity.
    case runsLong(Severity)
    /// So many times what 95 of 100 runs of its job take at most.
    case slowerThanUsual(times: Double, p95: Duration)
    /// Its wall time is over, and it is still there.
    case pastTimeout(Duration)
    case noProgress(Duration)
    case noCPU(Duration)
    case hostSilent

    package var kind: String {
        switch self {
        case .runsLong: "runs_long"
        case .slowerThanUsual: "slower_than_usual"
        case .pastTimeout: "past_timeout"
        case .noProgress: "no_progress"
        case .noCPU: "no_cpu"
        case .hostSilent: "host_silent"
        }
    }
}

package struct StuckVerdict: Sendable, Hashable {
    package var severity: Severity
    package var evidence: [StuckEvidence]

    package init(severity: Severity, evidence: [StuckEvidence]) {
        self.severity = severity
        self.evidence = evidence
    }
}

/// When a run that is running counts as stuck, and how badly: by the time it takes, and by what it does meanwhile.
package struct StuckRule: Sendable, Hashable {
    package var times: StuckTimes
    /// So many times its job's p95 is slow.
    package var slowFactor: Double
    /// Without progress, or without using the processor, for this long is idle.
    package var idleAfter: Duration

    package init(
        times: StuckTimes = .standard, slowFactor: Double = 3, idleAfter: Duration = .seconds(600)
    ) {
        self.times = times
        self.slowFactor = slowFactor
        self.idleAfter = idleAfter
    }

    /// Shorter than this is nothing, however short a job's runs are as a rule.
    package static let shortest = Duration.seconds(30)
    /// A p95 of fewer runs says nothing.
    package static let fewestRuns: Int64 = 20

    /// Nil: it is not stuck.
    ///
    /// The time gives a severity. Being `slowFactor` times slower than usual gives `low`, and each doubling of that one more.
    /// The worse of the two counts. Doing nothing at all, neither progress nor processor time, makes it one worse, and so
    /// does a timeout that has passed.
    package func verdict(_ facts: StuckFacts) -> StuckVerdict? {
        var evidence: [StuckEvidence] = []
        var severity: Severity?
        if let byTime = times.severity(of: facts.runningFor) {
            severity = byTime
            evidence.append(.runsLong(byTime))
        }
        if let (slow, times, p95) = slowness(facts) {
            severity = max(severity ?? slow, slow)
            evidence.append(.slowerThanUsual(times: times, p95: p95))
        }
        if facts.isHostSilent {
            severity = max(severity ?? .medium, .medium)
            evidence.append(.hostSilent)
        }
        // A handler may be slow to end within its grace: that is nothing.
        if !facts.isFrozen, facts.runningFor > facts.timeout + Self.shortest {
            severity = severity?.worse ?? .medium
            evidence.append(.pastTimeout(facts.timeout))
        }
        guard let severity else { return nil }
        let (quiet, idle) = facts.isFrozen ? (nil, nil) : (idle(facts.withoutProgress), idle(facts.withoutCPU))
        if let quiet { evidence.append(.noProgress(quiet)) }
        if let idle { evidence.append(.noCPU(idle)) }
        return StuckVerdict(severity: quiet != nil && idle != nil ? severity.worse : severity, evidence: evidence)
    }

    private func idle(_ time: Duration?) -> Duration? { time.flatMap { $0 >= idleAfter ? $0 : nil } }

    private func slowness(_ facts: StuckFacts) -> (Severity, times: Double, Duration)? {
        guard let p95 = facts.p95, p95 > .zero, facts.runningFor >= Self.shortest else { return nil }
        let times = facts.runningFor / p95
        guard times > slowFactor else { return nil }
        var severity = Severity.low
        var bound = slowFactor * 2
        while times > bound, severity < .critical {
            severity = severity.worse
            bound *= 2
        }
        return (severity, times, p95)
    }
}
