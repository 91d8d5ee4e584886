import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite("Follow-up runs")
struct FollowUpTests {
    @Test("come with the success of their attempt, with what it said of them")
    func made() async throws {
        try await withBench { bench in
            let parent = try await bench.store.enqueue(
                NewRun(
                    job: "test.noop", owner: "ada",
                    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            ).id
            let claimed = try await bench.claim(1)[0]
            let settlement = claimed.asking(
                FollowUp(job: "test.sleep", args: #"{"n": 1}"#),
                FollowUp(
                    job: "csv.to_jsonl", delay: .seconds(3600), priority: 7, attempts: 9, queue: "later",
                    title: "Second",
                    labels: ["a": "b"]))
            #expect(try await bench.store.settle(bench.lease, [settlement]) == [.applied])

            let links = try await bench.store.links(parent)
            #expect(links.parent == nil && links.followUps.map(\.job) == ["test.sleep", "csv.to_jsonl"])
            let first = try #require(try await bench.store.run(links.followUps[0].id))
            #expect(first.state == .queued && first.trigger == "follow_up" && first.args == #"{"n": 1}"#)
            #expect(first.owner == "ada" && first.traceparent?.hasPrefix("00-0af7") == true)
            #expect(try await bench.store.links(first.id).parent == parent)
            let second = try #require(try await bench.store.run(links.followUps[1].id))
            #expect(second.state == .scheduled && second.priority == 7 && second.maxAttempts == 9)
            #expect(second.queue == "later" && second.title == "Second" && second.labels == ["a": "b"])
            #expect(second.runAt > first.runAt.advanced(by: .seconds(3000)))
            #expect(try await bench.claim(5).map(\.id) == [first.id])
        }
    }

    @Test("are made once, however often their attempt is settled")
    func once() async throws {
        try await withBench { bench in
            let parent = try await bench.enqueue(1)[0]
            let settlement = try await bench.claim(1)[0].asking(FollowUp(job: "test.sleep"))
            #expect(try await bench.store.settle(bench.lease, [settlement]) == [.applied])
            #expect(try await bench.store.settle(bench.lease, [settlement]) == [.alreadyDone])
            #expect(try await bench.store.links(parent).followUps.count == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_all") == 2)
        }
    }

    @Test("of an attempt that does not end the run well are never made", arguments: [false, true])
    func onlySuccess(isRetried: Bool) async throws {
        try await withBench { bench in
            let parent = try await bench.enqueue(1)[0]
            var settlement = try await bench.claim(1)[0].asking(FollowUp(job: "test.sleep"))
            settlement.report.outcome = .error
            settlement.decision = isRetried ? .retry(at: settlement.report.ended) : .finish(.failed)
            #expect(try await bench.store.settle(bench.lease, [settlement]) == [.applied])
            #expect(try await bench.store.links(parent).followUps.isEmpty)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_all") == 1)
        }
    }

    @Test("of an attempt that is not this host's any more are never made")
    func fenced() async throws {
        try await withBench { bench in
            let parent = try await bench.enqueue(1)[0]
            var settlement = try await bench.claim(1)[0].asking(FollowUp(job: "test.sleep"))
            settlement.report.attempt += 1
            #expect(try await bench.store.settle(bench.lease, [settlement]) == [.fenced])
            #expect(try await bench.store.links(parent).followUps.isEmpty)
        }
    }

    @Test("that cannot be made end the run failed, with its result; its neighbours are settled")
    func refused() async throws {
        try await withBench { bench in
            try await bench.store.registerHandlers(
                plugin: "strict",
                [
                    JobUpsert(
                        handler: "strict.job",
                        argsSchema: #"{"type": "object", "properties": {"n": {"type": "integer"}}}"#)
                ])
            _ = try await bench.enqueue(3)
            let claimed = try await bench.claim(3)
            var unknown = claimed[0].asking(FollowUp(job: "test.sleep"), FollowUp(job: "test.nop"))
            unknown.report.result = .json("42")
            let odd = claimed[1].asking(FollowUp(job: "strict.job", args: #"{"n": "x"}"#))
            let good = claimed[2].asking(FollowUp(job: "strict.job", args: #"{"n": 1}"#))
            #expect(
                try await bench.store.settle(bench.lease, [unknown, odd, good])
                    == [.followUpsRefused, .followUpsRefused, .applied])
            // The answer was lost: it is the same once more, and nothing happens.
            #expect(
                try await bench.store.settle(bench.lease, [unknown, odd, good])
                    == [.followUpsRefused, .followUpsRefused, .alreadyDone])

            let first = try #require(try await bench.store.run(claimed[0].id))
            #expect(first.state == .failed && first.error?.code == "follow_up_refused" && first.result == .json("42"))
            #expect(first.error?.message.contains("follow-up run 2 of 2 (job test.nop)") == true)
            #expect(first.error?.message.contains("test.noop") == true, "near matches are named")
            #expect(try await bench.store.links(first.id).followUps.isEmpty, "all or none")
            let second = try #require(try await bench.store.run(claimed[1].id))
            #expect(second.state == .failed && second.error?.message.contains("/args/n") == true)
            #expect(try await bench.store.run(claimed[2].id)?.state == .succeeded)
            #expect(try await bench.store.links(claimed[2].id).followUps.count == 1)
        }
    }

    /// Each question costs a trip to the database, before the batch is settled.
    @Test("of many runs cost two questions at most, whatever they name")
    func fewQuestions() async throws {
        try await withBench { bench in
            _ = try await bench.enqueue(60)
            let claimed = try await bench.claim(60)
            let batch = claimed.enumerated().map { index, run in
                run.asking(FollowUp(job: "test.sleep"), FollowUp(job: index % 2 == 0 ? "test.nop" : "no.\(index)"))
            }
            let before = bench.store.lookups
            let settled = try await bench.store.settle(bench.lease, batch)
            #expect(settled.allSatisfy { $0 == .followUpsRefused })
            #expect(bench.store.lookups - before == 2)
            for (index, run) in claimed.enumerated() {
                let message = try #require(try await bench.store.run(run.id)?.error?.message)
                #expect(message.contains(index % 2 == 0 ? "job test.nop" : "job no.\(index)"))
                #expect(message.contains("test.noop") == (index % 2 == 0), "near matches are its own")
            }
        }
    }

    /// The settlement is committed, and the connection breaks before its answer: who repeats it makes nothing twice.
    @Test("are made once when the answer of their settlement is lost")
    func answerLost() async throws {
        try await withBench { bench in
            let parent = try await bench.enqueue(1)[0]
            let settlement = try await bench.claim(1)[0].asking(FollowUp(job: "test.sleep"))
            let store = bench.store
            // Holds the settlement's last step, so that it can be cut off at a known place.
            try await bench.side.execute("BEGIN; LOCK TABLE pawl.counter_delta IN ACCESS EXCLUSIVE MODE")
            let settling = loopTask { () -> Bool in
                do {
                    _ = try await store.settle(bench.lease, [settlement])
                    return true
                } catch { return false }
            }
            let watcher = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            let blocked = PGStatement(
                name: "t_blocked",
                sql: "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
            var pid: Int32 = 0
            try await eventually {
                let rows = try await watcher.query(blocked)
                pid = try rows.first?.int32(0) ?? 0
                return pid != 0
            }
            // Cut off before the commit: nothing is there.
            try await watcher.execute("SELECT pg_terminate_backend(\(pid))")
            watcher.close()
            #expect(await settling.value == false)
            try await bench.side.execute("COMMIT")
            #expect(try await store.links(parent).followUps.isEmpty)
            #expect(try await store.run(parent)?.state == .running)
            // Committed, and whoever asked did not hear of it: another session of the same host asks again.
            let other = bench.anotherStore()
            #expect(try await other.settle(bench.lease, [settlement]) == [.applied])
            await other.shutdown()
            try await eventually {
                do { return try await store.settle(bench.lease, [settlement]) == [.alreadyDone] } catch { return false }
            }
            #expect(try await store.links(parent).followUps.count == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_all") == 2)
        }
    }

    @Test("of a job that goes away between the look and the deed do not lose the outcome")
    func jobGone() async throws {
        try await withBench { bench in
            _ = try await bench.enqueue(2)
            let claimed = try await bench.claim(2)
            // Known from here on.
            let known = claimed[0].asking(FollowUp(job: "test.sleep"))
            #expect(try await bench.store.settle(bench.lease, [known]) == [.applied])
            _ = try await bench.side.execute("DELETE FROM pawl.job WHERE name = 'test.sleep'")
            let late = claimed[1].asking(FollowUp(job: "test.sleep"))
            #expect(try await bench.store.settle(bench.lease, [late]) == [.followUpsRefused])
            let run = try #require(try await bench.store.run(claimed[1].id))
            #expect(run.state == .failed && run.error?.code == "follow_up_refused")
        }
    }
}

extension ClaimedRun {
    fileprivate func asking(_ wanted: FollowUp...) -> Settlement {
        var settlement = self.settlement(.finish(.succeeded))
        settlement.report.followUps = wanted
        return settlement
    }
}
