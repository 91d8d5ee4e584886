import JobCore
import Testing

@Suite struct RetryDecisionTests {
    let ended = WallTime(micros: 1_700_000_000_000_000)
    let backoff = BackoffPolicy(kind: .fixed, base: .seconds(5), jitter: 0)

    func decide(_ report: AttemptReport, used: Int = 0, lost: Int = 0, cancel: Bool = false) -> RetryDecision.Outcome {
        RetryDecision(
            policy: self.backoff, maxAttempts: 3, attemptsUsed: used, lostCount: lost, isCancelRequested: cancel
        ).decide(report, now: self.ended, random: 0)
    }

    func report(_ outcome: AttemptOutcome, error: AttemptError? = nil, snooze: WallTime? = nil) -> AttemptReport {
        AttemptReport(
            runID: RunID(1), attempt: 1, outcome: outcome, ended: self.ended, error: error, snoozeUntil: snooze)
    }

    /// Every outcome with every number of attempts used and lost: a run never has more attempts than allowed, a terminal
    /// answer comes exactly when it must, and nothing that somebody asked to end goes on.
    @Test func everyOutcomeAtEveryCount() {
        for outcome in AttemptOutcome.allCases {
            for used in 0..<4 {
                for lost in 0..<4 {
                    let answer = self.decide(self.report(outcome), used: used, lost: lost)
                    let asked = self.decide(self.report(outcome), used: used, lost: lost, cancel: true)
                    switch outcome {
                    case .succeeded:
                        #expect(answer == .finish(.succeeded, counts: true) && asked == answer)
                    case .cancelled, .terminated:
                        #expect(answer == .finish(.cancelled, counts: true) && asked == answer)
                    case .snoozed:
                        #expect(answer == .snooze(until: self.ended))
                        #expect(asked == .finish(.cancelled, counts: false))
                    case .lost:
                        #expect(answer == (lost >= 2 ? .finish(.failed, counts: false) : .requeueLost))
                        #expect(asked == .finish(.cancelled, counts: false))
                    case .error, .crashed, .timedOut, .outOfMemory:
                        let later = self.ended.advanced(by: .seconds(5))
                        #expect(answer == (used + 1 < 3 ? .retry(at: later) : .finish(.failed, counts: true)))
                        #expect(asked == .finish(.cancelled, counts: true))
                    }
                }
            }
        }
    }

    @Test func theHandlerMaySayNever() {
        let error = AttemptError(code: "bad", message: "no", retry: .never)
        #expect(self.decide(self.report(.error, error: error)) == .finish(.failed, counts: true))
    }

    @Test func theHandlerMaySayNotBefore() {
        let later = self.ended.advanced(by: .seconds(60))
        let error = AttemptError(code: "busy", message: "later", notBefore: later)
        #expect(self.decide(self.report(.error, error: error)) == .retry(at: later))
        let soon = AttemptError(code: "busy", message: "soon", notBefore: self.ended)
        #expect(self.decide(self.report(.error, error: soon)) == .retry(at: self.ended.advanced(by: .seconds(5))))
    }

    @Test func aSnoozeKeepsItsTime() {
        let until = self.ended.advanced(by: .seconds(9))
        #expect(self.decide(self.report(.snoozed, snooze: until), used: 2) == .snooze(until: until))
    }
}
