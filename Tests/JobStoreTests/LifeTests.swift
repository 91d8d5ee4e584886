import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite struct LifeTests {
    @Test func aRunsWholeWay() async throws {
        try await withBench { bench in
            let store = bench.store
            let enqueued = try await store.enqueue(
                NewRun(
                    job: "test.noop", args: "{\"b\": 1, \"a\": \"\\u0000\"}", priority: 5, attempts: 4,
                    backoff: BackoffPolicy(kind: .fixed), timeout: .seconds(7), title: "A title",
                    description: "Why", labels: ["customer": "42"], owner: "me", organization: "us",
                    traceparent: "00-1-2-01"))
            #expect(enqueued.state == .queued && enqueued.priority == 5 && !enqueued.isReplay)
            let queued = try #require(try await store.run(enqueued.id))
            #expect(queued.state == .queued)
            #expect(queued.args == "{\"b\": 1, \"a\": \"\\u0000\"}")  // Byte for byte.
            #expect(queued.labels == ["customer": "42"] && queued.owner == "me" && queued.title == "A title")

            let run = try #require(try await bench.claim(10).first)
            #expect(run.id == enqueued.id && run.attempt == 1 && run.maxAttempts == 4 && run.handler == "test.noop")
            #expect(run.limits.wall == .seconds(7) && run.backoff.kind == .fixed && run.traceparent == "00-1-2-01")
            #expect(try await store.run(run.id)?.state == .running)
            #expect(try await bench.claim(10).isEmpty)

            try await store.noteStarted(
                bench.lease,
                [
                    StartedAttempt(
                        id: run.id, attempt: 1, pid: 99, version: "v", startedAt: run.createdAt,
                        progress: Progress(stage: "Reading", current: 3, total: 4))
                ])
            let live = try #require(try await store.attempts(run.id).first)
            #expect(live.outcome == nil && live.pid == 99 && live.progress.stage == "Reading")

            var report = run.report(result: .json("{\"rows\":3}"))
            report.crash = CrashInfo(
                signal: 11, code: 1, address: .max, pc: 2, threadName: "worker", frames: [3, .max], addressSpaceBytes: 4
            )
            report.ladder = [LadderStep(name: "term", atMillis: 12)]
            report.outputTail = "bye\0"
            report.survivorsKilled = 2
            let results = try await store.settle(
                bench.lease, [Settlement(report: report, decision: .finish(.succeeded))])
            #expect(results == [.applied])
            let done = try #require(try await store.run(run.id))
            #expect(done.state == .succeeded && done.result == .json("{\"rows\":3}") && done.attemptsUsed == 1)
            #expect(done.progress.percent == 50 && done.progress.counters == [.init(kind: "inserts", value: 5)])
            #expect(done.args == queued.args && done.finishedAt == report.ended && done.outcome == .succeeded)
            let attempt = try #require(try await store.attempts(run.id).first)
            #expect(attempt.crash == report.crash && attempt.ladder == report.ladder && attempt.survivorsKilled == 2)
            #expect(attempt.resources == report.resources && attempt.sentence == "It did it." && attempt.pid == 4711)
            #expect(attempt.hostID == bench.lease.id && attempt.hostEpoch == bench.lease.epoch)
        }
    }

    @Test func priorityThenOrderOfArrival() async throws {
        try await withBench { bench in
            let low = try await bench.enqueue(2, priority: -1)
            let high = try await bench.enqueue(2, priority: 9)
            let middle = try await bench.enqueue(2)
            let first = try await bench.claim(5).map(\.id)
            #expect(first == Array([high, middle, Array(low.prefix(1))].joined()))
            #expect(try await bench.claim(5).map(\.id) == [low[1]])
        }
    }

    @Test func aFailedAttemptWaitsAndComesBack() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            let error = AttemptError(code: "boom", message: "it broke", detailsJSON: "{\"x\":1}")
            _ = try await store.settle(
                bench.lease,
                [Settlement(report: run.report(.error, error: error), decision: .retry(at: WallTime(micros: 1)))])
            let waiting = try #require(try await store.run(run.id))
            #expect(waiting.state == .retrying && waiting.attemptsUsed == 1 && waiting.error == error)
            #expect(try await bench.claim(1).isEmpty)
            #expect(try await store.promoteDue().moved == 1)
            let again = try await bench.claim(1)[0]
            #expect(again.attempt == 2 && again.attemptsUsed == 1)
            _ = try await store.settle(bench.lease, [again.settlement(.finish(.failed), .crashed)])
            #expect(try await store.run(run.id)?.state == .failed)
            #expect(try await store.attempts(run.id).map(\.outcome) == [.error, .crashed])
        }
    }

    @Test func snoozeLostAndRelease() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let first = try await bench.claim(1)[0]
            let later = try await store.databaseTime().advanced(by: .seconds(3600))
            _ = try await store.settle(bench.lease, [first.settlement(.snooze(until: later), .snoozed)])
            let snoozed = try #require(try await store.run(first.id))
            #expect(snoozed.state == .scheduled && snoozed.attemptsUsed == 0 && snoozed.runAt == later)
            let due = try await store.promoteDue()
            #expect(due.moved == 0 && due.nextDue == later)
            try await bench.side.execute("UPDATE pawl.run_waiting SET run_at = now()")
            _ = try await store.promoteDue()
            let second = try await bench.claim(1)[0]
            #expect(try await store.settle(bench.lease, [second.settlement(.requeueLost, .lost)]) == [.applied])
            let third = try await bench.claim(1)[0]
            #expect(third.attempt == 3 && third.lostCount == 1 && third.attemptsUsed == 0)
            let release = Settlement.release(third.id, attempt: third.attempt, at: third.createdAt)
            #expect(try await store.settle(bench.lease, [release]) == [.applied])
            let fourth = try await bench.claim(1)[0]
            #expect(fourth.attempt == 4 && fourth.lostCount == 1)
            #expect(try await store.attempts(first.id).map(\.outcome) == [.snoozed, .lost, nil])
        }
    }

    @Test func aLateSettleIsFencedAndARepeatedOneIsDone() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(2)
            let runs = try await bench.claim(2)
            let done = runs[0].settlement(.finish(.succeeded))
            #expect(try await store.settle(bench.lease, [done]) == [.applied])
            #expect(try await store.settle(bench.lease, [done]) == [.alreadyDone])
            // Somebody else took the second run from us.
            let release = Settlement.release(runs[1].id, attempt: 1, at: runs[1].createdAt)
            _ = try await store.settle(bench.lease, [release])
            let other = try await bench.claim(1)[0]
            #expect(other.id == runs[1].id && other.attempt == 2)
            let late = runs[1].settlement(.finish(.failed), .crashed)
            #expect(try await store.settle(bench.lease, [late, done]) == [.fenced, .alreadyDone])
            #expect(try await store.run(other.id)?.state == .running)
            let stranger = HostLease(id: HostID(999), epoch: 1)
            #expect(try await store.settle(stranger, [other.settlement(.finish(.failed))]) == [.fenced])
        }
    }

    /// The row is being changed by another session when the settle comes to it.
    @Test(arguments: [true, false]) func aSettleThatMeetsAChange(_ isHarmless: Bool) async throws {
        try await withBench { bench in
            let store = bench.store
            let id = try await bench.enqueue(1)[0]
            let run = try await bench.claim(1)[0]
            let change =
                isHarmless
                ? "UPDATE pawl.run_live SET pid = 5"
                : "UPDATE pawl.run_live SET state = 'queued', host_id = NULL, host_epoch = NULL, pos = nextval('pawl.run_pos')"
            try await bench.side.execute("BEGIN; \(change)")
            let settling = loopTask { () -> [SettleResult]? in
                do {
                    return try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
                } catch {
                    Issue.record(error)
                    return nil
                }
            }
            let watcher = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            let waiting = PGStatement(
                name: "t_waiting",
                sql:
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            try await eventually { try await watcher.query(waiting)[0].int64(0) == 1 }
            watcher.close()
            try await bench.side.execute("COMMIT")
            #expect(await settling.value == [isHarmless ? .applied : .fenced])
            #expect(try await store.run(id)?.state == (isHarmless ? .succeeded : .queued))
        }
    }

    @Test func whatTheDatabaseRefusesIsSettledWithoutIt() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(2)
            let runs = try await bench.claim(2)
            let bad = Settlement(report: runs[0].report(result: .json("{no json")), decision: .finish(.succeeded))
            let results = try await store.settle(bench.lease, [bad, runs[1].settlement(.finish(.succeeded))])
            #expect(results == [.applied, .applied])
            #expect(try await store.run(runs[0].id)?.state == .succeeded)
            #expect(try await store.run(runs[0].id)?.result == RunResult.none)
        }
    }

    @Test func twoClaimersDrainWithoutADouble() async throws {
        try await withBench { bench in
            let total = 2000
            var ids: Set<RunID> = []
            for _ in 0..<4 { ids.formUnion(try await bench.enqueue(total / 4)) }
            #expect(ids.count == total)
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let first = bench.lease
            let store = bench.store
            let drained = [(store, first), (other, second)].map { store, lease in
                loopTask { () -> [RunID] in
                    var mine: [RunID] = []
                    var pending: [Settlement] = []
                    do {
                        repeat {
                            let answer = try await store.settleAndClaim(lease, pending, claim: ClaimRequest(limit: 37))
                            #expect(answer.settled.allSatisfy { $0 == .applied })
                            mine += answer.claimed.map(\.id)
                            pending = answer.claimed.map { $0.settlement(.finish(.succeeded)) }
                        } while !pending.isEmpty
                    } catch {
                        Issue.record(error)
                    }
                    return mine
                }
            }
            var all: [RunID] = []
            for task in drained { all += await task.value }
            await other.shutdown()
            #expect(all.count == total && Set(all) == ids)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run WHERE state = 'succeeded'") == 2000)
            #expect(try await bench.number("SELECT count(*) FROM pawl.attempt") == 2000)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 0)
        }
    }
}
