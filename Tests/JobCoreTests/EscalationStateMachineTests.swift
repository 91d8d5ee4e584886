import JobCore
import Testing

@Suite struct EscalationStateMachineTests {
    private func machine() -> EscalationStateMachine {
        EscalationStateMachine(cancelGrace: .seconds(5), termGrace: .seconds(3), killLimit: .seconds(2))
    }

    @Test func aCancelGoesUpTheWholeLadder() {
        var ladder = self.machine()
        #expect(ladder.cancelRequested(cause: .cancel, at: .seconds(10)) == [.cancel(reason: 1, grace: .seconds(5))])
        #expect(ladder.tick(at: .milliseconds(14_999)) == [])
        #expect(ladder.nextDeadline == .seconds(15))
        #expect(ladder.tick(at: .seconds(15)) == [.term])
        #expect(ladder.tick(at: .seconds(18)) == [.kill])
        #expect(ladder.tick(at: .seconds(20)) == [.giveUp])
        #expect(ladder.nextDeadline == nil)
        #expect(ladder.steps.map(\.name) == ["cancel", "term", "kill", "unkillable"])
        #expect(ladder.steps.map(\.atMillis) == [10_000, 15_000, 18_000, 20_000])
    }

    @Test func terminateAsksAndSignalsAtOnce() {
        var ladder = self.machine()
        #expect(
            ladder.terminateRequested(at: .zero) == [.cancel(reason: 1, grace: .seconds(3)), .term])
        #expect(ladder.tick(at: .seconds(3)) == [.kill])
        var force = self.machine()
        #expect(
            force.terminateRequested(grace: .zero, at: .zero) == [.cancel(reason: 1, grace: .zero), .term, .kill])
    }

    @Test func forceReplacesAskingDuringItsGrace() {
        var ladder = self.machine()
        _ = ladder.cancelRequested(cause: .cancel, at: .zero)
        #expect(ladder.terminateRequested(grace: .seconds(1), at: .seconds(1)) == [.term])
        #expect(ladder.cause == .terminate)
        #expect(ladder.terminateRequested(grace: .seconds(9), at: .milliseconds(1500)) == [])
        #expect(ladder.tick(at: .seconds(2)) == [.kill], "a second request is never more patient")
    }

    @Test func theWallTimeCountsFromTheStart() {
        var ladder = self.machine()
        #expect(ladder.nextDeadline == nil)
        ladder.started(deadline: .seconds(60), at: .zero)
        #expect(ladder.nextDeadline == .seconds(60))
        let moved = ladder.deadlineMoved(to: .seconds(90))
        #expect(moved)
        #expect(ladder.tick(at: .seconds(60)) == [])
        #expect(ladder.tick(at: .seconds(90)) == [.cancel(reason: 2, grace: .seconds(5))])
        let movedLate = ladder.deadlineMoved(to: .seconds(100))
        #expect(!movedLate)
        _ = ladder.terminateRequested(at: .seconds(91))
        #expect(ladder.cause == .wall, "the first cause stands")
    }

    @Test func whatRanOutOfTimeIsLookedAtBeforeItIsForced() {
        var ladder = self.machine()
        ladder.started(deadline: .seconds(10), at: .zero)
        _ = ladder.tick(at: .seconds(10))
        #expect(ladder.tick(at: .seconds(15)) == [.diagnose])
        #expect(ladder.nextDeadline == .seconds(17), "a look that hangs is not waited for")
        var hanging = ladder
        #expect(hanging.tick(at: .seconds(17)) == [.term])
        #expect(hanging.diagnosed(at: .seconds(18)) == [], "too late")
        #expect(ladder.diagnosed(at: .milliseconds(15_100)) == [.term])
        #expect(ladder.tick(at: .milliseconds(18_100)) == [.kill])
        ladder.treeEmptied(at: .milliseconds(18_200))
        #expect(ladder.steps.map(\.name) == ["cancel", "diagnose", "term", "kill", "empty"])
    }

    @Test func whoDoesNotBeginIsLookedAtAndKilled() {
        var ladder = EscalationStateMachine(
            cancelGrace: .seconds(5), termGrace: .seconds(3), killLimit: .seconds(2), startDeadline: .seconds(30))
        #expect(ladder.nextDeadline == .seconds(30))
        var begun = ladder
        begun.started(deadline: nil, at: .seconds(29))
        #expect(begun.nextDeadline == nil)
        #expect(ladder.tick(at: .seconds(30)) == [.diagnose])
        #expect(ladder.cause == .start)
        #expect(ladder.diagnosed(at: .seconds(31)) == [.kill])
    }

    @Test func progressMovesItsDeadlineOnly() {
        var ladder = EscalationStateMachine(
            cancelGrace: .seconds(5), termGrace: .seconds(3), killLimit: .seconds(2), noProgress: .seconds(10))
        ladder.progressed(at: .zero)
        #expect(ladder.nextDeadline == nil, "not before it has begun")
        ladder.started(deadline: .seconds(25), at: .zero)
        #expect(ladder.nextDeadline == .seconds(10))
        ladder.progressed(at: .seconds(9))
        #expect(ladder.tick(at: .seconds(10)) == [])
        #expect(ladder.nextDeadline == .seconds(19))
        var silent = ladder
        #expect(silent.tick(at: .seconds(19)) == [.cancel(reason: 2, grace: .seconds(5))])
        #expect(silent.cause == .noProgress)
        ladder.progressed(at: .seconds(18))
        #expect(ladder.tick(at: .seconds(25)) == [.cancel(reason: 2, grace: .seconds(5))])
        #expect(ladder.cause == .wall)
    }

    @Test func clocksStandStillWhileItIsFrozen() {
        var ladder = EscalationStateMachine(
            cancelGrace: .seconds(5), termGrace: .seconds(3), killLimit: .seconds(2), noProgress: .seconds(30))
        ladder.started(deadline: .seconds(20), at: .zero)
        let (froze, again) = (ladder.frozen(at: .seconds(5)), ladder.frozen(at: .seconds(6)))
        #expect(froze && !again && ladder.isFrozen)
        #expect(ladder.nextDeadline == nil && ladder.tick(at: .seconds(500)) == [])
        let (thawed, thawedAgain) = (ladder.thawed(at: .seconds(1005)), ladder.thawed(at: .seconds(1006)))
        #expect(thawed && !thawedAgain)
        #expect(ladder.nextDeadline == .seconds(1020), "fifteen seconds were left")
        #expect(ladder.tick(at: .seconds(1020)).first == .cancel(reason: 2, grace: .seconds(5)))
    }

    @Test func whoEndsAFrozenAttemptThawsIt() {
        var asked = self.machine()
        _ = asked.frozen(at: .zero)
        #expect(
            asked.cancelRequested(cause: .cancel, at: .seconds(1)) == [.thaw, .cancel(reason: 1, grace: .seconds(5))])
        #expect(!asked.isFrozen)
        var forced = self.machine()
        _ = forced.frozen(at: .zero)
        #expect(
            forced.terminateRequested(grace: .zero, at: .zero)
                == [.thaw, .cancel(reason: 1, grace: .zero), .term, .kill])
        var killed = self.machine()
        _ = killed.frozen(at: .zero)
        #expect(killed.killRequested(cause: .memory, at: .zero) == [.kill], "the kill reaches the frozen")
        let late = forced.frozen(at: .seconds(1))
        #expect(!late, "nothing on the ladder stands still")
    }

    @Test func aSuccessThatLeavesNothingHasNoSteps() {
        var ladder = self.machine()
        ladder.started(deadline: .seconds(60), at: .zero)
        #expect(ladder.leaderExited(.empty, at: .seconds(1)) == [])
        ladder.treeEmptied(at: .seconds(1))
        #expect(ladder.steps.isEmpty && ladder.nextDeadline == nil)
    }

    @Test func whatIsLeftIsKilledAndOnRecord() {
        var ladder = self.machine()
        #expect(ladder.leaderExited(.populated, at: .seconds(1)) == [.kill])
        ladder.treeEmptied(at: .seconds(2))
        #expect(ladder.steps.map(\.name) == ["kill", "empty"])
        var unknown = self.machine()
        #expect(unknown.leaderExited(.unknown, at: .seconds(1)) == [.kill])
        unknown.treeEmptied(at: .seconds(1))
        #expect(unknown.steps.isEmpty, "finding out is no step")
    }

    enum Event: CaseIterable {
        case cancel, terminate, force, kill, started, second, minute, empty, populated, unknown, emptied
        case freeze, thaw, progress, diagnosed, extend

        static let ends: [Event] = [
            .cancel, .terminate, .force, .kill, .started, .second, .minute, .empty, .populated, .unknown, .emptied,
        ]
        static let clocks: [Event] = [
            .started, .freeze, .thaw, .progress, .second, .minute, .diagnosed, .cancel, .extend,
        ]
    }

    /// All orders of four facts, and of five of those that end or of those that move clocks: nothing is signalled after
    /// the leader's end, times never go back, nothing follows the proof, nothing but the kill reaches the frozen, and
    /// every ladder that was begun ends in the kill.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 4) { self.check($0) }
        everySequence(Event.ends, length: 5) { self.check($0) }
        everySequence(Event.clocks, length: 5) { self.check($0) }
    }

    private func check(_ events: [Event]) {
        var ladder = EscalationStateMachine(
            cancelGrace: .seconds(5), termGrace: .seconds(3), killLimit: .seconds(2), startDeadline: .seconds(50),
            noProgress: .seconds(20))
        var now = Duration.zero
        var (isLeaderGone, isEmpty) = (false, false)
        var actions: [EscalationStateMachine.Action] = []
        for event in events {
            let wasFrozen = ladder.isFrozen
            var new: [EscalationStateMachine.Action] = []
            switch event {
            case .cancel: new = ladder.cancelRequested(cause: .cancel, at: now)
            case .terminate: new = ladder.terminateRequested(at: now)
            case .force: new = ladder.terminateRequested(grace: .zero, at: now)
            case .kill: new = ladder.killRequested(cause: .memory, at: now)
            case .started: ladder.started(deadline: now + .seconds(30), at: now)
            case .second, .minute:
                now += event == .second ? .seconds(1) : .seconds(60)
                new = ladder.tick(at: now)
            case .empty: new = ladder.leaderExited(.empty, at: now)
            case .populated: new = ladder.leaderExited(.populated, at: now)
            case .unknown: new = ladder.leaderExited(.unknown, at: now)
            case .emptied: ladder.treeEmptied(at: now)
            case .freeze:
                let isBegun = ladder.cause != nil
                if ladder.frozen(at: now) && isBegun { Issue.record("frozen on the ladder: \(events)") }
            case .thaw: _ = ladder.thawed(at: now)
            case .progress: ladder.progressed(at: now)
            case .diagnosed: new = ladder.diagnosed(at: now)
            case .extend:
                let deadline = ladder.wallDeadline
                if let deadline, !ladder.deadlineMoved(to: deadline + .seconds(10)), ladder.wallDeadline != deadline {
                    Issue.record("refused and moved: \(events)")
                }
            }
            if isEmpty && !new.isEmpty { Issue.record("\(new) after the proof: \(events)") }
            if [.empty, .populated, .unknown].contains(event) { isLeaderGone = true }
            if event == .emptied { isEmpty = true }
            if isLeaderGone && new.contains(where: { $0 != .kill && $0 != .giveUp }) {
                Issue.record("\(new) to a dead leader: \(events)")
            }
            if wasFrozen, let first = new.first, ![.thaw, .kill, .giveUp].contains(first) {
                Issue.record("\(new) to the frozen: \(events)")
            }
            if new.contains(.diagnose), !(ladder.cause?.isTimeout ?? false) { Issue.record("\(new): \(events)") }
            actions += new
        }
        if actions.count(where: { $0 == .giveUp }) > 1 || actions.count(where: { $0 == .kill }) > 1
            || actions.count(where: { $0 == .diagnose }) > 1
        {
            Issue.record("\(actions): \(events)")
        }
        if ladder.steps.map(\.atMillis) != ladder.steps.map(\.atMillis).sorted() { Issue.record("\(events)") }
        guard !isEmpty, !isLeaderGone, ladder.cause != nil else { return }
        for _ in 0..<6 {
            guard let deadline = ladder.nextDeadline else { break }
            actions += ladder.tick(at: max(now, deadline))
        }
        if !actions.contains(.kill) || !actions.contains(.giveUp) { Issue.record("it never ends: \(events)") }
    }
}
