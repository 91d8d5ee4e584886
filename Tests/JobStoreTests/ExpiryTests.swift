import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite struct ExpiryTests {
    /// What the counters say of each state, without those that say nothing.
    @LoopActor
    private func counts(_ bench: Bench) async throws -> [RunState: Int64] {
        try await bench.store.job("test.noop").counts.filter { $0.value != 0 }
    }

    @Test func aRunThatIsNotStartedInTimeEnds() async throws {
        try await withBench { bench in
            let store = bench.store
            let short = try await store.enqueue(NewRun(job: "test.noop", queueTime: .milliseconds(1))).id
            let long = try await store.enqueue(NewRun(job: "test.noop", queueTime: .seconds(3600))).id
            let ever = try await store.enqueue(NewRun(job: "test.noop")).id
            #expect(try await store.run(ever)?.expiresAt == nil)
            let due = try #require(try await store.run(long))
            #expect(due.expiresAt == due.runAt.advanced(by: .seconds(3600)))
            try await eventually {
                try await bench.number("SELECT count(*) FROM pawl.run_live WHERE expires_at <= now()") == 1
            }
            #expect(try await store.expireQueued() == [short])
            #expect(try await store.expireQueued() == [])
            let run = try #require(try await store.run(short))
            #expect(run.state == .failed && run.reason == .expired && run.outcome == nil && run.attempt == 0)
            #expect(
                run.error?.code == "expired" && run.startedAt == nil && run.finishedAt != nil && run.attemptsUsed == 0)
            #expect(try await store.attempts(short).isEmpty)
            #expect(try await counts(bench) == [.queued: 2, .failed: 1])
            // It is over like any other: no claim, no cancel.
            #expect(try await Set(bench.claim(10).map(\.id)) == [long, ever])
            #expect(try await store.requestCancel(short, reason: nil) == .alreadyFinished(.failed))
        }
    }

    /// The sweep may be late; the claim must not be.
    @Test func noneIsClaimedAfterItsTime() async throws {
        try await withBench { bench in
            let late = try await bench.store.enqueue(NewRun(job: "test.noop", queueTime: .milliseconds(1))).id
            let other = try await bench.store.enqueue(NewRun(job: "test.noop")).id
            try await eventually {
                try await bench.number("SELECT count(*) FROM pawl.run_live WHERE expires_at <= now()") == 1
            }
            #expect(try await bench.claim(10).map(\.id) == [other])
            #expect(try await bench.claim(10).isEmpty)
            #expect(try await bench.store.expireQueued() == [late])
        }
    }

    @Test func whatHasStartedDoesNotExpire() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.enqueue(
                batch: (0..<4).map { _ in NewRun(job: "test.noop", queueTime: .milliseconds(300)) })
            let runs = try await bench.claim(10)
            #expect(runs.count == 4)
            let now = try await store.databaseTime()
            let settled = try await store.settle(
                bench.lease,
                [
                    runs[0].settlement(.retry(at: now.advanced(by: .seconds(-1))), .error),
                    runs[1].settlement(.snooze(until: now.advanced(by: .seconds(-1))), .snoozed),
                    runs[2].settlement(.requeueLost, .lost),
                ])
            #expect(settled == [.applied, .applied, .applied])
            _ = try await store.promoteDue()
            try await eventually { try await store.databaseTime() > now.advanced(by: .milliseconds(400)) }
            #expect(try await store.expireQueued() == [])
            #expect(try await Set(bench.claim(10).map(\.id)) == Set(runs.prefix(3).map(\.id)))
            // The fourth runs all the time.
            #expect(try await store.run(runs[3].id)?.state == .running)
        }
    }

    /// Given back without having been started, by its host or because that is gone.
    @Test func whatWasOnlyClaimedStillExpires() async throws {
        try await withBench { bench in
            let store = bench.store
            let id = try await store.enqueue(NewRun(job: "test.noop", queueTime: .milliseconds(200))).id
            let run = try await bench.claim(1)[0]
            #expect(run.id == id)
            let release = Settlement.release(id, attempt: run.attempt, at: run.createdAt)
            #expect(try await store.settle(bench.lease, [release]) == [.applied])
            try await eventually { try await store.expireQueued() == [id] }
            #expect(try await store.run(id)?.attempt == 1)
            #expect(try await store.attempts(id).isEmpty)
        }
    }

    @Test func theJobsTimeHoldsForAllWaysIn() async throws {
        try await withBench { bench in
            let store = bench.store
            let patch = JobPatch(limits: ["queue_ms": 60_000])
            guard case .changed = try await store.patchJob("test.noop", patch, ifRevision: nil) else {
                Issue.record("the patch was not taken")
                return
            }
            let own = try await store.enqueue(NewRun(job: "test.noop", queueTime: .seconds(5))).id
            let plain = try await store.enqueue(NewRun(job: "test.noop")).id
            let later = try await store.enqueue(NewRun(job: "test.noop", delay: .seconds(100))).id
            try await bench.side.execute(
                "SELECT pawl.enqueue('test.noop'), pawl.enqueue('test.noop', '{}', '{\"queue_ms\": 7000}')")
            let soon = try await store.databaseTime().advanced(by: .seconds(60))
            _ = try await store.createSchedule(
                ScheduleInput(
                    job: "test.noop", spec: .once(at: soon),
                    timezone: "UTC"))
            try await bench.side.execute("UPDATE pawl.schedule SET next_at = now() - interval '1 s'")
            let fired = try #require(try await store.fireDue().fired.first?.run.id)
            for (id, seconds) in [(own, 5), (plain, 60), (later, 60), (fired, 60)] {
                let run = try #require(try await store.run(id))
                #expect(run.expiresAt == run.runAt.advanced(by: .seconds(seconds)))
            }
            let byTime = "SELECT count(*) FROM pawl.runs WHERE trigger = 'sql' AND expires_at - run_at = interval"
            #expect(try await bench.number("\(byTime) '60 s'") == 1)
            #expect(try await bench.number("\(byTime) '7 s'") == 1)

            // A repeated run has as long as the one it repeats, from its own due time on.
            try await bench.side.execute("UPDATE pawl.run_live SET expires_at = now() WHERE id = \(own.rawValue)")
            #expect(try await store.expireQueued() == [own])
            try await bench.side.execute(
                "UPDATE pawl.run SET expires_at = run_at + interval '5 s' WHERE id = \(own.rawValue)")
            let again = try await store.retry(own, RetryChanges()).id
            let run = try #require(try await store.run(again))
            #expect(run.expiresAt == run.runAt.advanced(by: .seconds(5)))
        }
    }

    /// Several hosts sweep and claim at once: each run ends once, or is claimed once.
    @Test func manyAtOnceDecideOnce() async throws {
        try await withBench { bench in
            let total = 400
            // Every fourth waits as long as it takes: however slow the machine is, there is something to claim, and more runs
            // expire than are claimed.
            let runs = (0..<total).map { number in
                let wait = Duration.milliseconds((number % 40 + 1) * 5)
                return NewRun(job: "test.noop", queueTime: number % 4 == 3 ? nil : wait)
            }
            _ = try await bench.store.enqueue(batch: runs)
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let sweepers = [bench.store, other].map { store in
                loopTask { () -> Int in
                    var count = 0
                    do {
                        for _ in 0..<60 {
                            count += try await store.expireQueued(limit: 7).count
                            try await LoopClock.sleep(for: .milliseconds(5))
                        }
                    } catch { Issue.record(error) }
                    return count
                }
            }
            var claimed = 0
            for _ in 0..<10 {
                claimed += try await bench.store.claim(bench.lease, ClaimRequest(limit: 5)).count
                claimed += try await other.claim(second, ClaimRequest(limit: 5)).count
            }
            var expired = 0
            for sweeper in sweepers { expired += await sweeper.value }
            while true {
                let rest = try await bench.store.expireQueued().count
                if rest == 0 { break }
                expired += rest
            }
            await other.shutdown()
            let left = total - claimed - expired
            #expect(claimed > 0 && expired > 0 && (0...total / 4).contains(left), "\(claimed), \(expired)")
            let expected: [RunState: Int64] = [
                .running: Int64(claimed), .failed: Int64(expired), .queued: Int64(left),
            ]
            #expect(try await counts(bench) == expected.filter { $0.value > 0 })
            #expect(try await bench.number("SELECT count(*) FROM pawl.run WHERE reason = 'expired'") == Int64(expired))
        }
    }

    /// The sweep comes each second: it must find what is late without walking what waits.
    @Test func theSweepAndTheClaimDoNotWalkTheBacklog() async throws {
        try await withBench { bench in
            try await bench.side.execute(
                """
                INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger,
                    expires_at)
                SELECT nextval('pawl.run_id'), 'default', 0, nextval('pawl.run_pos'), now(), 'test.noop', '{}', 3, now(), 30, 'api',
                    CASE WHEN i % 10 = 0 THEN now() + interval '1 hour' END
                FROM generate_series(1, 20000) AS i;
                ANALYZE pawl.run_live;
                """)
            _ = try await bench.store.enqueue(NewRun(job: "test.noop", queueTime: .milliseconds(1)))
            let plan = PGStatement(
                name: "t_plan",
                sql:
                    "EXPLAIN SELECT id FROM pawl.run_live WHERE state = 'queued' AND expires_at <= now() ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED"
            )
            let lines = try await bench.side.query(plan).map { try $0.text(0) }
            #expect(lines.contains { $0.contains("run_live_expiry") }, "\(lines)")
        }
    }
}
