import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct ReadTests {
    @Test func pagesStandStillWhileRunsComeAndMove() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(10)
            _ = try await store.settle(
                bench.lease, try await bench.claim(3).map { $0.settlement(.finish(.succeeded)) })
            let waiting = try await store.enqueue(NewRun(job: "test.noop", delay: .seconds(99))).id
            let all = ids + [waiting]
            var seen: [RunID] = []
            var cursor: RunCursor?
            repeat {
                let page = try await store.runs(RunFilter(), limit: 4, cursor: cursor)
                seen += page.runs.map(\.id)
                cursor = page.next
                // New ones come at the head, and one below moves to another table.
                _ = try await bench.enqueue(1)
                let moving = try await bench.claim(1)
                _ = try await store.settle(bench.lease, moving.map { $0.settlement(.finish(.succeeded)) })
            } while cursor != nil
            #expect(seen == all.reversed())
        }
    }

    @Test func filters() async throws {
        try await withBench { bench in
            let store = bench.store
            let labelled = try await store.enqueue(NewRun(job: "test.noop", labels: ["a": "1", "b": "2"], owner: "x"))
                .id
            let other = try await store.enqueue(NewRun(job: "test.sleep", queue: "q2", labels: ["a": "2"])).id
            let waiting = try await store.enqueue(NewRun(job: "test.noop", delay: .seconds(99))).id
            func list(_ filter: RunFilter) async throws -> [RunID] {
                let page = try await store.runs(filter, limit: 10)
                #expect(page.next == nil && !page.isTruncated)
                return page.runs.map(\.id)
            }
            #expect(try await list(RunFilter(labels: ["a": "1"])) == [labelled])
            #expect(try await list(RunFilter(labels: ["a": "1", "b": "3"])).isEmpty)
            #expect(try await list(RunFilter(jobs: ["test.sleep"])) == [other])
            #expect(try await list(RunFilter(queues: ["q2", "q3"])) == [other])
            #expect(try await list(RunFilter(states: [.scheduled])) == [waiting])
            #expect(try await list(RunFilter(owner: "x")) == [labelled])
            #expect(try await list(RunFilter(states: [.queued], jobs: ["test.noop"])) == [labelled])
            let run = try await bench.claim(1)[0]
            #expect(try await list(RunFilter(states: [.running])) == [run.id])
            #expect(try await list(RunFilter(states: [.running], jobs: ["none"])).isEmpty)
            _ = try await store.settle(bench.lease, [run.settlement(.finish(.failed), .error)])
            #expect(try await list(RunFilter(states: [.failed])) == [run.id])
            #expect(try await list(RunFilter(createdAfter: run.createdAt.advanced(by: .seconds(60)))).isEmpty)
            let withPayload = try await store.runs(RunFilter(states: [.failed]), limit: 1, withPayload: true).runs[0]
            #expect(withPayload.args == "{}" && withPayload.result == RunResult.none)
            let without = try await store.runs(RunFilter(states: [.failed]), limit: 1).runs[0]
            #expect(without.args == nil && without.result == nil)
        }
    }

    @Test func countsComeFromCounters() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(6)
            _ = try await bench.enqueue(1, job: "test.sleep", queue: "q2")
            let runs = try await store.claim(bench.lease, ClaimRequest(limit: 4, queues: ["default"]))
            _ = try await store.settle(
                bench.lease,
                [
                    runs[0].settlement(.finish(.succeeded)), runs[1].settlement(.finish(.failed), .error),
                    runs[2].settlement(.retry(at: WallTime(micros: Int64.max / 4)), .error),
                ])
            for round in 0..<2 {
                let queue = try await store.queue("default")
                #expect(queue.counts[.succeeded] == 1 && queue.counts[.failed] == 1 && queue.counts[.retrying] == 1)
                let live = try await store.queues().reduce(0) {
                    $0 + ($1.counts[.queued] ?? 0) + ($1.counts[.running] ?? 0)
                }
                #expect(live == 4)
                let job = try await store.job("test.noop")
                #expect(job.lastState != nil && job.lastFinishedAt != nil && job.lastRunID != nil)
                #expect(queue.oldestQueuedAt != nil)
                let stats = try await store.stats(since: try await store.databaseTime().advanced(by: .seconds(-60)))
                #expect(stats.all.succeeded == 1 && stats.all.failed == 1 && stats.all.meanRun == .milliseconds(20))
                // Folded or not, the figures are the same.
                let upkeep = try await store.maintain()
                #expect(upkeep.wasLeader && (round == 1 || upkeep.deltasFolded > 0))
            }
            #expect(try await bench.number("SELECT count(*) FROM pawl.counter_delta") == 0)
            do {
                _ = try await store.queue("defualt")
                Issue.record("a queue out of nothing")
            } catch StoreError.notFound(_, _, let near) {
                #expect(near == ["default"])
            }
        }
    }

    /// No list and no page counts or walks runs: every plan that reads runs goes by an index and stops at its limit.
    @Test func listsGoByIndexes() async throws {
        try await withBench { bench in
            try await bench.side.execute(
                """
                INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger)
                SELECT nextval('pawl.run_id'), 'default', 0, nextval('pawl.run_pos'), now(), 'test.noop', '{}', 3, now(), 30, 'x'
                FROM generate_series(1, 20000);
                INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
                    attempt, attempts_used, lost_count, finished_at)
                SELECT nextval('pawl.run_id'), 'default', 0, 'succeeded', now(), 'test.noop', '{}', 3, now(), 30, 'x', 1, 1, 0, now()
                FROM generate_series(1, 20000);
                ANALYZE;
                """)
            let store = bench.store
            _ = try await store.runs(RunFilter(), limit: 20)
            _ = try await store.runs(RunFilter(states: [.running]), limit: 20)
            _ = try await store.runs(RunFilter(states: [.queued]), limit: 20)
            _ = try await store.run(RunID(30_000))
            _ = try await store.queues()
            _ = try await store.jobs()
            _ = try await store.safetyCounts(staleAfter: .seconds(3600))
            // Rows read by sequential scans and indexes of the big tables, as the server counted them.
            try await bench.side.execute("SELECT pg_stat_force_next_flush()")
            try await eventually {
                try await bench.number(
                    "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'run_live'") > 0
            }
            let read = try await bench.number(
                """
                SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::bigint
                FROM pg_stat_user_tables WHERE schemaname = 'pawl' AND relname ~ '^run_(live|30_)'
                """)
            // Each of the three lists looks at a window of 500 at first.
            #expect(read < 3000)
        }
    }

    @Test func viewsAnswerThePeoplesQuestions() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            try await store.appendLogs([
                LogInsert(
                    runID: run.id, attempt: 1, seq: 1,
                    line: LogLine(
                        time: run.createdAt, level: .warning, stream: .handler, stage: "Copying", message: "slow",
                        fields: "{\"ms\": 7}"))
            ])
            _ = try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            // The two questions of a job manager: how far are the runs, and what did one of them say.
            let runs = PGStatement(
                name: "t_runs",
                sql: """
                    SELECT id, job, state, entities_processed, entities_total, current_stage, outcome_summary
                    FROM pawl.runs ORDER BY created_at DESC LIMIT 10
                    """)
            let row = try await bench.side.query(runs)[0]
            #expect(try row.int64("id") == run.id.rawValue && row.text("state") == "succeeded")
            #expect(try row.int64("entities_processed") == 5 && row.int64("entities_total") == 10)
            #expect(try row.text("current_stage") == "Copying" && row.text("outcome_summary").contains("\"inserts\":5"))
            let logs = PGStatement(
                name: "t_logs",
                sql: "SELECT level, stage, message, context, timestamp FROM pawl.logs WHERE run_id = $1 ORDER BY seq")
            let line = try await bench.side.query(logs, [.int64(run.id.rawValue)])[0]
            #expect(try line.text("level") == "warning" && line.text("message") == "slow")
            #expect(try line.text("context") == "{\"ms\": 7}")
            let usage = PGStatement(
                name: "t_usage", sql: "SELECT user_cpu_ms, max_rss_bytes FROM pawl.resource_usage WHERE run_id = $1")
            #expect(try await bench.side.query(usage, [.int64(run.id.rawValue)])[0].int64(0) == 3)
        }
    }
}
