import Testing
import UVLoop

@testable import Postgres

@Suite struct ReconnectStateMachineTests {
    private func at(_ seconds: Int) -> LoopInstant { LoopInstant(nanoseconds: UInt64(seconds) * 1_000_000_000) }

    @Test func waitsLongerAfterEachFailureUpToTheLimit() {
        var machine = ReconnectStateMachine(ReconnectBackoff())
        #expect(machine.started() == .connect)
        var waits: [ReconnectStateMachine.Action] = []
        for _ in 1...8 {
            waits.append(machine.attemptFailed(jitter: 0))
            #expect(machine.delayPassed() == .connect)
        }
        let expected: [Int] = [100, 200, 400, 800, 1600, 3200, 5000, 5000]
        #expect(waits == expected.map { .wait(.milliseconds($0)) })
    }

    @Test func jitterShortensByUpToAHalf() {
        let backoff = ReconnectBackoff()
        #expect(backoff.delay(afterFailures: 1, jitter: 1) == .milliseconds(50))
        #expect(backoff.delay(afterFailures: 64, jitter: 0.5) == .milliseconds(3750))
    }

    @Test func connectsAtOnceAfterAStableConnection() {
        var machine = ReconnectStateMachine(ReconnectBackoff())
        _ = machine.started()
        _ = machine.attemptFailed(jitter: 0)
        _ = machine.delayPassed()
        #expect(machine.connected(at: at(10)) == .none)
        #expect(machine.lost(at: at(20), jitter: 0) == .connect)
        // Failures start anew.
        #expect(machine.attemptFailed(jitter: 0) == .wait(.milliseconds(100)))
    }

    @Test func aConnectionThatDiesAtOnceCountsAsFailure() {
        var machine = ReconnectStateMachine(ReconnectBackoff())
        _ = machine.started()
        _ = machine.connected(at: at(10))
        #expect(machine.lost(at: at(11), jitter: 0) == .wait(.milliseconds(100)))
        _ = machine.delayPassed()
        _ = machine.connected(at: at(12))
        #expect(machine.lost(at: at(13), jitter: 0) == .wait(.milliseconds(200)))
    }

    @Test func stopsForGood() {
        var machine = ReconnectStateMachine(ReconnectBackoff())
        _ = machine.started()
        machine.stopped()
        #expect(machine.connected(at: at(1)) == .discard)
        #expect(machine.attemptFailed(jitter: 0) == .none)
        #expect(machine.delayPassed() == .none)
        #expect(machine.started() == .none)
        #expect(machine.lost(at: at(2), jitter: 0) == .none)
    }
}
