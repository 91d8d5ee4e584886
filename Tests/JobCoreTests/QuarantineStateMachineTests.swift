import JobCore
import Testing

@Suite struct QuarantineStateMachineTests {
    private let start = WallTime(micros: 1_790_000_000_000_000)

    private func after(_ seconds: Int64) -> WallTime { start.advanced(by: .seconds(seconds)) }

    /// A machine after the given attempts, each of a run of its own unless a run is given.
    private func machine(_ verdicts: [QuarantineStateMachine.Verdict]) -> (QuarantineStateMachine, [Int]) {
        var machine = QuarantineStateMachine()
        var trips: [Int] = []
        for (index, verdict) in verdicts.enumerated() {
            if machine.ended(RunID(Int64(index)), 1, verdict, at: start) != .none { trips.append(index) }
        }
        return (machine, trips)
    }

    /// A machine that has just been taken out.
    private func tripped() -> QuarantineStateMachine {
        let (machine, trips) = machine(Array(repeating: .crashed, count: 5))
        #expect(trips == [4])
        return machine
    }

    /// Every sequence of crashes and good ends of up to 12 attempts, each of a run of its own, against the rule as it is
    /// written down.
    @Test func theRuleForEverySequence() {
        for length in 1...12 {
            for bits in 0..<(1 << length) {
                var machine = QuarantineStateMachine()
                var seen: [Bool] = []
                for index in 0..<length {
                    let isCrash = bits >> index & 1 == 1
                    seen.append(isCrash)
                    let crashes = seen.count { $0 }
                    let mustTrip = isCrash && crashes >= 5 && crashes * 2 >= seen.count
                    let effect = machine.ended(RunID(Int64(index)), 1, isCrash ? .crashed : .sound, at: start)
                    guard (effect != .none) == mustTrip else {
                        Issue.record("sequence \(seen): \(effect)")
                        return
                    }
                    if mustTrip { break }
                }
            }
        }
    }

    @Test func onlyTheLastTwentyCount() {
        // 15 good ones, then crashes: 10 of the last 20 at the tenth.
        let (_, trips) = machine(Array(repeating: .sound, count: 15) + Array(repeating: .crashed, count: 10))
        #expect(trips == [24])
        // 100 good ones are forgotten as well.
        let (_, later) = machine(Array(repeating: .sound, count: 100) + Array(repeating: .crashed, count: 10))
        #expect(later == [109])
    }

    @Test func oneRunAloneNeverTrips() {
        var machine = QuarantineStateMachine()
        for attempt in 1...100 {
            #expect(machine.ended(RunID(1), attempt, .crashed, at: start) == .none)
        }
        // Four runs are not five.
        for run: Int64 in 2...4 { #expect(machine.ended(RunID(run), 1, .crashed, at: start) == .none) }
        guard case .quarantined(let term) = machine.ended(RunID(5), 1, .crashed, at: start) else {
            Issue.record("the fifth run did not trip")
            return
        }
        #expect(term == .init(since: start, until: after(60), level: 1, crashes: 20, attempts: 20))
    }

    @Test func whatSaysNothing() {
        // Ended by others: no crashes, but attempts.
        let (_, inconclusive) = machine(
            Array(repeating: .inconclusive, count: 6) + Array(repeating: .crashed, count: 6))
        #expect(inconclusive == [11])
        // Lost: no attempts at all.
        let (machine, void) = machine(Array(repeating: .void, count: 30) + Array(repeating: .crashed, count: 5))
        #expect(void == [34] && machine.term?.attempts == 5)
        let verdicts = AttemptOutcome.allCases.map { QuarantineStateMachine.Verdict($0) }
        #expect(verdicts.count { $0 == .crashed } == 1 && QuarantineStateMachine.Verdict(.crashed) == .crashed)
    }

    @Test func pausesDoubleUpToAnHour() {
        #expect(
            (1...9).map { QuarantineStateMachine.pause(level: $0) }
                == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600].map { Duration.seconds($0) })
        #expect(QuarantineStateMachine.pause(level: 1_000_000) == .seconds(3600))
    }

    @Test func outOfServiceUntilThePauseIsOver() {
        let machine = tripped()
        #expect(machine.admission(at: start) == .wait(until: after(60)))
        #expect(machine.admission(at: after(59)) == .wait(until: after(60)))
        #expect(machine.admission(at: after(60)) == .trial)
        #expect(QuarantineStateMachine().admission(at: start) == .free)
    }

    @Test func attemptsUnderWayAtTheTripSayNothing() {
        var machine = tripped()
        let before = machine
        for verdict: QuarantineStateMachine.Verdict in [.crashed, .sound, .inconclusive, .void] {
            #expect(machine.ended(RunID(77), 1, verdict, at: after(1)) == .none)
            #expect(machine == before)
        }
    }

    @Test func oneTrialAtATime() {
        var machine = tripped()
        machine.began(RunID(50), 3)
        #expect(machine.admission(at: after(61)) == .wait(until: nil) && machine.isTrying)
        // Others, and other attempts of the same run, do not decide.
        #expect(machine.ended(RunID(51), 3, .sound, at: after(61)) == .none)
        #expect(machine.ended(RunID(50), 2, .sound, at: after(61)) == .none)
        #expect(machine.isTrying)
        machine.abandoned(RunID(50), 2)
        #expect(machine.isTrying)
        machine.abandoned(RunID(50), 3)
        #expect(machine.admission(at: after(61)) == .trial)
    }

    @Test func aGoodTrialClears() {
        var machine = tripped()
        machine.began(RunID(50), 1)
        #expect(machine.ended(RunID(50), 1, .sound, at: after(61)) == .cleared)
        #expect(machine.isBlank && machine.admission(at: after(61)) == .free)
        // Its past is forgotten: five more are needed, and the pause begins anew.
        for run: Int64 in 60...63 { #expect(machine.ended(RunID(run), 1, .crashed, at: after(62)) == .none) }
        guard case .quarantined(let term) = machine.ended(RunID(64), 1, .crashed, at: after(62)) else {
            Issue.record("five crashes did not trip again")
            return
        }
        #expect(term.level == 1 && term.since == after(62))
    }

    @Test func aCrashedTrialMakesThePauseLonger() {
        var machine = tripped()
        var now = after(60)
        for (level, pause) in zip(2...8, [120, 240, 480, 960, 1920, 3600, 3600]) {
            #expect(machine.admission(at: now) == .trial)
            machine.began(RunID(Int64(100 + level)), 1)
            let until = now.advanced(by: .seconds(pause))
            #expect(
                machine.ended(RunID(Int64(100 + level)), 1, .crashed, at: now)
                    == .quarantined(
                        .init(since: start, until: until, level: level, crashes: 4 + level, attempts: 4 + level)))
            #expect(machine.admission(at: now) == .wait(until: until))
            now = until
        }
    }

    @Test(arguments: [QuarantineStateMachine.Verdict.inconclusive, .void])
    func aTrialThatSaysNothingIsRepeated(_ verdict: QuarantineStateMachine.Verdict) {
        var machine = tripped()
        machine.began(RunID(50), 1)
        #expect(machine.ended(RunID(50), 1, verdict, at: after(70)) == .none)
        #expect(machine.admission(at: after(70)) == .trial && machine.term?.level == 1)
    }

    @Test func liftedByHand() {
        var machine = tripped()
        machine.lifted()
        #expect(machine.isBlank && machine.admission(at: start) == .free)
        // In the middle of a trial: that is an attempt like any other now.
        var trying = tripped()
        trying.began(RunID(50), 1)
        trying.lifted()
        #expect(trying.ended(RunID(50), 1, .crashed, at: after(61)) == .none)
        #expect(trying.admission(at: after(61)) == .free && !trying.isBlank)
    }

    @Test func whatOthersSay() {
        let term = QuarantineStateMachine.Term(since: start, until: after(120), level: 2, crashes: 7, attempts: 9)
        var machine = QuarantineStateMachine()
        _ = machine.ended(RunID(1), 1, .crashed, at: start)
        machine.adopted(term)
        #expect(machine.term == term && machine.admission(at: after(60)) == .wait(until: after(120)))
        // An older word changes nothing; a later one does, in the middle of a trial too.
        machine.adopted(.init(since: start, until: after(60), level: 1, crashes: 5, attempts: 5))
        #expect(machine.term == term)
        machine.began(RunID(50), 1)
        let longer = QuarantineStateMachine.Term(since: start, until: after(400), level: 3, crashes: 8, attempts: 10)
        machine.adopted(longer)
        #expect(machine.term == longer && machine.isTrying)
    }
}
