import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct CancelTests {
    @Test func inEveryState() async throws {
        try await withBench { bench in
            let store = bench.store
            var signals: [HostSignal] = []
            try await store.listen(
                host: bench.lease.id, onWake: { _ in }, onSignal: { signals.append($0) }, onReconnect: {})

            let scheduled = try await store.enqueue(NewRun(job: "test.noop", delay: .seconds(99)))
            #expect(try await store.requestCancel(scheduled.id, reason: "no") == .cancelled)
            #expect(try await store.requestCancel(scheduled.id, reason: "no") == .alreadyFinished(.cancelled))
            let cancelled = try #require(try await store.run(scheduled.id))
            #expect(cancelled.state == .cancelled && cancelled.cancelReason == "no" && cancelled.attempt == 0)

            let queued = try await store.enqueue(NewRun(job: "test.noop"))
            #expect(try await store.requestTerminate(queued.id, reason: nil) == .cancelled)
            #expect(try await bench.claim(1).isEmpty)

            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            let asked = CancelAnswer.requested(host: bench.lease.id, attempt: 1, isRepeated: false)
            #expect(try await store.requestCancel(run.id, reason: "stop", grace: .seconds(2), actor: "me") == asked)
            let repeated = CancelAnswer.requested(host: bench.lease.id, attempt: 1, isRepeated: true)
            #expect(try await store.requestCancel(run.id, reason: nil) == repeated)
            let signal = HostSignal(action: .cancel, runID: run.id, attempt: 1, grace: .seconds(2))
            try await eventually { signals.first == signal }
            #expect(try await store.pendingSignals(bench.lease) == [signal])
            #expect(try await store.requestTerminate(run.id, reason: nil, grace: .zero) == asked)
            try await eventually { signals.last?.action == .terminate }
            #expect(try await store.pendingSignals(bench.lease).map(\.action) == [.terminate])
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_event") == 2)

            _ = try await store.settle(bench.lease, [run.settlement(.finish(.cancelled), .terminated)])
            #expect(try await store.requestCancel(run.id, reason: nil) == .alreadyFinished(.cancelled))
            #expect(try await store.run(run.id)?.cancelReason == "stop")

            _ = try await bench.enqueue(1)
            let failing = try await bench.claim(1)[0]
            let later = try await store.databaseTime().advanced(by: .seconds(99))
            _ = try await store.settle(bench.lease, [failing.settlement(.retry(at: later), .error)])
            #expect(try await store.requestCancel(failing.id, reason: nil) == .cancelled)
            let over = try #require(try await store.run(failing.id))
            #expect(over.state == .cancelled && over.attemptsUsed == 1 && over.outcome == .error)

            do {
                _ = try await store.requestCancel(RunID(987_654), reason: nil)
                Issue.record("a run that does not exist was cancelled")
            } catch StoreError.notFound(let what, _, _) {
                #expect(what == "run")
            }
            #expect(try await counts(bench) == [.cancelled: 4])
        }
    }

    @Test func fromSQL() async throws {
        try await withBench { bench in
            let runs = try await bench.enqueue(2)
            _ = try await bench.claim(1)
            let cancel = PGStatement(name: "t_cancel", sql: "SELECT pawl.cancel(pawl.run_name($1::bigint), 'why')")
            func answer(_ id: RunID) async throws -> String? {
                try await bench.side.query(cancel, [.int64(id.rawValue)])[0].textOrNil(0)
            }
            #expect(try await answer(runs[0]) == "requested")
            #expect(try await answer(runs[1]) == "cancelled")
            #expect(try await answer(runs[1]) == "finished")
            #expect(try await answer(RunID(99_999)) == nil)
            #expect(try await bench.store.run(runs[0])?.cancelReason == "why")
        }
    }

    private func counts(_ bench: Bench) async throws -> [RunState: Int64] {
        try await bench.store.stats(since: WallTime(micros: 0)).counts.filter { $0.value != 0 }
    }
}
