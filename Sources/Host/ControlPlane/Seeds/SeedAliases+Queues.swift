import HTTPTypes
import JobCore
import JobStore

/// S0's queue status, and S3's monitoring under both of the paths that its examples use.
extension Backend {
    var seedQueueRoutes: [Route] {
        [
            Route(.get, "/api/queues/status", successor: "/api/v1/queues") { [self] _ in try await seedQueues() },
            Route(.get, "/api/queues/{queueName}", successor: "/api/v1/queues/{queue}") { [self] in
                try await seedQueue($0)
            },
        ] + ["/admin/jobs", "/api/v1/admin/jobs"].flatMap(seedMonitoringRoutes)
    }

    private func seedMonitoringRoutes(below base: String) -> [Route] {
        [
            Route(.get, "\(base)/metrics", successor: "/api/v1/stats/summary") { [self] _ in try await seedMetrics() },
            Route(.get, "\(base)/alerts/stuck", successor: "/api/v1/safety/stuck") { [self] _ in try await seedStuck()
            },
            Route(
                .patch, "\(base)/queue/{queueName}/pause", body: .json, successor: "/api/v1/queues/{queue}/pause"
            ) { [self] in try await seedPause($0, true) },
            Route(
                .patch, "\(base)/queue/{queueName}/resume", body: .json, successor: "/api/v1/queues/{queue}/resume"
            ) { [self] in try await seedPause($0, false) },
            Route(
                .delete, "\(base)/queue/{queueName}/clear", query: ["type"],
                successor: "/api/v1/queues/{queue}/clear"
            ) { [self] in try await seedClear($0) },
            Route(
                .post, "\(base)/retry/{queueName}/{jobId}", body: .json, successor: "/api/v1/runs/{id}/retry"
            ) { [self] in try await seedRetryChanged($0) },
        ]
    }

    // MARK: S0

    private func seedQueues() async throws -> Answer {
        var object = JSONObject()
        object.array("queues", try await store.queues().map { Self.seedQueue($0, named: "name").text })
        object.time("timestamp", WallClock.now)
        return .json(object)
    }

    private func seedQueue(_ call: Call) async throws -> Answer {
        let queue = try await store.queue(call.parameter("queueName"))
        var object = Self.seedQueue(queue, named: "name")
        let running = try await store.runs(
            RunFilter(states: [.running], queues: [queue.name]), limit: 50, withPayload: true)
        object.array("activeJobs", running.runs.map { SeedJob.object($0, live: host.live(runID: $0.id)).text })
        return .json(object)
    }

    /// - Parameter name: under which the queue's name stands.
    private static func seedQueue(_ queue: QueueRow, named name: StaticString) -> JSONObject {
        var object = JSONObject()
        object.string(name, queue.name)
        SeedWords.counts(queue.counts, into: &object)
        object.bool("paused", queue.isPaused)
        return object
    }

    // MARK: S3

    private func seedMetrics() async throws -> Answer {
        let stats = try await store.stats(since: WallClock.now.advanced(by: .seconds(-86_400)))
        let queues = try await store.queues()
        var object = JSONObject()
        object.time("timestamp", WallClock.now)
        object.array("queues", queues.map { Self.seedQueue($0, named: "queueName").text })
        var totals = JSONObject()
        SeedWords.counts(stats.counts, into: &totals)
        object.object("totals", totals)
        object.double("successRate", StatsJSON.successRate(stats.all) ?? 100)
        object.double("processingRate", StatsJSON.perMinute(stats))
        return .json(object)
    }

    private func seedStuck() async throws -> Answer {
        let stuck = try await store.stuckRuns(try await store.safetyPolicy().policy.stuck)
        let items = stuck.sorted { $0.run.runningFor > $1.run.runningFor }.map { entry in
            var object = JSONObject()
            object.string("jobId", entry.run.id.description)
            object.string("jobName", entry.run.job)
            object.string("queueName", entry.run.queue)
            object.string("severity", entry.verdict.severity.rawValue)
            object.int("stuckDuration", entry.run.runningFor.wholeMilliseconds)
            object.int("attemptsMade", entry.run.attempt)
            object.time("startedAt", entry.run.startedAt)
            object.raw("data", entry.run.args ?? "null")
            return object.text
        }
        return .json("[" + items.joined(separator: ",") + "]")
    }

    private func seedPause(_ call: Call, _ paused: Bool) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 1000)
        try reader.finish()
        let name = try await store.queue(call.parameter("queueName")).name
        let changed = try await store.setPaused(
            queue: name, paused, reason: reason, actor: "\(call.principal.name) (via alias)")
        if changed, !paused { host.enqueued(queue: name, rank: 0) }
        var object = JSONObject()
        object.bool("success", true)
        object.string("queueName", name)
        object.string("message", "Queue \(name) is \(changed ? "now" : "already") \(paused ? "paused" : "running").")
        return .json(object)
    }

    /// S3 clears at once, without a plan; what takes long is gone through to its end.
    private func seedClear(_ call: Call) async throws -> Answer {
        let states: Set<RunState>
        switch try call.query.one("type") ?? "all" {
        case "completed": states = [.succeeded]
        case "failed": states = [.failed]
        case "all": states = [.succeeded, .failed, .cancelled]
        default: throw Problem.invalidParameter("type", "unknown_word", "must be one of completed, failed, all")
        }
        let name = try await store.queue(call.parameter("queueName")).name
        var plan: ClearPlan? = ClearPlan(
            request: ClearRequest(scope: .queue(name), states: states, before: try await store.databaseTime()),
            olderThan: nil, count: 0)
        var count: Int64 = 0
        while let next = plan, !call.hangUp.happened {
            let cleared = try await clear(
                next, actor: "\(call.principal.name) (via alias)", reason: nil, hangUp: call.hangUp)
            count += cleared.count
            if let problem = cleared.problem { throw problem }
            plan = cleared.rest
        }
        var object = JSONObject()
        object.bool("success", plan == nil)
        object.string("queueName", name)
        object.int("cleared", count)
        object.string("message", "\(count) finished jobs of queue \(name) were removed; running ones were not touched.")
        return .json(object)
    }

    private func seedRetryChanged(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        let id = try call.runID("jobId")
        var reader = try ObjectReader(body: call.body)
        var changes = RetryChanges()
        changes.priority = RunInput.priority(&reader)
        changes.attempts = reader.int("attempts", in: 1...1000).map { Int($0) }
        changes.backoff = reader.decoded("backoff") { value throws(FieldFault) in try Self.seedBackoff(value) }
        changes.dataOverrides = reader.objectText("dataOverrides", limitBytes: configuration.argsLimitBytes)
        changes.removeOriginal = reader.bool("removeOriginal") ?? false
        try reader.finish()
        let run = try await existingRun(id)
        guard run.queue == call.parameter("queueName") else {
            throw Problem(
                .notFound, "run_not_found", "There is no run \(id) in queue \(call.parameter("queueName").clipped).")
        }
        let enqueued = try await retry(id, changes, overrides: "/dataOverrides")
        var object = JSONObject()
        object.bool("success", true)
        object.string("newJobId", enqueued.id.description)
        object.string("message", "Run \(id) runs again as \(enqueued.id).")
        return .json(object)
    }

    /// S3 says `delay`, in milliseconds, where we say `delay_ms`.
    private static func seedBackoff(_ value: JSONValue) throws(FieldFault) -> BackoffPolicy {
        guard case .object(let members) = value else { return try BackoffPolicy(value) }
        return try BackoffPolicy(.object(members.map { JSONMember($0.key == "delay" ? "delay_ms" : $0.key, $0.value) }))
    }
}
