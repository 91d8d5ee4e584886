import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var logRoutes: [Route] {
        [
            Route(
                .get, "/api/v1/runs/{id}/logs",
                query: ["from", "limit", "tail", "min_level", "stream", "stage", "attempt", "follow"]
            ) { [self] in try await showLogs($0) }
        ]
    }

    private func showLogs(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        let query = try Self.logQuery(call.query)
        let follows = try call.query.flag("follow") ?? false
        let format = try LogFormat(accept: call.headers[.accept], follows: follows)
        let run = try await existingRun(id)
        if follows {
            if call.method == .head { return .stream(type: format.contentType) { nil } }
            let follower = LogFollower(backend: self, run: id, query: query, format: format, hangUp: call.hangUp)
            return .stream(type: format.contentType) { try await follower.next() }.with(.accelBuffering, "no")
        }
        if !run.state.isTerminal { await host.flushLogs(of: id) }
        let rows = try await store.logs(id, query)
        guard format == .json else {
            return Answer(text: rows.map(format.line).joined(), type: format.contentType)
        }
        var object = JSONObject()
        object.string("run", id.description)
        object.string("state", run.state.rawValue)
        object.array("items", rows.map { LogJSON.object($0).text })
        // Where to go on; also when nothing is there yet.
        object.int("next_from", (rows.last?.seq ?? query.afterSeq) + 1)
        object.time("as_of", WallClock.now)
        return .json(object)
    }

    private static func logQuery(_ query: Query) throws(Problem) -> LogQuery {
        var result = LogQuery()
        result.afterSeq = (try query.int("from", in: 0...Int64.max) ?? 1) - 1
        if result.afterSeq < 0 { result.afterSeq = 0 }
        result.limit = Int(try query.int("limit", in: 1...5000) ?? 500)
        if let tail = try query.int("tail", in: 0...5000) {
            guard try query.one("from") == nil else {
                throw .invalidParameter("tail", "exclusive", "cannot stand beside from")
            }
            result.isTail = true
            result.limit = Int(tail)
        }
        if let word = try query.one("min_level") {
            guard let level = LogLevel(name: word) else {
                throw .invalidParameter(
                    "min_level", "unknown_word",
                    "must be one of " + LogLevel.allCases.map(\.name).joined(separator: ", "))
            }
            result.minLevel = level
        }
        for word in query.all("stream") {
            guard let stream = LogStream(name: word) else {
                throw .invalidParameter(
                    "stream", "unknown_word",
                    "must be one of " + LogStream.allCases.map(\.name).joined(separator: ", "))
            }
            result.streams.insert(stream)
        }
        result.stage = try query.one("stage")
        result.attempt = try query.int("attempt", in: 1...Int64(Int32.max)).map { Int($0) }
        return result
    }
}

/// How log lines are written.
enum LogFormat: Sendable, Equatable {
    case json, plain, ndjson

    /// - Throws: 406 when the client takes nothing that we have.
    init(accept: String?, follows: Bool) throws(Problem) {
        let types = (accept ?? "*/*").split(separator: ",").map {
            $0.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        }
        for type in types {
            switch type {
            case "text/plain", "text/*":
                self = .plain
                return
            case "application/x-ndjson", "application/ndjson":
                self = .ndjson
                return
            case "application/json", "application/*", "*/*":
                // A stream has no end at which a JSON list could be closed.
                self = follows ? .ndjson : .json
                return
            default: continue
            }
        }
        throw Problem(
            .notAcceptable, "not_acceptable", "Logs come as application/json, application/x-ndjson or text/plain.",
            fields: [.init(.header("Accept"), "not_acceptable", "names none of these")])
    }

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .plain: "text/plain; charset=utf-8"
        case .ndjson: "application/x-ndjson"
        }
    }

    func line(_ row: LogRow) -> String {
        self == .plain ? LogJSON.plain(row) : LogJSON.object(row).text + "\n"
    }
}

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
    /// An empty line after so long a silence: proxies keep the connection, and we notice a client that is gone.
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
            let wasTail = query.isTail
            let rows = wasTail && query.limit == 0 ? try await lastLine() : try await backend.store.logs(run, query)
            let isFull = !wasTail && rows.count >= query.limit
            if let last = rows.last { query.afterSeq = last.seq }
            if wasTail {
                let wasEmpty = query.limit == 0
                query.isTail = false
                query.limit = Self.batch
                if wasEmpty { continue }
            }
            if !rows.isEmpty {
                lastPiece = .now
                isCaughtUp = !isFull
                return Array(rows.map(format.line).joined().utf8)
            }
            if wasTail || isFull { continue }
            if isFinal || hangUp.happened { break }
            if LoopInstant.now - lastPiece >= Self.heartbeat {
                lastPiece = .now
                return [0x0A]
            }
            await bell.wait(atMost: Self.poll)
        }
        end()
        return nil
    }

    /// With `tail=0` only what comes from now on counts.
    private func lastLine() async throws -> [LogRow] {
        var query = self.query
        query.limit = 1
        return try await backend.store.logs(run, query)
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
