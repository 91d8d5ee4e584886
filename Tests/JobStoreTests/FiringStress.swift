import JobCore
import JobStore
import Postgres
import UVLoop

/// What tests of firing under adverse conditions have in common.
extension Bench {
    static func hourly(_ change: (inout ScheduleInput) -> Void = { _ in }) -> ScheduleInput {
        var input = ScheduleInput(
            job: "test.noop", spec: .interval(every: .seconds(3600), anchor: WallTime(micros: 1_800_000_000)))
        input.options.missed = MissedPolicy(.all)
        change(&input)
        return input
    }

    static func after(_ text: String, job: String = "test.sleep") throws -> ScheduleInput {
        ScheduleInput(
            job: job,
            spec: try ScheduleSpec(
                kind: "after", spec: try JSONValue(parsing: text), now: WallTime(micros: 0), zone: UTCRules()))
    }

    /// Its next planned time is this long ago.
    func makeDue(_ id: Int64, seconds: Int) async throws {
        try await side.execute(
            "UPDATE pawl.schedule SET next_at = now() - \(seconds) * interval '1 second' WHERE id = \(id)")
    }

    /// Makes all that is queued run, and succeed.
    func finishAll() async throws {
        let claimed = try await claim(100)
        _ = try await store.settle(lease, claimed.map { $0.settlement(.finish(.succeeded)) })
    }

    /// Things that have happened for a schedule, so many, all at the same microsecond.
    func addEvents(_ id: Int64, _ count: Int, seconds: Int = 5) async throws {
        try await side.execute(
            """
            INSERT INTO pawl.schedule_event (schedule_id, event, due_at)
            SELECT \(id), 'run_' || lpad(n::text, 13, '0'), now() - \(seconds) * interval '1 second' FROM generate_series(1, \(count)) n
            """)
    }

    /// Runs `body` while nobody can write planned times: who fires stands still with what he has taken.
    func whileFiringStands(_ body: @LoopActor () async throws -> Void) async throws {
        try await side.execute("BEGIN; LOCK TABLE pawl.schedule_occurrence IN SHARE ROW EXCLUSIVE MODE")
        do {
            try await body()
        } catch {
            try await side.execute("ROLLBACK")
            throw error
        }
        try await side.execute("ROLLBACK")
    }

    /// Waits until so many sessions wait for somebody else's lock of this kind.
    func awaitWaiting(_ count: Int64, _ kind: String) async throws {
        try await eventually {
            try await self.number(
                """
                SELECT count(*) FROM pg_locks l WHERE NOT l.granted AND l.locktype = '\(kind)' AND l.pid IN (SELECT k.pid FROM pg_locks k
                WHERE k.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
                """) >= count
        }
    }
}

extension ScheduleInput {
    func with(_ change: (inout ScheduleInput) -> Void) -> ScheduleInput {
        var changed = self
        change(&changed)
        return changed
    }
}

/// Something that has happened in another task of the loop.
@LoopActor
final class Flag {
    var isUp = false
}
