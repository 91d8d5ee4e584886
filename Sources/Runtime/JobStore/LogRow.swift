package import JobCore

/// A line to append. `seq` numbers the lines of a run from 1, over all attempts, without gaps that matter.
package struct LogInsert: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    package var seq: Int64
    package var line: LogLine

    package init(runID: RunID, attempt: Int, seq: Int64, line: LogLine) {
        self.runID = runID
        self.attempt = attempt
        self.seq = seq
        self.line = line
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

/// Which lines of a run.
package struct LogQuery: Sendable, Hashable {
    /// Lines with a greater number.
    package var afterSeq: Int64
    package var limit: Int
    /// The last `limit` ones instead of the first (in ascending order all the same).
    package var isTail: Bool
    package var minLevel: LogLevel?
    package var streams: Set<LogStream>
    package var attempt: Int?
    package var stage: String?

    package init(
        afterSeq: Int64 = 0, limit: Int = 500, isTail: Bool = false, minLevel: LogLevel? = nil,
        streams: Set<LogStream> = [], attempt: Int? = nil, stage: String? = nil
    ) {
        self.afterSeq = afterSeq
        self.limit = limit
        self.isTail = isTail
        self.minLevel = minLevel
        self.streams = streams
        self.attempt = attempt
        self.stage = stage
    }
}

/// How many lines a run has, by level; complete once the run is over.
package struct LogIndex: Sendable, Hashable {
    package var lines: Int64
    package var debug: Int64
    package var info: Int64
    package var warning: Int64
    package var error: Int64
}
