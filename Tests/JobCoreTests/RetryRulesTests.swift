import JobCore
import Testing

@Suite struct RetryRulesTests {
    private let ended = WallTime(micros: 1_700_000_000_000_000)

    private func decide(
        _ rules: RetryRules, _ outcome: AttemptOutcome, code: String? = nil, retry: AttemptError.Retry = .byPolicy,
        notBefore: WallTime? = nil
    ) -> RetryDecision.Outcome {
        let policy = BackoffPolicy(kind: .fixed, base: .seconds(5), jitter: 0, rules: rules)
        let error = code.map { AttemptError(code: $0, message: "m", retry: retry, notBefore: notBefore) }
        return RetryDecision(policy: policy, maxAttempts: 3, attemptsUsed: 0, lostCount: 0).decide(
            AttemptReport(runID: RunID(1), attempt: 1, outcome: outcome, ended: ended, error: error),
            now: ended, random: 0.5)
    }

    /// Each pair of lists of at most one condition, with each outcome, with and without the code: `never` wins, an empty `only`
    /// is everything.
    @Test func everyPairOfRules() {
        let words: [String?] = [nil, "error", "crashed", "timed_out", "out_of_memory", "error:busy"]
        func holds(_ word: String, _ outcome: AttemptOutcome, _ code: String?) -> Bool {
            word == "error:busy" ? outcome == .error && code == "busy" : word == outcome.rawValue
        }
        for only in words {
            for never in words {
                let rules = RetryRules(
                    only: only.flatMap { RetryRules.Condition($0) }.map { [$0] } ?? [],
                    never: never.flatMap { RetryRules.Condition($0) }.map { [$0] } ?? [])
                for outcome in RetryRules.Condition.outcomes {
                    for code in ["busy", "other", nil] {
                        let wanted =
                            (only.map { holds($0, outcome, code) } ?? true)
                            && !(never.map { holds($0, outcome, code) } ?? false)
                        let again = RetryDecision.Outcome.retry(at: ended.advanced(by: .seconds(5)))
                        #expect(decide(rules, outcome, code: code) == (wanted ? again : .finish(.failed, counts: true)))
                    }
                }
            }
        }
    }

    /// What a policy has no say in stays as it is.
    @Test(arguments: [AttemptOutcome.succeeded, .cancelled, .terminated, .lost, .snoozed])
    func otherOutcomesAreNotAsked(_ outcome: AttemptOutcome) {
        let rules = RetryRules(only: [.errorCode("x")], never: RetryRules.Condition.outcomes.map { .outcome($0) })
        #expect(decide(rules, outcome) == decide(RetryRules(), outcome))
    }

    @Test func theHandlersOwnWishWins() {
        let nothing = RetryRules(never: [.outcome(.error)])
        let later = ended.advanced(by: .seconds(60))
        #expect(decide(nothing, .error, code: "x") == .finish(.failed, counts: true))
        #expect(decide(nothing, .error, code: "x", retry: .yes) == .retry(at: ended.advanced(by: .seconds(5))))
        #expect(decide(nothing, .error, code: "x", notBefore: later) == .retry(at: later))
        #expect(
            decide(RetryRules(only: [.outcome(.error)]), .error, code: "x", retry: .never)
                == .finish(.failed, counts: true))
    }

    @Test func rulesAreReadAndWritten() throws {
        let text =
            "{\"type\":\"fixed\",\"delay_ms\":1000,\"cap_ms\":3600000,\"jitter\":0.0,"
            + "\"retry_on\":[\"crashed\",\"error:busy\"],\"no_retry_on\":[\"out_of_memory\"]}"
        let policy = try BackoffPolicy(JSONValue(parsing: text))
        #expect(policy.rules.only == [.outcome(.crashed), .errorCode("busy")])
        #expect(policy.rules.never == [.outcome(.outOfMemory)])
        #expect(policy.json == text)
        for (wrong, pointer) in [
            ("{\"retry_on\":[\"error\",\"lost\"]}", "/retry_on/1"), ("{\"retry_on\":\"error\"}", "/retry_on"),
            ("{\"no_retry_on\":[7]}", "/no_retry_on/0"), ("{\"no_retry_on\":[\"error:\"]}", "/no_retry_on/0"),
        ] {
            do {
                _ = try BackoffPolicy(JSONValue(parsing: wrong))
                Issue.record("\(wrong) was taken")
            } catch let fault as FieldFault {
                #expect(fault.pointer == pointer)
            }
        }
    }

    @Test func theNextAttemptsAreForeseen() {
        let policy = BackoffPolicy(kind: .exponential, base: .seconds(10), cap: .seconds(30), jitter: 0.1)
        let due = WallTime(micros: 0)
        func list(_ state: RunState, used: Int, most: Int = 5) -> [NextAttempt] {
            NextAttempt.list(
                state: state, policy: policy, attemptsUsed: used, maxAttempts: most, runAt: due, startedAt: nil)
        }
        let fresh = list(.queued, used: 0)
        #expect(fresh.map(\.number) == [1, 2, 3, 4, 5])
        #expect(fresh.map(\.wait) == [.zero, .seconds(10), .seconds(20), .seconds(30), .seconds(30)])
        #expect(fresh.map(\.spread) == [.zero, .seconds(1), .seconds(2), .seconds(3), .seconds(3)])
        #expect(fresh.map(\.earliest) == [0, 9, 27, 54, 81].map { due.advanced(by: .seconds($0)) })
        #expect(list(.running, used: 1).map(\.number) == [3, 4, 5])
        #expect(list(.retrying, used: 1).map(\.number) == [2, 3, 4, 5])
        #expect(list(.retrying, used: 4).map(\.wait) == [.zero])
        #expect(list(.running, used: 4).isEmpty)
        for state in RunState.allCases where state.isTerminal { #expect(list(state, used: 1).isEmpty) }
        #expect(list(.queued, used: 0, most: 1000).count == 20)
    }
}
