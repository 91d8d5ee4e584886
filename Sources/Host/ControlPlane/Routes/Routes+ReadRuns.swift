import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var readingRoutes: [Route] {
        [
            Route(
                .get, "/api/v1/runs",
                query: [
                    "state", "job", "queue", "owner", "organization", "label.", "created_after", "created_before",
                    "schedule_id", "retry_of", "limit", "cursor", "include",
                ]
            ) { [self] in try await listRuns($0) },
            Route(.get, "/api/v1/runs/{id}", query: ["include"]) { [self] in try await showRun($0) },
            Route(.get, "/api/v1/runs/{id}/attempts") { [self] in try await listAttempts($0) },
            Route(.get, "/api/v1/runs/{id}/progress") { [self] in try await showProgress($0) },
            Route(.get, "/api/v1/runs/{id}/result") { [self] in try await showResult($0) },
        ]
    }

    private func listRuns(_ call: Call) async throws -> Answer {
        let filter = try Self.filter(call.query)
        let limit = Int(try call.query.int("limit", in: 1...200) ?? 50)
        let parts = try Self.parts(call.query, default: [])
        // The same filter in another order is the same list.
        let text = call.query.items.filter { !["limit", "cursor", "include"].contains($0.name) }
            .map { JSONText.quoted($0.name) + JSONText.quoted($0.value) }.sorted().joined()
        let cursor = try call.query.one("cursor").map { (given) throws(Problem) in
            try Cursor.decode(given, filter: text, keys: keys)
        }
        let page = try await store.runs(filter, limit: limit, cursor: cursor, withPayload: !parts.isEmpty)
        var object = JSONObject()
        object.array("items", page.runs.map { RunJSON.object($0, live: host.live(runID: $0.id), parts: parts).text })
        let next = page.next.map { Cursor.encode($0, filter: text, keys: keys) }
        object.string("next_cursor", next)
        object.raw("prev_cursor", "null")
        object.bool("truncated", page.isTruncated)
        object.time("as_of", WallClock.now)
        var answer = Answer.json(object)
        if let next {
            let rest = call.query.items.filter { $0.name != "cursor" } + [("cursor", next)]
            let query = rest.map { PercentEncoding.encode($0.0) + "=" + PercentEncoding.encode($0.1) }
            answer.headers[.link] = "</api/v1/runs?\(query.joined(separator: "&"))>; rel=\"next\""
        }
        return answer
    }

    static func filter(_ query: Query) throws(Problem) -> RunFilter {
        var filter = RunFilter()
        for word in query.all("state") {
            guard let state = RunState(rawValue: word) else {
                throw .invalidParameter(
                    "state", "unknown_word",
                    "must be one of " + RunState.allCases.map(\.rawValue).joined(separator: ", "))
            }
            filter.states.insert(state)
        }
        filter.jobs = Set(query.all("job"))
        filter.queues = Set(query.all("queue"))
        filter.owner = try query.one("owner")
        filter.organization = try query.one("organization")
        for (name, value) in query.items where name.hasPrefix("label.") {
            guard filter.labels.updateValue(value, forKey: String(name.dropFirst(6))) == nil else {
                throw .invalidParameter(name.clipped, "repeated", "a label has one value")
            }
        }
        filter.createdAfter = try query.time("created_after")
        filter.createdBefore = try query.time("created_before")
        if let text = try query.one("schedule_id") {
            guard let id = ScheduleJSON.parse(text) else {
                throw .invalidParameter("schedule_id", "malformed_id", "must be sch_ and a number")
            }
            filter.scheduleID = id
        }
        if let text = try query.one("retry_of") {
            guard let id = RunID(parsing: text) else {
                throw .invalidParameter("retry_of", "malformed_id", "must be a run's id")
            }
            filter.retryOf = id
        }
        return filter
    }

    private static func parts(_ query: Query, default standard: RunJSON.Parts) throws(Problem) -> RunJSON.Parts {
        let values = query.all("include")
        if values.isEmpty { return standard }
        var parts = RunJSON.Parts()
        for word in values.flatMap({ $0.split(separator: ",") }) {
            switch word {
            case "args": parts.insert(.args)
            case "result": parts.insert(.result)
            default: throw .invalidParameter("include", "unknown_word", "knows args and result")
            }
        }
        return parts
    }

    private func showRun(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        let parts = try Self.parts(call.query, default: [.args, .result])
        let run = try await existingRun(id)
        var object = RunJSON.object(run, live: host.live(runID: id), parts: parts)
        RunJSON.add(try await store.links(id), to: &object)
        RunJSON.add(try await store.nextAttempts(of: run), to: &object)
        return Answer.json(object).tagged(call)
    }

    private func listAttempts(_ call: Call) async throws -> Answer {
        let run = try await existingRun(try call.runID())
        let rows = try await store.attempts(run.id)
        let live = host.live(runID: run.id)
        var items: [String] = []
        for row in rows {
            let report = row.crash == nil ? nil : try await store.crashReport(run.id, attempt: row.attempt)
            items.append(AttemptJSON.object(row, live: live, report: report).text)
        }
        // The row of a live attempt is written lazily: what this host runs, it knows by itself.
        if let live, run.state == .running, live.attempt == run.attempt,
            !rows.contains(where: { $0.attempt == live.attempt })
        {
            items.append(AttemptJSON.object(live, host: host.hostView().id).text)
        }
        var object = list(items)
        object.string("run", run.id.description)
        return .json(object)
    }

    private func showProgress(_ call: Call) async throws -> Answer {
        let run = try await existingRun(try call.runID())
        let live = host.live(runID: run.id).flatMap { run.state == .running && $0.attempt == run.attempt ? $0 : nil }
        let progress = live?.progress ?? run.progress
        var object = JSONObject()
        object.string("run", run.id.description)
        object.string("state", run.state.rawValue)
        object.int("attempt", run.attempt)
        object.double("percent", progress.percent.map { ($0 * 100).rounded() / 100 })
        object.string("stage", progress.stage)
        object.int("done", progress.current)
        object.int("total", progress.total)
        object.string("unit", progress.unit)
        object.string("message", progress.message)
        object.string("line", progress.isEmpty ? nil : progress.line)
        object.raw("counters", RunJSON.counters(progress))
        object.string("outcome", run.outcome?.rawValue)
        return Answer.json(object).tagged(call)
    }

    private func showResult(_ call: Call) async throws -> Answer {
        let run = try await existingRun(try call.runID())
        switch run.result {
        case .json(let text): return Answer.json(text).tagged(call)
        case .bytes(let bytes, let type):
            return Answer(bytes: bytes, type: type)
                // The handler names the type; a browser must not take it for a page of ours.
                .with(.contentDisposition, "attachment; filename=\"\(run.id).result\"")
                .with(.contentSecurityPolicy, "sandbox").tagged(call)
        case .some(.none), nil:
            var problem = Problem(
                .notFound, "no_result", run.state.isTerminal ? "The run has no result." : "The run has no result yet.")
            problem.currentState = run.state
            problem.isRetryable = !run.state.isTerminal
            throw problem
        }
    }
}

enum PercentEncoding {
    /// Everything but the unreserved characters of RFC 3986.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + Hex.byte(byte).uppercased()
            }
        }
        return result
    }
}
