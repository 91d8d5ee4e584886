import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner

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
