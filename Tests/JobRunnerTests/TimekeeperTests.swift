import JobCore
import JobStore
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner

@Suite struct TimekeeperTests {
    @LoopActor
    private static func wait(_ what: String, _ condition: @LoopActor () -> Bool) async throws {
        for _ in 0..<2000 {
            if condition() { return }
            try await LoopClock.sleep(for: .milliseconds(5))
        }
        Issue.record("it did not happen within ten seconds: \(what)")
    }

    /// Of two hosts one fires; when it stops, the other does at its next look.
    @Test func oneFiresAndGivesItUpWhenItStops() async throws {
        try await withStage { stage in
            let second = try await stage.store.registerHost(
                HostRegistration(dataDirectoryID: "second", hostname: "there", pid: 2, version: "1", slots: 4)
            ).lease
            let leases = [stage.lease, second]
            let keepers = leases.map { lease in
                let keeper = Timekeeper(store: stage.store, logger: TestDatabase.logger)
                keeper.lease = { lease }
                return keeper
            }
            _ = try await stage.store.createSchedule(
                ScheduleInput(job: "test.noop", spec: .interval(every: .seconds(1), anchor: WallTime(micros: 0))))
            keepers[0].look()
            try await Self.wait("the first fires") { keepers[0].term != nil && keepers[0].fired > 0 }
            keepers[1].look()
            let before = keepers[0].fired
            try await Self.wait("two more") { keepers[0].fired >= before + 2 }
            #expect(keepers[1].fired == 0 && keepers[1].term == nil)
            #expect(keepers[0].idleRound != nil && keepers[0].firingRound != nil)
            keepers[0].stop()
            try await Self.wait("the second fires") { keepers[1].fired > 0 }
            let last = keepers[0].fired
            #expect(keepers[0].term == nil)
            try await Self.wait("and goes on") { keepers[1].fired >= 2 }
            #expect(keepers[0].fired == last)
            keepers[1].stop()
        }
    }
}
