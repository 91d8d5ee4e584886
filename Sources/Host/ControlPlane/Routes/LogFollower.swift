import JobCore
import JobStore
import UVLoop

/// The growing log of a run, piece by piece, until the run is over. Asked by one task at a time, and only when the client has
/// taken what came before: a slow client slows nobody else.
@LoopActor
final class LogFollower {
    private let backend: Backend
    private let run: RunID
    private var query: LogQuery
    private let format: LogFormat
    private let hangUp: HangUp
    private let bell = Bell()
    private var pump: Task<Void, Never>?
    private var observer: Int?
    private var isOver = false
    private var lastPiece = LoopInstant.now
    /// The last piece held all that there was.
    private var isCaughtUp = false

    /// Lines in one piece.
    private static let batch = 500
    /// Something is sent after so long a silence.
    private static let heartbeat = Duration.seconds(15)
    /// Pieces of a chatty run come no closer than this: each costs a commit of what the host has buffered.
    private static let spacing = Duration.milliseconds(50)
    /// The bell knows what this host does; other hosts' lines are looked for.
    private static let poll = Duration.seconds(1)

    init(backend: Backend, run: RunID, query: LogQuery, format: LogFormat, hangUp: HangUp) {
        self.backend = backend
        self.run = run
        self.query = query
        self.format = format
        self.hangUp = hangUp
    }

    isolated deinit { end() }

    func next() async throws -> [UInt8]? {
        if pump == nil { begin() }
        let early = Self.spacing - (LoopInstant.now - lastPiece)
        if isCaughtUp, early > .zero { try await LoopClock.sleep(for: early) }
        while !isOver {
            // In this order: once the state is seen to be final, all lines are there to be read.
            let isFinal: Bool
            if query.isTail {
                isFinal = false
            } else {
                isFinal = try await runIsOver()
                if !isFinal { await backend.host.flushLogs(of: run) }
            }
            let page = try await query.isTail ? tail() : backend.store.logPage(run, query)
            query.afterSeq = page.after
            if !page.rows.isEmpty {
                lastPiece = .now
                isCaughtUp = page.isComplete
                return Array(page.rows.map(format.line).joined().utf8)
            }
            if hangUp.happened { break }
            if !page.isComplete { continue }
            if isFinal {
                end()
                return format.end.map { Array($0.utf8) }
            }
            if LoopInstant.now - lastPiece >= Self.heartbeat {
                lastPiece = .now
                return Array(format.heartbeat.utf8)
            }
            await bell.wait(atMost: Self.poll)
        }
        end()
        return nil
    }

    /// The last lines that there are now; from then on only what comes after them counts. With `tail=0` none of them.
    private func tail() async throws -> LogPage {
        let last = try await backend.store.logs(run, LogQuery(limit: 1, isTail: true)).last?.seq ?? 0
        var page = LogPage(after: last, before: nil)
        if query.limit > 0 {
            query.beforeSeq = last + 1
            page.rows = try await backend.store.logPage(run, query).rows
        }
        query.beforeSeq = nil
        query.isTail = false
        query.limit = Self.batch
        return page
    }

    private func runIsOver() async throws -> Bool {
        guard let row = try await backend.store.run(run) else { return true }
        return row.state.isTerminal
    }

    private func begin() {
        pump = loopTask { [bell, run, host = backend.host] in
            for await _ in host.logsArrived(runID: run) { bell.ring() }
        }
        observer = hangUp.observe { [bell] in bell.ring() }
    }

    private func end() {
        isOver = true
        pump?.cancel()
        if let observer { hangUp.forget(observer) }
        observer = nil
    }
}
