import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// A job may keep its failed runs for another time than the others. Which partition a run is in decides when it is dropped.
@Suite struct RetentionTests {
    @LoopActor
    private func setClasses(_ bench: Bench, _ days: Int, failed: Int?) async throws {
        let patch = JobPatch(retentionDays: days, failedRetentionDays: .some(failed))
        guard case .changed(let job) = try await bench.store.patchJob("test.noop", patch, ifRevision: nil) else {
            Issue.record("the job is not there")
            return
        }
        #expect(job.retentionDays == days && job.failedRetentionDays == failed)
    }

    /// Claims the one that is queued and ends the attempt as its host would.
    @LoopActor
    private func end(_ bench: Bench, _ outcome: AttemptOutcome, _ decision: Settlement.Decision) async throws -> RunID {
        let run = try #require(try await bench.claim(1).first)
        let settlement = Settlement(
            report: run.report(outcome), decision: decision, failedRetentionDays: run.failedRetentionDays)
        #expect(try await bench.store.settle(bench.lease, [settlement]) == [.applied])
        return run.id
    }

    @LoopActor
    private func days(_ bench: Bench, _ id: RunID) async throws -> (run: Int64, attempts: [Int64]) {
        let run = try await bench.number("SELECT retention::bigint FROM pawl.run_all WHERE id = \(id.rawValue)")
        let rows = try await bench.side.query(
            PGStatement(
                name: "days\(id.rawValue)-\(run)",
                sql: "SELECT retention::bigint FROM pawl.attempt WHERE run_id = \(id.rawValue) ORDER BY attempt"))
        return (run, try rows.map { try $0.int64(0) })
    }

    /// Each way in which a run may end, with the failed ones kept longer, shorter, and as the others.
    @Test(arguments: [(1, 90), (90, 7), (30, nil)] as [(Int, Int?)])
    func theOutcomeChoosesTheClass(_ usual: Int, _ failed: Int?) async throws {
        try await withBench { bench in
            try await setClasses(bench, usual, failed: failed)
            let (good, bad) = (Int64(usual), Int64(failed ?? usual))
            let soon = WallTime(micros: 1)

            _ = try await bench.enqueue(1)
            var found = try await days(bench, try await end(bench, .succeeded, .finish(.succeeded)))
            #expect(found.run == good && found.attempts == [good])

            _ = try await bench.enqueue(1)
            found = try await days(bench, try await end(bench, .cancelled, .finish(.cancelled)))
            #expect(found.run == good && found.attempts == [good])

            // The attempts before the last one live as long as the run may.
            _ = try await bench.enqueue(1)
            _ = try await end(bench, .error, .retry(at: soon))
            _ = try await bench.store.promoteDue()
            found = try await days(bench, try await end(bench, .crashed, .finish(.failed)))
            #expect(found.run == bad && found.attempts == [max(good, bad), bad])

            _ = try await bench.enqueue(1)
            _ = try await end(bench, .error, .retry(at: soon))
            _ = try await bench.store.promoteDue()
            found = try await days(bench, try await end(bench, .succeeded, .finish(.succeeded)))
            #expect(found.run == good && found.attempts == [max(good, bad), good])

            let stale = try await bench.enqueue(1)[0]
            let run = try #require(try await bench.claim(1).first)
            let cleaned = try await bench.store.cleanupStale([(id: stale, attempt: run.attempt)], outcome: .fail)
            found = try await days(bench, stale)
            #expect(cleaned == [.failed] && found.run == bad && found.attempts == [bad])
        }
    }

    @Test func onlyClassesAreTaken() async throws {
        try await withBench { bench in
            for wrong in [0, 2, 366] {
                do {
                    _ = try await bench.store.patchJob(
                        "test.noop", JobPatch(failedRetentionDays: .some(wrong)), ifRevision: nil)
                    Issue.record("\(wrong) was taken")
                } catch StoreError.invalid(let fault) {
                    #expect(fault.pointer == "/failed_retention_days")
                }
            }
            try await setClasses(bench, 7, failed: 365)
            try await setClasses(bench, 7, failed: nil)
        }
    }
}
