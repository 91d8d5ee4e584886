import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct ClearTests {
    /// Queues, jobs and states whose counters say something else than the tables.
    static let differences = """
        SELECT count(*) FROM
            (SELECT queue, job, state, count(*) AS n FROM pawl.run_all GROUP BY 1, 2, 3) are
        FULL JOIN
            (SELECT queue, job, state, sum(n) AS n FROM (SELECT queue, job, state, n FROM pawl.run_counter
                UNION ALL SELECT queue, job, state, n FROM pawl.counter_delta) c GROUP BY 1, 2, 3 HAVING sum(n) <> 0) said
        USING (queue, job, state) WHERE are.n IS DISTINCT FROM said.n
        """
    /// Rows of runs that are not there any more.
    static let orphans = """
        SELECT count(*) FROM (SELECT run_id FROM pawl.attempt UNION ALL SELECT run_id FROM pawl.run_log
            UNION ALL SELECT run_id FROM pawl.run_log_index UNION ALL SELECT run_id FROM pawl.run_event
            UNION ALL SELECT run_id FROM pawl.crash_report UNION ALL SELECT run_id FROM pawl.crash_pending) r
        WHERE NOT EXISTS (SELECT FROM pawl.run_all a WHERE a.id = r.run_id)
        """
    /// Later than anything that the tests' hosts say.
    static let always = WallTime(micros: 4_000_000_000_000_000)

    /// One run in each state, in `queue`.
    @LoopActor
    private func oneOfEach(_ bench: Bench, _ queue: String, job: String = "test.noop") async throws -> [RunState: RunID]
    {
        var ids: [RunState: RunID] = [:]
        for state in [RunState.succeeded, .failed, .cancelled, .retrying, .running] {
            ids[state] = try await bench.enqueue(1, job: job, queue: queue)[0]
            let run = try await bench.store.claim(bench.lease, ClaimRequest(limit: 1, queues: [queue]))[0]
            let line = LogLine(time: run.createdAt, level: .info, stream: .handler, message: "a line", fields: nil)
            try await bench.store.appendLogs([LogInsert(runID: run.id, attempt: 1, seq: 1, line: line)])
            if state == .running { continue }
            let decision: Settlement.Decision =
                state == .retrying ? .retry(at: Self.always) : .finish(state)
            _ = try await bench.store.settle(bench.lease, [run.settlement(decision, .error)])
        }
        ids[.queued] = try await bench.enqueue(1, job: job, queue: queue)[0]
        ids[.scheduled] = try await bench.store.enqueue(
            NewRun(job: job, queue: queue, delay: .seconds(3600))
        ).id
        return ids
    }

    @LoopActor
    static func clear(_ store: JobStore, _ request: ClearRequest) async throws -> [RunState: Int64] {
        var removed: [RunState: Int64] = [:]
        var cursor: ClearCursor? = ClearCursor()
        while let present = cursor {
            let step = try await store.clearStep(request, present)
            for (state, n) in step.removed { removed[state, default: 0] += n }
            cursor = step.next
        }
        return removed
    }

    @LoopActor
    private func states(_ bench: Bench, _ ids: [RunState: RunID]) async throws -> Set<RunState> {
        var there: Set<RunState> = []
        for (state, id) in ids where try await bench.store.run(id) != nil { there.insert(state) }
        return there
    }

    /// Every state by itself, of a queue and of a job: it and nothing else goes; asked for running ones, none goes.
    @Test(arguments: RunState.allCases, [false, true])
    func eachStateByItself(_ state: RunState, _ ofJob: Bool) async throws {
        try await withBench { bench in
            let mine = try await oneOfEach(bench, "q", job: "test.sleep")
            let others = try await oneOfEach(bench, "other")
            let request = ClearRequest(
                scope: ofJob ? .job("test.sleep") : .queue("q"), states: [state], before: Self.always)
            let counts = try await bench.store.clearCounts(request)
            let goes = state != .running && state != .blocked
            #expect(counts == (goes ? [state: 1] : [:]))
            #expect(try await Self.clear(bench.store, request) == (goes ? [state: 1] : [:]))
            #expect(try await states(bench, mine) == Set(mine.keys).subtracting(goes ? [state] : []))
            #expect(try await states(bench, others) == Set(others.keys))
            #expect(try await bench.number(Self.differences) == 0)
            #expect(try await bench.number(Self.orphans) == 0)
            #expect(try await Self.clear(bench.store, request).isEmpty, "once more does nothing more")
        }
    }

    @Test func whatIsYoungerStays() async throws {
        try await withBench { bench in
            let ids = try await oneOfEach(bench, "q")
            let request = ClearRequest(
                scope: .queue("q"), states: Set(RunState.allCases), before: WallTime(micros: 1))
            #expect(try await Self.clear(bench.store, request).isEmpty)
            #expect(try await states(bench, ids) == Set(ids.keys))
        }
    }

    /// More than a window, with log lines, in partitions of different times.
    @Test func thousandsGoInPieces() async throws {
        try await withBench { bench in
            try await bench.side.execute(
                """
                INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
                    attempt, attempts_used, lost_count, finished_at)
                SELECT n, CASE n % 3 WHEN 0 THEN 'keep' ELSE 'q' END, 0, 'succeeded', now(), 'test.noop', '{}', 1, now(), 30,
                    'api', 1, 1, 0, now() - (n - 1000000) * interval '3 minutes'
                FROM generate_series(1000001, 1012000) n;
                INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome)
                SELECT id, 1, retention, finished_at, job, 'succeeded' FROM pawl.run;
                INSERT INTO pawl.run_log (run_id, seq, attempt, time, stream, level, message)
                SELECT 1000001, n, 1, now() - n * interval '1 minute', 0, 1, 'm' FROM generate_series(1, 45000) n;
                INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, state, count(*) FROM pawl.run
                    GROUP BY 1, 2, 3
                """)
            let request = ClearRequest(scope: .queue("q"), states: [.succeeded], before: Self.always)
            let first = try await bench.store.clearStep(request, ClearCursor())
            #expect(first.removed.isEmpty && first.next != nil, "nothing waits")
            #expect(try await Self.clear(bench.store, request) == [.succeeded: 8000])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run") == 4000)
            #expect(try await bench.number(Self.orphans) == 0)
            _ = try await bench.store.maintain(isForced: true)
            #expect(try await bench.number(Self.differences) == 0)
            let finished = try await bench.number("SELECT sum(n)::bigint FROM pawl.rollup_1m WHERE queue <> ''")
            #expect(finished == 12_000, "what was removed has finished all the same")
        }
    }

    /// Two hosts claim and settle as fast as they can, somebody enqueues, the queue is cleared all the time. No host loses a run
    /// that it has, and what the counters say is what is there.
    @Test func whileHostsWork() async throws {
        try await withBench { bench in
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let isOver = Flag()
            let hosts = [(bench.store, bench.lease), (other, second)].map { store, lease in
                loopTask { () -> Int in
                    var settled = 0
                    var pending: [Settlement] = []
                    do {
                        while !isOver.isSet || !pending.isEmpty {
                            let limit = isOver.isSet ? 0 : 40
                            let answer = try await store.settleAndClaim(
                                lease, pending, claim: ClaimRequest(limit: limit))
                            #expect(answer.settled.allSatisfy { $0 == .applied })
                            settled += answer.settled.count
                            pending = answer.claimed.enumerated().map { index, run in
                                switch index % 5 {
                                case 0: run.settlement(.finish(.failed), .error)
                                case 1: run.settlement(.retry(at: WallTime(micros: 1)), .error)
                                case 2: run.settlement(.snooze(until: WallTime(micros: 1)), .snoozed)
                                default: run.settlement(.finish(.succeeded))
                                }
                            }
                            _ = try await store.promoteDue()
                            if answer.claimed.isEmpty { try await LoopClock.sleep(for: .milliseconds(1)) }
                        }
                    } catch {
                        Issue.record(error)
                    }
                    return settled
                }
            }
            let enqueuer = loopTask { () -> Void in
                do {
                    for _ in 0..<60 { _ = try await bench.enqueue(50, queue: "q") }
                } catch {
                    Issue.record(error)
                }
            }
            let request = ClearRequest(scope: .queue("q"), states: Set(RunState.allCases), before: Self.always)
            var removed: [RunState: Int64] = [:]
            let clearer = loopTask { () -> [RunState: Int64] in
                var removed: [RunState: Int64] = [:]
                do {
                    while !isOver.isSet {
                        for (state, n) in try await Self.clear(bench.store, request) { removed[state, default: 0] += n }
                        _ = try await bench.store.maintain()
                    }
                } catch {
                    Issue.record(error)
                }
                return removed
            }
            await enqueuer.value
            isOver.isSet = true
            removed = await clearer.value
            var settled = 0
            for host in hosts { settled += await host.value }
            await other.shutdown()
            #expect(settled > 0 && removed[.queued, default: 0] + removed[.succeeded, default: 0] > 0)
            #expect(removed[.running] == nil)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live WHERE state = 'running'") == 0)
            let left = try await Self.clear(bench.store, request)
            #expect(left.values.reduce(0, +) + removed.values.reduce(0, +) == 3000, "each run went once")
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_all") == 0)
            #expect(try await bench.number(Self.differences) == 0)
            #expect(try await bench.number(Self.orphans) == 0)
        }
    }

    @LoopActor
    private final class Flag {
        var isSet = false
    }
}
