import JobCore
import Testing

@Suite struct RetryDecisionTests {
    let ended = WallTime(micros: 1_700_000_000_000_000)

    func decision(used: Int = 0, maximum: Int = 3, lost: Int = 0, cancel: Bool = false, canary: Bool = false)
        -> RetryDecision
    {
        RetryDecision(
            policy: BackoffPolicy(kind: .fixed, base: .seconds(5), jitter: 0), maxAttempts: maximum, attemptsUsed: used,
            lostCount: lost, isCancelRequested: cancel, isCanary: canary)
    }

    func decide(
        _ outcome: AttemptOutcome, _ decision: RetryDecision, error: AttemptError? = nil, snooze: WallTime? = nil
    ) -> RetryDecision.Outcome {
        decision.decide(
            AttemptReport(
                runID: RunID(1), attempt: 1, outcome: outcome, ended: ended, error: error, snoozeUntil: snooze),
            now: ended, random: 0.5)
    }

    /// On trial, neither a crash nor not coming to the handler is the run's fault; what the handler does is.
    @Test func onTrialTheVersionIsJudged() {
        func answer(_ outcome: AttemptOutcome, _ reason: AttemptReason?) -> RetryDecision.Outcome {
            decision(maximum: 1, canary: true).decide(
                AttemptReport(runID: RunID(1), attempt: 1, outcome: outcome, reason: reason, ended: ended),
                now: ended, random: 0.5)
        }
        #expect(answer(.crashed, .signal) == .redo(at: ended))
        #expect(answer(.timedOut, .start) == .redo(at: ended))
        #expect(answer(.timedOut, .wall) == .finish(.failed, counts: true))
        #expect(answer(.error, nil) == .finish(.failed, counts: true))
    }

    /// Every outcome with every number of attempts used and lost: a run never has more attempts than allowed, a terminal
    /// answer comes exactly when it must, nothing that was forced or asked to end is tried again.
    @Test(arguments: AttemptOutcome.allCases, [false, true])
    func everyOutcomeAtEveryCount(_ outcome: AttemptOutcome, _ cancel: Bool) {
        for used in 0..<4 {
            for lost in 0..<4 {
                let answer = decide(outcome, decision(used: used, lost: lost, cancel: cancel))
                switch outcome {
                case .succeeded: #expect(answer == .finish(.succeeded, counts: true))
                case .cancelled, .terminated: #expect(answer == .finish(.cancelled, counts: true))
                case .snoozed: #expect(answer == (cancel ? .finish(.cancelled, counts: false) : .snooze(until: ended)))
                case .lost:
                    let gone: RetryDecision.Outcome = lost >= 2 ? .finish(.failed, counts: false) : .requeueLost
                    #expect(answer == (cancel ? .finish(.cancelled, counts: false) : gone))
                case .error, .crashed, .timedOut, .outOfMemory:
                    let again = RetryDecision.Outcome.retry(at: ended.advanced(by: .seconds(5)))
                    let byPolicy = used + 1 < 3 ? again : .finish(.failed, counts: true)
                    #expect(answer == (cancel ? .finish(.cancelled, counts: true) : byPolicy))
                }
            }
        }
    }

    /// Deployments must not end a long run, however many there are.
    @Test func aHostThatStopsInGoodOrderIsNotHeldAgainstTheRun() {
        for lost in 0..<10 {
            for (code, isOrderly) in [("host_shutdown", true), ("spawn_failed", false)] {
                var report = AttemptReport(runID: RunID(1), attempt: 1, outcome: .lost, ended: ended)
                report.reason = .host
                report.error = AttemptError(code: code, message: "")
                let decision = decision(lost: lost)
                let answer = decision.decide(report, now: ended, random: 0.5)
                #expect(answer == (isOrderly || lost < 2 ? .requeueLost : .finish(.failed, counts: false)))
            }
        }
    }

    /// Of a version on trial only a crash is the version's fault, however many attempts are left; everything else is the run's.
    @Test(arguments: AttemptOutcome.allCases, [false, true])
    func aCrashOnTrialUsesNothing(_ outcome: AttemptOutcome, _ cancel: Bool) {
        for used in 0..<4 {
            let usual = decide(outcome, decision(used: used, cancel: cancel))
            let answer = decide(outcome, decision(used: used, cancel: cancel, canary: true))
            #expect(answer == (outcome == .crashed && !cancel ? .redo(at: ended) : usual))
        }
    }

    @Test func theHandlerMaySayNever() {
        let error = AttemptError(code: "bad", message: "no", retry: .never)
        #expect(decide(.error, decision(), error: error) == .finish(.failed, counts: true))
    }

    @Test func theHandlerMaySayNotBefore() {
        let later = ended.advanced(by: .seconds(60))
        let error = AttemptError(code: "busy", message: "later", notBefore: later)
        #expect(decide(.error, decision(), error: error) == .retry(at: later))
        let soon = AttemptError(code: "busy", message: "later", notBefore: ended)
        #expect(decide(.error, decision(), error: soon) == .retry(at: ended.advanced(by: .seconds(5))))
        let never = AttemptError(code: "busy", message: "later", notBefore: WallTime(micros: .max))
        guard case .retry(let at) = decide(.error, decision(), error: never) else {
            Issue.record("no retry")
            return
        }
        #expect(at < ended.advanced(by: .seconds(11 * 366 * 86_400)))
    }

    @Test func aSnoozeUsesNoAttempt() {
        let until = ended.advanced(by: .seconds(9))
        #expect(decide(.snoozed, decision(used: 2), snooze: until) == .snooze(until: until))
        #expect(decide(.snoozed, decision(), snooze: WallTime(micros: 0)) == .snooze(until: ended))  // Not in the past.
    }
}
