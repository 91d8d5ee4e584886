import JobCore
import Testing

@Suite struct ZygoteStateMachineTests {
    private func ready() -> ZygoteStateMachine {
        var machine = ZygoteStateMachine(loadTimeout: .seconds(10))
        #expect(machine.wanted() == .start)
        _ = machine.spawned(at: .zero)
        #expect(machine.becameReady() == .serve)
        return machine
    }

    @Test func aPluginThatDoesNotLoadInTimeIsRefused() {
        var machine = ZygoteStateMachine(loadTimeout: .seconds(10))
        _ = machine.wanted()
        _ = machine.spawned(at: .seconds(5))
        #expect(machine.nextDeadline == .seconds(15))
        #expect(machine.tick(at: .seconds(14)) == .nothing)
        #expect(machine.tick(at: .seconds(15)) == .kill)
        #expect(machine.died(at: .seconds(15)) == .refuse)
        #expect(machine.state == .gone)
    }

    @Test func aPluginThatCrashesWhileLoadingIsRefused() {
        var machine = ZygoteStateMachine(loadTimeout: .seconds(10))
        _ = machine.wanted()
        _ = machine.spawned(at: .zero)
        #expect(machine.died(at: .seconds(1)) == .refuse)
    }

    @Test func aDeadZygoteComesBackLaterAndLater() {
        var machine = self.ready()
        var now = Duration.seconds(100)
        var waits: [Duration] = []
        for _ in 0..<4 {
            guard case .restart(let at) = machine.died(at: now) else {
                Issue.record("no restart")
                return
            }
            waits.append(at - now)
            #expect(machine.tick(at: at - .milliseconds(1)) == .nothing)
            #expect(machine.tick(at: at) == .start)
            _ = machine.spawned(at: at)
            #expect(machine.becameReady() == .serve)
            now = at
        }
        #expect(waits == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(machine.isCrashLooping)
        #expect(machine.died(at: now + .seconds(1000)) == .restart(at: now + .seconds(1001)), "old deaths do not count")
        #expect(!machine.isCrashLooping)
    }

    @Test func retiringEndsItWhereverItIs() {
        var ready = self.ready()
        #expect(ready.retire() == .sendRetire)
        #expect(ready.died(at: .zero) == .end)
        var dead = self.ready()
        _ = dead.died(at: .zero)
        #expect(dead.retire() == .end)
        var loading = ZygoteStateMachine(loadTimeout: .seconds(1))
        _ = loading.wanted()
        _ = loading.spawned(at: .zero)
        #expect(loading.retire() == .nothing)
        #expect(loading.becameReady() == .sendRetire)
    }

    enum Event: CaseIterable { case wanted, ready, refused, tick, failed, retire, died, forgiven }

    @Test func aCrashLoopIsForgiven() {
        var machine = ZygoteStateMachine(loadTimeout: .seconds(1))
        var now = Duration.zero
        _ = machine.wanted()
        for _ in 0..<ZygoteStateMachine.crashLoopCount {
            _ = machine.spawned(at: now)
            _ = machine.becameReady()
            _ = machine.died(at: now)
            now = machine.nextDeadline ?? now
            _ = machine.tick(at: now)
        }
        #expect(machine.isCrashLooping)
        _ = machine.spawned(at: now)
        _ = machine.becameReady()
        #expect(machine.forgiven() == .nothing, "it lives")
        #expect(!machine.isCrashLooping)
        _ = machine.died(at: now)
        #expect(machine.forgiven() == .start, "it does not wait any longer")
    }

    /// There is never a second process, and nothing follows the end.
    @Test func everyShortSequenceKeepsThePromises() {
        everySequence(Event.allCases, length: 6) { events in
            var machine = ZygoteStateMachine(loadTimeout: .seconds(1))
            var now = Duration.zero
            var (processes, isOver) = (0, false)
            for event in events {
                // A process must be there to say or do anything.
                if processes == 0 && [.ready, .refused, .died].contains(event) { continue }
                let order: ZygoteStateMachine.Order
                switch event {
                case .wanted: order = machine.wanted()
                case .ready: order = machine.becameReady()
                case .refused: order = machine.refused()
                case .tick:
                    now += .seconds(40)
                    order = machine.tick(at: now)
                case .failed: order = machine.failed()
                case .retire: order = machine.retire()
                case .forgiven: order = machine.forgiven()
                case .died:
                    processes -= 1
                    order = machine.died(at: now)
                }
                if isOver && order != .nothing { Issue.record("\(order) after the end: \(events)") }
                switch order {
                case .start:
                    processes += 1
                    _ = machine.spawned(at: now)
                case .end, .refuse:
                    isOver = true
                    if processes != 0 { Issue.record("it ended with a process: \(events)") }
                case .kill, .sendRetire, .serve:
                    if processes != 1 { Issue.record("\(order) without a process: \(events)") }
                case .nothing, .restart: break
                }
                if processes > 1 { Issue.record("two processes: \(events)") }
            }
        }
    }
}
