/// Watches a version that has just begun to serve all runs, for its first runs: if it is clearly worse than the one before, it is
/// taken back.
///
/// Pure: time is an argument, counted from any fixed moment.
package struct ReloadGuardStateMachine: Hashable, Sendable {
    package enum Decision: Hashable, Sendable {
        case keep
        /// It has proved itself; nothing is watched any more.
        case over
        /// Back to the version before, with the reason for people.
        case rollBack(String)
    }

    /// It is watched for so many of its runs,
    package static let runs = 100
    /// and for this long, whichever is over first.
    package static let time = Duration.seconds(300)
    /// So many crashes at least, which are
    package static let crashes = 5
    /// so many percent of its runs, and more than twice the share of the version before.
    package static let crashPercent = 20.0
    /// So many times its processes may not come to the handler: once may be somebody else's fault.
    package static let incidents = 2
    /// What is lost within this time is lost together.
    package static let incidentTime = Duration.seconds(1)

    private let begun: Duration
    /// Share of crashes of the version before, in percent; nil: unknown.
    private let oldCrashPercent: Double?
    package private(set) var ended = 0
    package private(set) var crashed = 0
    private var incidents = 0
    private var lastIncident: Duration?
    private var isOver = false

    package init(at now: Duration, oldCrashPercent: Double?) {
        self.begun = now
        self.oldCrashPercent = oldCrashPercent
    }

    package var deadline: Duration { self.begun + Self.time }

    // MARK: Facts

    package mutating func ended(_ verdict: AttemptVerdict, at now: Duration) -> Decision {
        guard !self.isOver else { return .over }
        self.ended += 1
        switch verdict {
        case .ok, .failed: break
        case .crashed: self.crashed += 1
        case .infrastructure:
            if self.isIncident(at: now) {
                return self.end(
                    .rollBack("runs did not even begin on it, \(self.incidents) times in its first \(self.ended) runs"))
            }
        }
        return self.judge(at: now)
    }

    /// Its zygote died under its runs.
    package mutating func lost(at now: Duration) -> Decision {
        guard !self.isOver else { return .over }
        guard self.isIncident(at: now) else { return .keep }
        return self.end(.rollBack("its zygote died \(self.incidents) times in its first \(self.ended) runs"))
    }

    package mutating func tick(at now: Duration) -> Decision { self.isOver ? .over : self.judge(at: now) }

    // MARK: Inside

    private mutating func isIncident(at now: Duration) -> Bool {
        defer { self.lastIncident = now }
        if let last = self.lastIncident, now - last < Self.incidentTime { return self.incidents >= Self.incidents }
        self.incidents += 1
        return self.incidents >= Self.incidents
    }

    private mutating func judge(at now: Duration) -> Decision {
        let share = self.ended == 0 ? 0 : Double(self.crashed) * 100 / Double(self.ended)
        if self.crashed >= Self.crashes, share >= Self.crashPercent, share > 2 * (self.oldCrashPercent ?? 0) {
            return self.end(.rollBack("\(self.crashed) of its first \(self.ended) runs crashed"))
        }
        return self.ended >= Self.runs || now >= self.deadline ? self.end(.over) : .keep
    }

    private mutating func end(_ decision: Decision) -> Decision {
        self.isOver = true
        return decision
    }
}
