import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite struct SchemaTests {
    @Test func twentyStartsAtOnce() async throws {
        try await TestDatabase.with { configuration in
            let starts = (0..<20).map { _ in
                loopTask { () -> Bool in
                    let store = JobStore(configuration: configuration, logger: TestDatabase.logger, readers: 1)
                    store.start()
                    defer { loopTask { await store.shutdown() } }
                    do {
                        try await store.migrate()
                        return true
                    } catch {
                        Issue.record(error)
                        return false
                    }
                }
            }
            for start in starts { #expect(await start.value) }
        }
    }

    @Test func aNewerBreakingSchemaIsRefusedAndAHarmlessOneNot() async throws {
        try await withBench { bench in
            try await bench.side.execute("INSERT INTO pawl.migration VALUES (9000, 'm9000_later', 'x', false)")
            try await bench.store.migrate()
            try await bench.side.execute("INSERT INTO pawl.migration VALUES (9001, 'm9001_later', 'x', true)")
            await #expect(throws: StoreError.self) { try await bench.store.migrate() }
            do { try await bench.store.migrate() } catch StoreError.incompatibleSchema(let detail) {
                #expect(detail.contains("m9001_later"))
            }
        }
    }

    @Test func anEditedStepIsNoticed() async throws {
        try await withBench { bench in
            try await bench.side.execute("UPDATE pawl.migration SET checksum = 'other' WHERE number = 1")
            do {
                try await bench.store.migrate()
                Issue.record("it was not noticed")
            } catch StoreError.incompatibleSchema(let detail) {
                #expect(detail.contains("m0001_runs"))
            }
        }
    }

    /// An application takes its position early and commits late, behind what was claimed meanwhile.
    @Test func aLateCommitIsFound() async throws {
        try await withBench { bench in
            let late = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            try await late.execute("BEGIN; SELECT pawl.enqueue('test.noop')")
            let early = try await bench.enqueue(3)
            #expect(try await bench.claim(2).map(\.id) == Array(early.prefix(2)))
            try await late.execute("COMMIT")
            late.close()
            // Behind the watermark: not seen at first, found by a sweep.
            var found: [RunID] = []
            try await eventually {
                found += try await bench.claim(10).map(\.id)
                return found.count == 2
            }
            #expect(found.contains(early[2]))
        }
    }

    /// Somebody holds a snapshot all the time: claims go on, and no watermark loses a run. (How fast: the benchmark.)
    @Test func aHeldSnapshotLosesNothing() async throws {
        try await withBench { bench in
            let holder = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            try await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pawl.run_live")
            let total = try await bench.enqueue(1000).count
            var pending: [Settlement] = []
            var drained = 0
            repeat {
                let answer = try await bench.store.settleAndClaim(bench.lease, pending, claim: ClaimRequest(limit: 50))
                pending = answer.claimed.map { $0.settlement(.finish(.succeeded)) }
                drained += pending.count
            } while !pending.isEmpty
            #expect(drained == total)
            let counts = try await bench.store.safetyCounts(staleAfter: .seconds(1))
            #expect(counts.oldestSnapshotAge != nil && counts.oldestSnapshotHolder?.contains("pawl") == true)
            holder.close()
        }
    }

    @Test func partitionsComeAheadAndGo() async throws {
        try await withBench { bench in
            let parts = "SELECT count(*) FROM pawl.partition WHERE parent = 'run_1'"
            #expect(try await bench.number(parts) == 3)
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            _ = try await bench.store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_30_default") == 0)
            // Ten days on: the one-day class loses what is over, the thirty-day class keeps the run.
            try await bench.side.execute(
                "SELECT pawl.make_partitions(now() + interval '10 days'), pawl.drop_partitions(now() + interval '10 days')"
            )
            #expect(try await bench.number(parts) == 3)
            #expect(try await bench.store.run(run.id) != nil)
            try await bench.side.execute("SELECT pawl.drop_partitions(now() + interval '40 days')")
            #expect(try await bench.store.run(run.id) == nil)
            // Without any partition nothing is refused.
            _ = try await bench.enqueue(1)
            try await bench.side.execute("SELECT pawl.drop_partitions(now() + interval '400 days')")
            let last = try await bench.claim(1)[0]
            #expect(
                try await bench.store.settle(bench.lease, [last.settlement(.finish(.failed), .error)]) == [.applied])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_30_default") == 1)
            let upkeep = try await bench.store.maintain(isForced: true)
            #expect(upkeep.partitionsMade > 0)
        }
    }

    @Test func namesOfRunsAreThoseOfThePrograms() async throws {
        try await withBench { bench in
            let both = PGStatement(
                name: "t_names", sql: "SELECT pawl.run_name($1::bigint), pawl.run_number(upper($2))")
            for number: Int64 in [0, 1, 31, 32, 12_345_678_901, .max] {
                let id = RunID(number)
                let row = try await bench.side.query(both, [.int64(number), .text(id.description)])[0]
                #expect(try row.text(0) == id.description && row.int64OrNil(1) == number)
            }
        }
    }
}
