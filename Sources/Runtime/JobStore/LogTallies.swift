import JobCore
import Postgres

/// Counts of log lines that are written and not in the index yet, by run and attempt.
struct LogTallies {
    struct Key: Hashable {
        let run: RunID
        let attempt: Int
    }

    struct Tally {
        let key: Key
        var first: Int64
        var last: Int64
        /// By `LogLevel.rawValue`.
        var levels = [Int64](repeating: 0, count: LogLevel.allCases.count)

        var lines: Int64 { levels.reduce(0, +) }
    }

    /// From this many lines on, an attempt's tally is written before its end.
    static let pageLines: Int64 = 1000

    private var tallies: [Key: Tally] = [:]

    /// - Returns: tallies that are full now, and not kept any more.
    mutating func add(_ lines: [LogInsert]) -> [Tally] {
        var touched: Set<Key> = []
        for line in lines {
            let key = Key(run: line.runID, attempt: line.attempt)
            touched.insert(key)
            var tally = tallies[key] ?? Tally(key: key, first: line.seq, last: line.seq)
            tally.first = min(tally.first, line.seq)
            tally.last = max(tally.last, line.seq)
            tally.levels[line.line.level.rawValue] += 1
            tallies[key] = tally
        }
        var full: [Tally] = []
        for key in touched {
            guard let tally = tallies[key], tally.lines >= Self.pageLines else { continue }
            full.append(tally)
            tallies[key] = nil
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
            guard var kept = tallies[tally.key] else {
                tallies[tally.key] = tally
                continue
            }
            kept.first = min(kept.first, tally.first)
            kept.last = max(kept.last, tally.last)
            for level in kept.levels.indices { kept.levels[level] += tally.levels[level] }
            tallies[tally.key] = kept
        }
    }

    static func parameters(_ tallies: [Tally]) -> [PGParameter] {
        [
            .int64Array(tallies.map(\.key.run.rawValue)), .int64Array(tallies.map { Int64($0.key.attempt) }),
            .int64Array(tallies.map(\.first)), .int64Array(tallies.map(\.last)), .int64Array(tallies.map(\.lines)),
        ] + LogLevel.allCases.map { level in .int64Array(tallies.map { $0.levels[level.rawValue] }) }
    }
}
