/// Whether one version of a handler is served, or kept back because it keeps crashing.
///
/// It is taken out when, of its last attempts, at least half crashed, in at least five different runs: one poisoned run that
/// is tried again and again is not the version's fault. It comes back by trial: after a pause one run at a time is given to
/// it; one that does not crash clears it, one that crashes makes the pause twice as long. Somebody may lift it at any time.
///
/// Pure: time is an argument. One machine for each (handler, version).
package struct QuarantineStateMachine: Hashable, Sendable {
    /// Attempts that are looked at.
    package static let window = 20
    /// Different runs that must have crashed among them.
    package static let crashedRuns = 5
    package static let firstPause: Duration = .seconds(60)
    package static let longestPause: Duration = .seconds(3600)

    /// What an attempt's end says of the version.
    package enum Verdict: Hashable, Sendable {
        /// Its process died of itself.
        case crashed
        /// Its process did what was expected of it, whatever the handler made of it.
        case sound
        /// Somebody else ended it. It did not crash, but nobody knows whether it would have.
        case inconclusive
        /// It went with its host or zygote: no attempt at all.
        case void
    }

    /// Whether a run may be given to the version now.
    package enum Admission: Hashable, Sendable {
        case free
        /// This one, and no other until it has ended. `began` must follow if it is given.
        case trial
        /// Not before this time; nil: a trial runs.
        case wait(until: WallTime?)
    }

    package enum Effect: Hashable, Sendable {
        case none
        /// Out of service from now on, or again.
        case quarantined(Term)
        /// Back in service.
        case cleared
    }

    /// One time out of service.
    package struct Term: Hashable, Sendable {
        package var since: WallTime
        package var until: WallTime
        /// How often in a row, from 1.
        package var level: Int
        /// What decided: attempts that crashed, of those looked at.
        package var crashes: Int
        package var attempts: Int

        package init(since: WallTime, until: WallTime, level: Int, crashes: Int, attempts: Int) {
            self.since = since
            self.until = until
            self.level = level
            self.crashes = crashes
            self.attempts = attempts
        }
    }

    private struct Attempt: Hashable, Sendable {
        let run: RunID
        let isCrash: Bool
    }

    private struct Trial: Hashable, Sendable {
        let run: RunID
        let attempt: Int
    }

    /// The last attempts while it is served, oldest first.
    private var recent: [Attempt] = []
    /// Nil: it is served.
    package private(set) var term: Term?
    private var trial: Trial?

    package init() {}

    /// Whether nothing of it is worth keeping.
    package var isBlank: Bool { self.term == nil && self.recent.isEmpty }
    package var isTrying: Bool { self.trial != nil }

    /// The pause at a level: a minute, then twice as long each time, an hour at most.
    package static func pause(level: Int) -> Duration {
        // 2^6 minutes are more than an hour.
        min(self.firstPause * (1 << min(max(level, 1) - 1, 6)), self.longestPause)
    }

    package func admission(at now: WallTime) -> Admission {
        guard let term else { return .free }
        if self.trial != nil { return .wait(until: nil) }
        return now < term.until ? .wait(until: term.until) : .trial
    }

    // MARK: Facts

    /// A run was given to it as its trial.
    package mutating func began(_ run: RunID, _ attempt: Int) {
        precondition(self.term != nil && self.trial == nil, "one trial at a time, and only out of service")
        self.trial = Trial(run: run, attempt: attempt)
    }

    /// The run that was to be its trial was not started after all.
    package mutating func abandoned(_ run: RunID, _ attempt: Int) {
        if self.trial == Trial(run: run, attempt: attempt) { self.trial = nil }
    }

    /// An attempt of it has ended.
    package mutating func ended(_ run: RunID, _ attempt: Int, _ verdict: Verdict, at now: WallTime) -> Effect {
        guard let term else { return self.count(run, verdict, at: now) }
        // What was under way when it was taken out says nothing new.
        guard self.trial == Trial(run: run, attempt: attempt) else { return .none }
        self.trial = nil
        switch verdict {
        case .inconclusive, .void: return .none
        case .sound:
            self.lifted()
            return .cleared
        case .crashed:
            return self.quarantine(since: term.since, level: term.level + 1, term.crashes + 1, term.attempts + 1, now)
        }
    }

    /// Another host took it out, or this one did in an earlier life.
    package mutating func adopted(_ term: Term) {
        guard let mine = self.term else {
            self.recent = []
            self.term = term
            return
        }
        if (term.level, term.until) > (mine.level, mine.until) { self.term = term }
    }

    /// Somebody says it may be served; its past is forgotten. A trial under way is an attempt like any other now.
    package mutating func lifted() {
        self.term = nil
        self.trial = nil
        self.recent = []
    }

    // MARK: The rule

    private mutating func count(_ run: RunID, _ verdict: Verdict, at now: WallTime) -> Effect {
        guard verdict != .void else { return .none }
        self.recent.append(Attempt(run: run, isCrash: verdict == .crashed))
        if self.recent.count > Self.window { self.recent.removeFirst() }
        guard verdict == .crashed else { return .none }
        let crashed = self.recent.filter(\.isCrash)
        guard crashed.count * 2 >= self.recent.count, Set(crashed.map(\.run)).count >= Self.crashedRuns else {
            return .none
        }
        return self.quarantine(since: now, level: 1, crashed.count, self.recent.count, now)
    }

    private mutating func quarantine(
        since: WallTime, level: Int, _ crashes: Int, _ attempts: Int, _ now: WallTime
    ) -> Effect {
        let term = Term(
            since: since, until: now.advanced(by: Self.pause(level: level)), level: level, crashes: crashes,
            attempts: attempts)
        self.recent = []
        self.term = term
        return .quarantined(term)
    }
}

extension QuarantineStateMachine.Verdict {
    package init(_ outcome: AttemptOutcome) {
        switch outcome {
        case .crashed: self = .crashed
        case .succeeded, .error, .snoozed: self = .sound
        case .timedOut, .outOfMemory, .cancelled, .terminated: self = .inconclusive
        case .lost: self = .void
        }
    }
}
