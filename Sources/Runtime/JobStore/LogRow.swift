package import JobCore

/// How the lines of a run are numbered: `attempt × 1,000,000,000 + n`, n from 1. Unique and in order across attempts and hosts
/// without asking anybody, and readable.
package enum LogSequence {
    package static let stride: Int64 = 1_000_000_000

    package static func number(attempt: Int, line: Int64) -> Int64 { Int64(attempt) * stride + line }

    /// Of all lines that an attempt may have.
    package static func range(ofAttempt attempt: Int) -> Range<Int64> {
        let first = Int64(attempt).multipliedReportingOverflow(by: stride)
        guard !first.overflow, first.partialValue <= .max - stride else { return Int64.max..<Int64.max }
        return first.partialValue..<first.partialValue + stride
    }
}

/// A line to append.
package struct LogInsert: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    /// See `LogSequence`.
    package var seq: Int64
    package var line: LogLine
    /// A retention class: 1, 7, 30, 90 or 365 days.
    package var retention: Int16

    package init(runID: RunID, attempt: Int, seq: Int64, line: LogLine, retention: Int16 = 30) {
        self.runID = runID
        self.attempt = attempt
        self.seq = seq
        self.line = line
        self.retention = retention
    }
}

package struct LogRow: Sendable, Hashable {
    package var seq: Int64
    package var attempt: Int
    package var line: LogLine

    package init(seq: Int64, attempt: Int, line: LogLine) {
        self.seq = seq
        self.attempt = attempt
        self.line = line
    }
}

/// Words to look for in messages and fields.
package struct LogWords: Sendable, Hashable {
    package var text: String
    /// The server's (POSIX) regular expression instead of plain text.
    package var isExpression: Bool
    /// Upper and lower case differ.
    package var matchesCase: Bool

    package init(_ text: String, isExpression: Bool = false, matchesCase: Bool = false) {
        self.text = text
        self.isExpression = isExpression
        self.matchesCase = matchesCase
    }
}

/// A member of a line's fields and what it must be, as text.
package struct LogField: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Which lines of a run.
package struct LogQuery: Sendable, Hashable {
    /// Lines with a greater number.
    package var afterSeq: Int64
    /// Lines with a lesser number; nil: no bound.
    package var beforeSeq: Int64?
    package var limit: Int
    /// The last `limit` ones instead of the first (in ascending order all the same).
    package var isTail: Bool
    package var minLevel: LogLevel?
    package var streams: Set<LogStream>
    package var attempt: Int?
    package var stage: String?
    /// Written at or after this time, and before that.
    package var since: WallTime?
    package var until: WallTime?
    package var words: LogWords?
    /// All of them.
    package var fields: [LogField]

    package init(
        afterSeq: Int64 = 0, beforeSeq: Int64? = nil, limit: Int = 500, isTail: Bool = false, minLevel: LogLevel? = nil,
        streams: Set<LogStream> = [], attempt: Int? = nil, stage: String? = nil, since: WallTime? = nil,
        until: WallTime? = nil, words: LogWords? = nil, fields: [LogField] = []
    ) {
        self.afterSeq = afterSeq
        self.beforeSeq = beforeSeq
        self.limit = limit
        self.isTail = isTail
        self.minLevel = minLevel
        self.streams = streams
        self.attempt = attempt
        self.stage = stage
        self.since = since
        self.until = until
        self.words = words
        self.fields = fields
    }

    /// Lines may have to be looked at that are not wanted.
    package var isFiltered: Bool {
        (minLevel ?? .debug) != .debug || !streams.isEmpty || stage != nil || words != nil || !fields.isEmpty
    }
}

/// Lines in ascending order, and where to go on.
package struct LogPage: Sendable, Hashable {
    package var rows: [LogRow] = []
    /// Upward, the next page begins after this number.
    package var after: Int64
    /// Downward, the next page ends before this number; nil: nobody went that way.
    package var before: Int64?
    /// So many lines were looked at that the page ends before it is full; others that fit may follow.
    package var isTruncated = false
    /// Nothing more in this direction now.
    package var isComplete = false

    package init(after: Int64, before: Int64?) {
        self.after = after
        self.before = before
    }
}

/// How many lines a run has, by level.
package struct LogIndex: Sendable, Hashable {
    package var lines: Int64 = 0
    package var debug: Int64 = 0
    package var info: Int64 = 0
    package var warning: Int64 = 0
    package var error: Int64 = 0

    package init(lines: Int64 = 0, debug: Int64 = 0, info: Int64 = 0, warning: Int64 = 0, error: Int64 = 0) {
        self.lines = lines
        self.debug = debug
        self.info = info
        self.warning = warning
        self.error = error
    }
}
