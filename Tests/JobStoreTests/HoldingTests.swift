import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

@Suite struct HoldingTests {
    @Test func oneHostHasAnExclusiveQueueAndTheOtherStandsBy() async throws {
        try await withBench { bench in
            let store = bench.store
            let (other, second) = try await bench.another()
            #expect(try await store.setExclusive(queue: "mail", true, actor: "me"))
            #expect(try await store.setExclusive(queue: "mail", true) == false)
            let ids = try await bench.enqueue(4, queue: "mail")
            // Nobody has it yet: nobody gets anything of it.
            #expect(try await bench.claim(10).isEmpty)
            #expect(try await other.takeHoldings(second, roles: []).first?.isHeld(by: second) == true)
            let seen = try #require(try await store.takeHoldings(bench.lease, roles: []).first)
            #expect(seen.subject == .queue("mail") && seen.holder?.host == second.id && seen.holder?.hostname == "here")
            #expect(try await bench.claim(10).isEmpty)
            #expect(try await other.claim(second, ClaimRequest(limit: 2)).map(\.id) == [ids[0], ids[1]])
            // Other queues are everybody's.
            let free = try await bench.enqueue(1)
            #expect(try await bench.claim(10).map(\.id) == free)
            // It stops: its runs come back, and whoever looks next has the queue.
            try await other.hostStopped(second)
            #expect(try await store.holdings().first?.holder == nil)
            #expect(try await bench.claim(10).isEmpty)
            #expect(try await store.takeHoldings(bench.lease, roles: []).first?.isHeld(by: bench.lease) == true)
            #expect(Set(try await bench.claim(10).map(\.id)) == Set(ids))
            #expect(
                try await bench.number("SELECT count(*) FROM pawl.holding WHERE end_reason = 'stopped'") == 1)
            await other.shutdown()
        }
    }

    @Test func aSilentHolderLosesItInTheSameSweep() async throws {
        try await withBench { bench in
            let store = bench.store
            let (other, second) = try await bench.another()
            _ = try await store.setExclusive(queue: "mail", true)
            _ = try await other.takeHoldings(second, roles: [.upkeep])
            let ids = try await bench.enqueue(1, queue: "mail")
            #expect(try await other.claim(second, ClaimRequest(limit: 1)).count == 1)
            try await bench.silence(second)
            store.entitle()
            #expect(try await store.sweepSilentHosts(bench.lease).silent == [second.id])
            let holdings = try await store.takeHoldings(bench.lease, roles: [.upkeep])
            #expect(holdings.map(\.subject) == [.queue("mail"), .role(.upkeep)])
            #expect(holdings.allSatisfy { $0.isHeld(by: bench.lease) })
            #expect(try await bench.claim(1).map(\.id) == ids)
            // It wakes up: nothing it does has any effect.
            #expect(try await other.takeHoldings(second).allSatisfy { !$0.isHeld(by: second) })
            _ = try await bench.enqueue(3)
            #expect(try await other.claim(second, ClaimRequest(limit: 3)).isEmpty)
            try await other.hostStopped(second)
            #expect(try await store.holdings().allSatisfy { $0.isHeld(by: bench.lease) })
            // Its next life begins with nothing.
            let third = try await other.registerHost(Bench.registration("directory-2")).lease
            #expect(try await other.takeHoldings(third).allSatisfy { $0.isHeld(by: bench.lease) })
            await other.shutdown()
        }
    }

    /// A queue becomes exclusive while several hosts work on it: its holder begins when the last of the others has ended.
    @Test func itWaitsForWhatRunsElsewhere() async throws {
        try await withBench { bench in
            let store = bench.store
            let (other, second) = try await bench.another()
            _ = try await bench.enqueue(4, queue: "mail")
            let mine = try await bench.claim(1)
            let theirs = try await other.claim(second, ClaimRequest(limit: 1))
            #expect(mine.count == 1 && theirs.count == 1)
            _ = try await store.setExclusive(queue: "mail", true)
            #expect(try await store.takeHoldings(bench.lease, roles: []).first?.holder == nil)
            #expect(try await other.takeHoldings(second, roles: []).first?.holder == nil)
            _ = try await other.settle(second, [theirs[0].settlement(.finish(.succeeded))])
            #expect(try await other.takeHoldings(second, roles: []).first?.holder == nil)
            #expect(try await store.takeHoldings(bench.lease, roles: []).first?.isHeld(by: bench.lease) == true)
            #expect(try await bench.claim(10).count == 2)
            #expect(try await other.claim(second, ClaimRequest(limit: 10)).isEmpty)
            // And shared again.
            #expect(try await store.setExclusive(queue: "mail", false))
            #expect(try await store.holdings().isEmpty)
            _ = try await bench.enqueue(1, queue: "mail")
            other.lanes.woken(queue: "mail")
            #expect(try await other.claim(second, ClaimRequest(limit: 10)).count == 1)
            await other.shutdown()
        }
    }

    /// Of many who take at the same moment, one gets it.
    @Test func theIndexLetsOneThrough() async throws {
        try await withBench { bench in
            var hosts: [(JobStore, HostLease)] = [(bench.store, bench.lease)]
            for number in 2...4 { hosts.append(try await bench.another(number)) }
            for round in 0..<20 {
                _ = try await bench.store.setExclusive(queue: "q\(round)", true)
                let tasks = hosts.map { store, lease in
                    loopTask { () -> Result<[Holding], StoreError> in
                        do throws(StoreError) { return .success(try await store.takeHoldings(lease)) } catch {
                            return .failure(error)
                        }
                    }
                }
                for task in tasks { _ = try await task.value.get() }
                let current = try await bench.number(
                    "SELECT count(*) FROM pawl.holding WHERE ended_at IS NULL AND kind = 'queue'")
                #expect(current == Int64(round + 1))
            }
            #expect(try await bench.store.holdings().count { $0.subject == .role(.upkeep) } == 1)
            for (store, _) in hosts.dropFirst() { await store.shutdown() }
        }
    }

    @Test func aStoppingHostTakesNothing() async throws {
        try await withBench { bench in
            try await bench.store.hostStopping(bench.lease)
            #expect(try await bench.store.takeHoldings(bench.lease).isEmpty)
        }
    }

    /// Others need not wait for the whole drain, only for what runs of the queue.
    @Test func aStoppingHostGivesUpWhatItDoesNotNeed() async throws {
        try await withBench { bench in
            let store = bench.store
            let (other, second) = try await bench.another()
            for queue in ["mail", "solo"] { _ = try await store.setExclusive(queue: queue, true) }
            let all = try await store.takeHoldings(bench.lease)
            #expect(all.map { $0.holder?.host } == [bench.lease.id, bench.lease.id, bench.lease.id])
            _ = try await bench.enqueue(1, queue: "solo")
            let run = try #require(try await bench.claim(1).first)
            try await store.hostStopping(bench.lease)
            let rest = try await store.releaseHoldings(bench.lease)
            #expect(rest.filter { $0.holder != nil }.map(\.subject) == [.queue("solo")])
            let theirs = try await other.takeHoldings(second).filter { $0.isHeld(by: second) }
            #expect(theirs.map(\.subject) == [.queue("mail"), .role(.upkeep)])
            _ = try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            _ = try await store.releaseHoldings(bench.lease)
            let last = try await other.takeHoldings(second)
            #expect(last.map { $0.holder?.host } == [second.id, second.id, second.id])
            await other.shutdown()
        }
    }
}

@Suite struct HostDriftTests {
    private func row(_ id: Int64, _ version: String, _ sha: String?, _ state: HostState = .running) -> HostRow {
        HostRow(
            id: HostID(id), epoch: 1, dataDirectoryID: "d\(id)", hostname: "h", pid: 1, version: version, gitSHA: sha,
            slots: 1, capabilities: "{}", state: state, startedAt: WallTime(micros: 0),
            heartbeatAt: WallTime(micros: 0), stoppedAt: nil)
    }

    @Test func likeHostsDoNotDrift() {
        #expect(!HostDrift([]).isDrifting)
        #expect(!HostDrift([row(1, "1.0", "a"), row(2, "1.0", "a")]).isDrifting)
        // Who is gone does not count.
        #expect(!HostDrift([row(1, "1.0", "a"), row(2, "0.9", "b", .stopped), row(3, "0.9", "b", .silent)]).isDrifting)
    }

    @Test func whatDiffersIsNamed() {
        let drift = HostDrift([
            row(3, "1.0", "a"), row(1, "1.0", "a"), row(2, "1.0", "b", .stopping), row(4, "1.0", nil),
        ])
        #expect(drift.differences.map(\.field) == [.gitSHA])
        #expect(drift.differences[0].values.map(\.hosts) == [[HostID(4)], [HostID(1), HostID(3)], [HostID(2)]])
        #expect(drift.sentence == "git_sha: unknown on host_4; a on host_1, host_3; b on host_2")
        #expect(HostDrift([row(1, "1.0", "a"), row(2, "2.0", "b")]).differences.map(\.field) == [.version, .gitSHA])
    }
}

extension Bench {
    /// A second host with its store.
    func another(_ number: Int = 2) async throws -> (JobStore, HostLease) {
        let store = anotherStore()
        return (store, try await store.registerHost(Bench.registration("directory-\(number)")).lease)
    }

    func silence(_ lease: HostLease, seconds: Int = 31) async throws {
        try await side.execute(
            "UPDATE pawl.host SET heartbeat_at = now() - interval '\(seconds) seconds' WHERE id = \(lease.id.rawValue)")
    }
}

extension JobStore {
    /// As after half a minute of heartbeats.
    func entitle() {
        let now = LoopInstant.now.nanoseconds
        heartbeats.reset()
        for beat in stride(from: UInt64(70), through: 0, by: -10) {
            heartbeats.succeeded(at: now - beat * 1_000_000_000)
        }
    }
}
