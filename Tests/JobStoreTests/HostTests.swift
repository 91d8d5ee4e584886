import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

@Suite struct HostTests {
    @Test func aRestartTakesTheAttemptsOfItsEarlierLife() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(5)
            let runs = try await bench.claim(3)
            _ = try await store.requestCancel(ids[1], reason: nil)
            let again = try await store.registerHost(Bench.registration("directory-1"))
            #expect(again.lease.id == bench.lease.id && again.lease.epoch == bench.lease.epoch + 1)
            #expect(again.requeued == 2 && again.ended == 1)
            #expect(try await store.run(ids[1])?.state == .cancelled)
            let lost = try #require(try await store.attempts(ids[0]).first)
            #expect(lost.outcome == .lost && lost.reason == .host && lost.hostEpoch == bench.lease.epoch)
            // The earlier life is fenced in all it does.
            #expect(try await store.settle(bench.lease, [runs[0].settlement(.finish(.succeeded))]) == [.fenced])
            #expect(try await store.heartbeat(bench.lease) == false)
            #expect(try await store.heartbeat(again.lease))
            let next = try await store.claim(again.lease, ClaimRequest(limit: 10))
            #expect(Set(next.map(\.id)) == [ids[0], ids[2], ids[3], ids[4]])
            let first = try #require(next.first { $0.id == ids[0] })
            #expect(first.attempt == 2 && first.lostCount == 1 && first.attemptsUsed == 0)
        }
    }

    @Test func aRunThatIsLostTooOftenFails() async throws {
        try await withBench { bench in
            let store = bench.store
            let id = try await bench.enqueue(1)[0]
            var lease = bench.lease
            for life in 1...3 {
                #expect(try await store.claim(lease, ClaimRequest(limit: 1)).count == 1)
                let again = try await store.registerHost(Bench.registration("directory-1"))
                #expect((again.requeued, again.ended) == (life < 3 ? (1, 0) : (0, 1)))
                lease = again.lease
            }
            let run = try #require(try await store.run(id))
            #expect(run.state == .failed && run.reason == .lost && run.attemptsUsed == 0 && run.lostCount == 3)
            #expect(try await store.attempts(id).map(\.outcome) == [.lost, .lost, .lost])
        }
    }

    @Test func silenceIsJudgedOnlyByTheUnbroken() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let ids = try await bench.enqueue(2)
            #expect(try await other.claim(second, ClaimRequest(limit: 2)).count == 2)
            try await bench.side.execute(
                "UPDATE pawl.host SET heartbeat_at = now() - interval '31 seconds' WHERE id = \(second.id.rawValue)")
            // This host has not been there for 30 s itself.
            #expect(try await store.heartbeat(bench.lease))
            let early = try await store.sweepSilentHosts(bench.lease)
            #expect(!early.isEntitled && early.silent.isEmpty)
            #expect(try await store.run(ids[0])?.state == .running)

            // Half a minute of its own heartbeats later.
            let now = LoopInstant.now.nanoseconds
            store.heartbeats.reset()
            for beat in stride(from: UInt64(40), through: 0, by: -10) {
                store.heartbeats.succeeded(at: now - beat * 1_000_000_000)
            }
            let sweep = try await store.sweepSilentHosts(bench.lease)
            #expect(sweep.isEntitled && sweep.silent == [second.id] && sweep.requeued == 2 && sweep.ended == 0)
            #expect(try await store.hosts().first { $0.id == second.id }?.state == .silent)
            #expect(try await store.sweepSilentHosts(bench.lease).silent.isEmpty)
            #expect(try await bench.claim(5).map(\.id) == ids)
            // The silent one comes back and finds itself fenced.
            #expect(try await other.heartbeat(second) == false)
            await other.shutdown()
        }
    }

    @Test func theLastWordGivesBackWhatIsLeft() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(2)
            _ = try await bench.claim(2)
            try await store.hostStopping(bench.lease)
            #expect(try await store.liveRuns(bench.lease).map(\.id) == ids)
            try await store.hostStopped(bench.lease)
            #expect(try await store.hosts().map(\.state) == [.stopped])
            #expect(try await store.run(ids[0])?.state == .queued)
            #expect(try await store.heartbeat(bench.lease) == false)
        }
    }

    /// Whoever was fenced judges nobody, however sure it is of itself.
    @Test func aFencedHostJudgesNobody() async throws {
        try await withBench { bench in
            let store = bench.store
            let (other, second) = try await bench.another()
            let (third, lease3) = try await bench.another(3)
            try await bench.silence(lease3)
            try await bench.side.execute(
                "UPDATE pawl.host SET state = 'silent', epoch = epoch + 1 WHERE id = \(second.id.rawValue)")
            other.entitle()
            #expect(try await other.sweepSilentHosts(second).silent.isEmpty)
            // Nor does one whose own last heartbeat is too old in the database's eyes.
            try await bench.silence(bench.lease)
            store.entitle()
            #expect(try await store.sweepSilentHosts(bench.lease).silent.isEmpty)
            #expect(try await store.heartbeat(bench.lease))
            #expect(try await store.sweepSilentHosts(bench.lease).silent == [lease3.id])
            await other.shutdown()
            await third.shutdown()
        }
    }

    /// Who stops has twice as long; everybody is judged by the interval that it has said itself.
    @Test(arguments: [
        ("running", 10_000, 29, false), ("running", 10_000, 31, true), ("stopping", 10_000, 59, false),
        ("stopping", 10_000, 61, true), ("running", 1000, 4, true), ("running", 1000, 2, false),
        ("running", 20_000, 59, false), ("running", 20_000, 61, true), ("running", 60_000, 200, false),
    ])
    func whenSomebodyIsSilent(_ state: String, _ interval: Int, _ seconds: Int, _ isSilent: Bool) async throws {
        try await withBench { bench in
            let (other, second) = try await bench.another()
            try await bench.side.execute(
                "UPDATE pawl.host SET state = '\(state)', heartbeat_ms = \(interval) WHERE id = \(second.id.rawValue)")
            try await bench.silence(second, seconds: seconds)
            #expect(try await bench.store.heartbeat(bench.lease))
            bench.store.entitle()
            // The judge has been there for 70 s: too short for one that has 180 s.
            #expect(try await bench.store.sweepSilentHosts(bench.lease).silent == (isSilent ? [second.id] : []))
            await other.shutdown()
        }
    }

    /// What a fenced host claimed at the very moment comes back with the next sweep, and it claims no more.
    @Test func aFencedHostClaimsNothing() async throws {
        try await withBench { bench in
            let (other, second) = try await bench.another()
            let ids = try await bench.enqueue(2)
            #expect(try await other.claim(second, ClaimRequest(limit: 1)).map(\.id) == [ids[0]])
            try await bench.side.execute(
                "UPDATE pawl.host SET state = 'silent', epoch = epoch + 1 WHERE id = \(second.id.rawValue)")
            #expect(try await other.claim(second, ClaimRequest(limit: 1)).isEmpty)
            bench.store.entitle()
            #expect(try await bench.store.heartbeat(bench.lease))
            let sweep = try await bench.store.sweepSilentHosts(bench.lease)
            #expect(sweep.requeued == 1)
            #expect(Set(try await bench.claim(5).map(\.id)) == Set(ids))
            await other.shutdown()
        }
    }

    /// Deployments must not end a long run; a process that cannot be made, again and again, must.
    @Test func onlyALossIsCounted() async throws {
        try await withBench { bench in
            let store = bench.store
            let id = try await bench.enqueue(1)[0]
            for (code, lost) in [("host_shutdown", 0), ("spawn_failed", 1), ("host_shutdown", 1)] {
                let run = try #require(try await bench.claim(1).first)
                var report = run.report(.lost, reason: .host)
                report.error = AttemptError(code: code, message: "")
                let settlement = Settlement(report: report, decision: .requeueLost)
                #expect(try await store.settle(bench.lease, [settlement]) == [.applied])
                #expect(try await store.run(id)?.lostCount == lost)
            }
        }
    }

    /// Whether its zygote or its host took it along: lost once too often is lost.
    @Test func lostWithItsZygoteOnceTooOften() async throws {
        try await withBench { bench in
            let id = try await bench.enqueue(1)[0]
            for _ in 0..<2 {
                let run = try #require(try await bench.claim(1).first)
                let report = run.report(.lost, reason: .zygote)
                _ = try await bench.store.settle(bench.lease, [Settlement(report: report, decision: .requeueLost)])
            }
            let run = try #require(try await bench.claim(1).first)
            let last = Settlement(report: run.report(.lost, reason: .zygote), decision: .finishUncounted(.failed))
            #expect(try await bench.store.settle(bench.lease, [last]) == [.applied])
            let row = try #require(try await bench.store.run(id))
            #expect(row.state == .failed && row.reason == .lost && row.lostCount == 3 && row.attemptsUsed == 0)
            #expect(try await bench.store.attempts(id).map(\.reason) == [.zygote, .zygote, .zygote])
        }
    }
}
