package import JobCore
import Postgres
import UVLoop

/// Reading a run's log: pages up and down, by number and by time, filtered and searched.
///
/// A filter makes the server look at lines that it does not return. So it looks at a bounded number at a time, and a page ends,
/// marked `isTruncated`, when it has looked at enough; the caller goes on from there.
extension JobStore {
    /// Lines that one statement looks at when there is a filter: some 50 ms of the server's time.
    nonisolated static let logWalk = 20_000
    /// Lines that one page looks at.
    static let logWalkInAll = 200_000
    /// The longest that a page takes while it finds little, apart from its last statement.
    static let logWalkTime: Duration = .milliseconds(1500)
    /// The longest that one statement takes. Only an expression can make it take so long.
    static let logStatementTime: Duration = .seconds(1)

    /// Lines of a run in ascending order of `seq`.
    package func logs(_ id: RunID, _ query: LogQuery) async throws(StoreError) -> [LogRow] {
        try await logPage(id, query).rows
    }

    /// Lines of a run in ascending order of `seq`, and where to go on.
    ///
    /// Throws `.invalid` with pointer `/grep` for an expression that is none or takes too long.
    /// - Parameter query: `limit` is 1 to 10,000.
    package func logPage(_ id: RunID, _ query: LogQuery) async throws(StoreError) -> LogPage {
        var page = LogPage(after: query.afterSeq, before: query.beforeSeq)
        guard let bounds = try await bounds(id, query) else {
            page.isComplete = true
            return page
        }
        var walk = LogWalk(query, bounds)
        let deadline = LoopInstant.now.advanced(by: Self.logWalkTime)
        while true {
            try await step(id, &walk)
            if walk.isOver { break }
            // A page that got nowhere would be asked for again and again: either it looks at something or it is too slow.
            if walk.looked >= Self.logWalkInAll || (walk.looked > 0 && LoopInstant.now >= deadline) {
                page.isTruncated = true
                break
            }
        }
        page.rows = query.isTail ? walk.rows.reversed() : walk.rows
        page.isComplete = walk.isComplete
        if query.isTail {
            page.before = walk.before
            page.after = max(page.after, page.rows.last?.seq ?? 0)
        } else {
            page.after = walk.after
        }
        return page
    }

    /// Throws `.invalid` with pointer `/grep` where an expression is none.
    package func checkLogWords(_ words: LogWords) async throws(StoreError) {
        guard words.isExpression else { return }
        do throws(PostgresError) {
            _ = try await pool.transaction([walkSettings, (.logWords, [.text(words.text.storable)])])
        } catch {
            throw error.sqlState == .queryCanceled ? Self.tooSlow : Self.refusal(of: error)
        }
    }

    private func bounds(_ id: RunID, _ query: LogQuery) async throws(StoreError) -> LogWalk.Bounds? {
        try await decoding { () -> LogWalk.Bounds? in
            guard let span = try await self.logSpan(id) else { return nil }
            var bounds = LogWalk.Bounds(
                after: query.afterSeq, before: query.beforeSeq ?? .max, from: span.lowerBound, until: span.upperBound)
            if let attempt = query.attempt {
                bounds.after = max(bounds.after, LogSequence.range(ofAttempt: attempt).lowerBound - 1)
                bounds.before = min(bounds.before, LogSequence.range(ofAttempt: attempt).upperBound)
            }
            guard query.since != nil || query.until != nil else { return bounds }
            if let since = query.since { bounds.from = max(bounds.from, since) }
            if let until = query.until { bounds.until = min(bounds.until, until) }
            let row = try await self.pool.query(
                .logWindow,
                [
                    .int64(id.rawValue), query.since.map { .timestamp(micros: $0.micros) } ?? .null,
                    query.until.map { .timestamp(micros: $0.micros) } ?? .null,
                ])[0]
            bounds.after = max(bounds.after, try row.int64(0))
            bounds.before = min(bounds.before, try row.int64(1))
            return bounds
        }
    }

    /// One statement's worth.
    private func step(_ id: RunID, _ walk: inout LogWalk) async throws(StoreError) {
        if walk.isFiltered { await logGate.enter() }
        defer { if walk.isFiltered { logGate.leave() } }
        do {
            let parameters = walk.parameters(id)
            let statement: PGStatement = walk.query.isTail ? .logTail : .logRead
            let answers = try await pool.transaction([walkSettings, (statement, parameters)])
            try walk.take(answers[1])
        } catch let error as PostgresError {
            try Self.judge(error, &walk)
        } catch {
            throw .database(PostgresError(kind: .protocol, message: "\(error)"))
        }
    }

    /// An expression that is slow gets fewer lines to look at, until it is too slow for any.
    private static func judge(_ error: PostgresError, _ walk: inout LogWalk) throws(StoreError) {
        guard walk.query.words?.isExpression == true else { throw StoreError(error) }
        guard error.sqlState == .queryCanceled else { throw refusal(of: error) }
        guard walk.shrink() else { throw tooSlow }
    }

    private static func refusal(of error: PostgresError) -> StoreError {
        // invalid_regular_expression
        guard error.sqlState == "2201B" else { return StoreError(error) }
        return .invalid(FieldFault(pointer: "/grep", code: "bad_expression", detail: error.message))
    }

    private static var tooSlow: StoreError {
        .invalid(
            FieldFault(
                pointer: "/grep", code: "too_slow",
                detail: "this expression takes the database longer than a search may"))
    }

    /// For the transaction of a walk: whatever the statistics say, lines come by their index, in order, and only as many as are
    /// looked at.
    var walkSettings: (PGStatement, [PGParameter]) {
        (.logSettings, [.text(String(Self.logStatementTime.wholeMilliseconds))])
    }
}

extension PGStatement {
    fileprivate static let logSettings = PGStatement(
        name: "log_settings",
        sql: """
            SELECT set_config('statement_timeout', $1, true), set_config('enable_seqscan', 'off', true),
                set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
                set_config('plan_cache_mode', 'force_generic_plan', true)
            """)
    fileprivate static let logWords = PGStatement(name: "log_words", sql: "SELECT '' ~ $1")
}

/// One page's way along a run's lines.
private struct LogWalk {
    struct Bounds {
        var after: Int64
        var before: Int64
        var from: WallTime
        var until: WallTime
    }

    let query: LogQuery
    let isFiltered: Bool
    private(set) var bounds: Bounds
    private(set) var rows: [LogRow] = []
    private(set) var looked = 0
    private(set) var isComplete = false
    private let limit: Int
    private var walkLimit = JobStore.logWalk

    init(_ query: LogQuery, _ bounds: Bounds) {
        self.query = query
        self.bounds = bounds
        isFiltered = query.isFiltered
        limit = min(max(1, query.limit), 10_000)
    }

    var after: Int64 { bounds.after }
    var before: Int64 { bounds.before }
    var isOver: Bool { isComplete || rows.count >= limit }
    private var wanted: Int { limit - rows.count }
    private var stride: Int { isFiltered ? walkLimit : wanted }

    func parameters(_ id: RunID) -> [PGParameter] {
        let streams = query.streams.map { Int16($0.rawValue) }.sorted()
        let words: (kind: Int16, text: String?) = query.words.map { ($0.kind, $0.text.storable) } ?? (0, nil)
        return [
            .int64(id.rawValue), .timestamp(micros: bounds.from.micros), .timestamp(micros: bounds.until.micros),
            .int64(bounds.after), .int64(bounds.before), .int64(Int64(stride)), .int64(Int64(wanted)),
            query.minLevel.map { .int16(Int16($0.rawValue)) } ?? .null,
            streams.isEmpty ? .null : .int16Array(streams), .text(orNull: query.stage?.storable), .int16(words.kind),
            .text(orNull: words.text),
            query.fields.isEmpty ? .null : .textArray(query.fields.map(\.name.storable)),
            query.fields.isEmpty ? .null : .textArray(query.fields.map(\.value.storable)),
        ]
    }

    mutating func take(_ answer: PGRows) throws(PGDecodingError) {
        let found = answer.dropLast()
        for row in found { rows.append(try LogRow(row)) }
        let last = answer[answer.count - 1]
        let count = Int(try last.int64(1))
        let farthest = try last.int64(0)
        looked += count
        // As many as wanted: there may be more behind the last of them.
        isComplete = count < stride && rows.count < limit
        let place = rows.count >= limit ? rows[rows.count - 1].seq : farthest
        // Also where nothing was looked at: an attempt without a word has its line all the same.
        guard place > 0 else { return }
        if query.isTail { bounds.before = place } else { bounds.after = place }
    }

    mutating func shrink() -> Bool {
        walkLimit /= 10
        return walkLimit >= 200
    }
}

extension LogWords {
    /// As `log_read` has it.
    fileprivate var kind: Int16 {
        switch (isExpression, matchesCase) {
        case (false, false): 1
        case (false, true): 2
        case (true, false): 3
        case (true, true): 4
        }
    }
}

extension LogRow {
    fileprivate init(_ row: PGRow) throws(PGDecodingError) {
        var reader = RowReader(row)
        let seq = try reader.int64()
        let attempt = try reader.int()
        let time = try reader.time()
        let stream = LogStream(rawValue: try reader.int()) ?? .host
        let level = LogLevel(rawValue: try reader.int()) ?? .info
        self.init(
            seq: seq, attempt: attempt,
            line: LogLine(
                time: time, level: level, stream: stream, stage: try reader.textOrNil(), message: try reader.text(),
                fields: try reader.textOrNil()))
    }
}

/// One filtered walk at a time on each host, in the order of asking: searches share the readers' connections with everybody.
@LoopActor
final class LogGate {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        await withCheckedContinuation {
            if isTaken {
                waiting.append($0)
            } else {
                isTaken = true
                $0.resume()
            }
        }
    }

    func leave() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
