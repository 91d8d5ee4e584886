import JobCore
import JobStore
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

/// What tasks of a test tell each other.
@LoopActor
private final class Tally {
    var done = 0
    var isOver = false
    var woken: [String] = []
}

@Suite struct AdmissionStoreTests {
    /// Everything that may be claimed of a queue with two jobs, for all small limits of the queue, of one job and of the host, and
    /// for what runs already: the statement takes what the arithmetic says, whatever lanes the runs wait in.
    @Test func aClaimTakesWhatTheLimitsLeave() async throws {
        try await withBench { bench in
            let store = bench.store
            let values: [Int?] = [nil, 1, 3]
            for queue in values {
                for job in values {
                    for here in [nil, 2] as [Int?] {
                        _ = try await store.limitQueue(
                            "q", ConcurrencyPatch(everywhere: .some(queue), here: .some(here)))
                        try await limit(store, "test.noop", job)
                        // Two lanes of the limited job, one of the other.
                        _ = try await bench.enqueue(3, priority: 5, queue: "q")
                        _ = try await bench.enqueue(4, job: "test.sleep", queue: "q")
                        _ = try await bench.enqueue(4, queue: "q")
                        var running: [ClaimedRun] = []
                        for round in 0..<4 {
                            let claimed = try await bench.claim(6)
                            running += claimed
                            let ofJob = running.count { $0.job == "test.noop" }
                            let bound = [queue, here].compactMap(\.self).min()
                            #expect(running.count <= bound ?? .max && ofJob <= job ?? .max)
                            let queued = try await bench.number(
                                "SELECT count(*) FROM pawl.run_live WHERE state = 'queued'")
                            // Nothing that could have been taken stays.
                            if claimed.count < 6, running.count < bound ?? .max, queued > 0 {
                                #expect(ofJob == job, "queue \(queue ?? 0) job \(job ?? 0) here \(here ?? 0)")
                                let others =
                                    "SELECT count(*) FROM pawl.run_live WHERE state = 'queued' AND job <> 'test.noop'"
                                #expect(try await bench.number(others) == 0)
                            }
                            if round == 1, let first = running.first {
                                running.removeFirst()
                                _ = try await store.settle(bench.lease, [first.settlement(.finish(.succeeded))])
                            }
                        }
                        while !running.isEmpty {
                            _ = try await store.settle(bench.lease, running.map { $0.settlement(.finish(.succeeded)) })
                            running = try await bench.claim(100)
                        }
                        #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 0)
                    }
                }
            }
        }
    }

    /// Three hosts claim and settle as fast as they can; somebody else counts in one snapshot after the other.
    @Test func noLimitIsExceededByThreeHosts() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.limitQueue("narrow", ConcurrencyPatch(everywhere: 5, here: 3))
            try await limit(store, "test.sleep", 2)
            var total = 0
            for _ in 0..<4 {
                total += try await bench.enqueue(100, queue: "narrow").count
                total += try await bench.enqueue(50, job: "test.sleep", queue: "narrow").count
                total += try await bench.enqueue(50, job: "test.sleep", priority: 3, queue: "wide").count
            }
            let wanted = total
            var hosts: [(JobStore, HostLease)] = [(store, bench.lease)]
            for number in 2...3 {
                let other = bench.anotherStore()
                hosts.append((other, try await other.registerHost(Bench.registration("directory-\(number)")).lease))
            }
            let tally = Tally()
            let work = hosts.map { store, lease in
                loopTask { () -> Void in
                    do {
                        var held: [ClaimedRun] = []
                        while tally.done < wanted {
                            let ending = held.prefix(3)
                            let answer = try await store.settleAndClaim(
                                lease, ending.map { $0.settlement(.finish(.succeeded)) }, claim: ClaimRequest(limit: 8))
                            held.removeFirst(ending.count)
                            tally.done += ending.count
                            held += answer.claimed
                        }
                    } catch {
                        Issue.record(error)
                        tally.done = wanted
                    }
                }
            }
            let check = """
                SELECT CASE WHEN count(*) FILTER (WHERE queue = 'narrow') > 5
                    OR count(*) FILTER (WHERE job = 'test.sleep') > 2 THEN 1000 ELSE 0 END
                    + (SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM pawl.run_live
                        WHERE state = 'running' AND queue = 'narrow' GROUP BY host_id) h)
                FROM pawl.run_live WHERE state = 'running'
                """
            var looks = 0
            while tally.done < wanted {
                #expect(try await bench.number(check) <= 3)
                looks += 1
            }
            for task in work { await task.value }
            #expect(looks > 20)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run WHERE state = 'succeeded'") == Int64(wanted))
            for (other, _) in hosts.dropFirst() { await other.shutdown() }
        }
    }

    /// Hosts claim all the time while somebody pauses and resumes: nothing is claimed between the one and the other.
    @Test func nothingIsClaimedFromWhatIsPaused() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            for _ in 0..<5 {
                _ = try await bench.enqueue(300, queue: "q")
                _ = try await bench.enqueue(300, job: "test.sleep", queue: "q")
            }
            let tally = Tally()
            let work = [(store, bench.lease), (other, second)].map { store, lease in
                loopTask { () -> Void in
                    do {
                        while !tally.isOver { _ = try await store.claim(lease, ClaimRequest(limit: 3)) }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            let running = "SELECT count(*) FROM pawl.run_live WHERE state = 'running' AND job = 'test.sleep'"
            let late = """
                SELECT count(*) FROM pawl.run_live r JOIN pawl.job j ON j.name = r.job
                WHERE r.state = 'running' AND r.claimed_at >= j.paused_at
                """
            for round in 0..<20 {
                #expect(try await store.pause(.job("test.sleep"), reason: "round \(round)"))
                let before = try await bench.number(running)
                try await LoopClock.sleep(for: .milliseconds(20))
                #expect(try await bench.number(running) == before)
                #expect(try await bench.number(late) == 0)
                #expect(try await store.resume(.job("test.sleep")))
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            #expect(try await store.pause(.queue("q")))
            let all = "SELECT count(*) FROM pawl.run_live WHERE state = 'running'"
            let before = try await bench.number(all)
            try await LoopClock.sleep(for: .milliseconds(50))
            #expect(try await bench.number(all) == before && before > 0)
            tally.isOver = true
            for task in work { await task.value }
            await other.shutdown()
        }
    }

    @Test func aDrainSaysWhenNothingRuns() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(2, queue: "q")
            let run = try await bench.claim(1)[0]
            #expect(try await store.pause(.queue("q"), reason: "move", isDrain: true))
            #expect(try await store.queue("q").service == .draining)
            #expect(try await bench.claim(5).isEmpty)
            // A pause instead, and a drain again: the pause goes on from when it began.
            let since = try await store.queue("q").pause?.since
            #expect(try await store.pause(.queue("q")))
            #expect(try await store.queue("q").service == .paused)
            #expect(try await store.pause(.queue("q"), isDrain: true))
            #expect(try await !store.pause(.queue("q"), isDrain: true))
            #expect(try await store.queue("q").pause == Pause(since: #require(since), reason: "move", isDrain: true))
            _ = try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            #expect(try await store.queue("q").service == .drained)
            #expect(try await store.resume(.queue("q")))
            #expect(try await store.queue("q").service == .active)
            #expect(try await bench.claim(5).count == 1)

            #expect(try await store.pause(.job("test.noop"), isDrain: true))
            #expect(try await store.job("test.noop").service == .draining)
            await #expect(throws: StoreError.self) { try await store.pause(.job("no.such")) }
            await #expect(throws: StoreError.self) { try await store.resume(.job("no.such")) }
        }
    }

    /// Nobody has to be there to end it: the claim looks at the clock. Whoever comes first tells the others.
    @Test func aPauseEndsAtItsTime() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1, queue: "q")
            _ = try await bench.enqueue(1, job: "test.sleep", queue: "q")
            let soon = try await store.databaseTime().advanced(by: .milliseconds(300))
            #expect(try await store.pause(.queue("q"), until: soon))
            #expect(try await store.pause(.job("test.sleep"), until: soon.advanced(by: .seconds(3600))))
            #expect(try await bench.claim(5).isEmpty)
            #expect(try await store.endPauses().next == soon)
            let tally = Tally()
            try await store.listen(
                host: bench.lease.id, onWake: { tally.woken.append($0) }, onSignal: { _ in }, onReconnect: {})
            try await eventually { try await !bench.claim(5).isEmpty }
            #expect(try await store.databaseTime() >= soon)
            #expect(try await store.queue("q").pause == nil)
            let ended = try await store.endPauses()
            #expect(ended.ended && ended.next == soon.advanced(by: .seconds(3600)))
            #expect(try await store.endPauses().ended == false)
            try await eventually { tally.woken == ["q"] }
            #expect(try await bench.claim(5).isEmpty, "the job is paused still")
        }
    }

    /// What waits already goes to a lane of its own; until then the claim passes over it.
    @Test func runsOfAPausedJobAreInNobodysWay() async throws {
        try await withBench { bench in
            let store = bench.store
            let first = try await bench.enqueue(600, job: "test.sleep", queue: "q")
            let behind = try await bench.enqueue(20, queue: "q")
            #expect(try await store.pause(.job("test.sleep")))
            #expect(try await bench.claim(10).map(\.id) == Array(behind.prefix(10)))
            let own = "SELECT count(*) FROM pawl.run_live WHERE lane = 'test.sleep' AND state = 'queued'"
            #expect(try await bench.number(own) == 0)
            #expect(try await store.sortLanes() == 600)
            #expect(try await store.sortLanes() == 0)
            let later = try await bench.enqueue(10, job: "test.sleep", queue: "q")
            let text = "SELECT pawl.enqueue('test.sleep', '{}', '{\"queue\":\"q\"}') IS NOT NULL"
            _ = try await bench.side.query(PGStatement(name: "by_sql", sql: text))
            #expect(try await bench.number(own) == 611)
            #expect(try await bench.claim(20).map(\.id) == Array(behind.dropFirst(10)))
            // In their order, when they may.
            #expect(try await store.resume(.job("test.sleep")))
            let claimed = try await bench.claim(700).map(\.id)
            #expect(Array(claimed.prefix(610)) == first + later && claimed.count == 611)
        }
    }

    @Test func higherPriorityComesFirstWhateverTheLane() async throws {
        try await withBench { bench in
            let store = bench.store
            try await limit(store, "test.sleep", 2)
            let low = try await bench.enqueue(2, queue: "q")
            let high = try await bench.enqueue(3, job: "test.sleep", priority: 5, queue: "q")
            let middle = try await bench.enqueue(1, priority: 2, queue: "q")
            #expect(try await bench.claim(4).map(\.id) == Array(high.prefix(2)) + middle + low.prefix(1))
        }
    }

    /// The places of a host that begins anew, or is gone, come back with its runs.
    @Test func aDeadHostsPlacesComeBack() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.limitQueue("q", ConcurrencyPatch(everywhere: 2))
            _ = try await bench.enqueue(4, queue: "q")
            #expect(try await bench.claim(9).count == 2)
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            #expect(try await other.claim(second, ClaimRequest(limit: 9)).isEmpty)
            _ = try await store.registerHost(Bench.registration("directory-1"))
            #expect(try await other.claim(second, ClaimRequest(limit: 9)).count == 2)
            await other.shutdown()
        }
    }

    /// A limit that comes while more than that runs: nothing ends, and nothing new begins until there is room.
    @Test func whatRunsAlreadyCounts() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(6, queue: "q")
            var running = try await bench.claim(3)
            guard
                case .changed(let row) = try await store.limitQueue("q", ConcurrencyPatch(everywhere: 2), ifRevision: 0)
            else {
                Issue.record("the limit was not taken")
                return
            }
            #expect(row.limits == ConcurrencyLimits(everywhere: 2) && row.revision == 1)
            guard case .mismatch(1) = try await store.limitQueue("q", ConcurrencyPatch(here: 2), ifRevision: 0) else {
                Issue.record("an old revision was accepted")
                return
            }
            #expect(try await bench.claim(9).isEmpty)
            for left in [0, 1, 1] {
                let ended = running.removeFirst()
                let answer = try await store.settleAndClaim(
                    bench.lease, [ended.settlement(.finish(.succeeded))], claim: ClaimRequest(limit: 9))
                #expect(answer.claimed.count == left)
                running += answer.claimed
            }
            _ = try await store.limitQueue("q", ConcurrencyPatch(everywhere: .some(nil)))
            #expect(try await bench.claim(9).count == 1)
            await #expect(throws: StoreError.self) {
                try await store.limitQueue("q", ConcurrencyPatch(everywhere: 0))
            }
        }
    }

    /// A host that was stopped in the middle of a claim holds nobody up for ever.
    @Test func aStoppedClaimIsRolledBack() async throws {
        try await withBench { bench in
            let frozen = try await PostgresConnection.connect(bench.configuration, logger: TestDatabase.logger)
            try await frozen.execute(
                "BEGIN; SELECT pg_advisory_xact_lock_shared(x'7061776C00000003'::bigint); SELECT 1")
            #expect(try await bench.store.pause(.queue("q")))
            #expect(try await bench.store.queue("q").isPaused)
            await #expect(throws: PostgresError.self) { try await frozen.execute("SELECT 1") }
            frozen.close()
        }
    }

    private func limit(_ store: JobStore, _ job: String, _ most: Int?) async throws {
        let patch = JobPatch(concurrency: ConcurrencyPatch(everywhere: .some(most)))
        guard case .changed(let row) = try await store.patchJob(job, patch, ifRevision: nil) else {
            Issue.record("the limit was not taken")
            return
        }
        #expect(row.concurrency.everywhere == most)
    }
}
