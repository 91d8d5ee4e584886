import JobCore
import JobStore
import Postgres
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
            #expect(keepers[0].firingRound != nil)
            // Right after a firing nothing is due.
            keepers[0].look()
            try await Self.wait("a look in vain") { keepers[0].idleRound != nil }
            keepers[0].stop()
            try await Self.wait("the second fires") { keepers[1].fired > 0 }
            let last = keepers[0].fired
            #expect(keepers[0].term == nil)
            try await Self.wait("and goes on") { keepers[1].fired >= 2 }
            #expect(keepers[0].fired == last)
            keepers[1].stop()
        }
    }

    /// However many runs have become due at once, what fires has its turn among them.
    @Test func schedulesFireWhileManyRunsBecomeDue() async throws {
        try await withStage { stage in
            try await stage.side.execute(
                """
                INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger)
                SELECT nextval('pawl.run_id'), 'default', 0, 'scheduled', now() - interval '1 minute', 'test.noop', '{}', 3, now(), r.retention, 'api'
                FROM generate_series(1, 12000), (SELECT retention FROM pawl.job WHERE name = 'test.noop') r
                """)
            let made = try await stage.store.createSchedule(
                ScheduleInput(job: "test.noop", spec: .interval(every: .seconds(86_400), anchor: WallTime(micros: 0))))
            try await stage.side.execute("UPDATE pawl.schedule SET next_at = now() - interval '1 second'")
            let keeper = Timekeeper(store: stage.store, logger: TestDatabase.logger)
            keeper.lease = { stage.lease }
            var looks = 0
            var firedAt: Int?
            keeper.onWork = {
                looks += 1
                if keeper.fired > 0, firedAt == nil { firedAt = looks }
            }
            keeper.look()
            try await Self.wait("all are moved") { looks >= 13 }
            keeper.stop()
            #expect(try #require(firedAt) < 10)
            #expect(try await stage.store.schedule(made.id).runCount == 1)
        }
    }
}
