import JobCore
import Postgres
import Testing
import UVLoop

@testable import JobStore

@Suite struct SweepTests {
    private static func age(_ bench: Bench, _ id: RunID, hours: Int) async throws {
        try await bench.side.execute(
            "UPDATE pawl.run_live SET started_at = now() - interval '\(hours) hours' WHERE id = \(id.rawValue)")
    }

    private static func makeDue(_ bench: Bench) async throws {
        try await bench.side.execute("UPDATE pawl.safety_policy SET swept_at = now() - interval '1 hour'")
    }

    /// Their host has something to say of these, and no reason to keep them.
    private static func hear(_ bench: Bench, _ ids: [RunID], attempt: Int = 1) async throws {
        let activity = RunActivity(startedAt: try await bench.store.databaseTime())
        try await bench.store.notePulses(
            bench.lease, ids.map { RunPulse(id: $0, attempt: attempt, activity: activity) })
    }

    /// Of seven runs one is stale: one is young, one has a longer timeout, one is frozen, one has been given more time, one is
    /// asked to end already, and of one its host says nothing.
    @Test func aSweepEndsWhatIsStaleAndNothingElse() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(7)
            _ = try await bench.claim(7)
            for id in ids.dropFirst() { try await Self.age(bench, id, hours: 7) }
            try await bench.side.execute(
                "UPDATE pawl.run_live SET timeout_ms = 8 * 3600000 WHERE id = \(ids[1].rawValue)")
            let began = try await store.databaseTime().advanced(by: .seconds(-7 * 3600))
            let activity = RunActivity(startedAt: began)
            try await store.notePulses(
                bench.lease,
                [
                    RunPulse(id: ids[2], attempt: 1, activity: activity, isFrozen: true),
                    RunPulse(
                        id: ids[3], attempt: 1, activity: activity, deadline: began.advanced(by: .seconds(9 * 3600))),
                    RunPulse(id: ids[4], attempt: 1, activity: activity),
                    RunPulse(
                        id: ids[5], attempt: 1, activity: activity, deadline: began.advanced(by: .seconds(3600))),
                ])
            _ = try await store.requestCancel(ids[4], reason: nil)
            // Not due yet.
            #expect(try await store.sweep(bench.lease) == nil)
            try await Self.makeDue(bench)
            let sweep = try #require(try await store.sweep(bench.lease))
            #expect(sweep.row.stale == 1 && sweep.row.failed == 1 && sweep.row.runs == [ids[5]])
            #expect(sweep.ended.map(\.id) == [ids[5]])
            let failed = try #require(try await store.run(ids[5]))
            #expect(failed.state == .failed && failed.reason == .stale)
            for id in ids where id != ids[5] { #expect(try await store.run(id)?.state == .running) }
            // Once for each interval.
            #expect(try await store.sweep(bench.lease) == nil)
            let known = try await store.sweeps()
            #expect(known.map(\.runs) == [[ids[5]]] && known[0].hasActed && known[0].kind == .sweep)
            #expect(known[0].hostID == bench.lease.id)
        }
    }

    @Test func thePolicySaysWhatBecomesOfThem() async throws {
        try await withBench { bench in
            let store = bench.store
            let ids = try await bench.enqueue(2)
            _ = try await bench.claim(2)
            for id in ids { try await Self.age(bench, id, hours: 7) }
            try await Self.hear(bench, ids)
            var policy = try await store.safetyPolicy()
            #expect(policy.policy == SafetyPolicy() && policy.revision == 1)
            policy.policy.mode = .report
            guard
                case .changed(let row) = try await store.setSafetyPolicy(
                    policy.policy, ifRevision: 1, actor: "me", reason: "a trial")
            else {
                Issue.record("not changed")
                return
            }
            #expect(row.policy.mode == .report && row.revision == 2 && row.updatedBy == "me")
            #expect(
                try await store.setSafetyPolicy(policy.policy, ifRevision: 1, actor: "you") == .mismatch(2))
            try await Self.makeDue(bench)
            let report = try #require(try await store.sweep(bench.lease)).row
            #expect(report.stale == 2 && report.failed == 0 && !report.hasActed)
            #expect(try await store.run(ids[0])?.state == .running)

            policy.policy.mode = .act
            policy.policy.outcome = .retry
            policy.policy.stuck.slowFactor = 4.5
            policy.policy.stuck.times.low = .seconds(60)
            _ = try await store.setSafetyPolicy(policy.policy, ifRevision: nil, actor: nil)
            #expect(try await store.safetyPolicy().policy == policy.policy)
            try await Self.makeDue(bench)
            #expect(try #require(try await store.sweep(bench.lease)).row.requeued == 2)
            for id in ids { #expect(try await store.run(id)?.state == .queued) }

            policy.policy.mode = .off
            _ = try await store.setSafetyPolicy(policy.policy, ifRevision: nil, actor: nil)
            try await Self.makeDue(bench)
            #expect(try await store.sweep(bench.lease) == nil)
            policy.policy.staleAfter = .seconds(1)
            do {
                _ = try await store.setSafetyPolicy(policy.policy, ifRevision: nil, actor: nil)
                Issue.record("it was taken")
            } catch StoreError.invalid(let fault) { #expect(fault.pointer == "/stale_after_ms") }
            #expect(try await bench.number("SELECT count(*) FROM pawl.audit WHERE action = 'safety.policy'") == 3)
        }
    }

    /// Hosts of an earlier version say nothing of their runs, nor does a host that is not back yet after an absence of the
    /// database: by its heartbeats it is silent then, but nobody has declared it so.
    @Test func whatNobodyIsHeardOfIsEndedWhenItsHostIsGone() async throws {
        try await withBench { bench in
            let store = bench.store
            let other = bench.anotherStore()
            let lease = try await other.registerHost(Bench.registration("directory-2")).lease
            let id = try await bench.enqueue(1)[0]
            _ = try await other.claim(lease, ClaimRequest(limit: 1))
            try await Self.age(bench, id, hours: 7)
            // What was said long ago is nothing to go by.
            let activity = RunActivity(startedAt: try await store.databaseTime())
            try await other.notePulses(lease, [RunPulse(id: id, attempt: 1, activity: activity)])
            try await bench.side.execute("UPDATE pawl.run_pulse SET noted_at = now() - interval '3 minutes'")
            for change in ["state = 'running'", "heartbeat_at = now() - interval '1 hour'", "state = 'stopping'"] {
                try await bench.side.execute("UPDATE pawl.host SET \(change) WHERE id = \(lease.id.rawValue)")
                try await Self.makeDue(bench)
                #expect(try #require(try await store.sweep(bench.lease)).row.stale == 0, "\(change)")
            }
            #expect(try await store.watchedRuns(olderThan: .zero).map(\.isHostSilent) == [true])
            try await bench.side.execute(
                "UPDATE pawl.host SET state = 'silent', epoch = epoch + 1 WHERE id = \(lease.id.rawValue)")
            try await Self.makeDue(bench)
            #expect(try #require(try await store.sweep(bench.lease)).row.runs == [id])
            await other.shutdown()
        }
    }

    @Test func twoAttemptsOfARunMayBeHere() async throws {
        try await withBench { bench in
            let ids = try await bench.enqueue(2)
            _ = try await bench.claim(2)
            let activity = RunActivity(startedAt: try await bench.store.databaseTime())
            try await bench.store.notePulses(
                bench.lease,
                [
                    RunPulse(id: ids[0], attempt: 1, activity: activity, processes: 7),
                    RunPulse(id: ids[0], attempt: 2, activity: activity, processes: 8),
                    RunPulse(id: ids[1], attempt: 1, activity: activity, processes: 9),
                ])
            #expect(try await bench.number("SELECT sum(processes) FROM pawl.run_pulse") == 17)
        }
    }

    /// A run that is stale each time goes back as often as it has attempts.
    @Test func whatHasUsedUpItsAttemptsFails() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await store.setSafetyPolicy(
                SafetyPolicy(outcome: .retry, staleAfter: .seconds(3600)), ifRevision: nil, actor: nil)
            let ids = try await bench.enqueue(2)
            try await bench.side.execute(
                "UPDATE pawl.run_live SET attempts_used = max_attempts - 1 WHERE id = \(ids[0].rawValue)")
            for attempt in 1...3 {
                let claimed = try await bench.claim(2).map(\.id)
                #expect(claimed == (attempt == 1 ? ids : [ids[1]]))
                for id in claimed { try await Self.age(bench, id, hours: 7) }
                try await Self.hear(bench, claimed, attempt: attempt)
                try await Self.makeDue(bench)
                let sweep = try #require(try await store.sweep(bench.lease))
                #expect(sweep.row.requeued == (attempt == 3 ? 0 : 1) && sweep.row.failed == (attempt == 2 ? 0 : 1))
                #expect(Set(sweep.ended.map(\.id)) == Set(claimed) && Set(sweep.row.runs) == Set(claimed))
            }
            for id in ids { #expect(try await store.run(id)?.state == .failed) }
        }
    }

    /// Three hosts ask at once, twenty times: each interval has one sweep.
    @Test func severalHostsSweepOnce() async throws {
        try await withBench { bench in
            let stores = [bench.store, bench.anotherStore(), bench.anotherStore()]
            var leases = [bench.lease]
            for number in [2, 3] {
                leases.append(
                    try await stores[number - 1].registerHost(Bench.registration("directory-\(number)")).lease)
            }
            for _ in 0..<20 {
                try await Self.makeDue(bench)
                let (a, b, c) = (stores[0], stores[1], stores[2])
                let (la, lb, lc) = (leases[0], leases[1], leases[2])
                async let first = a.sweep(la)
                async let second = b.sweep(lb)
                async let third = c.sweep(lc)
                let done = [try await first != nil, try await second != nil, try await third != nil]
                #expect(done.count { $0 } == 1)
            }
            #expect(try await bench.store.sweeps(limit: 100).count == 20)
            // Who was fenced does not sweep.
            try await Self.makeDue(bench)
            try await bench.side.execute("UPDATE pawl.host SET epoch = epoch + 1 WHERE id = \(leases[1].id.rawValue)")
            #expect(try await stores[1].sweep(leases[1]) == nil)
            for store in stores.dropFirst() { await store.shutdown() }
        }
    }

    /// A week in which 20 runs took a second, and one run that takes forty.
    @Test func stuckIsWhatTakesMuchLongerThanUsual() async throws {
        try await withBench { bench in
            let store = bench.store
            var histogram = LatencyHistogram()
            for _ in 0..<20 { histogram.record(.seconds(1)) }
            let packed = histogram.packed.map {
                let hex = String($0, radix: 16); return hex.count == 1 ? "0" + hex : hex
            }
            .joined()
            try await bench.side.execute(
                """
                INSERT INTO pawl.rollup (step_s, at, queue, job, state, n, wait_us, run_us, run)
                VALUES (86400, date_bin('1 day', now(), 'epoch'), 'default', 'test.noop', 'succeeded', 20, 0, 0, '\\x\(packed)')
                """)
            let usual = try #require(try await store.usualTimes(of: ["test.noop", "test.sleep"])["test.noop"])
            #expect(abs(usual.wholeMilliseconds - 1000) < 70)
            let slow = try await bench.enqueue(2)
            let other = try await bench.enqueue(1, job: "test.sleep")
            _ = try await bench.claim(3)
            try await bench.side.execute(
                """
                UPDATE pawl.run_live SET started_at = now() - interval '40 seconds' WHERE id <> \(slow[1].rawValue)
                """)
            let stuck = try await store.stuckRuns(StuckRule())
            #expect(stuck.map(\.run.id) == [slow[0]] && stuck[0].verdict.severity == .critical)
            #expect(stuck[0].verdict.evidence.map(\.kind) == ["slower_than_usual"])
            // By time, worst first, with what its host has said.
            try await bench.side.execute(
                "UPDATE pawl.run_live SET started_at = now() - interval '20 minutes', timeout_ms = 7200000 WHERE id = \(other[0].rawValue)"
            )
            let began = try await store.databaseTime().advanced(by: .seconds(-1200))
            try await store.notePulses(
                bench.lease,
                [
                    RunPulse(
                        id: other[0], attempt: 1, activity: RunActivity(startedAt: began), cpuMillis: 7,
                        residentBytes: 4096, processes: 2)
                ])
            let all = try await store.stuckRuns(StuckRule())
            #expect(all.map(\.run.id) == [slow[0], other[0]])
            #expect(all[1].verdict.severity == .medium && all[1].run.cpuMillis == 7 && all[1].run.processes == 2)
            #expect(all[1].verdict.evidence.map(\.kind) == ["runs_long", "no_progress", "no_cpu"])
            #expect(all[1].run.args == "{\"n\":0}" && all[1].run.maxAttempts == 3)
            #expect(try await store.stuckRuns(StuckRule(), severity: .medium).map(\.run.id) == [other[0]])
            #expect(try await store.stuckRuns(StuckRule(), queue: "none").isEmpty)
            // Nothing is said of it any more: what was said is forgotten.
            try await store.notePulses(bench.lease, [])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_pulse") == 0)
        }
    }
}
