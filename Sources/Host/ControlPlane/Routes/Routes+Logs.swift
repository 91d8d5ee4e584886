import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var logRoutes: [Route] {
        [
            Route(
                .get, "/api/v1/runs/{id}/logs",
                query: [
                    "from", "before", "limit", "tail", "min_level", "stream", "stage", "attempt", "since", "until",
                    "grep",
                    "regex", "match_case", "field.", "follow",
                ]
            ) { [self] in try await showLogs($0) },
            Route(.get, "/api/v1/runs/{id}/logs/index") { [self] in try await showLogIndex($0) },
        ]
    }

    private func showLogs(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        let follows = try call.query.flag("follow") ?? false
        let format = try LogFormat(accept: call.headers[.accept], follows: follows)
        var query = try Self.logQuery(call.query, follows: follows)
        if format == .events, let last = call.headers[.lastEventID] {
            guard let seq = Int64(last), seq >= 0 else {
                throw Problem.invalidHeader("Last-Event-ID", "wrong_type", "must be the number of a line")
            }
            // Where a client goes on by itself after a lost connection; its first question said something else.
            (query.afterSeq, query.isTail, query.limit) = (seq, false, 500)
        }
        let run = try await existingRun(id)
        if follows {
            if call.method == .head { return .stream(type: format.contentType) { nil } }
            // A stream cannot say later that its expression is none.
            if let words = query.words { try await Self.naming { try await self.store.checkLogWords(words) } }
            let follower = LogFollower(backend: self, run: id, query: query, format: format, hangUp: call.hangUp)
            return .stream(type: format.contentType) { try await follower.next() }.with(.accelBuffering, "no")
        }
        if !run.state.isTerminal { await host.flushLogs(of: id) }
        let wanted = query
        let page = try await Self.naming { try await self.store.logPage(id, wanted) }
        guard format == .json else {
            // Lines have no place for it.
            let next = query.isTail ? page.before.map { ("before", $0) } : ("from", page.after + 1)
            var answer = Answer(text: page.rows.map(format.line).joined(), type: format.contentType)
            if let next, page.isTruncated {
                answer = answer.with(.logTruncated, "\(next.0)=\(next.1)")
            }
            return answer
        }
        var object = JSONObject()
        object.string("run", id.description)
        object.string("state", run.state.rawValue)
        object.array("items", page.rows.map { LogJSON.object($0).text })
        // Where to go on; also when nothing is there yet.
        object.int("next_from", page.after + 1)
        object.int("next_before", query.isTail ? page.before : nil)
        object.bool("complete", page.isComplete)
        object.bool("truncated", page.isTruncated)
        object.time("as_of", WallClock.now)
        return .json(object)
    }

    private func showLogIndex(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        let run = try await existingRun(id)
        if !run.state.isTerminal { await host.flushLogs(of: id) }
        let index = try await store.logIndex(id)
        var object = JSONObject()
        object.string("run", id.description)
        object.string("state", run.state.rawValue)
        object.int("lines", index.lines)
        var levels = JSONObject()
        levels.int("debug", index.debug)
        levels.int("info", index.info)
        levels.int("warning", index.warning)
        levels.int("error", index.error)
        object.object("levels", levels)
        object.time("as_of", WallClock.now)
        return .json(object)
    }

    /// What the store says of the words is said of the query's parameter.
    private static func naming<T: Sendable>(_ body: @LoopActor () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch StoreError.invalid(let fault) where fault.pointer == "/grep" {
            throw Problem.invalidParameter("grep", fault.code, fault.detail)
        }
    }

    private static func logQuery(_ query: Query, follows: Bool) throws(Problem) -> LogQuery {
        var result = LogQuery()
        result.afterSeq = max(0, (try query.int("from", in: 0...Int64.max) ?? 1) - 1)
        result.beforeSeq = try query.int("before", in: 0...Int64.max)
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
        result.since = try query.time("since")
        result.until = try query.time("until")
        if follows {
            for name in ["before", "until"] where !query.all(name).isEmpty {
                throw .invalidParameter(name, "exclusive", "cannot stand beside follow")
            }
        }
        result.words = try logWords(query)
        result.fields = try logFields(query)
        return result
    }

    private static func logWords(_ query: Query) throws(Problem) -> LogWords? {
        let text = try query.one("grep")
        let isExpression = try query.flag("regex") ?? false
        let matchesCase = try query.flag("match_case") ?? false
        guard let text else {
            for name in ["regex", "match_case"] where !query.all(name).isEmpty {
                throw .invalidParameter(name, "exclusive", "says how grep is meant, which is missing")
            }
            return nil
        }
        guard (1...200).contains(text.utf8.count) else {
            throw .invalidParameter("grep", "out_of_range", "must have 1 to 200 bytes")
        }
        return LogWords(text, isExpression: isExpression, matchesCase: matchesCase)
    }

    private static func logFields(_ query: Query) throws(Problem) -> [LogField] {
        let fields = query.items.filter { $0.name.hasPrefix("field.") }
            .map { LogField(name: String($0.name.dropFirst(6)), value: $0.value) }
        guard fields.count <= 8 else { throw .invalidParameter("field", "out_of_range", "at most 8 fields") }
        return fields
    }
}
