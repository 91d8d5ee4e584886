/// What the end of an attempt says of the version that it ran on.
package enum AttemptVerdict: String, Sendable, CaseIterable {
    /// The version did what was expected of it.
    case ok
    /// The handler said that it failed; also a time-out, a cancel: no crash.
    case failed
    /// Its process died of itself after the handler had begun.
    case crashed
    /// It never came to the handler: the process died before, the plugin could not be loaded again, the protocol was broken.
    case infrastructure
}

/// A version on trial beside the one that serves: which runs it gets, and whether it passes.
///
/// Pure: time is an argument, counted from any fixed moment. Each host tries with its own runs.
package struct CanaryStateMachine: Hashable, Sendable {
    package enum Decision: Hashable, Sendable {
        /// Not decided yet.
        case keep
        /// It has passed, with the reason for people.
        case promote(String)
        /// It has failed, with the reason for people.
        case rollBack(String)
    }

    /// So many crashes end a trial even before there are enough runs to judge by, if their share would be too large then.
    package static let earlyCrashes = 3

    package let policy: CanaryPolicy
    private let begun: Duration
    /// Its runs that have begun.
    package private(set) var started = 0
    package private(set) var ended = 0
    package private(set) var failed = 0
    package private(set) var crashed = 0
    /// Nothing is decided after a decision.
    private var isOver = false

    package init(_ policy: CanaryPolicy, at now: Duration) {
        self.policy = policy
        self.begun = now
    }

    /// When it is judged at the latest.
    package var deadline: Duration { self.begun + self.policy.limit }

    /// Whether a run goes to it.
    /// - Parameter dice: 0 ..< 10,000, fixed for the run: it goes the same way at each attempt.
    package func takes(dice: UInt32) -> Bool {
        guard !self.isOver else { return false }
        if let runs = self.policy.runs, self.started >= runs { return false }
        guard let percent = self.policy.percent else { return true }
        return dice < UInt32(percent) * 100
    }

    // MARK: Facts

    package mutating func began() { self.started += 1 }

    package mutating func ended(_ verdict: AttemptVerdict, at now: Duration) -> Decision {
        guard !self.isOver else { return .keep }
        self.ended += 1
        switch verdict {
        case .ok: break
        case .failed: self.failed += 1
        case .crashed: self.crashed += 1
        case .infrastructure:
            return self.over(.rollBack("a run did not even begin on it (run \(self.ended) of its trial)"))
        }
        return self.judge(at: now)
    }

    /// A run that had begun was taken back, and says nothing.
    package mutating func abandoned() { self.started = max(self.ended, self.started - 1) }

    /// Its zygote died, or could not be started.
    package mutating func lost(_ why: String) -> Decision {
        self.isOver ? .keep : self.over(.rollBack(why))
    }

    package mutating func tick(at now: Duration) -> Decision { self.isOver ? .keep : self.judge(at: now) }

    // MARK: Inside

    /// In percent; 0 without runs.
    package var crashPercent: Double { self.ended == 0 ? 0 : Double(self.crashed) * 100 / Double(self.ended) }

    private var figures: String { "\(self.crashed) of its \(self.ended) runs crashed" }

    private mutating func judge(at now: Duration) -> Decision {
        let bound = self.policy.crashPercentBound
        if self.ended >= self.policy.minimumRuns, self.crashPercent > bound {
            return self.over(.rollBack("\(self.figures), and \(Self.percent(bound)) % are allowed"))
        }
        if self.crashed >= Self.earlyCrashes, Double(self.crashed) * 100 > bound * Double(self.policy.minimumRuns) {
            return self.over(.rollBack("\(self.figures), and \(Self.percent(bound)) % are allowed"))
        }
        if let runs = self.policy.runs, self.ended >= runs { return self.finish("") }
        if now >= self.deadline { return self.finish(" when its time was over") }
        return .keep
    }

    private mutating func finish(_ when: String) -> Decision {
        let isGood = self.crashPercent <= self.policy.crashPercentBound
        return self.over(isGood ? .promote(self.figures + when) : .rollBack(self.figures + when))
    }

    private mutating func over(_ decision: Decision) -> Decision {
        self.isOver = true
        return decision
    }

    /// Without a needless fraction.
    private static func percent(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
