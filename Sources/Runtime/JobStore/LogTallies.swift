import JobCore
import Postgres

/// Counts of log lines that are written and not in the index yet, by run and attempt.
struct LogTallies {
    struct Key: Hashable {
        let run: RunID
        let attempt: Int
    }

    /// A page of the index: consecutive lines of an attempt.
    struct Tally {
        let key: Key
        let retention: Int16
        var first: Int64
        var last: Int64
        var firstTime: WallTime
        var lastTime: WallTime
        /// By `LogLevel.rawValue`.
        var levels = [Int64](repeating: 0, count: LogLevel.allCases.count)

        init(_ line: LogInsert, _ key: Key) {
            self.key = key
            retention = line.retention
            (first, last) = (line.seq, line.seq)
            (firstTime, lastTime) = (line.line.time, line.line.time)
        }

        var lines: Int64 { levels.reduce(0, +) }

        mutating func add(_ line: LogInsert) {
            first = min(first, line.seq)
            last = max(last, line.seq)
            firstTime = min(firstTime, line.line.time)
            lastTime = max(lastTime, line.line.time)
            levels[line.line.level.rawValue] += 1
        }

        mutating func add(_ other: Tally) {
            first = min(first, other.first)
            last = max(last, other.last)
            firstTime = min(firstTime, other.firstTime)
            lastTime = max(lastTime, other.lastTime)
            for level in levels.indices { levels[level] += other.levels[level] }
        }
    }

    /// So many lines make a page, which is written at once; the rest is written with the attempt's end.
    static let pageLines: Int64 = 1000

    private var tallies: [Key: Tally] = [:]

    /// - Returns: pages that are full now, and not kept any more.
    mutating func add(_ lines: [LogInsert]) -> [Tally] {
        var full: [Tally] = []
        var index = lines.startIndex
        while index < lines.endIndex {
            // Consecutive lines are mostly of one attempt.
            let key = Key(run: lines[index].runID, attempt: lines[index].attempt)
            var tally = tallies.removeValue(forKey: key) ?? Tally(lines[index], key)
            var count = tally.lines
            while index < lines.endIndex, count < Self.pageLines, lines[index].runID == key.run,
                lines[index].attempt == key.attempt
            {
                tally.add(lines[index])
                count += 1
                index += 1
            }
            if count >= Self.pageLines { full.append(tally) } else { tallies[key] = tally }
        }
        return full
    }

    /// The rest of attempts that end.
    mutating func take(_ reports: [AttemptReport]) -> [Tally] {
        if tallies.isEmpty { return [] }
        return reports.compactMap { tallies.removeValue(forKey: Key(run: $0.runID, attempt: $0.attempt)) }
    }

    /// They could not be written.
    mutating func putBack(_ returned: [Tally]) {
        for tally in returned {
            if tallies[tally.key] == nil { tallies[tally.key] = tally } else { tallies[tally.key]?.add(tally) }
        }
    }

    static func parameters(_ tallies: [Tally]) -> [PGParameter] {
        [
            .int64Array(tallies.map(\.key.run.rawValue)), .int64Array(tallies.map { Int64($0.key.attempt) }),
            .int64Array(tallies.map(\.first)), .int64Array(tallies.map(\.last)),
            .int64Array(tallies.map { Int64($0.retention) }), .timestampArray(tallies.map(\.firstTime.micros)),
            .timestampArray(tallies.map(\.lastTime.micros)), .int64Array(tallies.map(\.lines)),
        ] + LogLevel.allCases.map { level in .int64Array(tallies.map { $0.levels[level.rawValue] }) }
    }
}
