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
        ladder.started(deadline: .seconds(60))
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

    @Test func aSuccessThatLeavesNothingHasNoSteps() {
        var ladder = self.machine()
        ladder.started(deadline: .seconds(60))
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
    }

    /// All orders of five facts: nothing is signalled after the leader's end, times never go back, nothing follows the
    /// proof, and every ladder that was begun ends in the kill.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 5) { events in
            var ladder = self.machine()
            var now = Duration.zero
            var (isLeaderGone, isEmpty) = (false, false)
            var actions: [EscalationStateMachine.Action] = []
            for event in events {
                var new: [EscalationStateMachine.Action] = []
                switch event {
                case .cancel: new = ladder.cancelRequested(cause: .cancel, at: now)
                case .terminate: new = ladder.terminateRequested(at: now)
                case .force: new = ladder.terminateRequested(grace: .zero, at: now)
                case .kill: new = ladder.killRequested(cause: .memory, at: now)
                case .started: ladder.started(deadline: now + .seconds(30))
                case .second, .minute:
                    now += event == .second ? .seconds(1) : .seconds(60)
                    new = ladder.tick(at: now)
                case .empty: new = ladder.leaderExited(.empty, at: now)
                case .populated: new = ladder.leaderExited(.populated, at: now)
                case .unknown: new = ladder.leaderExited(.unknown, at: now)
                case .emptied: ladder.treeEmptied(at: now)
                }
                if isEmpty && !new.isEmpty { Issue.record("\(new) after the proof: \(events)") }
                if [.empty, .populated, .unknown].contains(event) { isLeaderGone = true }
                if event == .emptied { isEmpty = true }
                if isLeaderGone && new.contains(where: { $0 != .kill && $0 != .giveUp }) {
                    Issue.record("\(new) to a dead leader: \(events)")
                }
                actions += new
            }
            if actions.count(where: { $0 == .giveUp }) > 1 || actions.count(where: { $0 == .kill }) > 1 {
                Issue.record("\(actions): \(events)")
            }
            if ladder.steps.map(\.atMillis) != ladder.steps.map(\.atMillis).sorted() { Issue.record("\(events)") }
            guard !isEmpty, !isLeaderGone, ladder.cause != nil else { return }
            for _ in 0..<5 {
                guard let deadline = ladder.nextDeadline else { break }
                actions += ladder.tick(at: max(now, deadline))
            }
            if !actions.contains(.kill) || !actions.contains(.giveUp) { Issue.record("it never ends: \(events)") }
        }
    }
}
