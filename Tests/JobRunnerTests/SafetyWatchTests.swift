import JobCore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner
@testable import JobStore

@Suite struct SafetyWatchTests {
    private static func orphan(_ name: String) -> Orphan {
        Orphan(kind: .processWithoutRun, name: name, mark: "1", detail: "")
    }

    @LoopActor
    private static func setPolicy(_ stage: Stage, _ mode: SafetyPolicy.Mode) async throws {
        let policy = SafetyPolicy(mode: mode, sweepEvery: .seconds(1))
        _ = try await stage.store.setSafetyPolicy(policy, ifRevision: nil, actor: nil)
    }

    /// Of three things two are there at the first look and two at the second: one is an orphan.
    @Test func whatIsAnOrphanAtTwoLooksIsPutRight() async throws {
        try await withStage { stage in
            let watch = SafetyWatch(
                store: stage.store, logger: TestDatabase.logger, betweenLooks: .milliseconds(20))
            var looks = 0
            var cleaned: [[String]] = []
            let (a, b, c) = (Self.orphan("a"), Self.orphan("b"), Self.orphan("c"))
            watch.findOrphans = {
                looks += 1
                return looks % 2 == 1 ? [a, b] : [b, c]
            }
            watch.cleanOrphans = { orphans in
                cleaned.append(orphans.map(\.name))
                return Set(orphans.map(\.key))
            }
            try await Self.setPolicy(stage, .act)
            watch.tick(stage.lease)
            try await LoopClock.sleep(for: .milliseconds(1100))
            watch.tick(stage.lease)
            try await eventually("it is in the history") {
                try await stage.store.sweeps(foundOnly: true).map(\.kind) == [.host]
            }
            #expect(cleaned == [["b"]] && looks == 2)
            let row = try #require(try await stage.store.sweeps(foundOnly: true).first)
            #expect(row.hasActed && row.orphans == [.processWithoutRun: 1] && row.cleaned == row.orphans)
            #expect(row.hostID == stage.lease.id && watch.figures.orphansCleaned == [.processWithoutRun: 1])

            try await Self.setPolicy(stage, .report)
            try await LoopClock.sleep(for: .milliseconds(1100))
            watch.tick(stage.lease)
            try await eventually("it is reported") {
                try await stage.store.sweeps(foundOnly: true).map(\.hasActed) == [false, true]
            }
            #expect(cleaned.count == 1, "a report changes nothing")
        }
    }

    /// Its runs may go on for hours: others must know that they are frozen, or have more time.
    @Test func aHostThatDrainsSaysWhatItsRunsDo() async throws {
        try await withStage { stage in
            let watch = SafetyWatch(store: stage.store, logger: TestDatabase.logger)
            let activity = RunActivity(startedAt: try await stage.store.databaseTime())
            watch.pulses = { _ in [RunPulse(id: RunID(4711), attempt: 1, activity: activity, isFrozen: true)] }
            try await Self.setPolicy(stage, .act)
            try await stage.side.execute("UPDATE pawl.host SET state = 'stopping'")
            watch.tick(stage.lease, isDraining: true)
            let frozen = PGStatement(name: "t_frozen", sql: "SELECT count(*) FROM pawl.run_pulse WHERE is_frozen")
            try await eventually("it is said") { try await stage.side.query(frozen)[0].int64(0) == 1 }
            #expect(try await stage.store.sweeps().isEmpty)
        }
    }

    /// Somebody keeps the sweep waiting.
    @Test func emergenciesDoNotWaitForASweep() async throws {
        try await withStage { stage in
            let watch = SafetyWatch(store: stage.store, logger: TestDatabase.logger)
            try await Self.setPolicy(stage, .act)
            try await LoopClock.sleep(for: .milliseconds(1100))
            try await stage.side.withTransaction { connection in
                try await connection.execute("LOCK TABLE pawl.safety_sweep IN ACCESS EXCLUSIVE MODE")
                watch.tick(stage.lease)
                try await LoopClock.sleep(for: .milliseconds(500))
                #expect(!stage.store.emergency.isOn && watch.figures.sweeps == 0)
                try await stage.store.pool.withTransaction {
                    try await $0.execute("INSERT INTO pawl.emergency (mode, reason) VALUES ('refuse_new', 'a fire')")
                }
                try await eventually("it is heard of") {
                    watch.tick(stage.lease)
                    return stage.store.emergency.isOn
                }
                #expect(watch.figures.sweeps == 0)
            }
            try await eventually("the sweep has come to its end") { watch.figures.sweeps == 1 }
        }
    }

    @Test func aHostHearsOfEmergenciesAndOfTheirEnd() async throws {
        try await withStage { stage in
            let watch = SafetyWatch(store: stage.store, logger: TestDatabase.logger)
            var released = 0
            watch.onRelease = { released += 1 }
            try await stage.side.execute("INSERT INTO pawl.emergency (mode, reason) VALUES ('pause_queues', 'a fire')")
            watch.tick(stage.lease)
            try await eventually("it is heard of") { stage.store.emergency[.pauseQueues]?.reason == "a fire" }
            #expect(released == 0)
            try await stage.side.execute("DELETE FROM pawl.emergency")
            try await eventually("its end is heard of") {
                // A look that is under way takes no other.
                watch.tick(stage.lease)
                return released == 1 && !stage.store.emergency.isOn
            }
        }
    }
}
