import JobCore
import Testing

@Suite struct RunStateMachineTests {
    private static let outcomes: [RetryDecision.Outcome] = [
        .finish(.succeeded, counts: true), .finish(.failed, counts: false), .finish(.cancelled, counts: true),
        .retry(at: WallTime(micros: 0)), .requeueLost, .snooze(until: WallTime(micros: 0)),
    ]

    private static var events: [RunStateMachine.Event] {
        [.due, .claimed, .released, .cancelRequested]
            + [0, 1, 2].flatMap { attempt in outcomes.map { .settled(attempt: attempt, $0) } }
    }

    /// All sequences of seven events: nothing leaves a terminal state, only a claim raises the fencing number, only a run that
    /// runs is settled, and only by its own attempt.
    @Test(arguments: [true, false])
    func everyShortSequence(_ isDue: Bool) {
        var checked = 0
        func walk(_ machine: RunStateMachine, _ depth: Int) {
            for event in Self.events {
                var next = machine
                let effect = next.apply(event)
                checked += 1
                if machine.state.isTerminal && (effect != .ignored || next != machine) { Issue.record("left the end") }
                if next.attempt != machine.attempt {
                    if event != .claimed || next.attempt != machine.attempt + 1 || machine.state != .queued {
                        Issue.record("a fencing number out of nowhere")
                    }
                }
                if case .settled(let attempt, _) = event, next.state != machine.state {
                    if machine.state != .running || attempt != machine.attempt { Issue.record("settled by a stranger") }
                }
                if next.attemptsUsed > next.attempt { Issue.record("more attempts used than made") }
                if next.state == .running && event != .claimed && machine.state != .running {
                    Issue.record("ran unclaimed")
                }
                if effect == .refused && next != machine { Issue.record("refused and changed") }
                if depth > 1 && next != machine { walk(next, depth - 1) }
            }
        }
        walk(RunStateMachine(isDue: isDue), 7)
        #expect(checked > 1000)
    }

    @Test func theUsualWay() {
        var run = RunStateMachine(isDue: false)
        #expect(run.apply(.claimed) == .refused)
        #expect(run.apply(.due) == .moved(.queued))
        #expect(run.apply(.claimed) == .moved(.running))
        #expect(run.apply(.cancelRequested) == .signalHost)
        #expect(run.apply(.settled(attempt: 1, .retry(at: WallTime(micros: 0)))) == .moved(.retrying))
        #expect(run.apply(.due) == .moved(.queued))
        #expect(run.apply(.claimed) == .moved(.running))
        #expect(run.apply(.settled(attempt: 1, .finish(.failed, counts: true))) == .ignored)
        #expect(run.apply(.settled(attempt: 2, .finish(.succeeded, counts: true))) == .moved(.succeeded))
        #expect(run.attemptsUsed == 2)
    }
}
