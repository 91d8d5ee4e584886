import HTTPTypes
import JobCore
import JobStore

/// S1: background jobs.
extension Backend {
    var seedJobRoutes: [Route] {
        [
            Route(.post, "/api/jobs", body: .json, successor: "/api/v1/runs") { [self] in try await seedCreate($0) },
            Route(
                .get, "/api/jobs", query: ["type", "status", "limit", "offset", "userId", "organizationId"],
                successor: "/api/v1/runs"
            ) { [self] in try await seedList($0) },
            Route(.get, "/api/jobs/stats", successor: "/api/v1/stats/summary") { [self] _ in try await seedStats() },
            Route(.get, "/api/jobs/{id}", successor: "/api/v1/runs/{id}") { [self] in try await seedShow($0) },
            Route(.patch, "/api/jobs/{id}/cancel", body: .json, successor: "/api/v1/runs/{id}/cancel") { [self] in
                try await seedCancel($0)
            },
            Route(.post, "/api/jobs/{id}/retry", body: .json, successor: "/api/v1/runs/{id}/retry") { [self] in
                try await seedRetry($0)
            },
        ]
    }

    private func seedCreate(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        var reader = try ObjectReader(body: call.body)
        reader.require("type")
        var run = NewRun(job: reader.string("type", limit: 200, isEmptyAllowed: false) ?? "")
        run.title = reader.string("name", limit: 500)
        run.description = reader.string("description", limit: 10_000)
        run.args = reader.objectText("data", limitBytes: configuration.argsLimitBytes) ?? "{}"
        run.priority = RunInput.priority(&reader)
        run.attempts = reader.int("maxAttempts", in: 1...1000).map { Int($0) }
        run.owner = reader.string("userId", limit: 200)
        run.organization = reader.string("organizationId", limit: 200)
        try reader.finish()
        run.traceparent = RunInput.traceparent(call)
        let enqueued: Enqueued
        do {
            enqueued = try await enqueue(run)
        } catch let error as StoreError {
            throw error.withArgs(at: "/data")
        }
        var object = JSONObject()
        object.string("id", enqueued.id.description)
        return .json(object, .created)
    }

    private func seedList(_ call: Call) async throws -> Answer {
        var filter = RunFilter()
        filter.jobs = Set(call.query.all("type"))
        for word in call.query.all("status") { filter.states.formUnion(try SeedWords.states(word)) }
        filter.owner = try call.query.one("userId")
        filter.organization = try call.query.one("organizationId")
        let limit = Int(try call.query.int("limit", in: 1...200) ?? 20)
        let offset = Int(try call.query.int("offset", in: 0...10_000) ?? 0)
        var skipped = 0
        var runs: [RunRow] = []
        var cursor: RunCursor?
        // Lists here go on from an id; an offset is walked over.
        repeat {
            let wanted = min(200, offset - skipped + limit - runs.count)
            let page = try await store.runs(filter, limit: wanted, cursor: cursor, withPayload: true)
            let dropped = min(offset - skipped, page.runs.count)
            skipped += dropped
            runs += page.runs.dropFirst(dropped)
            cursor = page.next
        } while runs.count < limit && cursor != nil
        var object = JSONObject()
        object.array("jobs", runs.prefix(limit).map { SeedJob.object($0).text })
        object.int("limit", limit)
        object.int("offset", offset)
        object.bool("hasMore", runs.count > limit || cursor != nil)
        return .json(object)
    }

    private func seedStats() async throws -> Answer {
        let stats = try await store.stats(since: WallClock.now.advanced(by: .seconds(-86_400)))
        var object = JSONObject()
        object.int("total", stats.counts.values.reduce(0, +))
        object.int("pending", (stats.counts[.queued] ?? 0) + (stats.counts[.blocked] ?? 0))
        SeedWords.counts(stats.counts, into: &object)
        object.double("successRate", SeedWords.successRate(stats.counts))
        object.double("failureRate", ((100 - SeedWords.successRate(stats.counts)) * 100).rounded() / 100)
        return .json(object)
    }

    private func seedShow(_ call: Call) async throws -> Answer {
        let run = try await existingRun(try call.runID())
        let needsStory = run.state == .failed || run.state == .retrying || run.error != nil
        let last = needsStory ? try await store.attempts(run.id).last { $0.outcome != nil } : nil
        return Answer.json(SeedJob.object(run, live: host.live(runID: run.id), last: last)).tagged(call)
    }

    private func seedCancel(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 1000)
        try reader.finish()
        let stopped = try await stop(
            id, .cancel, reason: reason, grace: nil, actor: "\(call.principal.name) (via alias)")
        var object = JSONObject()
        object.bool("success", true)
        object.string("id", id.description)
        object.string("status", SeedWords.status(stopped.run.state))
        object.string("message", stopped.isUnderWay ? "The job was told to end." : "The job is cancelled.")
        return .json(object)
    }

    private func seedRetry(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        try reader.finish()
        let enqueued = try await retry(id, RetryChanges())
        var object = JSONObject()
        object.bool("success", true)
        object.string("id", enqueued.id.description)
        object.string("retryOf", id.description)
        object.string("status", SeedWords.status(enqueued.state))
        return .json(object)
    }
}

/// A run in S1's words.
enum SeedJob {
    /// - Parameter last: the last attempt that ended; tells the story of a failure.
    static func object(_ run: RunRow, live: LiveAttempt? = nil, last: AttemptRow? = nil) -> JSONObject {
        var object = JSONObject()
        object.string("id", run.id.description)
        object.string("type", run.job)
        object.string("name", run.title)
        object.string("description", run.description)
        object.string("status", SeedWords.status(run.state))
        object.string("queueName", run.queue)
        object.raw("data", run.args ?? "null")
        object.int("priority", run.priority)
        object.int("maxAttempts", run.maxAttempts)
        object.int("attemptsMade", run.attemptsUsed)
        object.object("progress", progress(live?.progress ?? run.progress))
        if case .json(let text) = run.result { object.raw("result", text) } else { object.raw("result", "null") }
        object.object("error", error(run, last))
        object.string("userId", run.owner)
        object.string("organizationId", run.organization)
        object.time("createdAt", run.createdAt)
        object.time("startedAt", run.startedAt)
        object.time("completedAt", run.finishedAt)
        return object
    }

    private static func progress(_ progress: Progress) -> JSONObject? {
        guard !progress.isEmpty else { return nil }
        var object = JSONObject()
        object.int("current", progress.current)
        object.int("total", progress.total)
        object.string("message", progress.message ?? progress.line)
        return object
    }

    private static func error(_ run: RunRow, _ last: AttemptRow?) -> JSONObject? {
        guard run.error != nil || run.state == .failed || run.state == .retrying else { return nil }
        let how = [run.outcome?.rawValue, run.reason?.rawValue].compactMap { $0 }.joined(separator: ": ")
        var object = JSONObject()
        object.string("message", run.error?.message ?? last.flatMap { $0.sentence.isEmpty ? nil : $0.sentence } ?? how)
        object.string("stack", last?.crash.map(stack) ?? run.error?.detailsJSON ?? run.error?.code ?? how)
        return object
    }

    private static func stack(_ crash: CrashInfo) -> String {
        var lines = [
            "signal \(crash.signal) at address \(AttemptJSON.address(crash.address)), pc \(AttemptJSON.address(crash.pc)), "
                + "thread \(crash.threadName)"
        ]
        for (index, frame) in crash.frames.enumerated() { lines.append("#\(index) \(AttemptJSON.address(frame))") }
        return lines.joined(separator: "\n")
    }
}
