import JobCore
import JobStore
import Logging
import UVLoop

/// Brings log lines to the database: one COPY at a time, the next when it has returned, each with all that came meanwhile.
///
/// While the database is away lines are held up to `LogBuffer.highWater`; then attempts are asked to wait. Nothing is
/// dropped here.
@LoopActor
final class LogWriter {
    private let store: JobStore
    private let logger: Logger
    private var buffer = LogBuffer()
    private var isFlushing = false
    private var isStopped = false
    private var waiters: [LogBuffer.Key: [@LoopActor () -> Void]] = [:]
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

    func append(_ run: RunID, _ attempt: Int, _ lines: [LogLine]) {
        self.buffer.append(LogBuffer.Key(run: run, attempt: attempt), lines)
        self.flush()
    }

    /// Calls `body` once all lines of the attempt so far are committed: at once where none is outstanding.
    func whenWritten(_ run: RunID, _ attempt: Int, _ body: @escaping @LoopActor () -> Void) {
        let key = LogBuffer.Key(run: run, attempt: attempt)
        guard self.buffer.hasOutstanding(key) else { return body() }
        self.waiters[key, default: []].append(body)
    }

    /// The attempt has ended and was settled.
    func forget(_ run: RunID, _ attempt: Int) { self.buffer.forget(LogBuffer.Key(run: run, attempt: attempt)) }

    /// Returns when everything appended so far for the run is committed, or the database is away.
    func written(run: RunID, attempt: Int) async {
        await withCheckedContinuation { continuation in
            self.whenWritten(run, attempt) { continuation.resume() }
        }
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
            let rows = batch.map {
                LogInsert(runID: $0.run, attempt: $0.attempt, seq: $0.sequence, line: $0.line)
            }
            do {
                try await self.store.appendLogs(rows)
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

    private func accept(_ batch: [LogBuffer.Entry]) {
        let wasFull = self.buffer.isFull
        for key in self.buffer.committed(batch) {
            guard let bodies = self.waiters.removeValue(forKey: key) else { continue }
            for body in bodies { body() }
        }
        self.onWritten?(Set(batch.map(\.run)))
        if wasFull && !self.buffer.isFull { self.onRoom?() }
    }
}
