import JobCore

/// Which attempt of which run.
struct AttemptKey: Hashable, Sendable {
    let run: RunID
    let attempt: Int
}

/// Log lines of all attempts of this host on their way to the database: numbered, counted, handed out in batches.
///
/// A run's outcome may become visible only after the run's lines (promise of the API: who sees the end sees the log). So
/// each attempt's lines are numbered, and it is known up to which number they are committed.
///
/// Pure bookkeeping: no clock, no database. `LogWriter` is its shell.
struct LogBuffer {
    /// A line with its place: what the database gets.
    struct Entry: Sendable {
        let key: AttemptKey
        /// From 1 within the attempt.
        let number: Int64
        let line: LogLine

        /// A run's lines are numbered `attempt × 1,000,000,000 + n`: unique and in order across attempts and hosts without
        /// asking anybody, and readable.
        var sequence: Int64 { Int64(self.key.attempt) * 1_000_000_000 + self.number }
    }

    /// Above this many bytes held, attempts are asked to wait (their pipes are not read on).
    static let highWater = 8 << 20
    /// The most lines of one COPY: beyond about 5,000 a bigger one gains nothing (measured).
    static let batchLimit = 5000

    private var waiting: [Entry] = []
    /// Last number given, and last number committed, of attempts that are not forgotten.
    private var given: [AttemptKey: Int64] = [:]
    private var written: [AttemptKey: Int64] = [:]
    /// Bytes of lines held, those on their way included.
    private(set) var bytes = 0
    private(set) var committed: UInt64 = 0

    var isFull: Bool { self.bytes >= Self.highWater }
    var isEmpty: Bool { self.waiting.isEmpty }

    mutating func append(_ key: AttemptKey, _ lines: [LogLine]) {
        var number = self.given[key] ?? 0
        for line in lines {
            number += 1
            self.waiting.append(Entry(key: key, number: number, line: line))
            self.bytes += Self.cost(line)
        }
        self.given[key] = number
    }

    /// Takes the oldest lines for one COPY. They count as held until `committed` or `failed`.
    mutating func takeBatch() -> [Entry] {
        guard self.waiting.count > Self.batchLimit else {
            // Not emptied but given away: the room that a flood of lines took goes with it.
            defer { self.waiting = [] }
            return self.waiting
        }
        let batch = Array(self.waiting.prefix(Self.batchLimit))
        self.waiting.removeFirst(batch.count)
        return batch
    }

    /// The batch is in the database. Batches are in order, so the last line of each attempt stands for all before it.
    mutating func committed(_ batch: [Entry]) {
        for entry in batch {
            self.bytes -= Self.cost(entry.line)
            self.written[entry.key] = entry.number
        }
        self.committed += UInt64(batch.count)
    }

    /// The batch did not get in: it is the next one again, in the same order and with the same numbers.
    mutating func failed(_ batch: [Entry]) { self.waiting.insert(contentsOf: batch, at: 0) }

    /// The number of the attempt's last line so far; 0 if it said nothing.
    func lastNumber(_ key: AttemptKey) -> Int64 { self.given[key] ?? 0 }

    func isWritten(_ key: AttemptKey, upTo number: Int64) -> Bool { (self.written[key] ?? 0) >= number }

    /// The attempt ended and all it said is committed: its numbering is not needed any more.
    mutating func forget(_ key: AttemptKey) {
        self.given[key] = nil
        self.written[key] = nil
    }

    /// What a line costs while it is held: its text and about what the structure around it takes.
    private static func cost(_ line: LogLine) -> Int {
        line.message.utf8.count + (line.fields?.utf8.count ?? 0) + (line.stage?.utf8.count ?? 0) + 96
    }
}
