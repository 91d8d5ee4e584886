import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite struct StatsTests {
    /// The buckets that Postgres chooses are those of the type: at every bound, beside it, and anywhere.
    @Test func postgresPutsTimesIntoTheSameBuckets() async throws {
        try await withBench { bench in
            var times: [Int64] = [-5, 0, .max / 4_000_000]
            for bucket in 1..<LatencyHistogram.bucketCount {
                let bound = LatencyHistogram.lowerBound(ofBucket: bucket)
                times += [bound - 1, bound, bound + 1]
            }
            for _ in 0..<2000 { times.append(Int64.random(in: 0..<(1 << Int64.random(in: 1..<42)))) }
            let rows = try await bench.side.query(
                PGStatement(
                    name: "t_buckets",
                    sql: """
                        SELECT pawl.latency_bucket(make_interval(secs => (t / 1000000)::float8) + t % 1000000 * interval '1 microsecond')
                        FROM unnest($1::bigint[]) WITH ORDINALITY AS u (t, n) ORDER BY n
                        """), [.int64Array(times)])
            for (time, row) in zip(times, rows) {
                let bucket = Int(try row.int32(0))
                #expect(bucket == LatencyHistogram.bucket(of: .microseconds(time)), "\(time) µs")
            }
        }
    }

    /// The plan that the database keeps buckets by is the one that readers choose them by.
    @Test func bucketsAreKeptAsLongAsReadersThink() async throws {
        try await withBench { bench in
            let rows = try await bench.side.query(
                PGStatement(name: "t_plan", sql: "SELECT step_s::bigint, keep_s FROM pawl.rollup_plan ORDER BY 1"))
            let plan = try rows.map { [try $0.int64(0), try $0.int64(1)] }
            #expect(plan == RollupStep.allCases.map { [$0.seconds, $0.kept.wholeMilliseconds / 1000] })
        }
    }

    /// Runs of two queues and jobs, in the ways in which they end.
    private func someRuns(_ bench: Bench) async throws {
        _ = try await bench.enqueue(6)
        _ = try await bench.enqueue(2, job: "test.sleep", queue: "q2")
        let runs = try await bench.claim(8)
        let own = runs.filter { $0.job == "test.noop" }
        let others = runs.filter { $0.job == "test.sleep" }
        _ = try await bench.store.settle(
            bench.lease,
            own.prefix(3).map { $0.settlement(.finish(.succeeded)) } + [
                own[3].settlement(.finish(.failed), .error),
                own[4].settlement(.retry(at: WallTime(micros: Int64.max / 4)), .error),
                others[0].settlement(.finish(.succeeded)),
            ])
    }

    @Test func figuresAreTheSameBeforeAndAfterTheFold() async throws {
        try await withBench { bench in
            try await someRuns(bench)
            let store = bench.store
            for _ in 0..<3 {
                for window in [60, 7200, 30 * 86_400] {
                    let since = try await store.databaseTime().advanced(by: .seconds(-window))
                    let stats = try await store.stats(since: since)
                    #expect(stats.since <= since)
                    #expect(stats.all.succeeded == 4 && stats.all.failed == 1 && stats.all.cancelled == 0)
                    #expect(stats.all.entered[.queued] == 8 && stats.all.entered[.running] == 8)
                    #expect(stats.all.entered[.retrying] == 1)
                    // Every attempt that ended was timed.
                    #expect(stats.all.wait.count == 6 && stats.all.run.count == 6)
                    #expect(stats.all.meanRun == .milliseconds(20))
                    let median = try #require(stats.all.run.quantile(0.5))
                    #expect(median > .milliseconds(18) && median < .milliseconds(22))
                    #expect(stats.byQueue["q2"]?.succeeded == 1 && stats.byQueue["q2"]?.run.count == 1)
                    #expect(stats.byJob["test.noop"]?.failed == 1 && stats.byJob["test.noop"]?.successShare == 0.75)
                    #expect(stats.counts[.succeeded] == 4 && stats.counts[.running] == 2)
                    #expect(try await store.stats(since: since, queue: "q2").all.succeeded == 1)
                    #expect(try await store.stats(since: since, job: "test.sleep").all.succeeded == 1)
                    #expect(try await store.stats(since: since, queue: "q2", job: "test.noop").figures.isEmpty)
                }
                _ = try await store.maintain()
            }
        }
    }

    /// However often they are folded in: what is in a rollup is the sum, also after histograms have been put together anew.
    @Test func rollupsAreSumsOfWhatCame() async throws {
        try await withBench { bench in
            let store = bench.store
            var expected = LatencyHistogram()
            for round in 0..<30 {
                var spans: [Int64] = []
                for _ in 0..<20 {
                    let wait = Int64.random(in: 0..<100_000_000)
                    let run = Int64.random(in: 0..<1_000_000)
                    expected.record(.microseconds(wait))
                    spans.append(
                        Int64(
                            LatencyHistogram.bucket(of: .microseconds(wait)) * 512
                                + LatencyHistogram.bucket(of: .microseconds(run))))
                }
                _ = try await bench.side.query(
                    PGStatement(
                        name: "t_delta",
                        sql: """
                            INSERT INTO pawl.counter_delta (queue, job, state, n, wait_us, run_us, spans)
                            VALUES ('q', 'j' || $2::bigint % 2, 'succeeded', cardinality($1::bigint[]), 1000, 2000, $1::bigint[]::integer[])
                            """), [.int64Array(spans), .int64(Int64(round))])
                _ = try await store.maintain()
            }
            let stats = try await store.stats(since: try await store.databaseTime().advanced(by: .seconds(-1800)))
            #expect(stats.all.succeeded == 600 && stats.all.waitMicros == 30_000 && stats.all.runMicros == 60_000)
            #expect(stats.all.wait == expected)
            #expect(stats.byJob["j0"]?.succeeded == 300 && stats.byJob["j1"]?.wait.count == 300)
            // The sums over all queues and jobs are kept beside them.
            let now = try await store.databaseTime()
            for step in [Int64(3600), 86_400] {
                let series = try await store.series(
                    from: now.advanced(by: .seconds(-step)), to: now, stepSeconds: step)
                let all = series.buckets.compactMap(\.figures).reduce(into: RunFigures()) { $0.merge($1) }
                #expect(all.wait == expected && all.succeeded == 600)
                let one = try await store.series(
                    from: now.advanced(by: .seconds(-step)), to: now, stepSeconds: step, queue: "q", job: "j1")
                #expect(one.buckets.compactMap(\.figures).reduce(0) { $0 + $1.succeeded } == 300)
            }
            // Not one element for each that came: they are put together now and then.
            #expect(
                try await bench.number("SELECT max(octet_length(wait))::bigint FROM pawl.rollup WHERE step_s = 86400")
                    < 4000)
        }
    }

    @Test func aSeriesTellsNothingFromUnknown() async throws {
        try await withBench { bench in
            let store = bench.store
            try await someRuns(bench)
            _ = try await store.maintain()
            let now = try await store.databaseTime()
            let series = try await store.series(
                from: now.advanced(by: .seconds(-60)), to: now.advanced(by: .seconds(60)), stepSeconds: 10)
            let known = series.buckets.filter { $0.figures != nil }
            // There was no host a minute ago; what has not begun is not there at all.
            #expect(series.buckets.first?.figures == nil && series.buckets.count <= 8)
            #expect(series.buckets.allSatisfy { RollupStep.tenSeconds.start(of: $0.at) == $0.at })
            #expect(known.reduce(0) { $0 + ($1.figures?.succeeded ?? 0) } == 4)
            // There was a host, and nothing happened in that queue: nothing is a figure.
            let idle = try await store.series(
                from: now.advanced(by: .seconds(-30)), to: now.advanced(by: .seconds(10)), stepSeconds: 10,
                queue: "nobody's")
            let figures = idle.buckets.compactMap(\.figures)
            #expect(!figures.isEmpty && figures.allSatisfy { $0.entered.isEmpty })
            // One queue.
            let one = try await store.series(
                from: now.advanced(by: .seconds(-60)), to: now.advanced(by: .seconds(10)), stepSeconds: 10,
                queue: "q2")
            #expect(one.buckets.reduce(0) { $0 + ($1.figures?.succeeded ?? 0) } == 1)
        }
    }

    @Test func whatIsOverIsForgotten() async throws {
        try await withBench { bench in
            try await someRuns(bench)
            _ = try await bench.store.maintain()
            try await bench.side.execute(
                """
                INSERT INTO pawl.rollup (step_s, at, queue, job, state, n, wait_us, run_us)
                SELECT step_s, now() - (keep_s + 2 * step_s) * interval '1 second', 'old', 'old', 'failed', 1, 0, 0
                FROM pawl.rollup_plan;
                INSERT INTO pawl.run_mark VALUES (now() - interval '401 days', 0);
                """)
            #expect(try await bench.number("SELECT count(*) FROM pawl.rollup WHERE queue = 'old'") == 4)
            _ = try await bench.store.maintain(isForced: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.rollup WHERE queue = 'old'") == 0)
            #expect(try await bench.number("SELECT count(*) FROM pawl.rollup WHERE queue = 'q2'") > 0)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_mark WHERE last_id = 0") == 0)
        }
    }
}
