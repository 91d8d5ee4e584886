import JobCore
import JobStore
import Postgres
import Testing
import UVLoop

/// Pages of a log: by number, by time, filtered and searched.
@Suite struct LogSearchTests {
    /// Line n is written n milliseconds after the run was requested.
    private func fill(_ bench: Bench, _ count: Int64) async throws -> ClaimedRun {
        _ = try await bench.enqueue(1)
        let run = try await bench.claim(1)[0]
        try await bench.store.appendLogs(
            (1...count).map { n in
                let zero = n % 3 == 0 ? ",\"zero\":\"\\u0000\"" : ""
                return LogInsert(
                    runID: run.id, attempt: run.attempt, seq: LogSequence.number(attempt: run.attempt, line: n),
                    line: LogLine(
                        time: run.createdAt.advanced(by: .milliseconds(n)), level: n % 1000 == 0 ? .error : .info,
                        stream: .handler, message: "Line \(n) of the \(n % 7 == 0 ? "Seventh" : "other")",
                        fields: "{\"user\":\(n % 10)\(zero)}"))
            })
        return run
    }

    private func numbers(_ page: LogPage) -> [Int64] { page.rows.map { $0.seq % LogSequence.stride } }

    @Test func wordsAreFoundInAnyCaseOrInThis() async throws {
        try await withBench { bench in
            let run = try await fill(bench, 100)
            func found(_ words: LogWords) async throws -> Int {
                try await bench.store.logPage(run.id, LogQuery(words: words)).rows.count
            }
            #expect(try await found(LogWords("sEVENTH")) == 14)
            #expect(try await found(LogWords("sEVENTH", matchesCase: true)) == 0)
            #expect(try await found(LogWords("Seventh", matchesCase: true)) == 14)
            // No wildcards in plain words.
            #expect(try await found(LogWords("%")) == 0)
            #expect(try await found(LogWords("Line .")) == 0)
            #expect(try await found(LogWords("^line [0-9] of", isExpression: true)) == 9)
            #expect(try await found(LogWords("^line [0-9] of", isExpression: true, matchesCase: true)) == 0)
            // Fields are searched as they are written.
            #expect(try await found(LogWords("\"user\":7")) == 10)
        }
    }

    @Test func fieldsAreComparedWhateverStandsBesideThem() async throws {
        try await withBench { bench in
            let run = try await fill(bench, 100)
            let three = try await bench.store.logPage(run.id, LogQuery(fields: [LogField(name: "user", value: "3")]))
            // Where another field cannot be read as text by the server, none of the line's fits; the others are found.
            #expect(numbers(three) == [13, 23, 43, 53, 73, 83])
            let none = LogQuery(fields: [LogField(name: "user", value: "3"), LogField(name: "x", value: "y")])
            #expect(try await bench.store.logPage(run.id, none).rows.isEmpty)
        }
    }

    @Test func aPageSaysWhereToGoOn() async throws {
        try await withBench { bench in
            let run = try await fill(bench, 100)
            var query = LogQuery(limit: 5, words: LogWords("seventh"))
            var all: [Int64] = []
            while true {
                let page = try await bench.store.logPage(run.id, query)
                all += numbers(page)
                query.afterSeq = page.after
                if page.isComplete { break }
                #expect(page.rows.count == 5)
            }
            #expect(all == (1...14).map { $0 * 7 })
            // And down.
            query = LogQuery(limit: 5, isTail: true, words: LogWords("seventh"))
            let last = try await bench.store.logPage(run.id, query)
            #expect(numbers(last) == [70, 77, 84, 91, 98])
            query.beforeSeq = last.before
            #expect(try await numbers(bench.store.logPage(run.id, query)) == [35, 42, 49, 56, 63])
        }
    }

    @Test func aLongWalkEndsAndGoesOn() async throws {
        try await withBench { bench in
            let count: Int64 = 250_000
            _ = try await bench.enqueue(1)
            let run = try await bench.claim(1)[0]
            let first = LogSequence.number(attempt: run.attempt, line: 1)
            try await bench.side.execute(
                """
                INSERT INTO pawl.run_log (run_id, seq, attempt, time, stream, level, message)
                SELECT \(run.id.rawValue), \(first) - 1 + n, \(run.attempt), now(), 0, CASE WHEN n = \(count) THEN 3 ELSE 1 END, 'line ' || n
                FROM generate_series(1, \(count)) n
                """)
            var query = LogQuery(minLevel: .error)
            let page = try await bench.store.logPage(run.id, query)
            #expect(page.rows.isEmpty && page.isTruncated && !page.isComplete)
            // As far as it looked; a slow machine gets less far.
            #expect(page.after > first + 15_000 && page.after < first + count)
            var pages = 1
            query.afterSeq = page.after
            while pages < 100 {
                let next = try await bench.store.logPage(run.id, query)
                pages += 1
                query.afterSeq = next.after
                if next.isComplete {
                    #expect(next.rows.map(\.seq) == [first + count - 1])
                    break
                }
            }
            #expect(pages < 100)
            // Downward it is there at once.
            let tail = try await bench.store.logPage(run.id, LogQuery(limit: 1, isTail: true, minLevel: .error))
            #expect(tail.rows.map(\.seq) == [first + count - 1] && !tail.isTruncated)
        }
    }

    /// The loop stays free meanwhile: the server does it, with a limit.
    @Test func badAndSlowExpressionsAreRefused() async throws {
        try await withBench { bench in
            let run = try await fill(bench, 30)
            func refusal(_ text: String) async -> String? {
                do {
                    _ = try await bench.store.logPage(
                        run.id, LogQuery(words: LogWords(text, isExpression: true)))
                    return nil
                } catch StoreError.invalid(let fault) {
                    return fault.pointer == "/grep" ? fault.code : nil
                } catch {
                    return "\(error)"
                }
            }
            #expect(await refusal("(") == "bad_expression")
            #expect(await refusal("a{1,999}") == "bad_expression")
            #expect(await refusal("line") == nil)
            // Back references make the server's engine try every way.
            try await bench.store.appendLogs([
                LogInsert(
                    runID: run.id, attempt: run.attempt, seq: LogSequence.number(attempt: run.attempt, line: 31),
                    line: LogLine(
                        time: run.createdAt, level: .info, stream: .handler,
                        message: String(repeating: "ab", count: 4000)))
            ])
            let slow = await refusal("^(.+)(.+)(.+)(.+)\\4\\3\\2\\1[ab]\\1$")
            #expect(slow == "too_slow")
        }
    }

    @Test func timesBoundAPage() async throws {
        try await withBench { bench in
            let run = try await fill(bench, 3500)
            func between(_ from: Int64?, _ until: Int64?) async throws -> [Int64] {
                let page = try await bench.store.logPage(
                    run.id,
                    LogQuery(
                        limit: 5000, since: from.map { run.createdAt.advanced(by: .milliseconds($0)) },
                        until: until.map { run.createdAt.advanced(by: .milliseconds($0)) }))
                return numbers(page)
            }
            let spans: [(Int64, Int64)] = [
                (1, 3501), (1000, 2000), (1001, 1002), (2500, 3400), (3100, 3499), (3500, 9000),
            ]
            for (from, until) in spans {
                #expect(try await between(from, until) == Array(from..<min(until, 3501)), "\(from) to \(until)")
            }
            #expect(try await between(3200, nil) == Array(3200...3500))
            #expect(try await between(nil, 1500) == Array(1..<1500))
            #expect(try await between(3501, nil).isEmpty)
            // A second attempt begins after a gap in the numbers.
            #expect(try await bench.store.logPage(run.id, LogQuery(attempt: 2)).rows.isEmpty)
            #expect(try await bench.store.logPage(run.id, LogQuery(attempt: 1)).rows.count == 500)
        }
    }
}
