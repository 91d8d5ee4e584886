import JobCore

/// Log lines of all attempts of this host on their way to the database: numbered, counted, handed out in batches.
///
/// A run's outcome may become visible only after the run's lines (promise of the API: who sees the end sees the log). So
/// each attempt can ask to be told when everything it has said so far is committed.
///
/// Pure bookkeeping: no clock, no database. `LogWriter` is its shell.
struct LogBuffer {
    /// A line with its place: what the database gets.
    struct Entry: Sendable {
        let run: RunID
        let attempt: Int
        let sequence: Int64
        let line: LogLine
    }

    /// Which attempt's lines.
    struct Key: Hashable, Sendable {
        let run: RunID
        let attempt: Int
    }

    /// A run's lines are numbered `attempt × 1,000,000,000 + n`, n from 1: unique and in order across attempts and hosts
    /// without asking anybody, and readable.
    static let sequenceStride: Int64 = 1_000_000_000
    /// Above this many bytes held, attempts are asked to wait (their pipes are not read on).
    static let highWater = 8 << 20
    /// The most lines of one COPY: beyond about 5,000 a bigger one gains nothing (measured).
    static let batchLimit = 5000

    private var waiting: [Entry] = []
    private var nextNumber: [Key: Int64] = [:]
    /// Lines of an attempt not yet committed, those of a batch on its way included.
    private var outstanding: [Key: Int] = [:]
    /// Bytes of lines held, those on their way included.
    private(set) var bytes = 0
    /// Lines ever accepted, and committed.
    private(set) var accepted: UInt64 = 0
    private(set) var committed: UInt64 = 0

    var isFull: Bool { self.bytes >= Self.highWater }
    var isEmpty: Bool { self.waiting.isEmpty }

    mutating func append(_ key: Key, _ lines: [LogLine]) {
        guard !lines.isEmpty else { return }
        var number = self.nextNumber[key] ?? 1
        for line in lines {
            let sequence = Int64(key.attempt) * Self.sequenceStride + number
            self.waiting.append(Entry(run: key.run, attempt: key.attempt, sequence: sequence, line: line))
            self.bytes += Self.cost(line)
            number += 1
        }
        self.nextNumber[key] = number
        self.outstanding[key, default: 0] += lines.count
        self.accepted += UInt64(lines.count)
    }

    /// Takes the oldest lines for one COPY. They count as held until `committed` or `failed`.
    mutating func takeBatch() -> [Entry] {
        let batch = Array(self.waiting.prefix(Self.batchLimit))
        self.waiting.removeFirst(batch.count)
        return batch
    }

    /// The batch is in the database. Answers the attempts that have nothing outstanding any more.
    mutating func committed(_ batch: [Entry]) -> [Key] {
        var settled: [Key] = []
        for entry in batch {
            self.bytes -= Self.cost(entry.line)
            let key = Key(run: entry.run, attempt: entry.attempt)
            let left = self.outstanding[key, default: 0] - 1
            precondition(left >= 0, "a line was committed twice")
            if left == 0 {
                self.outstanding[key] = nil
                settled.append(key)
            } else {
                self.outstanding[key] = left
            }
        }
        self.committed += UInt64(batch.count)
        return settled
    }

    /// The batch did not get in: it is the next one again, in the same order and with the same numbers.
    mutating func failed(_ batch: [Entry]) { self.waiting.insert(contentsOf: batch, at: 0) }

    func hasOutstanding(_ key: Key) -> Bool { self.outstanding[key] != nil }

    /// The attempt ended and all it said is committed: its numbering is not needed any more.
    mutating func forget(_ key: Key) { self.nextNumber[key] = nil }

    /// What a line costs while it is held: its text and about what the structure around it takes.
    private static func cost(_ line: LogLine) -> Int {
        line.message.utf8.count + (line.fields?.utf8.count ?? 0) + (line.stage?.utf8.count ?? 0) + 96
    }
}
