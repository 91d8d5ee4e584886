import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct EnqueueTests {
    @Test func anUnknownJobComesWithNearMatches() async throws {
        try await withBench { bench in
            await #expect(throws: StoreError.self) { try await bench.store.enqueue(NewRun(job: "csv.to_json")) }
            do {
                _ = try await bench.store.enqueue(NewRun(job: "csv.to_json"))
            } catch StoreError.notFound(let what, let id, let near) {
                #expect(what == "job" && id == "csv.to_json" && near.first == "csv.to_jsonl")
            }
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 0)
        }
    }

    @Test func badInputIsRefusedWithItsPlace() async throws {
        let bad: [(NewRun, String)] = [
            (NewRun(job: "test.noop", args: "{\"a\":}"), "/args"), (NewRun(job: "test.noop", args: "{} {}"), "/args"),
            (NewRun(job: "test.noop", attempts: 0), "/attempts"), (NewRun(job: "test.noop", queue: ""), "/queue"),
            (NewRun(job: "test.noop", priority: .max), "/priority"),
            (NewRun(job: "test.noop", title: "a\0b"), "/title"),
            (NewRun(job: "test.noop", timeout: .zero), "/timeout_ms"),
            (NewRun(job: "test.noop", runAt: WallTime(micros: 0), delay: .seconds(1)), "/delay_ms"),
        ]
        try await withBench { bench in
            for (run, pointer) in bad {
                do {
                    _ = try await bench.store.enqueue(run)
                    Issue.record("it was taken: \(pointer)")
                } catch StoreError.invalid(let fault) {
                    #expect(fault.pointer == pointer)
                }
            }
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 0)
        }
    }

    /// All of a queued run but what no two have in common.
    @LoopActor
    private static func row(_ id: RunID, _ bench: Bench) async throws -> String {
        let sql = """
            SELECT (to_jsonb(r) - '{id,pos,run_at,created_at,expires_at}'::text[]
                || jsonb_build_object('left', r.expires_at - r.run_at, 'at_once', r.run_at = r.created_at))::text
            FROM pawl.run_live r WHERE id = \(id.rawValue)
            """
        return try await bench.side.query(PGStatement(name: "row_\(id.rawValue)", sql: sql))[0].text(0)
    }

    /// One plain request has a statement of its own: it stores what the other one does.
    @Test func oneAloneIsStoredAsOneOfMany() async throws {
        let backoff = BackoffPolicy(kind: .fixed, base: .seconds(7))
        let requests = [
            NewRun(job: "test.noop"),
            NewRun(
                job: "test.sleep", args: "{\"b\": 1, \"a\": [2]}", queue: "other", priority: 7, attempts: 5,
                backoff: backoff,
                timeout: .seconds(9), queueTime: .seconds(60), title: "t", description: "d", labels: ["k": "v"],
                owner: "o", organization: "g", trigger: "cli",
                traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            NewRun(job: "test.noop", priority: -3, attempts: 1, labels: ["a": "b"]),
        ]
        try await withBench { bench in
            for run in requests {
                let alone = try await bench.store.enqueue(run)
                let among = try await bench.store.enqueue(batch: [run, run])[1].get()
                var rows: [String] = []
                for id in [alone.id, among.id] { rows.append(try await Self.row(id, bench)) }
                #expect(rows[0] == rows[1])
                #expect(alone.queue == among.queue && alone.priority == among.priority && alone.state == among.state)
                #expect(alone.terms?.maxAttempts == among.terms?.maxAttempts)
                #expect(alone.terms?.retentionDays == among.terms?.retentionDays)
            }
            #expect(try await bench.number("SELECT sum(n)::bigint FROM pawl.counter_delta WHERE state = 'queued'") == 9)
        }
    }

    @Test func theFutureWaits() async throws {
        try await withBench { bench in
            let enqueued = try await bench.store.enqueue(NewRun(job: "test.noop", delay: .seconds(3600)))
            #expect(enqueued.state == .scheduled)
            #expect(try await bench.claim(1).isEmpty)
            #expect(try await bench.store.run(enqueued.id)?.state == .scheduled)
            let past = try await bench.store.enqueue(NewRun(job: "test.noop", runAt: WallTime(micros: 0)))
            #expect(past.state == .queued)
        }
    }

    @Test func aBatchSaysWhichItemsItRefuses() async throws {
        try await withBench { bench in
            let results = try await bench.store.enqueue(batch: [
                NewRun(job: "test.noop"), NewRun(job: "nope"), NewRun(job: "test.noop", args: "["),
                NewRun(job: "test.noop", idempotencyKey: "k"), NewRun(job: "test.sleep"),
            ])
            let taken = results.map { result in
                if case .success = result { true } else { false }
            }
            #expect(taken == [true, false, false, true, true])
        }
    }

    @Test func oneKeyOneRun() async throws {
        try await withBench { bench in
            let request = NewRun(job: "test.noop", idempotencyKey: "key", idempotencyFingerprint: "f1")
            let store = bench.store
            let many = (0..<10).map { _ in
                loopTask { () -> Enqueued? in
                    do { return try await store.enqueue(request) } catch {
                        Issue.record(error)
                        return nil
                    }
                }
            }
            var answers: [Enqueued] = []
            for task in many { if let answer = await task.value { answers.append(answer) } }
            #expect(Set(answers.map(\.id)).count == 1 && answers.count { !$0.isReplay } == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 1)

            var other = request
            other.idempotencyFingerprint = "f2"
            do {
                _ = try await store.enqueue(other)
                Issue.record("it was taken")
            } catch StoreError.conflict(let code, _, _) {
                #expect(code == "idempotency_key_reused")
            }
            // A day later it is another one.
            try await bench.side.execute("UPDATE pawl.run_key SET expires_at = now() - interval '1 second'")
            #expect(try await store.enqueue(other).isReplay == false)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 2)
        }
    }

    @Test func aRetryIsANewRun() async throws {
        try await withBench { bench in
            let store = bench.store
            let first = try await store.enqueue(
                NewRun(job: "test.noop", args: "{\"a\":1,\"b\":{\"c\":2}}", labels: ["x": "y"]))
            do {
                _ = try await store.retry(first.id, RetryChanges())
                Issue.record("a queued run was retried")
            } catch StoreError.conflict(let code, _, let state) {
                #expect(code == "run_not_finished" && state == .queued)
            }
            _ = try await store.settle(bench.lease, [try await bench.claim(1)[0].settlement(.finish(.failed), .error)])
            let changes = RetryChanges(
                priority: 3, attempts: 5, queue: "other", dataOverrides: "{\"b\":[],\"d\":null}", removeOriginal: true)
            let second = try await store.retry(first.id, changes)
            let run = try #require(try await store.run(second.id))
            #expect(run.args == "{\"a\":1,\"b\":[],\"d\":null}" && run.retryOf == first.id && run.priority == 3)
            #expect(run.queue == "other" && run.maxAttempts == 5 && run.labels == ["x": "y"] && run.trigger == "retry")
            #expect(try await store.run(first.id) == nil)
            #expect(try await store.attempts(first.id).isEmpty)
        }
    }

    @Test func fromSQLInSomebodysTransaction() async throws {
        try await withBench { bench in
            let store = bench.store
            try await bench.side.execute(
                """
                BEGIN;
                SELECT pawl.enqueue('test.noop', '{"k": 1}', '{"priority": 2, "labels": {"a": "b"}, "idempotency_key": "q"}');
                SELECT pawl.enqueue('test.noop', '{"k": 1}', '{"priority": 2, "labels": {"a": "b"}, "idempotency_key": "q"}');
                SELECT pawl.enqueue('test.noop', '{}', '{"delay_ms": 60000}');
                COMMIT;
                """)
            let run = try #require(try await bench.claim(10).first)
            #expect(run.priority == 2 && run.args == "{\"k\": 1}")
            let named = PGStatement(name: "t_name", sql: "SELECT pawl.run_name($1::bigint)")
            #expect(try await bench.side.query(named, [.int64(run.id.rawValue)])[0].text(0) == run.id.description)
            let row = try #require(try await store.run(run.id))
            #expect(row.labels == ["a": "b"] && row.trigger == "sql")
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_waiting") == 1)
            await #expect(throws: PostgresError.self) {
                try await bench.side.execute("SELECT pawl.enqueue('test.noop', '{}', '{\"prio\": 1}')")
            }
            await #expect(throws: PostgresError.self) {
                try await bench.side.execute("SELECT pawl.enqueue('none', '{}')")
            }
            #expect(try await store.queues().first { $0.name == "default" }?.counts[.running] == 1)
        }
    }

    @Test func sleepersAreNotifiedAtCommitAndOthersNot() async throws {
        try await withBench { bench in
            let store = bench.store
            var woken: [String] = []
            try await store.listen(
                host: bench.lease.id, onWake: { woken.append($0) }, onSignal: { _ in }, onReconnect: {})
            try await bench.side.execute("SELECT pawl.enqueue('test.noop')")
            #expect(try await bench.claim(10).count == 1)
            try await store.markSleeping(bench.lease.id)
            #expect(try await bench.claim(10).isEmpty)
            _ = try await store.enqueue(NewRun(job: "test.noop"))  // By a host: no notification.
            try await bench.side.execute("SELECT pawl.enqueue('test.noop', '{}', '{\"queue\": \"q2\"}')")
            try await eventually { !woken.isEmpty }
            #expect(woken == ["q2"])
            #expect(try await bench.claim(10).count == 2)
            try await store.markAwake(bench.lease.id)
            try await bench.side.execute("SELECT pawl.enqueue('test.noop')")
            try await bench.side.execute("SELECT pg_notify('pawl_wake', 'end')")
            try await eventually { woken.last == "end" }
            #expect(woken == ["q2", "end"])
        }
    }
}
