import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobRunner

/// Outcomes that gather while an exchange is on its way: they follow it on the same connection.
@Suite(.serialized) struct SettlingAsideTests {
    /// What waits for the test's own transaction.
    private static let waiters =
        "FROM pg_locks w WHERE NOT w.granted AND pg_backend_pid() = ANY (pg_blocking_pids(w.pid))"
    private static let settled = "SELECT count(*) FROM pawl.run"

    /// 300 runs run, one has ended, and an exchange that is to claim others stands still.
    @LoopActor
    private static func standStill(_ stage: Stage) async throws {
        _ = try await stage.enqueue(310)
        try await eventually { stage.running.count == 300 }
        // Claims read it, settlements do not.
        try await stage.side.execute("BEGIN")
        try await stage.side.execute("LOCK TABLE pawl.job IN ACCESS EXCLUSIVE MODE")
        stage.end(.succeeded)
        try await eventually("the exchange stands still") {
            try await stage.number("SELECT count(*) \(Self.waiters)") > 0
        }
    }

    @LoopActor
    private static func endAll(_ stage: Stage) async throws {
        try await eventually("all end, each once") {
            while !stage.running.isEmpty { stage.end(.succeeded) }
            return try await stage.number(Self.settled) == 310
        }
        let attempts = "SELECT count(*) FROM pawl.attempt WHERE attempt = 1 AND outcome = 'succeeded'"
        #expect(try await stage.number(attempts) == 310)
        #expect(try await stage.number("SELECT count(*) FROM pawl.attempt") == 310)
        #expect(try await stage.number("SELECT count(*) FROM pawl.run_live") == 0)
        try await eventually("nothing is left over here") { stage.delivery.machine.isIdle }
    }

    @Test func manyGoOutBehindAnExchangeThatTakesLong() async throws {
        try await withStage(slots: 300) { stage in
            try await Self.standStill(stage)
            for _ in 0..<150 { stage.end(.succeeded) }
            try await eventually { stage.delivery.machine.unsettled >= 150 && stage.delivery.machine.flushing == 0 }
            _ = try await stage.number(Self.settled)
            #expect(stage.delivery.machine.settlingAside == 0, "so few may wait")
            for _ in 0..<100 { stage.end(.succeeded) }
            try await eventually("they do not wait for the answer") { stage.delivery.machine.settlingAside >= 250 }
            #expect(stage.delivery.machine.isExchanging)
            #expect(try await stage.number(Self.settled) == 0)
            try await stage.side.execute("ROLLBACK")
            try await Self.endAll(stage)
        }
    }

    /// The connection is lost with both on it: what they had is settled again, and nothing twice.
    @Test func whatIsLostBehindAnExchangeIsSettledAgain() async throws {
        try await withStage(slots: 300) { stage in
            try await Self.standStill(stage)
            for _ in 0..<250 { stage.end(.succeeded) }
            try await eventually { stage.delivery.machine.settlingAside >= 250 }
            let end = "SELECT sum(pg_terminate_backend(w.pid)::integer) \(Self.waiters)"
            #expect(try await stage.number(end) > 0)
            try await eventually { stage.delivery.machine.settlingAside == 0 && !stage.delivery.machine.isExchanging }
            try await stage.side.execute("ROLLBACK")
            try await Self.endAll(stage)
        }
    }
}
