import JobCore
import Testing

@Suite struct RetryDecisionTests {
    let ended = WallTime(micros: 1_700_000_000_000_000)
    let backoff = BackoffPolicy(kind: .fixed, base: .seconds(5), jitter: 0)

    func facts(used: Int = 0, maximum: Int = 3, lost: Int = 0) -> RetryDecision.Facts {
        RetryDecision.Facts(attemptsUsed: used, maxAttempts: maximum, lostCount: lost, backoff: self.backoff)
    }

    func report(_ outcome: AttemptOutcome, error: AttemptError? = nil, snooze: WallTime? = nil) -> AttemptReport {
        AttemptReport(
            runID: RunID(1), attempt: 1, outcome: outcome, ended: self.ended, error: error, snoozeUntil: snooze)
    }

    /// Every outcome with every number of attempts used and lost: a run never has more attempts than allowed, a
    /// terminal answer comes exactly when it must, and nothing that was forced is retried.
    @Test func everyOutcomeAtEveryCount() {
        for outcome in AttemptOutcome.allCases {
            for used in 0..<4 {
                for lost in 0..<4 {
                    let answer = RetryDecision.decide(
                        self.report(outcome), self.facts(used: used, lost: lost), random: 0)
                    switch outcome {
                    case .succeeded: #expect(answer == .finish(.succeeded))
                    case .cancelled, .terminated: #expect(answer == .finish(.cancelled))
                    case .snoozed: #expect(answer == .snooze(until: self.ended))
                    case .lost: #expect(answer == (lost >= 2 ? .finishUncounted(.failed) : .requeueLost))
                    case .error, .crashed, .timedOut, .outOfMemory:
                        let more = used + 1 < 3
                        #expect(answer == (more ? .retry(at: self.ended.advanced(by: .seconds(5))) : .finish(.failed)))
                    }
                }
            }
        }
    }

    @Test func theHandlerMaySayNever() {
        let error = AttemptError(code: "bad", message: "no", retry: .never)
        #expect(RetryDecision.decide(self.report(.error, error: error), self.facts(), random: 0) == .finish(.failed))
    }

    @Test func theHandlerMaySayNotBefore() {
        let later = self.ended.advanced(by: .seconds(60))
        let error = AttemptError(code: "busy", message: "later", notBefore: later)
        #expect(RetryDecision.decide(self.report(.error, error: error), self.facts(), random: 0) == .retry(at: later))
        let soon = AttemptError(code: "busy", message: "soon", notBefore: self.ended)
        let byPolicy = self.ended.advanced(by: .seconds(5))
        #expect(RetryDecision.decide(self.report(.error, error: soon), self.facts(), random: 0) == .retry(at: byPolicy))
    }

    @Test func aSnoozeKeepsItsTime() {
        let until = self.ended.advanced(by: .seconds(9))
        let answer = RetryDecision.decide(self.report(.snoozed, snooze: until), self.facts(used: 2), random: 0)
        #expect(answer == .snooze(until: until))
    }
}
