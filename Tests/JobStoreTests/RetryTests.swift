import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct RetryTests {
    /// A failed run with a log line and an attempt.
    @LoopActor
    private func failedRun(_ bench: Bench, _ run: NewRun = NewRun(job: "test.noop", args: "{\"a\":1}")) async throws
        -> RunID
    {
        let id = try await bench.store.enqueue(run).id
        let claimed = try #require(try await bench.claim(1).first)
        let line = LogLine(time: claimed.createdAt, level: .info, stream: .handler, message: "a line", fields: nil)
        try await bench.store.appendLogs((1...3).map { LogInsert(runID: id, attempt: 1, seq: $0, line: line) })
        let settled = try await bench.store.settle(bench.lease, [claimed.settlement(.finish(.failed), .error)])
        #expect(settled == [.applied])
        return id
    }

    /// Everywhere that something of a run may be, its follow-up links as child apart.
    nonisolated static func traces(_ id: RunID) -> String {
        let tables = [
            "run_all r WHERE r.id", "attempt r WHERE r.run_id", "run_log r WHERE r.run_id",
            "run_log_index r WHERE r.run_id", "crash_report r WHERE r.run_id", "crash_pending r WHERE r.run_id",
            "run_event r WHERE r.run_id", "follow_up r WHERE r.parent",
        ]
        return "SELECT " + tables.map { "(SELECT count(*) FROM pawl.\($0) = \(id.rawValue))" }.joined(separator: " + ")
    }

    @Test func everythingButTheChangesStays() async throws {
        try await withBench { bench in
            var request = NewRun(job: "test.noop", args: "{\"a\":1,\"b\":{\"c\":2}}", queue: "q", priority: 2)
            request.attempts = 4
            request.timeout = .seconds(9)
            request.queueTime = .seconds(600)
            (request.title, request.owner, request.labels) = ("t", "o", ["x": "y"])
            let id = try await failedRun(bench, request)
            let plain = try #require(
                try await bench.store.run(try await bench.store.retry(id, RetryChanges()).id))
            #expect(plain.args == request.args && plain.queue == "q" && plain.priority == 2 && plain.maxAttempts == 4)
            #expect(plain.timeout == .seconds(9) && plain.title == "t" && plain.owner == "o" && plain.retryOf == id)
            #expect(plain.labels == ["x": "y"] && plain.attempt == 0 && plain.attemptsUsed == 0)
            #expect(plain.expiresAt == plain.runAt.advanced(by: .seconds(600)))
            let policy = BackoffPolicy(kind: .linear, base: .seconds(1), rules: RetryRules(never: [.outcome(.crashed)]))
            let changes = RetryChanges(
                priority: -7, attempts: 1, backoff: policy, queue: "p", timeout: .seconds(2), title: "other",
                args: "{}", delay: .seconds(3600))
            let changed = try #require(try await bench.store.run(try await bench.store.retry(id, changes).id))
            #expect(changed.args == "{}" && changed.queue == "p" && changed.priority == -7 && changed.maxAttempts == 1)
            #expect(changed.backoff == policy && changed.timeout == .seconds(2) && changed.title == "other")
            #expect(changed.state == .scheduled && changed.runAt > plain.runAt.advanced(by: .seconds(3000)))
            #expect(try await bench.store.run(id)?.state == .failed)
        }
    }

    @Test func theOriginalLeavesNothingBehind() async throws {
        try await withBench { bench in
            let id = try await failedRun(bench)
            #expect(try await bench.number(Self.traces(id)) > 4)
            let new = try await bench.store.retry(id, RetryChanges(removeOriginal: true))
            #expect(try await bench.number(Self.traces(id)) == 0)
            #expect(try await bench.store.run(new.id)?.retryOf == id)
            #expect(try await bench.store.queue("default").counts == [.failed: 0, .queued: 1, .running: 0])
            do {
                _ = try await bench.store.retry(id, RetryChanges())
                Issue.record("a run that is gone was retried")
            } catch StoreError.notFound {
            }
        }
    }

    /// Of many that repeat and remove the same run, one does; nothing is made twice.
    @Test func oneOfManyRemovesTheOriginal() async throws {
        try await withBench { bench in
            let id = try await failedRun(bench)
            let tasks = (0..<6).map { _ in
                loopTask { () -> Bool in
                    do {
                        _ = try await bench.store.retry(id, RetryChanges(removeOriginal: true))
                        return true
                    } catch StoreError.notFound {
                        return false
                    } catch {
                        Issue.record(error)
                        return false
                    }
                }
            }
            var made = 0
            for task in tasks where await task.value { made += 1 }
            #expect(made == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_all") == 1)
        }
    }

    @Test func aRepeatedRequestMakesOneRun() async throws {
        try await withBench { bench in
            let id = try await failedRun(bench)
            var changes = RetryChanges(removeOriginal: true)
            (changes.idempotencyKey, changes.idempotencyFingerprint) = ("k", "f")
            let first = try await bench.store.retry(id, changes)
            let again = try await bench.store.retry(id, changes)
            #expect(again.id == first.id && again.isReplay && !first.isReplay)
            changes.idempotencyFingerprint = "other"
            do {
                _ = try await bench.store.retry(id, changes)
                Issue.record("a key was used twice")
            } catch StoreError.conflict(let code, _, _) {
                #expect(code == "idempotency_key_reused")
            }
        }
    }

    @Test func waitingRunsAreHurriedAndChanged() async throws {
        try await withBench { bench in
            let store = bench.store
            var later = NewRun(job: "test.noop", queue: "a", priority: 1)
            (later.delay, later.queueTime) = (.seconds(3600), .seconds(60))
            let id = try await store.enqueue(later).id
            let put = try #require(try await store.run(id)).runAt.advanced(by: .seconds(100))
            let lane = try await store.change(id, RunChanges(priority: 8, queue: "b", runAt: put, title: "t"))
            #expect(lane == nil)
            let changed = try #require(try await store.run(id))
            #expect(changed.priority == 8 && changed.queue == "b" && changed.runAt == put && changed.title == "t")
            #expect(changed.expiresAt == put.advanced(by: .seconds(60)))
            #expect(try await store.queue("a").counts[.scheduled] == 0)
            #expect(try await store.queue("b").counts[.scheduled] == 1)

            try await store.hurry(id)
            let due = try #require(try await store.run(id))
            #expect(due.state == .queued && due.expiresAt == due.runAt.advanced(by: .seconds(60)))
            await #expect(throws: StoreError.self) { try await store.hurry(id) }
            let moved = try #require(try await store.change(id, RunChanges(priority: 3)))
            #expect(moved.queue == "b" && moved.rank == -3)
            await #expect(throws: StoreError.self) { try await store.change(id, RunChanges(runAt: put)) }

            let rest = try await bench.enqueue(2, priority: 5)
            #expect(try await bench.claim(3).map(\.id) == rest + [id])
            do {
                _ = try await store.change(id, RunChanges(priority: 1))
                Issue.record("a running run was changed")
            } catch StoreError.conflict(_, _, let state) {
                #expect(state == .running)
            }
            #expect(try await store.setPriority(rest + [id], 2).changed.isEmpty)
        }
    }

    @Test func prioritiesOfManyAreChanged() async throws {
        try await withBench { bench in
            let ids = try await bench.enqueue(6)
            let scheduled = try await bench.store.enqueue(NewRun(job: "test.noop", delay: .seconds(60))).id
            let first = try await bench.claim(1)[0].id
            let answer = try await bench.store.setPriority(ids.suffix(3) + [first, scheduled], 9)
            #expect(answer.changed == Set(ids.suffix(3) + [scheduled]) && answer.queues == ["default"])
            #expect(try await bench.claim(10).map(\.id) == ids.suffix(3) + ids[1...2])
        }
    }
}
