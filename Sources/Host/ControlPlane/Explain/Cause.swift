import JobCore

/// What an explanation comes down to.
enum Cause: String, CaseIterable, Sendable {
    // It waits.
    case notDue = "not_due"
    case snoozed
    case retryWait = "retry_wait"
    case blocked
    case emergency
    case queuePaused = "queue_paused"
    case jobPaused = "job_paused"
    case quarantined
    case noHost = "no_host"
    case draining
    case noHandler = "no_handler"
    case slotsFull = "slots_full"
    case limitReached = "limit_reached"
    case exclusive
    case behindOthers = "behind_others"
    case nextInLine = "next_in_line"
    // It runs.
    case starting
    case running
    case runningElsewhere = "running_elsewhere"
    case frozen
    case cancelling
    case terminating
    // It has ended.
    case succeeded
    case failed
    case error
    case crashSignal = "crashed_signal"
    case crashNoResult = "crashed_no_result"
    case crashSandbox = "crashed_sandbox"
    case crashKilled = "crashed_killed"
    case outputLimit = "output_limit"
    case protocolError = "protocol_error"
    case wall = "timed_out_wall"
    case cpu = "timed_out_cpu"
    case noProgress = "timed_out_no_progress"
    case start = "timed_out_start"
    case outOfMemory = "out_of_memory"
    case cancelled
    case cancelledWaiting = "cancelled_before_start"
    case terminated
    case lostHost = "lost_host"
    case lostZygote = "lost_zygote"
    case lostTooOften = "lost_too_often"
    case expired
    case stale

    init(_ facts: RunFacts) {
        switch facts.state {
        case .scheduled: self = facts.outcome == .snoozed ? .snoozed : .notDue
        case .blocked: self = .blocked
        case .retrying: self = .retryWait
        case .queued: self = Self.ofQueued(facts)
        case .running: self = Self.ofRunning(facts)
        case .succeeded: self = .succeeded
        case .failed, .cancelled: self = Self.ofEnded(facts)
        }
    }

    /// Why the last attempt failed, where the run goes on after it.
    init?(attemptOf facts: RunFacts) {
        guard !facts.state.isTerminal, let last = facts.last, last.outcome != .snoozed,
            let cause = Self(last.outcome, last.reason, code: last.code)
        else { return nil }
        self = cause
    }

    /// In the order in which they would have to be mended.
    private static func ofQueued(_ facts: RunFacts) -> Cause {
        if facts.emergency != nil { return .emergency }
        if facts.isQueuePaused { return .queuePaused }
        if facts.isJobPaused { return .jobPaused }
        if facts.hosts == 0 { return .noHost }
        if facts.quarantine != nil { return .quarantined }
        // Handlers and slots of other hosts than the holder do not matter.
        if let exclusive = facts.exclusive, !exclusive.isHere {
            return facts.fullLimit == nil ? .exclusive : .limitReached
        }
        if !facts.hasHandler { return .noHandler }
        if facts.isDraining, facts.hosts == 1 { return .draining }
        if facts.fullLimit != nil { return .limitReached }
        if facts.busySlots >= facts.slots { return .slotsFull }
        return (facts.position ?? 1) > 1 ? .behindOthers : .nextInLine
    }

    private static func ofRunning(_ facts: RunFacts) -> Cause {
        if facts.terminateRequestedAt != nil { return .terminating }
        if facts.cancelRequestedAt != nil { return .cancelling }
        if facts.otherHost != nil { return .runningElsewhere }
        if facts.live?.isFrozen == true { return .frozen }
        return facts.live?.startedAt == nil && facts.startedAt == nil ? .starting : .running
    }

    private static func ofEnded(_ facts: RunFacts) -> Cause {
        switch facts.reason {
        case .expired: return .expired
        case .lost: return .lostTooOften
        case .stale: return .stale
        default: break
        }
        if facts.state == .cancelled, facts.attempt == 0 || facts.outcome == nil { return .cancelledWaiting }
        guard let outcome = facts.outcome else { return facts.state == .cancelled ? .cancelled : .failed }
        // A run may be cancelled while it waits for the attempt after a failed one.
        if facts.state == .cancelled, outcome != .cancelled, outcome != .terminated { return .cancelledWaiting }
        return Self(outcome, facts.reason, code: facts.last?.code ?? facts.error?.code) ?? .failed
    }

    /// Nil for what is no failure.
    init?(_ outcome: AttemptOutcome, _ reason: AttemptReason?, code: String?) {
        switch (outcome, reason) {
        case (.succeeded, _), (.snoozed, _): return nil
        case (.error, _): self = .error
        case (.crashed, .noResult): self = .crashNoResult
        case (.crashed, .sandbox): self = .crashSandbox
        case (.crashed, .killed) where code == "output_limit": self = .outputLimit
        case (.crashed, .killed) where code == "protocol_error": self = .protocolError
        case (.crashed, .killed): self = .crashKilled
        case (.crashed, _): self = .crashSignal
        case (.timedOut, .cpu): self = .cpu
        case (.timedOut, .noProgress): self = .noProgress
        case (.timedOut, .start): self = .start
        case (.timedOut, _): self = .wall
        case (.outOfMemory, _): self = .outOfMemory
        case (.cancelled, _): self = .cancelled
        case (.terminated, _): self = .terminated
        case (.lost, .zygote): self = .lostZygote
        case (.lost, _): self = .lostHost
        }
    }
}
