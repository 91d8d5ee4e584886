import JobCore
import JobStore
import Logging
import UVLoop

/// Brings log lines to the database: one COPY at a time, the next when it has returned, each with all that came meanwhile.
///
/// While the database is away lines are held up to `LogBuffer.highWater`; then attempts are asked to wait. Nothing is
/// dropped here, but for a line that the database refuses in every form.
@LoopActor
final class LogWriter {
    private struct Waiter {
        let number: Int64
        let body: @LoopActor () -> Void
    }

    private let store: JobStore
    private let logger: Logger
    private var buffer = LogBuffer()
    private var isFlushing = false
    private var isStopped = false
    private var waiters: [AttemptKey: [Waiter]] = [:]
    /// Called when the buffer has room again after it was full.
    var onRoom: (@LoopActor () -> Void)?
    /// Called with the runs whose lines have just become visible.
    var onWritten: (@LoopActor (Set<RunID>) -> Void)?
    /// Pause before a failed COPY is tried again; grows to two seconds.
    private var pause: Duration = .milliseconds(100)

    init(store: JobStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// False while attempts should wait before they say more.
    var acceptsMore: Bool { !self.buffer.isFull }
    var heldBytes: Int { self.buffer.bytes }
    var linesWritten: UInt64 { self.buffer.committed }

    func append(_ key: AttemptKey, _ lines: [LogLine]) {
        guard !lines.isEmpty else { return }
        self.buffer.append(key, lines)
        self.flush()
    }

    /// Whether the attempt has said anything.
    func hasLines(_ key: AttemptKey) -> Bool { self.buffer.lastNumber(key) > 0 }

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

    /// No more attempts to write: for the end of the host.
    func stop() { self.isStopped = true }

    private func flush() {
        guard !self.isFlushing, !self.buffer.isEmpty else { return }
        self.isFlushing = true
        loopTask { await self.flushUntilEmpty() }
    }

    private func flushUntilEmpty() async {
        defer { self.isFlushing = false }
        while !self.buffer.isEmpty, !self.isStopped {
            let batch = self.buffer.takeBatch()
            do {
                try await self.write(batch[...])
                self.pause = .milliseconds(100)
                self.accept(batch)
            } catch {
                self.buffer.failed(batch)
                self.logger.warning(
                    "log lines wait for the database", metadata: ["lines": "\(batch.count)", "error": "\(error)"])
                do { try await LoopClock.sleep(for: self.pause) } catch { return }
                self.pause = min(self.pause * 2, .seconds(2))
            }
        }
    }

    /// One COPY; where the database refuses it for what is in it, the halves of it, so that one line cannot hold up all.
    /// Repeating lines that are in already is harmless: readers drop doubles.
    private func write(_ entries: ArraySlice<LogBuffer.Entry>) async throws(StoreError) {
        do {
            try await self.store.appendLogs(
                entries.map {
                    LogInsert(runID: $0.key.run, attempt: $0.key.attempt, seq: $0.sequence, line: $0.line)
                })
        } catch {
            guard !error.isTransient else { throw error }
            guard entries.count > 1 else { return await self.writeSubstitute(entries.first, error) }
            let middle = entries.startIndex + entries.count / 2
            try await self.write(entries[..<middle])
            try await self.write(entries[middle...])
        }
    }

    /// A line that the database refuses leaves a note in its place.
    private func writeSubstitute(_ entry: LogBuffer.Entry?, _ error: StoreError) async {
        guard let entry else { return }
        self.logger.error(
            "the database refuses a log line", metadata: ["run": "\(entry.key.run)", "error": "\(error)"])
        let note = LogLine(
            time: entry.line.time, level: entry.line.level, stream: .host, message: "(a line that could not be stored)")
        do {
            try await self.store.appendLogs([
                LogInsert(runID: entry.key.run, attempt: entry.key.attempt, seq: entry.sequence, line: note)
            ])
        } catch {
            self.logger.error("nor a note in its place", metadata: ["run": "\(entry.key.run)", "error": "\(error)"])
        }
    }

    private func accept(_ batch: [LogBuffer.Entry]) {
        let wasFull = self.buffer.isFull
        self.buffer.committed(batch)
        for key in Set(batch.map(\.key)) {
            guard let waiting = self.waiters.removeValue(forKey: key) else { continue }
            let (done, rest) = (
                waiting.filter { self.buffer.isWritten(key, upTo: $0.number) },
                waiting.filter { !self.buffer.isWritten(key, upTo: $0.number) }
            )
            if !rest.isEmpty { self.waiters[key] = rest }
            for waiter in done { waiter.body() }
        }
        self.onWritten?(Set(batch.map(\.key.run)))
        if wasFull && !self.buffer.isFull { self.onRoom?() }
    }
}
