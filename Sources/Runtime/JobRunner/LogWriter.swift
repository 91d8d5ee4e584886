import JobCore
import JobStore
import Logging
import UVLoop

/// Brings log lines to the database: one COPY at a time, the next when it has returned, each with all that came meanwhile.
///
/// While the database takes none they wait in memory, then in a file, then attempts wait or lose lines, as their job says:
/// `LogPathStateMachine` knows which. A line that the database refuses in every form leaves a note in its place.
@LoopActor
final class LogWriter {
    /// Writes lines; true: some of them may be there already.
    typealias Write = @LoopActor ([LogInsert], Bool) async throws(StoreError) -> Void

    private struct Waiter {
        let number: Int64
        let body: @LoopActor () -> Void
    }

    /// What is on its way.
    private struct Flight {
        enum Source { case memory, both, file }
        let batch: [LogBuffer.Entry]
        var source: Source
    }

    private let store: Write
    private let logger: Logger
    private var buffer = LogBuffer()
    private var machine: LogPathStateMachine
    /// Nil: no file; when memory is full attempts wait or lose lines at once.
    private let spill: LogSpill?
    private var flight: Flight?
    /// So many of the oldest lines may be in the database already.
    private var doubtful = 0
    /// Lines of the file were given up, and who waits for them does not know yet.
    private var hasLost = false
    private var isFlushing = false
    private var isStopped = false
    private var waiters: [AttemptKey: [Waiter]] = [:]
    private var emptyWaiters: [CheckedContinuation<Void, Never>] = []
    private let lookTimer = LoopTimer()
    private let roomTimer = LoopTimer()
    private(set) var linesSpilled: UInt64 = 0
    /// Called when there is room again after there was none.
    var onRoom: (@LoopActor () -> Void)?
    /// Called with the runs whose lines have just become visible.
    var onWritten: (@LoopActor (Set<RunID>) -> Void)?
    /// Pause before a failed COPY is tried again; grows to two seconds.
    private var pause: Duration = .milliseconds(100)

    init(
        spill: LogSpill?, bounds: LogPathStateMachine.Bounds = LogPathStateMachine.Bounds(), logger: Logger,
        write: @escaping Write
    ) {
        self.store = write
        self.spill = spill
        self.machine = LogPathStateMachine(bounds)
        self.logger = logger
    }

    convenience init(store: JobStore, spill: LogSpill? = nil, logger: Logger) {
        self.init(spill: spill, logger: logger) { lines, mayBeThere throws(StoreError) in
            try await store.appendLogs(lines, mayBeThere: mayBeThere)
        }
    }

    // MARK: Figures

    var heldBytes: Int { self.buffer.bytes }
    var spilledBytes: Int { self.spill?.bytes ?? 0 }
    var linesWritten: UInt64 { self.buffer.committed }
    var linesDropped: UInt64 { self.buffer.dropped }
    var phase: LogPathStateMachine.Phase { self.machine.phase }

    // MARK: Attempts

    /// An attempt was claimed: what its job says of its lines.
    func begin(_ key: AttemptKey, _ plan: LogPlan) { self.buffer.begin(key, plan) }

    /// Every attempt may say more.
    var acceptsMore: Bool { self.machine.accepts }

    /// False while the attempt should wait before it says more.
    func accepts(_ key: AttemptKey) -> Bool {
        self.machine.accepts || (self.machine.refuses && self.buffer.policy(key) == .drop)
    }

    func append(_ key: AttemptKey, _ lines: [LogLine]) {
        guard !lines.isEmpty else { return }
        if self.machine.refuses && self.buffer.policy(key) == .drop {
            // The host's own words are few, and say what became of the rest.
            let own = lines.filter { $0.stream == .host }
            self.buffer.drop(key, lines.count - own.count)
            if !own.isEmpty { self.buffer.append(key, own) }
        } else {
            self.buffer.append(key, lines)
        }
        self.settleLevels()
        self.flush()
    }

    /// Whether the attempt has said anything, if only what was dropped.
    func hasLines(_ key: AttemptKey) -> Bool {
        self.buffer.lastNumber(key) > 0 || self.buffer.droppedLines(key) > 0
    }

    func droppedLines(_ key: AttemptKey) -> UInt64 { self.buffer.droppedLines(key) }

    /// Calls `body` once all lines that the attempt has said so far are committed; at once where they are.
    func whenWritten(_ key: AttemptKey, _ body: @escaping @LoopActor () -> Void) {
        let number = self.buffer.lastNumber(key)
        guard !self.buffer.isWritten(key, upTo: number) else { return body() }
        self.waiters[key, default: []].append(Waiter(number: number, body: body))
    }

    /// The attempt has ended and was settled.
    func forget(_ key: AttemptKey) { self.buffer.forget(key) }

    /// Returns when everything that the attempt has said so far can be read, after `limit` at the latest (the database may
    /// be away).
    func written(_ key: AttemptKey, limit: Duration) async {
        let timer = LoopTimer()
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            var waiting: CheckedContinuation<Void, Never>? = continuation
            let resume: @LoopActor () -> Void = {
                waiting?.resume()
                waiting = nil
            }
            timer.start(after: limit, resume)
            self.whenWritten(key, resume)
        }
        timer.stop()
    }

    // MARK: Life

    /// Takes over what a predecessor left in the file and returns when all of it is in the database: before the attempts of that
    /// time are settled.
    func takeOver() async {
        guard let spill else { return }
        do throws(LogSpill.Failure) { try spill.open() } catch {
            self.logger.error("log lines of an earlier life cannot be read", metadata: ["error": "\(error)"])
        }
        if spill.damagedBytes > 0 {
            self.logger.warning("the end of a spill file is damaged", metadata: ["bytes": "\(spill.damagedBytes)"])
        }
        guard !spill.isEmpty else { return }
        self.logger.notice(
            "log lines of an earlier life go to the database first", metadata: ["lines": "\(spill.lines)"])
        self.doubtful = spill.lines
        self.settleLevels()
        self.flush()
        while !spill.isEmpty && !self.isStopped {
            await withCheckedContinuation {
                // Looked at again: the last of them may have gone on the way here.
                if spill.isEmpty || self.isStopped { $0.resume() } else { self.emptyWaiters.append($0) }
            }
        }
    }

    /// No more attempts to write: for the end of the host. What is not in the database is left in the file.
    func stop() {
        self.isStopped = true
        self.lookTimer.stop()
        self.roomTimer.stop()
        if let spill, !self.buffer.isEmpty || self.flight?.source == .memory {
            self.moveToFile(spill)
            self.logger.notice("log lines are left for the next start", metadata: ["lines": "\(spill.lines)"])
        }
        self.resumeEmptyWaiters()
    }

    // MARK: To the database

    private func flush() {
        guard !self.isFlushing, !self.isStopped, self.hasMore else { return }
        self.isFlushing = true
        loopTask { await self.flushUntilEmpty() }
    }

    private var hasMore: Bool { !self.buffer.isEmpty || !(self.spill?.isEmpty ?? true) }

    private func flushUntilEmpty() async {
        defer { self.isFlushing = false }
        if !self.lookTimer.isActive {
            self.lookTimer.start(after: .milliseconds(200), repeating: .milliseconds(200)) { [weak self] in self?.look()
            }
        }
        defer { self.lookTimer.stop() }
        while self.hasMore, !self.isStopped {
            let flight = self.takeOff()
            guard !flight.batch.isEmpty else { continue }
            let isDoubtful = self.doubtful > 0
            self.machine.asked(at: LoopInstant.now.nanoseconds)
            do {
                try await self.write(flight.batch[...], isDoubtful)
                self.pause = .milliseconds(100)
                self.landed(flight.batch)
            } catch {
                self.failed(flight.batch, error)
                do { try await LoopClock.sleep(for: self.pause) } catch { return }
                self.pause = min(self.pause * 2, .seconds(2))
            }
        }
    }

    /// The oldest lines. Doubtful ones are alone in their batch.
    private func takeOff() -> Flight {
        let limit = self.doubtful > 0 ? min(self.doubtful, LogBuffer.batchLimit) : LogBuffer.batchLimit
        let next: Flight
        if let spill, !spill.isEmpty {
            next = Flight(batch: self.readFile(spill, limit), source: .file)
        } else {
            next = Flight(batch: self.buffer.takeBatch(limit: limit), source: .memory)
        }
        self.flight = next
        return next
    }

    private func readFile(_ spill: LogSpill, _ limit: Int) -> [LogBuffer.Entry] {
        do throws(LogSpill.Failure) { return try spill.read(limit: limit) } catch {
            let lost = spill.dropDamaged()
            self.doubtful = max(0, self.doubtful - lost)
            self.logger.error("spilled log lines cannot be read", metadata: ["lines": "\(lost)", "error": "\(error)"])
            self.hasLost = true
            self.settleLevels()
            self.fileMayBeEmpty()
            return []
        }
    }

    /// Nobody waits for lines that were lost with the file: their attempts would never be settled.
    private func fileMayBeEmpty() {
        guard self.spill?.isEmpty ?? true else { return }
        self.resumeEmptyWaiters()
        guard self.hasLost else { return }
        self.hasLost = false
        self.buffer.onlyWaitingIsMissing()
        self.resumeWaiters(of: Array(self.waiters.keys))
    }

    private func resumeWaiters(of keys: some Collection<AttemptKey>) {
        for key in keys {
            guard let waiting = self.waiters.removeValue(forKey: key) else { continue }
            let (done, rest) = (
                waiting.filter { self.buffer.isWritten(key, upTo: $0.number) },
                waiting.filter { !self.buffer.isWritten(key, upTo: $0.number) }
            )
            if !rest.isEmpty { self.waiters[key] = rest }
            for waiter in done { waiter.body() }
        }
    }

    private func landed(_ batch: [LogBuffer.Entry]) {
        self.doubtful = max(0, self.doubtful - batch.count)
        switch self.flight?.source {
        case .file: self.spill?.consumed()
        case .both:
            do throws(LogSpill.Failure) { try self.spill?.skip(batch.count) } catch {
                // They come once more then, and are found to be there.
                self.doubtful += batch.count
                self.logger.error("cannot read on in the spill file", metadata: ["error": "\(error)"])
            }
        case .memory, nil: self.buffer.released(batch)
        }
        self.flight = nil
        self.machine.answered()
        if self.spill?.hasRoom ?? false { self.machine.roomed() }
        self.buffer.committed(batch)
        self.settleLevels()
        self.resumeWaiters(of: Set(batch.map(\.key)))
        self.onWritten?(Set(batch.map(\.key.run)))
        self.fileMayBeEmpty()
    }

    private func failed(_ batch: [LogBuffer.Entry], _ error: StoreError) {
        if self.flight?.source == .memory { self.buffer.putBack(batch) }
        self.flight = nil
        if error.mayHaveCommitted || !error.isTransient { self.doubtful = max(self.doubtful, batch.count) }
        self.machine.failed(at: LoopInstant.now.nanoseconds)
        if self.spill?.hasRoom ?? false { self.machine.roomed() }
        self.settleLevels()
        self.logger.warning(
            "log lines wait for the database",
            metadata: [
                "held_bytes": "\(self.buffer.bytes)", "spilled_bytes": "\(self.spilledBytes)",
                "path": "\(self.machine.phase.rawValue)", "error": "\(error)",
            ])
    }

    private func resumeEmptyWaiters() {
        let waiters = self.emptyWaiters
        self.emptyWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    // MARK: To the file

    private func look() {
        self.machine.looked(at: LoopInstant.now.nanoseconds)
        self.settleLevels()
    }

    /// After each change: what belongs into the file goes there, and who waits for room hears of it.
    private func settleLevels() {
        let before = (self.machine.accepts, self.machine.refuses)
        self.tellLevels()
        if !self.machine.accepts { self.machine.looked(at: LoopInstant.now.nanoseconds) }
        if self.machine.spills {
            if let spill { self.moveToFile(spill) } else { self.machine.blocked() }
            self.tellLevels()
        }
        // Where there is no more room, those go on who do not wait.
        if (!before.0 && self.machine.accepts) || (!before.1 && self.machine.refuses) { self.onRoom?() }
    }

    private func tellLevels() {
        self.machine.levels(memoryBytes: self.buffer.bytes, fileLines: self.spill?.lines ?? 0)
    }

    /// Everything that is in memory only, the oldest first: what is on its way stands before the rest.
    private func moveToFile(_ spill: LogSpill) {
        if let flight, flight.source == .memory {
            let (written, failure) = spill.append(flight.batch)
            if let failure {
                // The rest of it may not go behind younger lines: then none does, until it is in or back.
                if written > 0 { self.giveUp(spill, written) }
                return self.blocked(failure)
            }
            self.linesSpilled += UInt64(written)
            self.buffer.released(flight.batch)
            self.flight?.source = .both
        }
        while !self.buffer.isEmpty {
            let batch = self.buffer.takeBatch()
            let (written, failure) = spill.append(batch)
            self.linesSpilled += UInt64(written)
            self.buffer.released(batch.prefix(written))
            guard let failure else { continue }
            self.buffer.putBack(batch.suffix(from: written))
            return self.blocked(failure)
        }
    }

    /// A part of a batch is in the file, which was empty before.
    private func giveUp(_ spill: LogSpill, _ count: Int) {
        do throws(LogSpill.Failure) { try spill.skip(count) } catch { _ = spill.dropDamaged() }
    }

    private func blocked(_ failure: LogSpill.Failure) {
        if self.machine.phase != .full {
            self.logger.error("no more log lines go to the file", metadata: ["error": "\(failure)"])
        }
        self.machine.blocked()
        guard failure.code != 0 else { return }
        // Somebody may make room on the disk.
        self.roomTimer.start(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            self.machine.roomed()
            self.settleLevels()
        }
    }

    // MARK: What the database refuses

    /// One COPY; where the database refuses it for what is in it, the halves of it, so that one line cannot hold up all.
    private func write(_ entries: ArraySlice<LogBuffer.Entry>, _ mayBeThere: Bool) async throws(StoreError) {
        do {
            try await self.store(entries.map(\.insert), mayBeThere)
        } catch {
            guard !error.isTransient else { throw error }
            guard entries.count > 1 else { return await self.writeSubstitute(entries.first, error) }
            let middle = entries.startIndex + entries.count / 2
            // Whoever comes here a second time has written some of them.
            try await self.write(entries[..<middle], true)
            try await self.write(entries[middle...], true)
        }
    }

    /// A line that the database refuses leaves a note in its place.
    private func writeSubstitute(_ entry: LogBuffer.Entry?, _ error: StoreError) async {
        guard let entry else { return }
        self.logger.error(
            "the database refuses a log line", metadata: ["run": "\(entry.key.run)", "error": "\(error)"])
        var note = entry.insert
        note.line = LogLine(
            time: entry.line.time, level: entry.line.level, stream: .host, message: "(a line that could not be stored)")
        do {
            try await self.store([note], true)
        } catch {
            self.logger.error("nor a note in its place", metadata: ["run": "\(entry.key.run)", "error": "\(error)"])
        }
    }
}
