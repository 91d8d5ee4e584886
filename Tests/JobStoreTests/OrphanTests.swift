import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

/// Runs whose job is gone: nobody would ever start them.
@Suite struct OrphanTests {
    @Test func whatIsCommittedWhileItsJobGoesIsEnded() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            let others = try await bench.enqueue(3)
            try await bench.side.withTransaction { connection in
                let ask = PGStatement(
                    name: "t_ask",
                    sql:
                        "SELECT pawl.enqueue('mine'), pawl.enqueue('mine', '{}', '{\"delay_ms\": 3600000, \"queue\": \"late\"}')"
                )
                _ = try await connection.query(ask)
                guard case .removed(0, 0) = try await store.removeJob("mine", ifRevision: nil, cascade: true) else {
                    Issue.record("it was not removed")
                    return
                }
            }
            let waiting = "SELECT count(*) FROM pawl.run_all WHERE job = 'mine' AND state IN ('queued', 'scheduled')"
            #expect(try await bench.number(waiting) == 2)
            #expect(try await store.maintain(isForced: true).orphansEnded == 2)
            #expect(try await bench.number(waiting) == 0)
            let ended = try await store.runs(RunFilter(jobs: ["mine"]), limit: 10).runs
            #expect(ended.count == 2 && ended.allSatisfy { $0.state == .cancelled })
            for other in others { #expect(try await store.run(other)?.state == .queued) }
            #expect(try await store.maintain(isForced: true).orphansEnded == 0)
            let negative = "SELECT count(*) FROM pawl.run_counter WHERE n < 0"
            #expect(try await bench.number(negative) == 0)
        }
    }

    /// An attempt that was under way goes back to wait for another.
    @Test func aRetryOfARemovedJobIsEnded() async throws {
        try await withBench { bench in
            _ = try await bench.enqueue(2, job: "test.sleep")
            let claimed = try await bench.claim(2)
            try await bench.side.execute("DELETE FROM pawl.job WHERE name = 'test.sleep'")
            let now = claimed[0].createdAt
            _ = try await bench.store.settle(
                bench.lease,
                [
                    claimed[0].settlement(.retry(at: now.advanced(by: .seconds(3600))), .error),
                    .release(claimed[1].id, attempt: 1, at: now),
                ])
            #expect(try await bench.store.maintain(isForced: true).orphansEnded == 2)
            for run in claimed { #expect(try await bench.store.run(run.id)?.state == .cancelled) }
        }
    }

    /// The job has come back under its name: its runs are wanted.
    @Test func aJobThatIsThereLosesNothing() async throws {
        try await withBench { bench in
            let store = bench.store
            let id = try await bench.enqueue(1, job: "test.sleep")[0]
            try await bench.side.execute("DELETE FROM pawl.job WHERE name = 'test.sleep'")
            // A look that began before it came back.
            store.orphans.counted(["test.sleep", "test.noop"], now: .now)
            _ = try await store.createJob(JobDefinition(name: "test.sleep", handler: "test.noop"))
            #expect(try await store.maintain().orphansEnded == 0)
            #expect(!store.orphans.isWalking)
            #expect(try await store.run(id)?.state == .queued)
        }
    }

    /// A host claims one of the runs while the others are being cancelled: what has happened is said.
    @Test func aRemovalThatStopsHalfwaySaysSo() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.createJob(JobDefinition(name: "mine", handler: "test.noop"))
            let ids = try await bench.enqueue(2, job: "mine")
            try await bench.side.execute(
                """
                CREATE FUNCTION pawl.t_claims() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    UPDATE pawl.run_live SET state = 'running', host_id = \(bench.lease.id.rawValue), host_epoch = 1, attempt = 1
                    WHERE job = 'mine' AND state = 'queued';
                    RETURN NULL;
                END $$;
                CREATE TRIGGER t_claims AFTER INSERT ON pawl.run FOR EACH ROW EXECUTE FUNCTION pawl.t_claims()
                """)
            do {
                _ = try await store.removeJob("mine", ifRevision: nil, cascade: true, actor: "me")
                Issue.record("it was removed")
            } catch StoreError.conflict(let code, let detail, let state) {
                #expect(code == "job_running" && state == .running)
                #expect(detail.contains("1 run of the job mine is under way"))
                #expect(detail.contains("1 waiting run of it had been cancelled before that"), "\(detail)")
            }
            #expect(try await store.job("mine").name == "mine")
            var states: Set<RunState> = []
            for id in ids { states.insert(try #require(try await store.run(id)?.state)) }
            #expect(states == [.cancelled, .running])
            let record =
                "SELECT count(*) FROM pawl.audit WHERE action = 'job.delete_stopped' AND actor = 'me' AND detail ->> 'cancelled_runs' = '1'"
            #expect(try await bench.number(record) == 1)
        }
    }

    /// Where nothing is found, looks become rarer; a removal makes the next one soon.
    @Test func looksAreRare() {
        var book = OrphanBook()
        var now = LoopInstant(nanoseconds: 1_000_000_000)
        #expect(book.isDue(now: now))
        book.counted([], now: now)
        #expect(!book.isDue(now: now.advanced(by: .seconds(9))) && book.isDue(now: now.advanced(by: .seconds(10))))
        var pauses: [Duration] = []
        for _ in 0..<8 {
            book.counted(["a"], now: now)
            #expect(book.isWalking && book.position == 0 && !book.isDue(now: now))
            book.walked(to: 7, ended: 0, now: now)
            #expect(book.isWalking && book.position == 7)
            book.walked(to: nil, ended: 0, now: now)
            #expect(!book.isWalking)
            var pause: Duration = .zero
            while !book.isDue(now: now.advanced(by: pause)) { pause += .seconds(10) }
            pauses.append(pause)
            now = now.advanced(by: pause)
        }
        #expect(pauses == pauses.sorted() && pauses[0] == .seconds(20) && pauses.last == .seconds(600))
        book.jobRemoved()
        #expect(book.isDue(now: now))
        book.counted(["a"], now: now)
        book.walked(to: nil, ended: 3, now: now)
        #expect(book.isDue(now: now.advanced(by: .seconds(10))))
    }
}
