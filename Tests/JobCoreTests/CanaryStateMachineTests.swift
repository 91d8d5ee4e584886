import JobCore
import Testing

@Suite struct CanaryStateMachineTests {
    private func trial(_ policy: CanaryPolicy = CanaryPolicy(percent: 10)) -> CanaryStateMachine {
        CanaryStateMachine(policy, at: .zero)
    }

    @Test func itGetsItsShareAndNoMore() {
        let share = self.trial(CanaryPolicy(percent: 7))
        #expect((0..<10_000).count { share.takes(dice: UInt32($0)) } == 700)
        var first = self.trial(CanaryPolicy(runs: 3))
        for _ in 0..<3 {
            #expect(first.takes(dice: 9999))
            first.began()
        }
        #expect(!first.takes(dice: 0))
        first.abandoned()
        #expect(first.takes(dice: 0), "one came back without having begun")
    }

    @Test func aCrashInTwentyRunsIsTooMuchAndInNineteenNothingYet() {
        var trial = self.trial()
        for _ in 0..<18 { #expect(trial.ended(.ok, at: .zero) == .keep) }
        #expect(trial.ended(.crashed, at: .zero) == .keep)
        #expect(trial.ended(.ok, at: .zero) == .rollBack("1 of its 20 runs crashed, and 1 % are allowed"))
        #expect(trial.ended(.crashed, at: .zero) == .keep, "it is decided")
        #expect(!trial.takes(dice: 0))
    }

    @Test func manyCrashesEndItEarly() {
        var trial = self.trial()
        #expect(trial.ended(.crashed, at: .zero) == .keep)
        #expect(trial.ended(.crashed, at: .zero) == .keep)
        #expect(trial.ended(.crashed, at: .zero) == .rollBack("3 of its 3 runs crashed, and 1 % are allowed"))
    }

    @Test func handlersMayFail() {
        var trial = self.trial(CanaryPolicy(runs: 30))
        for _ in 0..<29 { #expect(trial.ended(.failed, at: .zero) == .keep) }
        #expect(trial.ended(.ok, at: .zero) == .promote("0 of its 30 runs crashed"))
        #expect(trial.failed == 29)
    }

    @Test func aRunThatDoesNotEvenBeginEndsIt() {
        var trial = self.trial()
        guard case .rollBack = trial.ended(.infrastructure, at: .zero) else {
            Issue.record("it goes on")
            return
        }
        #expect(trial.lost("gone") == .keep, "it is decided")
    }

    @Test func itEndsByTime() {
        var quiet = self.trial(CanaryPolicy(percent: 10, limit: .seconds(60)))
        #expect(quiet.deadline == .seconds(60))
        #expect(quiet.tick(at: .seconds(59)) == .keep)
        #expect(quiet.tick(at: .seconds(60)) == .promote("0 of its 0 runs crashed when its time was over"))
        var bad = self.trial(CanaryPolicy(percent: 10, limit: .seconds(60)))
        _ = bad.ended(.crashed, at: .zero)
        _ = bad.ended(.ok, at: .zero)
        #expect(bad.tick(at: .seconds(60)) == .rollBack("1 of its 2 runs crashed when its time was over"))
    }

    /// A version that crashes in every twentieth run is found by a trial of some hundred runs, whatever the order.
    @Test func fivePercentAreFound() {
        for offset in 0..<20 {
            var trial = self.trial(CanaryPolicy(percent: 10, runs: 200))
            var decision = CanaryStateMachine.Decision.keep
            var run = 0
            while decision == .keep {
                decision = trial.ended(run % 20 == offset ? .crashed : .ok, at: .zero)
                run += 1
            }
            guard case .rollBack = decision else {
                Issue.record("promoted with offset \(offset)")
                continue
            }
            #expect(run <= 20)
        }
    }

    /// Once decided, nothing changes any more; a version without a crash is never taken back, one that only crashes never serves.
    @Test func everyShortSequenceIsDecidedOnce() {
        everySequence(AttemptVerdict.allCases, length: 6) { verdicts in
            var trial = self.trial(CanaryPolicy(runs: 5, minimumRuns: 3, crashPercentBound: 30))
            var decisions: [CanaryStateMachine.Decision] = []
            for verdict in verdicts {
                let decision = trial.ended(verdict, at: .zero)
                if decision != .keep { decisions.append(decision) }
            }
            if decisions.count != 1 { Issue.record("\(decisions.count) decisions: \(verdicts)") }
            let counted = verdicts.prefix(5)
            if case .rollBack? = decisions.first, !counted.contains(.crashed), !counted.contains(.infrastructure) {
                Issue.record("taken back without a reason: \(verdicts)")
            }
            if case .promote? = decisions.first, counted.count(where: { $0 == .crashed }) > 1 {
                Issue.record("promoted: \(verdicts)")
            }
        }
    }

    @Test func aPolicyIsReadAsItWasWritten() throws {
        for policy in [
            CanaryPolicy(),
            CanaryPolicy(percent: 5, runs: 100, minimumRuns: 50, crashPercentBound: 2.5, limit: .seconds(9)),
        ] {
            #expect(CanaryPolicy(json: try JSONValue(parsing: policy.json)) == policy)
        }
        let odd = #"{"percent": 0, "runs": -1, "minimum_runs": 0, "crash_percent_bound": 101, "limit_ms": 0}"#
        #expect(CanaryPolicy(json: try JSONValue(parsing: odd)) == CanaryPolicy())
    }
}

@Suite struct ReloadGuardStateMachineTests {
    private typealias Guard = ReloadGuardStateMachine

    @Test func aGoodVersionIsLeftAlone() {
        var machine = Guard(at: .zero, oldCrashPercent: 0)
        for _ in 0..<Guard.runs - 1 { #expect(machine.ended(.ok, at: .zero) == .keep) }
        #expect(machine.ended(.ok, at: .zero) == .over)
        #expect(machine.ended(.crashed, at: .zero) == .over)
    }

    @Test func aCrashingVersionIsTakenBack() {
        var machine = Guard(at: .zero, oldCrashPercent: 1)
        for _ in 0..<15 { #expect(machine.ended(.ok, at: .zero) == .keep) }
        for _ in 0..<4 { #expect(machine.ended(.crashed, at: .zero) == .keep) }
        #expect(machine.ended(.crashed, at: .zero) == .rollBack("5 of its first 20 runs crashed"))
    }

    @Test func theOldOneWasNoBetter() {
        var machine = Guard(at: .zero, oldCrashPercent: 60)
        for _ in 0..<50 { #expect(machine.ended(.crashed, at: .zero) == .keep) }
    }

    @Test func oneLossMayBeSomebodyElsesFault() {
        var machine = Guard(at: .zero, oldCrashPercent: nil)
        for _ in 0..<16 { #expect(machine.ended(.infrastructure, at: .seconds(1)) == .keep, "one zygote, many runs") }
        #expect(machine.lost(at: .seconds(1)) == .keep)
        guard case .rollBack = machine.lost(at: .seconds(3)) else {
            Issue.record("it goes on")
            return
        }
    }

    @Test func itsTimeEnds() {
        var machine = Guard(at: .seconds(10), oldCrashPercent: nil)
        #expect(machine.deadline == .seconds(310))
        #expect(machine.tick(at: .seconds(309)) == .keep)
        #expect(machine.tick(at: .seconds(310)) == .over)
    }
}
