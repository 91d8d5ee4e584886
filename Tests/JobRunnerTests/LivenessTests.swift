import JobCore
import Testing

@testable import JobRunner
@testable import JobStore

@Suite struct LivenessTests {
    private let lease = HostLease(id: HostID(1), epoch: 1)

    private func row(_ id: Int64, _ secondsAgo: Double, _ state: HostState = .running, every: Int64 = 10) -> HostRow {
        let now = WallTime(micros: 1_700_000_000_000_000)
        return HostRow(
            id: HostID(id), epoch: 1, dataDirectoryID: "d\(id)", hostname: "h", pid: 1, version: "1", gitSHA: nil,
            slots: 1, capabilities: "{}", state: state, startedAt: now,
            heartbeatAt: now.advanced(by: .milliseconds(Int64(-secondsAgo * 1000))), stoppedAt: nil,
            liveness: LivenessTimes(heartbeat: .seconds(every)))
    }

    /// A death is known when the limit is over: whoever may be silent before the next heartbeat brings it forward.
    @Test func theNextHeartbeatComesWhenSomebodyMayBeSilent() {
        func interval(_ others: HostRow...) -> Duration {
            Liveness.interval([row(1, 0)] + others, lease, .standard)
        }
        #expect(interval() == .seconds(10))
        #expect(interval(row(2, 0), row(3, 9)) == .seconds(10))
        #expect(interval(row(2, 25)) == .milliseconds(5010))
        #expect(interval(row(2, 25), row(3, 28)) == .milliseconds(2010))
        // Overdue, but this host may not judge yet.
        #expect(interval(row(2, 500)) == .seconds(1))
        // Who stops has twice as long, who is gone is not waited for, and everybody has an interval of its own.
        #expect(interval(row(2, 25, .stopping)) == .seconds(10))
        #expect(interval(row(2, 55, .stopping)) == .milliseconds(5010))
        #expect(interval(row(2, 500, .silent), row(3, 500, .stopped)) == .seconds(10))
        #expect(interval(row(2, 1, every: 2)) == .milliseconds(5010))
        #expect(interval(row(2, 100, every: 60)) == .seconds(10))
    }
}
