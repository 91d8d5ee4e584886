import JobCore
import JobStore
import UVLoop

/// What the host itself says about an attempt.
extension Delivery {
    static func cancelledBeforeStart(_ run: ClaimedRun) -> AttemptReport {
        AttemptReport(
            runID: run.id, attempt: run.attempt, outcome: .cancelled, reason: .requested, ended: WallTime.current,
            sentence: "cancelled before it started")
    }

    /// The host's own last line about an attempt: outcome, what was done, what follows. Nil where that it succeeded is all
    /// that there is to read of the attempt: readers get that line from the attempt's row (the view `pawl.log_line`), and a run that has
    /// nothing to say costs no log.
    /// - Parameter isSilent: it has written no line.
    static func lastWords(
        _ report: AttemptReport, _ decision: Settlement.Decision, isSilent: Bool
    ) -> LogLine? {
        if isSilent, report.outcome == .succeeded, report.sentence == OutcomeClassifier.plainSuccess,
            report.progress.isEmpty,
            case .finish = decision
        {
            return nil
        }
        let level: LogLevel =
            switch report.outcome {
            case .succeeded, .snoozed: .info
            case .cancelled, .terminated, .lost: .warning
            case .error, .crashed, .timedOut, .outOfMemory: .error
            }
        var message = report.sentence.isEmpty ? report.outcome.rawValue : report.sentence
        if !report.progress.isEmpty { message += "; " + report.progress.line }
        switch decision {
        case .retry(let at): message += "; next attempt at \(at)"
        case .snooze(let until): message += "; again at \(until)"
        case .requeueLost: message += "; back in its queue"
        case .redo:
            message += "; once more in another version, since this one is on trial: no attempt is used up"
        case .finish, .finishUncounted, .release: break
        }
        return LogLine(
            time: report.ended, level: level, stream: .host, stage: report.progress.stage, message: message,
            fields: report.progress.isEmpty ? nil : report.progress.summaryJSON)
    }
}

extension AttemptReport {
    /// The handler says that it has succeeded, and wants runs to be made with that.
    var asksForRuns: Bool { self.outcome == .succeeded && !self.followUps.isEmpty }

    /// As it stands for its version when they cannot be made.
    ///
    /// Such a run ends failed, and for what the code of the version did: it named a job that does not exist, or args that the job does
    /// not take. So it counts as an error of its handler like any other (a version on trial must not pass by it), and not as a
    /// crash: its process was sound, so neither quarantine nor rollback follows.
    var refused: AttemptReport {
        var copy = self
        copy.outcome = .error
        return copy
    }
}

extension AttemptKey {
    init(_ run: ClaimedRun) { self.init(run: run.id, attempt: run.attempt) }
}

extension Settlement.Decision {
    /// By the run's own policy.
    init(_ report: AttemptReport, for held: Delivery.Held, isOnTrial: Bool) {
        let run = held.run
        let decision = RetryDecision(
            policy: run.backoff, maxAttempts: run.maxAttempts, attemptsUsed: run.attemptsUsed, lostCount: run.lostCount,
            isCancelRequested: held.obeyed != nil, isCanary: isOnTrial)
        self.init(
            decision.decide(report, now: report.ended, random: .random(in: 0..<1)), version: held.version)
    }
}

/// What a delivery loop has done since its start, for `/metrics`.
struct DeliveryCounters: Sendable {
    var claimed: UInt64 = 0
    var started: UInt64 = 0
    var settled: UInt64 = 0
    var fenced: UInt64 = 0
    /// Outcomes that the database refused in every form.
    var unsettleable: UInt64 = 0
    /// Attempts that ended, by outcome.
    var ended: [AttemptOutcome: UInt64] = [:]
    var userCPU: Duration = .zero
    var systemCPU: Duration = .zero
    /// From the time when a run was due to its handler's begin.
    var waits = DurationBuckets()
    /// From a handler's begin to the end of its attempt.
    var runTimes = DurationBuckets()

    mutating func count(_ report: AttemptReport, due: WallTime) {
        if let started = report.started {
            self.waits.record(started - due)
            self.runTimes.record(report.ended - started)
        }
        self.ended[report.outcome, default: 0] += 1
        self.userCPU += report.resources.userCPU
        self.systemCPU += report.resources.systemCPU
    }
}
