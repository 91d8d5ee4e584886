import JobCore
import Testing

@Suite struct AheadStateMachineTests {
    typealias Machine = AheadStateMachine

    /// It has begun one run.
    func begun(capacity: Int = 32, at now: Duration = .zero) -> Machine {
        var machine = Machine(capacity: capacity, at: now)
        machine.gets(at: now)
        machine.started()
        return machine
    }

    @Test func itMayHaveSoManyBehindItsPresentRun() {
        let machine = self.begun()
        #expect(machine.hasRoom(behind: 0, most: 1, at: .zero))
        #expect(!machine.hasRoom(behind: 1, most: 1, at: .zero))
        #expect(!machine.hasRoom(behind: 0, most: 0, at: .zero))
    }

    @Test func whatWasTakenBackTakesRoomUntilTheChildComesToIt() {
        var machine = self.begun(capacity: 3)
        for expected: UInt64 in 2...4 {
            #expect(machine.hasRoom(behind: 0, most: 16, at: .zero))
            // Each is taken back at once: none is behind the present run.
            #expect(machine.sends() == expected)
        }
        #expect(!machine.hasRoom(behind: 0, most: 16, at: .zero))
        // It takes the last of them: it has passed by the other two.
        machine.goesOn(with: 4, at: .zero)
        #expect(!machine.hasRoom(behind: 0, most: 16, at: .zero), "it has not begun it yet")
        machine.started()
        #expect(machine.hasRoom(behind: 0, most: 16, at: .zero))
    }

    @Test func aRunThatTakesLongHasNothingBehindIt() {
        var machine = self.begun(at: .seconds(7))
        let late = .seconds(7) + Machine.presentAtMost
        #expect(machine.hasRoom(behind: 0, most: 8, at: late) && !machine.isOverdue(at: late))
        let later = late + .nanoseconds(1)
        #expect(!machine.hasRoom(behind: 0, most: 8, at: later) && machine.isOverdue(at: later))
        // The next run has its own time.
        machine.goesOn(with: machine.sends(), at: later)
        #expect(machine.hasRoom(behind: 0, most: 8, at: later) && !machine.isOverdue(at: later))
    }

    @Test func whatIsWantedForSomethingElseGetsNothingUntilItGoesOn() {
        var machine = self.begun()
        machine.slow()
        #expect(!machine.hasRoom(behind: 0, most: 8, at: .zero))
        machine.gets(at: .zero)
        #expect(machine.hasRoom(behind: 0, most: 8, at: .zero))
    }

    @Test func afterLeavingsRunsComeAlone() {
        var machine = self.begun()
        machine.leftSomething(before: 0)
        #expect(machine.hasRoom(behind: 0, most: 8, at: .zero), "nothing had to be taken back for it")
        machine.leftSomething(before: 3)
        for _ in 1..<Machine.runsAloneAfterLeavings {
            machine.gets(at: .zero)
            machine.started()
            #expect(!machine.hasRoom(behind: 0, most: 8, at: .zero))
        }
        machine.gets(at: .zero)
        #expect(machine.hasRoom(behind: 0, most: 8, at: .zero))
    }

    @Test func itsSilenceIsMeasuredFromTheFirstLook() {
        var machine = self.begun()
        #expect(machine.mayStillSay(at: .seconds(100)) == true)
        let end = .seconds(100) + Machine.silentAtMost
        #expect(machine.mayStillSay(at: end - .nanoseconds(1)) == true)
        #expect(machine.mayStillSay(at: end) == false)
        // It has spoken.
        machine.goesOn(with: machine.sends(), at: end)
        #expect(machine.mayStillSay(at: end) == true)
    }

    enum Event: CaseIterable { case heardToTheEnd, brokenOff, ignored, goesOn, started, slow, leftSomething }

    /// Every sequence of five facts: what a dead child had taken counts as not begun only if all its words are known, and no
    /// word of another run was passed over.
    @Test func nothingCountsAsNotBegunThatMayHave() {
        var sequences = 0
        func walk(_ machine: Machine, _ heard: Bool, _ ignored: Bool, _ depth: Int) {
            #expect(machine.hasBegunNothingElse == (heard && !ignored))
            guard depth < 5 else {
                sequences += 1
                return
            }
            for event in Event.allCases {
                var (next, heard, ignored) = (machine, heard, ignored)
                switch event {
                case .heardToTheEnd:
                    next.heard(toTheEnd: true)
                    heard = true
                case .brokenOff:
                    next.heard(toTheEnd: false)
                    heard = false
                case .ignored:
                    next.ignored()
                    ignored = true
                case .goesOn: next.goesOn(with: next.sends(), at: .zero)
                case .started: next.started()
                case .slow: next.slow()
                case .leftSomething: next.leftSomething(before: 1)
                }
                walk(next, heard, ignored, depth + 1)
            }
        }
        walk(self.begun(), false, false, 0)
        #expect(sequences == 16807)
    }
}
