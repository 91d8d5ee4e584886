import JobCore
import JobStore

/// Which attempt of which run.
struct AttemptKey: Hashable, Sendable {
    let run: RunID
    let attempt: Int

    /// Two attempts of one run are hardly ever here at a time.
    func hash(into hasher: inout Hasher) { hasher.combine(self.run) }
}

/// What the job says of an attempt's lines.
struct LogPlan: Hashable, Sendable {
    /// A retention class.
    var retention: Int16 = 30
    var policy = LogPolicy.block

    init(retention: Int16 = 30, policy: LogPolicy = .block) {
        self.retention = retention
        self.policy = policy
    }

    init(_ run: ClaimedRun) {
        self.init(
            retention: Int16(RetentionClass.all.first { $0 >= run.logRetentionDays } ?? 365),
            policy: run.execution.logPolicy)
    }
}

/// Log lines of all attempts of this host on their way to the database: numbered, counted, handed out in batches.
///
/// A run's outcome may become visible only after the run's lines (promise of the API: who sees the end sees the log). So
/// each attempt's lines are numbered, and it is known up to which number they are committed.
///
/// Pure bookkeeping: no clock, no database, no file. `LogWriter` is its shell.
struct LogBuffer {
    /// A line with its place: what the database gets.
    struct Entry: Hashable, Sendable {
        let key: AttemptKey
        /// From 1 within the attempt.
        let number: Int64
        let line: LogLine
        let retention: Int16

        var sequence: Int64 { LogSequence.number(attempt: self.key.attempt, line: self.number) }

        var insert: LogInsert {
            LogInsert(
                runID: self.key.run, attempt: self.key.attempt, seq: self.sequence, line: self.line,
                retention: self.retention)
        }

        /// What it costs while it is held: its text and about what the structure around it takes.
        var cost: Int {
            self.line.message.utf8.count + (self.line.fields?.utf8.count ?? 0) + (self.line.stage?.utf8.count ?? 0) + 96
        }
    }

    /// What is known of an attempt that is not forgotten.
    private struct Account {
        var plan = LogPlan()
        /// Last number given, and last number committed.
        var given: Int64 = 0
        var written: Int64 = 0
        var dropped: UInt64 = 0
        /// Dropped since the last line that was taken: not told in the log yet.
        var gap: UInt64 = 0
    }

    /// The most lines of one COPY: beyond about 5,000 a bigger one gains nothing (measured).
    static let batchLimit = 5000
    /// The most bytes of one.
    static let batchBytes = 4 << 20

    private var waiting: [Entry] = []
    private var accounts: [AttemptKey: Account] = [:]
    /// Bytes of lines held.
    private(set) var bytes = 0
    private(set) var committed: UInt64 = 0
    private(set) var dropped: UInt64 = 0

    var isEmpty: Bool { self.waiting.isEmpty }

    /// An attempt may begin to speak.
    mutating func begin(_ key: AttemptKey, _ plan: LogPlan) { self.accounts[key, default: Account()].plan = plan }

    func policy(_ key: AttemptKey) -> LogPolicy { self.accounts[key]?.plan.policy ?? .block }

    mutating func append(_ key: AttemptKey, _ lines: [LogLine]) {
        guard let first = lines.first else { return }
        var account = self.accounts[key] ?? Account()
        if account.gap > 0 {
            self.add(LogLine(dropped: account.gap, at: first.time), key, &account)
            account.gap = 0
        }
        for line in lines { self.add(line, key, &account) }
        self.accounts[key] = account
    }

    private mutating func add(_ line: LogLine, _ key: AttemptKey, _ account: inout Account) {
        account.given += 1
        let entry = Entry(key: key, number: account.given, line: line, retention: account.plan.retention)
        self.waiting.append(entry)
        self.bytes += entry.cost
    }

    /// There is no room for them: they are counted. The next line that is taken has a note before it.
    mutating func drop(_ key: AttemptKey, _ count: Int) {
        self.accounts[key, default: Account()].dropped += UInt64(count)
        self.accounts[key, default: Account()].gap += UInt64(count)
        self.dropped += UInt64(count)
    }

    /// How many of the attempt's lines were dropped here.
    func droppedLines(_ key: AttemptKey) -> UInt64 { self.accounts[key]?.dropped ?? 0 }

    /// Takes the oldest lines for one COPY. They count as held until `released`.
    /// - Parameter limit: at most so many.
    mutating func takeBatch(limit: Int = batchLimit) -> [Entry] {
        var count = 0
        var bytes = 0
        while count < self.waiting.count, count < limit, bytes < Self.batchBytes {
            bytes += self.waiting[count].cost
            count += 1
        }
        guard count < self.waiting.count else {
            // Not emptied but given away: the room that a flood of lines took goes with it.
            defer { self.waiting = [] }
            return self.waiting
        }
        let batch = Array(self.waiting.prefix(count))
        self.waiting.removeFirst(count)
        return batch
    }

    /// The batch did not get in: it is the next one again, in the same order and with the same numbers.
    mutating func putBack(_ batch: some Collection<Entry>) { self.waiting.insert(contentsOf: batch, at: 0) }

    /// They are held elsewhere, or in the database.
    mutating func released(_ batch: some Collection<Entry>) { for entry in batch { self.bytes -= entry.cost } }

    /// The batch is in the database. Batches are in order, so the last line of each attempt stands for all before it.
    mutating func committed(_ batch: [Entry]) {
        for entry in batch where self.accounts[entry.key] != nil { self.accounts[entry.key]?.written = entry.number }
        self.committed += UInt64(batch.count)
    }

    /// Lines that do not wait here are in the database, or lost: they count as written.
    mutating func onlyWaitingIsMissing() {
        var oldest: [AttemptKey: Int64] = [:]
        for entry in self.waiting where oldest[entry.key] == nil { oldest[entry.key] = entry.number }
        for (key, account) in self.accounts {
            let written = oldest[key].map { $0 - 1 } ?? account.given
            if written > account.written { self.accounts[key]?.written = written }
        }
    }

    /// The number of the attempt's last line so far; 0 if it said nothing.
    func lastNumber(_ key: AttemptKey) -> Int64 { self.accounts[key]?.given ?? 0 }

    func isWritten(_ key: AttemptKey, upTo number: Int64) -> Bool { (self.accounts[key]?.written ?? 0) >= number }

    /// The attempt ended and all it said is committed: its numbering is not needed any more.
    mutating func forget(_ key: AttemptKey) { self.accounts[key] = nil }
}

extension LogLine {
    /// In the place of lines that are missing.
    fileprivate init(dropped count: UInt64, at time: WallTime) {
        self.init(
            time: time, level: .warning, stream: .host,
            message:
                "\(count) log line\(count == 1 ? " was" : "s were") dropped here: the database took none, and the host had no room for more"
        )
    }
}
