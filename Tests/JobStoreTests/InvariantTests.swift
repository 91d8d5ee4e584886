import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Two hosts, an operator and a janitor do everything at once, at random. Whatever they do: each run is in exactly one place,
/// ends once, has one row for each attempt that began, and the counters say what is there.
@Suite struct InvariantTests {
    @Test func everybodyAtOnce() async throws {
        let seed = UInt64.random(in: 1 ... .max)
        try await withBench { bench in
            let other = bench.anotherStore()
            let second = try await other.registerHost(Bench.registration("directory-2")).lease
            let total = 300
            let first = try await bench.enqueue(total / 2)
            let rest = try await bench.enqueue(total / 2, priority: 3, queue: "q2")
            let ids = first + rest

            let hosts = [(bench.store, bench.lease, seed), (other, second, seed ^ 1)].map { store, lease, seed in
                loopTask { () -> Void in
                    var random = SplitMix(state: seed)
                    var lease = lease
                    var pending: [Settlement] = []
                    do {
                        for round in 0..<120 {
                            let limit = Int.random(in: 0...12, using: &random)
                            let answer = try await store.settleAndClaim(
                                lease, pending, claim: ClaimRequest(limit: limit))
                            pending = answer.claimed.map { $0.settlement(.random(&random), .error) }
                            // Some outcomes get lost with their host's memory; some are reported twice.
                            if Int.random(in: 0..<6, using: &random) == 0 { pending += pending }
                            if Int.random(in: 0..<25, using: &random) == 0 {
                                let directory = store === bench.store ? "directory-1" : "directory-2"
                                lease = try await store.registerHost(Bench.registration(directory)).lease
                            }
                            if round % 5 == 0 { _ = try await store.promoteDue() }
                        }
                        try await store.hostStopped(lease)
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            let operatorAndJanitor = loopTask { () -> Void in
                var random = SplitMix(state: seed ^ 2)
                do {
                    for _ in 0..<60 {
                        guard let id = ids.randomElement(using: &random) else { break }
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0: _ = try await bench.store.requestCancel(id, reason: nil)
                        case 1:
                            let stale = try await bench.store.staleRuns(olderThan: .zero)
                            let some = stale.prefix(3).map { (id: $0.id, attempt: $0.attempt) }
                            let outcome: StaleOutcome = Bool.random(using: &random) ? .fail : .retry
                            _ = try await bench.store.cleanupStale(some, outcome: outcome)
                        case 2: _ = try await bench.store.maintain()
                        default: _ = try await bench.store.runs(RunFilter(), limit: 50)
                        }
                    }
                } catch {
                    Issue.record(error)
                }
            }
            for host in hosts { await host.value }
            await operatorAndJanitor.value
            await other.shutdown()

            let places = try await bench.number(
                """
                SELECT count(*) FROM (SELECT id FROM pawl.run_live UNION ALL SELECT id FROM pawl.run_waiting
                    UNION ALL SELECT id FROM pawl.run) r
                """)
            let runs = try await bench.number("SELECT count(DISTINCT id) FROM pawl.run_all")
            #expect(places == total && runs == total, "seed \(seed)")
            #expect(
                try await bench.number("SELECT count(*) FROM pawl.run_live WHERE state = 'running'") == 0,
                "seed \(seed)")
            let ended = try await bench.number("SELECT count(DISTINCT state) FROM pawl.run")
            #expect(ended == 3, "all three ends were reached; seed \(seed)")
            // The numbers of attempts: fencing numbers never repeat, and nothing is used that was not made.
            let doubled = try await bench.number(
                "SELECT count(*) FROM (SELECT FROM pawl.attempt GROUP BY run_id, attempt HAVING count(*) > 1) d")
            let wrong = try await bench.number(
                """
                SELECT count(*) FROM pawl.run_all r WHERE attempts_used > attempt OR attempt <
                    (SELECT coalesce(max(a.attempt), 0) FROM pawl.attempt a WHERE a.run_id = r.id)
                """)
            #expect(doubled == 0 && wrong == 0, "seed \(seed)")
            let differences = try await bench.number(
                """
                SELECT count(*) FROM
                    (SELECT queue, job, state, count(*) AS n FROM pawl.run_all GROUP BY 1, 2, 3) are
                FULL JOIN
                    (SELECT queue, job, state, sum(n) AS n FROM (SELECT queue, job, state, n FROM pawl.run_counter
                        UNION ALL SELECT queue, job, state, n FROM pawl.counter_delta) c GROUP BY 1, 2, 3 HAVING sum(n) <> 0) said
                USING (queue, job, state) WHERE are.n IS DISTINCT FROM said.n
                """)
            #expect(differences == 0, "seed \(seed)")
        }
    }
}

extension Settlement.Decision {
    fileprivate static func random(_ random: inout SplitMix) -> Settlement.Decision {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: .finish(.failed)
        case 1: .finishUncounted(.cancelled)
        case 2, 3: .retry(at: WallTime(micros: 1))
        case 4: .snooze(until: WallTime(micros: 1))
        case 5: .requeueLost
        case 6: .release
        default: .finish(.succeeded)
        }
    }
}

/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
