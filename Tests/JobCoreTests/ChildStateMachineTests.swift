import JobCore
import Testing

/// Calls `visit` with every sequence of `events` of the given length.
func everySequence<Event>(_ events: [Event], length: Int, _ visit: ([Event]) -> Void) {
    var indices = [Int](repeating: 0, count: length)
    while true {
        visit(indices.map { events[$0] })
        var position = length - 1
        while position >= 0 {
            indices[position] += 1
            if indices[position] < events.count { break }
            indices[position] = 0
            position -= 1
        }
        if position < 0 { return }
    }
}

@Suite struct ChildStateMachineTests {
    enum Event: CaseIterable {
        case spawned, couldNotSpawn, up, started, finished, exited, keeperLost, emptied, stopWanted

        func apply(to machine: inout ChildStateMachine) -> ChildStateMachine.Order {
            switch self {
            case .spawned: machine.spawned()
            case .couldNotSpawn: machine.couldNotSpawn()
            case .up: machine.up()
            case .started: machine.started()
            case .finished: machine.finished()
            case .exited: machine.exited(.code(0))
            case .keeperLost: machine.keeperLost()
            case .emptied: machine.emptied()
            case .stopWanted:
                {
                    machine.stopWanted()
                    return .nothing
                }()
            }
        }
    }

    @Test func theUsualLifeReportsOnce() {
        var machine = ChildStateMachine(redispatches: 3)
        #expect(machine.spawned() == .nothing)
        #expect(machine.up() == .nothing)
        #expect(machine.started() == .announceStart)
        #expect(machine.finished() == .nothing)
        #expect(machine.exited(.code(0)) == .sweep)
        #expect(machine.emptied() == .report)
        #expect(machine.exit == .code(0))
    }

    @Test func whatTheChildSaysMayComeBeforeTheKeepersWord() {
        var machine = ChildStateMachine(redispatches: 3)
        _ = machine.up()
        #expect(machine.started() == .announceStart)
        #expect(machine.spawned() == .nothing)
        #expect(machine.exited(.signal(11)) == .sweep)
        #expect(machine.emptied() == .report)
    }

    @Test func aDeathBeforeStartedIsMadeGoodThreeTimes() {
        var machine = ChildStateMachine(redispatches: 3)
        for _ in 0..<3 {
            _ = machine.spawned()
            _ = machine.up()
            _ = machine.exited(.signal(9))
            #expect(machine.emptied() == .redispatch)
            machine.redispatched()
        }
        #expect(machine.couldNotSpawn() == .report)
    }

    @Test func nobodyIsRedispatchedWhoWasToStop() {
        var machine = ChildStateMachine(redispatches: 3)
        machine.stopWanted()
        _ = machine.exited(.signal(9))
        #expect(machine.emptied() == .report)
    }

    @Test func wordsInTheWrongOrderAreFaults() {
        var machine = ChildStateMachine(redispatches: 0)
        guard case .fault = machine.started() else {
            Issue.record("STARTED before UP")
            return
        }
        _ = machine.up()
        guard case .fault = machine.finished() else {
            Issue.record("a result before STARTED")
            return
        }
    }

    /// All orders in which up to six facts can come.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 6) { events in
            var machine = ChildStateMachine(redispatches: 1)
            var (starts, sweeps, ends) = (0, 0, 0)
            for event in events {
                let order = event.apply(to: &machine)
                if ends > 0 {
                    if order == .report || order == .redispatch || order == .sweep || order == .announceStart {
                        Issue.record("\(order) after the end: \(events)")
                    }
                    continue
                }
                switch order {
                case .announceStart: starts += 1
                case .sweep: sweeps += 1
                case .report, .redispatch:
                    ends += 1
                    if order == .redispatch && starts > 0 { Issue.record("started twice: \(events)") }
                    if sweeps == 0 && !machine.spawnFailed { Issue.record("no proof: \(events)") }
                case .nothing, .fault: break
                }
            }
            if starts > 1 || sweeps > 1 || ends > 1 { Issue.record("\(starts) \(sweeps) \(ends): \(events)") }
        }
    }
}
