import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct SafetyTests {
    @Test func staleRunsAreEndedOnlyInTheirAttempt() async throws {
        try await withBench { bench in
            let store = bench.store
            var signals: [HostSignal] = []
            try await store.listen(
                host: bench.lease.id, onWake: { _ in }, onSignal: { signals.append($0) }, onReconnect: {})
            let ids = try await bench.enqueue(4)
            let runs = try await bench.claim(4)
            try await bench.side.execute(
                "UPDATE pawl.run_live SET claimed_at = now() - id * interval '1 hour' WHERE id <= \(ids[2].rawValue)")
            let stale = try await store.staleRuns(olderThan: .seconds(1800))
            #expect(stale.map(\.id) == [ids[2], ids[1], ids[0]] && stale[0].attempt == 1)
            #expect(stale[0].runningFor > .seconds(3 * 3600 - 60))
            let counts = try await store.safetyCounts(staleAfter: .seconds(1800))
            #expect(counts.stale == 3 && counts.liveHosts == 1 && counts.counts[.running] == 4)

            // One of them ends by itself before the cleanup.
            _ = try await store.settle(bench.lease, [runs[1].settlement(.finish(.succeeded))])
            let targets = [(id: ids[0], attempt: 1), (id: ids[1], attempt: 1), (id: ids[3], attempt: 7)]
            #expect(try await store.cleanupStale(targets, outcome: .fail) == [.failed, .untouched, .untouched])
            #expect(try await store.cleanupStale([(id: ids[2], attempt: 1)], outcome: .retry) == [.requeued])
            let failed = try #require(try await store.run(ids[0]))
            #expect(failed.state == .failed && failed.reason == .stale && failed.attemptsUsed == 1)
            #expect(try await store.run(ids[1])?.state == .succeeded)
            #expect(try await store.run(ids[3])?.state == .running)
            try await eventually { signals.count == 2 }
            #expect(Set(signals.map(\.runID)) == [ids[0], ids[2]] && signals.allSatisfy { $0.action == .terminate })
            // Its host comes too late.
            #expect(try await store.settle(bench.lease, [runs[0].settlement(.finish(.succeeded))]) == [.fenced])
            let again = try await bench.claim(1)[0]
            #expect(again.id == ids[2] && again.attempt == 2 && again.attemptsUsed == 1)
        }
    }

    @Test func aPausedQueueStartsNothing() async throws {
        try await withBench { bench in
            let store = bench.store
            let paused = try await bench.enqueue(2, queue: "slow")
            let other = try await bench.enqueue(1)
            #expect(try await store.setPaused(queue: "slow", true, reason: "maintenance"))
            #expect(try await store.setPaused(queue: "slow", true) == false)
            #expect(try await bench.claim(10).map(\.id) == other)
            let queue = try await store.queue("slow")
            #expect(queue.isPaused && queue.pause?.reason == "maintenance" && queue.counts[.queued] == 2)
            #expect(try await store.setPaused(queue: "slow", false))
            #expect(try await bench.claim(10).map(\.id) == paused)
        }
    }

    @Test func runsOfJobsThatThisHostLacksStayQueued() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(3, job: "test.sleep")
            let mine = try await bench.enqueue(2)
            let request = ClaimRequest(limit: 10, jobs: ["test.noop"])
            #expect(try await store.claim(bench.lease, request).map(\.id) == mine)
            #expect(try await store.claim(bench.lease, ClaimRequest(limit: 10, jobs: ["test.sleep"])).count == 3)
        }
    }
}
