import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

@Suite struct LogTests {
    private func line(_ run: ClaimedRun, _ seq: Int64, _ message: String, fields: String? = nil) -> LogInsert {
        LogInsert(
            runID: run.id, attempt: run.attempt, seq: seq,
            line: LogLine(
                time: run.createdAt, level: LogLevel(rawValue: Int(seq % 4)) ?? .info,
                stream: seq % 2 == 0 ? .stdout : .handler, stage: seq > 5 ? "late" : nil, message: message,
                fields: fields))
    }

    @Test func readsWhatWasWritten() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            let lines = (1...10).map {
                line(run, Int64($0), "line \($0) \u{1F600}\t\\ \"x\"\n", fields: "{\"n\": \($0)}")
            }
            try await store.appendLogs(lines)
            // A COPY whose answer was lost is repeated: readers see each line once.
            try await store.appendLogs(Array(lines.suffix(3)))
            let all = try await store.logs(run.id, LogQuery())
            #expect(all == lines.map { LogRow(seq: $0.seq, attempt: $0.attempt, line: $0.line) })
            #expect(try await store.logs(run.id, LogQuery(afterSeq: 4, limit: 2)).map(\.seq) == [5, 6])
            #expect(try await store.logs(run.id, LogQuery(limit: 3, isTail: true)).map(\.seq) == [8, 9, 10])
            #expect(try await store.logs(run.id, LogQuery(minLevel: .error)).map(\.seq) == [3, 7])
            #expect(try await store.logs(run.id, LogQuery(streams: [.stdout])).map(\.seq) == [2, 4, 6, 8, 10])
            #expect(try await store.logs(run.id, LogQuery(stage: "late")).count == 5)
            #expect(try await store.logs(run.id, LogQuery(attempt: 2)).isEmpty)
            #expect(try await store.logs(RunID(99_999), LogQuery()).isEmpty)
        }
    }

    @Test func badFieldsAndZerosAreKeptInAnotherForm() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            try await store.appendLogs([
                line(run, 1, "a\0b"), line(run, 2, "c", fields: "{no"), line(run, 3, "d", fields: "1"),
            ])
            let lines = try await store.logs(run.id, LogQuery()).map(\.line)
            #expect(lines.map(\.message) == ["a\u{FFFD}b", "c", "d"])
            #expect(lines.map(\.fields) == [nil, "\"{no\"", "1"])
        }
    }

    @Test func theIndexKnowsHowMany() async throws {
        try await withBench { bench in
            let store = bench.store
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            let pages = "SELECT count(*) FROM pawl.run_log_index"
            for start in [Int64(1), 601, 1201] {
                try await store.appendLogs((start..<start + 600).map { line(run, $0, "x") })
            }
            // One whole page, and lines that are in none yet.
            #expect(try await bench.number(pages) == 1)
            #expect(try await store.logIndex(run.id).lines == 1800)
            _ = try await store.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            #expect(try await bench.number(pages) == 2)
            #expect(try await bench.number("SELECT max(lines) FROM pawl.run_log_index") == 1000)
            let index = try await store.logIndex(run.id)
            #expect(index == LogIndex(lines: 1800, debug: 450, info: 450, warning: 450, error: 450))
        }
    }

    /// A host was killed with lines counted and not indexed; its successor reads lines from a file that are there already.
    @Test func theIndexIsRightAfterLinesWereWrittenTwice() async throws {
        try await withBench { bench in
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            try await bench.store.appendLogs((1...2700).map { line(run, $0, "x") })
            let next = bench.anotherStore()
            try await next.appendLogs((701...3500).map { line(run, $0, "x") }, mayBeThere: true)
            #expect(try await bench.number("SELECT count(*) FROM pawl.run_log") == 3500)
            #expect(try await next.logIndex(run.id).lines == 3500)
            _ = try await next.settle(bench.lease, [run.settlement(.finish(.succeeded))])
            #expect(
                try await next.logIndex(run.id)
                    == LogIndex(lines: 3500, debug: 875, info: 875, warning: 875, error: 875))
            #expect(try await next.logs(run.id, LogQuery(limit: 4000)).map(\.seq) == Array(1...3500))
            await next.shutdown()
        }
    }
}
