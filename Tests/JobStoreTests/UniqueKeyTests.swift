import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct UniqueKeyTests {
    private static func run(
        _ rule: UniqueRule, args: String = "{\"id\":1}", queue: String? = nil, priority: Int32? = nil
    )
        -> NewRun
    {
        NewRun(job: "test.noop", args: args, queue: queue, priority: priority, unique: rule)
    }

    @LoopActor
    private static func holder(_ bench: Bench, _ run: NewRun) async throws -> RunID? {
        do throws(StoreError) {
            _ = try await bench.store.enqueue(run)
            return nil
        } catch {
            guard case .held(let id, _) = error else { throw error }
            return id
        }
    }

    @LoopActor
    private static func isFree(_ bench: Bench, _ run: NewRun) async throws -> Bool {
        try await holder(bench, run) == nil
    }

    @Test func aHeldKeyIsRefusedOrAnswered() async throws {
        try await withBench { bench in
            let first = try await bench.store.enqueue(Self.run(UniqueRule()))
            #expect(first.manner == .made)
            // The order of members and white space make no difference.
            #expect(try await Self.holder(bench, Self.run(UniqueRule(), args: " { \"id\" : 1 } ")) == first.id)
            let again = try await bench.store.enqueue(Self.run(UniqueRule(policy: .returnExisting)))
            #expect(again.manner == .existing && again.id == first.id && again.state == .queued)
            #expect(try await bench.store.enqueue(Self.run(UniqueRule(), args: "{\"id\":2}")).manner == .made)
            #expect(try await bench.store.enqueue(Self.run(UniqueRule(by: [.job, .queue, .args]))).manner == .made)
            #expect(try await bench.store.enqueue(NewRun(job: "test.noop", args: "{\"id\":1}")).manner == .made)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 4)
        }
    }

    /// Which requests are one, by their parts.
    @Test func partsDecide() async throws {
        try await withBench { bench in
            let keyed = UniqueRule(key: "k")
            let isFirstFree = try await Self.isFree(bench, Self.run(keyed))
            #expect(isFirstFree)
            #expect(try await !Self.isFree(bench, Self.run(keyed, args: "{}")))
            #expect(try await Self.isFree(bench, NewRun(job: "test.sleep", unique: keyed)))
            let everywhere = UniqueRule(key: "k", by: [])
            #expect(try await Self.isFree(bench, Self.run(everywhere)))
            #expect(try await !Self.isFree(bench, NewRun(job: "test.sleep", unique: everywhere)))
            let member = UniqueRule(by: [.job, .member("id")])
            #expect(try await Self.isFree(bench, Self.run(member, args: "{\"id\":7,\"x\":1}")))
            #expect(try await !Self.isFree(bench, Self.run(member, args: "{\"x\":2,\"id\":7}")))
            #expect(try await Self.isFree(bench, Self.run(member, args: "{\"x\":2}")))
            #expect(try await Self.isFree(bench, Self.run(member, args: "{\"id\":null}")))
            var owned = Self.run(UniqueRule(by: [.job, .owner, .queue]))
            owned.owner = "ada"
            #expect(try await Self.isFree(bench, owned))
            // The job's own queue, said or not, is the same one.
            owned.queue = "default"
            #expect(try await !Self.isFree(bench, owned))
            owned.owner = "bob"
            #expect(try await Self.isFree(bench, owned))
        }
    }

    /// Every way in which a run leaves the window, and those in which it stays.
    @Test(arguments: [
        ("succeeded", true), ("failed", true), ("retrying", false), ("snoozed", false), ("cancelled waiting", true),
        ("lost", false), ("released", false), ("expired", true), ("removed", true), ("running", false),
        ("host gone", false),
    ])
    func untilItHasFinished(_ event: String, _ isFreed: Bool) async throws {
        try await withBench { bench in
            let first = try await bench.store.enqueue(Self.run(UniqueRule(window: .finished)))
            try await Self.happen(event, to: first.id, bench)
            #expect(try await Self.holder(bench, Self.run(UniqueRule(window: .finished))) == (isFreed ? nil : first.id))
        }
    }

    @Test(arguments: [
        ("running", true), ("retrying", true), ("snoozed", true), ("lost", true), ("host gone", true),
        ("succeeded", true),
        ("released", false), ("cancelled waiting", true), ("nothing", false),
    ])
    func untilItHasStarted(_ event: String, _ isFreed: Bool) async throws {
        try await withBench { bench in
            let first = try await bench.store.enqueue(Self.run(UniqueRule(window: .started)))
            try await Self.happen(event, to: first.id, bench)
            #expect(try await Self.holder(bench, Self.run(UniqueRule(window: .started))) == (isFreed ? nil : first.id))
        }
    }

    @LoopActor
    private static func happen(_ event: String, to id: RunID, _ bench: Bench) async throws {
        let store = bench.store
        switch event {
        case "nothing": return
        case "cancelled waiting": _ = try await store.requestCancel(id, reason: nil)
        case "expired":
            try await bench.side.execute("UPDATE pawl.run_live SET expires_at = now() - interval '1 second'")
            _ = try await store.expireQueued()
        default:
            let run = try await bench.claim(1)[0]
            switch event {
            case "running": return
            case "succeeded", "removed":
                _ = try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            case "failed": _ = try await store.settle(bench.lease, [run.settlement(.finish(.failed), .error)])
            case "retrying":
                _ = try await store.settle(
                    bench.lease, [run.settlement(.retry(at: run.createdAt.advanced(by: .seconds(60))), .error)])
            case "snoozed":
                _ = try await store.settle(
                    bench.lease, [run.settlement(.snooze(until: run.createdAt.advanced(by: .seconds(60))), .snoozed)])
            case "lost": _ = try await store.settle(bench.lease, [run.settlement(.requeueLost, .lost)])
            case "released": _ = try await store.settle(bench.lease, [run.settlement(.release, .lost)])
            case "host gone": _ = try await store.registerHost(Bench.registration("directory-1"))
            default: Issue.record("what is \(event)?")
            }
            if event == "removed" { try await bench.side.execute("DELETE FROM pawl.run") }
        }
    }

    @Test func aPeriodIsOverWhenItIsOver() async throws {
        try await withBench { bench in
            let rule = UniqueRule(window: .period(.seconds(3600)))
            let first = try await bench.store.enqueue(Self.run(rule))
            let run = try await bench.claim(1)[0]
            _ = try await bench.store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            #expect(try await Self.holder(bench, Self.run(rule)) == first.id)
            let existing = try await bench.store.enqueue(
                Self.run(UniqueRule(window: .period(.seconds(3600)), policy: .returnExisting)))
            #expect(existing.id == first.id && existing.state == .succeeded)
            try await bench.side.execute("UPDATE pawl.run_key SET expires_at = now() - interval '1 second'")
            #expect(try await Self.holder(bench, Self.run(rule)) == nil)
        }
    }

    @Test func aWaitingRunBecomesTheNewRequest() async throws {
        try await withBench { bench in
            let store = bench.store
            let rule = UniqueRule(key: "k", policy: .replace(ifStarted: .reject))
            let other = try await store.enqueue(NewRun(job: "test.noop"))
            let first = try await store.enqueue(Self.run(rule, args: "{\"v\":1}"))
            _ = try await store.enqueue(NewRun(job: "test.noop"))
            let second = try await store.enqueue(Self.run(rule, args: "{\"v\":2}"))
            #expect(second.manner == .replaced && second.id == first.id && second.state == .queued)
            #expect(second.terms?.createdAt == first.terms?.createdAt)
            // In its old place.
            let claimed = try await bench.claim(2)
            #expect(claimed.map(\.id) == [other.id, first.id] && claimed[1].args == "{\"v\":2}")
            #expect(try await Self.holder(bench, Self.run(rule)) == first.id)
            let fresh = try await store.enqueue(Self.run(UniqueRule(key: "k", policy: .replace(ifStarted: .new))))
            #expect(fresh.manner == .made && fresh.id != first.id)
            // The key is the new one's now, and the end of the old one does not free it.
            _ = try await store.settle(bench.lease, claimed.map { $0.settlement(.finish(.succeeded)) })
            #expect(try await Self.holder(bench, Self.run(UniqueRule(key: "k"))) == fresh.id)
            #expect(try await store.queues().first { $0.name == "default" }?.counts[.queued] == 2)
        }
    }

    /// Debounce: each request puts the run off.
    @Test func aScheduledRunIsPutOffAndBroughtForward() async throws {
        try await withBench { bench in
            let store = bench.store
            func ask(_ delay: Duration) async throws -> Enqueued {
                var run = Self.run(
                    UniqueRule(key: "k", policy: .replace(ifStarted: .new)), args: "{\"d\":\(delay.components.seconds)}"
                )
                run.delay = delay
                return try await store.enqueue(run)
            }
            let first = try await ask(.seconds(60))
            let second = try await ask(.seconds(600))
            #expect(first.id == second.id && second.state == .scheduled && second.manner == .replaced)
            let (before, after) = (try #require(first.terms).runAt, try #require(second.terms).runAt)
            #expect(after > before.advanced(by: .seconds(500)))
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_waiting") == 1)
            let third = try await ask(.zero)
            #expect(third.id == first.id && third.state == .queued)
            #expect(try await bench.claim(5).map(\.args) == ["{\"d\":0}"])
            #expect(try await store.queues().first { $0.name == "default" }?.counts[.scheduled] ?? 0 == 0)
        }
    }

    /// Many at once, from two hosts: one run.
    @Test(arguments: [UniqueRule.Policy.reject, .returnExisting, .replace(ifStarted: .new)])
    func manyAtOnceMakeOneRun(_ policy: UniqueRule.Policy) async throws {
        try await withBench { bench async throws in
            let stores = [bench.store, bench.anotherStore()]
            let tasks = (0..<40).map { index in
                loopTask { () -> Enqueued.Manner? in
                    do throws(StoreError) {
                        return try await stores[index % 2].enqueue(
                            Self.run(UniqueRule(key: "one", policy: policy), args: "{\"n\":\(index)}")
                        ).manner
                    } catch {
                        if case .held = error { return nil }
                        Issue.record(error)
                        return nil
                    }
                }
            }
            var manners: [Enqueued.Manner?] = []
            for task in tasks { manners.append(await task.value) }
            #expect(manners.count { $0 == .made } == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_key") == 1)
            await stores[1].shutdown()
        }
    }

    /// Replacing against claiming: each request is in exactly one run, and no run loses what it was started with.
    @Test func replacingAndClaimingAtOnce() async throws {
        try await withBench { bench in
            let store = bench.store
            let rule = UniqueRule(key: "k", policy: .replace(ifStarted: .new))
            var started: [RunID: String] = [:]
            for round in 0..<60 {
                let making = loopTask { () -> Enqueued? in
                    do { return try await store.enqueue(Self.run(rule, args: "{\"n\":\(round)}")) } catch {
                        Issue.record(error)
                        return nil
                    }
                }
                let runs = try await bench.claim(2)
                guard let enqueued = await making.value else { return }
                for run in runs {
                    #expect(started.updateValue(run.args, forKey: run.id) == nil, "it was started twice")
                }
                if enqueued.manner == .replaced {
                    #expect(started[enqueued.id] == nil || runs.contains { $0.id == enqueued.id })
                }
            }
            for run in try await bench.claim(10) { started[run.id] = run.args }
            #expect(started.values.contains("{\"n\":59}"))
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live WHERE state = 'queued'") == 0)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_live") == Int64(started.count))
        }
    }

    @Test func anIdempotencyKeyComesFirst() async throws {
        try await withBench { bench in
            let store = bench.store
            var run = Self.run(UniqueRule(key: "k"))
            run.idempotencyKey = "i1"
            run.idempotencyFingerprint = "f"
            let first = try await store.enqueue(run)
            let again = try await store.enqueue(run)
            #expect(again.manner == .known && again.id == first.id)
            // What was refused may be asked again.
            run.idempotencyKey = "i2"
            #expect(try await Self.holder(bench, run) == first.id)
            _ = try await store.requestCancel(first.id, reason: nil)
            let second = try await store.enqueue(run)
            #expect(second.manner == .made)
            // A key may stand for a run that another request made.
            run.unique = UniqueRule(key: "k", policy: .returnExisting)
            run.idempotencyKey = "i3"
            #expect(try await store.enqueue(run).manner == .existing)
            let third = try await store.enqueue(run)
            #expect(third.manner == .known && third.id == second.id)
            run.idempotencyFingerprint = "g"
            await #expect(throws: StoreError.self) { try await store.enqueue(run) }
        }
    }

    /// An application's open transaction holds up only those who want the same key, and not for long.
    @Test func anOpenTransactionIsNotWaitedForForEver() async throws {
        try await withBench { bench in
            let rule = "{\"unique\":{\"key\":\"k\"}}"
            try await bench.side.execute("BEGIN; SELECT pawl.enqueue('test.noop', '{}', '\(rule)')")
            do throws(StoreError) {
                _ = try await bench.store.enqueue(Self.run(UniqueRule(key: "k")))
                Issue.record("it was taken")
            } catch {
                guard case .conflict("key_busy", _, _) = error else { throw error }
            }
            #expect(try await bench.store.enqueue(Self.run(UniqueRule(key: "other"))).manner == .made)
            try await bench.side.execute("ROLLBACK")
            #expect(try await bench.store.enqueue(Self.run(UniqueRule(key: "k"))).manner == .made)
        }
    }

    /// Keys of runs that are over are forgotten; those of waiting runs are kept, however long they wait.
    @Test func upkeepForgetsWhatIsOver() async throws {
        try await withBench { bench in
            let store = bench.store
            let kept = try await store.enqueue(Self.run(UniqueRule(key: "kept")))
            var late = Self.run(UniqueRule(key: "late", window: .started))
            late.delay = .seconds(86_400)
            _ = try await store.enqueue(late)
            let gone = try await store.enqueue(Self.run(UniqueRule(key: "gone")))
            _ = try await store.requestCancel(gone.id, reason: nil)
            _ = try await store.enqueue(Self.run(UniqueRule(key: "period", window: .period(.seconds(60)))))
            #expect(try await store.maintain(isForced: true).keysExpired == 0)
            try await bench.side.execute(
                "UPDATE pawl.run_key SET look_at = now() - interval '1 second' WHERE look_at IS NOT NULL")
            #expect(try await store.maintain(isForced: true).keysExpired == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_key WHERE look_at <= now()") == 0)
            #expect(try await Self.holder(bench, Self.run(UniqueRule(key: "kept"))) == kept.id)
            try await bench.side.execute(
                "UPDATE pawl.run_key SET expires_at = now() - interval '1 second' WHERE look_at IS NULL")
            #expect(try await store.maintain(isForced: true).keysExpired == 1)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_key") == 2)
        }
    }
}
