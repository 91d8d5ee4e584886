import HTTPTypes
import JobCore
import JobStore

/// Crashes, grouped by their stacks.
extension Backend {
    var errorGroupRoutes: [Route] {
        [
            Route(.get, "/api/v1/error-groups", query: ["kind", "limit", "cursor"]) { [self] in
                try await listErrorGroups($0)
            },
            Route(.get, "/api/v1/error-groups/{fingerprint}") { [self] in try await showErrorGroup($0) },
        ]
    }

    private func listErrorGroups(_ call: Call) async throws -> Answer {
        let kind = try call.query.one("kind") ?? "crash"
        guard kind == "crash" else {
            throw Problem.invalidParameter("kind", "unknown_word", "must be crash")
        }
        let limit = Int(try call.query.int("limit", in: 1...200) ?? 50)
        let cursor = try call.query.one("cursor").map { (given) throws(Problem) in
            try Cursor.decodeGroup(given, filter: kind, keys: keys)
        }
        var rows = try await store.errorGroups(limit: limit + 1, after: cursor)
        let hasMore = rows.count > limit
        rows.removeLast(rows.count - min(rows.count, limit))
        let next = hasMore ? rows.last.map { Cursor.encode(ErrorGroupCursor($0), filter: kind, keys: keys) } : nil
        var object = JSONObject()
        object.array("items", rows.map { CrashJSON.group($0).text })
        object.string("next_cursor", next)
        object.raw("prev_cursor", "null")
        object.int("pending", try await store.pendingCrashCount())
        object.time("as_of", WallClock.now)
        var answer = Answer.json(object)
        if let next {
            answer.headers[.link] =
                "</api/v1/error-groups?kind=\(kind)&limit=\(limit)&cursor=\(PercentEncoding.encode(next))>; rel=\"next\""
        }
        return answer
    }

    private static let newestCrashes = 20

    private func showErrorGroup(_ call: Call) async throws -> Answer {
        let fingerprint = call.parameter("fingerprint")
        guard let group = try await store.errorGroup(fingerprint) else {
            throw Problem.notFound("error group", fingerprint)
        }
        let reports = try await store.crashReports(fingerprint, limit: Self.newestCrashes)
        var object = CrashJSON.group(group)
        object.array("stack", (reports.first?.frames ?? []).map { CrashJSON.frame($0).text })
        object.array(
            "crashes",
            reports.map { report in
                var object = JSONObject()
                object.string("run", report.runID.description)
                object.int("attempt", report.attempt)
                object.time("reported_at", report.createdAt)
                return object.text
            })
        return Answer.json(object).tagged(call)
    }
}

enum CrashJSON {
    static func group(_ group: ErrorGroupRow) -> JSONObject {
        var object = JSONObject()
        object.string("fingerprint", group.fingerprint)
        object.string("kind", group.kind)
        object.string("title", group.title)
        object.string("job", group.job)
        object.string("handler", group.handler)
        object.string("plugin", group.plugin)
        object.int("signal", group.signal)
        object.string("signal_name", group.signal.map(Words.signal))
        object.int("count", group.count)
        object.time("first_seen_at", group.firstSeenAt)
        object.time("last_seen_at", group.lastSeenAt)
        object.string("first_version", group.firstVersion)
        object.string("last_version", group.lastVersion)
        object.string("sample_run", group.sampleRun.description)
        object.int("sample_attempt", group.sampleAttempt)
        return object
    }

    static func frame(_ frame: StackFrame) -> JSONObject {
        var object = JSONObject()
        object.string("address", AttemptJSON.address(frame.address))
        object.string("module", frame.module)
        object.string("build_id", frame.buildID)
        object.string("offset", frame.offset.map(AttemptJSON.address))
        object.string("function", frame.function)
        object.string("file", frame.file)
        object.int("line", frame.line)
        object.bool("inlined", frame.isInlined)
        object.string("words", frame.words)
        return object
    }
}
