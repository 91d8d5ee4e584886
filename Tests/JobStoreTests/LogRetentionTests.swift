import JobCore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import JobStore

/// Log lines go by their class, as whole partitions.
@Suite struct LogRetentionTests {
    private static let classes: [Int] = RetentionClass.all

    private func line(_ run: RunID, _ seq: Int64, _ days: Int, at time: WallTime) -> LogInsert {
        LogInsert(
            runID: run, attempt: 1, seq: seq, line: LogLine(time: time, level: .info, stream: .handler, message: "x"),
            retention: Int16(days))
    }

    @Test func linesGoWhenTheirClassIsOver() async throws {
        try await withBench { bench in
            let now = try await bench.store.databaseTime()
            let run = try await bench.enqueue(1)[0]
            try await bench.store.appendLogs(
                Self.classes.enumerated().map { line(run, Int64($0.offset + 1), $0.element, at: now) })
            // No line is in a default partition, where it could only be deleted row by row.
            for days in Self.classes {
                #expect(try await bench.number("SELECT count(*) FROM pawl.run_log_\(days)_default") == 0)
            }
            var expected = Self.classes
            for (after, kept) in [(0, 5), (3, 4), (9, 3), (32, 2), (96, 1), (381, 0)] {
                try await bench.side.execute("SELECT pawl.drop_partitions(now() + interval '\(after) days')")
                expected = Array(expected.suffix(kept))
                let left = try await bench.side.query(
                    PGStatement(
                        name: "t_left",
                        sql: "SELECT coalesce(array_agg(retention::bigint ORDER BY retention), '{}') FROM pawl.run_log")
                )
                #expect(try left[0].int64Array(0) == expected.map(Int64.init), "after \(after) days")
            }
        }
    }

    /// A partition of the past is dropped by upkeep, with what is in it; what is younger stays, and what came late too.
    @Test func upkeepDropsWhatIsOver() async throws {
        try await withBench { bench in
            let now = try await bench.store.databaseTime()
            let run = try await bench.enqueue(1)[0]
            let past = now.advanced(by: .seconds(-9 * 86_400))
            try await bench.side.execute("SELECT pawl.make_partitions(now() - interval '9 days')")
            try await bench.store.appendLogs([
                line(run, 1, 7, at: past), line(run, 2, 30, at: past), line(run, 3, 7, at: now),
            ])
            let tables =
                "SELECT count(*) FROM pg_class WHERE relname = 'run_log_7_' || to_char(now() AT TIME ZONE 'UTC' - interval '9 days', 'YYYYMMDD')"
            #expect(try await bench.number(tables) == 1)
            let done = try await bench.store.maintain(isForced: true)
            #expect(done.partitionsDropped > 0)
            #expect(try await bench.number(tables) == 0)
            #expect(try await bench.number("SELECT sum(seq)::bigint FROM pawl.run_log") == 5)
            // Nothing is refused where no partition is.
            try await bench.store.appendLogs([line(run, 4, 7, at: past)])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_log_7_default") == 1)
            _ = try await bench.store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_log") == 2)
        }
    }

    /// The class of an attempt's lines: what the job says, else as long as the run.
    @Test func aJobSaysHowLong() async throws {
        try await withBench { bench in
            _ = try await bench.store.patchJob("test.noop", JobPatch(retentionDays: 7), ifRevision: nil)
            _ = try await bench.enqueue(1)
            #expect(try await bench.claim(1).map(\.logRetentionDays) == [7])
            let execution = try JSONValue(parsing: "{\"log_retention_days\": 90, \"log_policy\": \"drop\"}")
            _ = try await bench.store.patchJob("test.noop", JobPatch(execution: execution), ifRevision: nil)
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            #expect(run.retentionDays == 7 && run.logRetentionDays == 90 && run.execution.logPolicy == .drop)
            let wrong = try JSONValue(parsing: "{\"log_retention_days\": 8}")
            do {
                _ = try await bench.store.patchJob("test.noop", JobPatch(execution: wrong), ifRevision: nil)
                Issue.record("it was taken")
            } catch StoreError.invalid(let fault) {
                #expect(fault.pointer == "/execution/log_retention_days")
            }
        }
    }

    /// From the schema before: lines that are there stay readable, in the class of 30 days, and go with it.
    @Test func linesOfTheSchemaBeforeAreKept() async throws {
        LoopActor.bindForTesting()
        try await TestDatabase.with { configuration in
            let side = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            try await side.execute(
                """
                CREATE SCHEMA pawl;
                CREATE TABLE pawl.migration (
                    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, breaking boolean NOT NULL,
                    program text, applied_at timestamptz NOT NULL DEFAULT now());
                """)
            for step in Migration.all where step.number < 17 {
                try await side.execute(step.sql)
                try await side.execute(
                    "INSERT INTO pawl.migration VALUES (\(step.number), '\(step.name)', '\(step.checksum)', \(step.isBreaking))"
                )
            }
            try await side.execute(
                """
                INSERT INTO pawl.run_log (run_id, seq, attempt, time, stream, level, message)
                SELECT r, 1000000000 + n, 1, now() - (r - 1) * interval '20 days', 0, n % 4, 'line ' || n
                FROM generate_series(1, 3) r, generate_series(1, 1500) n;
                INSERT INTO pawl.run_log_index VALUES (1, 1, 1000000001, 1000001000, 1000, 250, 250, 250, 250);
                INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger)
                VALUES (1, 'default', 0, 1, now(), 'a', '{}', 1, now(), 30, 'api')
                """)
            let store = JobStore(configuration: configuration, logger: TestDatabase.logger)
            store.start()
            try await store.migrate()
            #expect(try await store.logs(RunID(1), LogQuery(limit: 2000)).count == 1500)
            #expect(try await store.logIndex(RunID(1)).lines == 1500)
            func count() async throws -> Int64 {
                try await side.query(PGStatement(name: "t_count", sql: "SELECT count(*) FROM pawl.run_log"))[0].int64(0)
            }
            #expect(try await count() == 4500)
            _ = try await store.maintain(isForced: true)
            // Those of 40 days ago were over before.
            #expect(try await count() == 3000)
            try await side.execute("SELECT pawl.drop_partitions(now() + interval '32 days')")
            #expect(try await count() == 0)
            side.close()
            await store.shutdown()
        }
    }
}
