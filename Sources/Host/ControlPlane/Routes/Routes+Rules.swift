import HTTPTypes
import JobCore
import JobStore

/// Pause, resume, drain and limits of queues and jobs.
extension Backend {
    var ruleRoutes: [Route] {
        [
            Route(.get, "/api/v1/pauses") { [self] _ in
                .json(list(try await store.pauses().map { RulesJSON.pause($0.ruled, $0.pause).text }))
            },
            Route(.patch, "/api/v1/queues/{queue}", body: .json) { [self] in try await limitQueue($0) },
            Route(.post, "/api/v1/queues/{queue}/pause", body: .json) { [self] in
                try await pauseQueue($0, isDrain: false)
            },
            Route(.post, "/api/v1/queues/{queue}/drain", body: .json) { [self] in
                try await pauseQueue($0, isDrain: true)
            },
            Route(.post, "/api/v1/queues/{queue}/resume", body: .json) { [self] in try await resumeQueue($0) },
            Route(.post, "/api/v1/jobs/{name}/pause", body: .json) { [self] in try await pauseJob($0, isDrain: false) },
            Route(.post, "/api/v1/jobs/{name}/drain", body: .json) { [self] in try await pauseJob($0, isDrain: true) },
            Route(.post, "/api/v1/jobs/{name}/resume", body: .json) { [self] in try await resumeJob($0) },
        ]
    }

    // MARK: Queues

    private func limitQueue(_ call: Call) async throws -> Answer {
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        var reader = try ObjectReader(body: call.body)
        var patch = ConcurrencyPatch()
        patch.everywhere = Self.limit(&reader, "concurrency")
        patch.here = Self.limit(&reader, "host_concurrency")
        try reader.finish()
        let name = call.parameter("queue")
        // A queue may be set before anything comes into it; that must be meant, not a slip: If-Match: *.
        if revision != nil { _ = try await store.queue(name) }
        switch try await store.limitQueue(name, patch, ifRevision: revision, actor: call.principal.name) {
        case .changed(let row): return Self.answer(row, call)
        case .mismatch:
            var problem = Problem(
                .preconditionFailed, "etag_mismatch", "The queue was changed meanwhile. Look at it again.",
                fields: [.init(.header("If-Match"), "etag_mismatch", "is not the present ETag")])
            let row = try await store.queue(name)
            let present = CatalogJSON.queue(row, WallClock.now).text.utf8
            problem.headers[.eTag] = EntityTag.of(present, revision: row.revision)
            throw problem
        }
    }

    /// Outer nil: not said.
    static func limit(_ reader: inout ObjectReader, _ name: String) -> Int?? {
        if reader.isNull(name) { return .some(nil) }
        guard let value = reader.value(name) else { return nil }
        guard let number = value.integer else {
            reader.fault(name, "wrong_type", "must be a whole number, or null for no limit")
            return nil
        }
        return .some(Int(clamping: number))
    }

    private static func answer(_ row: QueueRow, _ call: Call) -> Answer {
        Answer.json(CatalogJSON.queue(row, WallClock.now)).tagged(call, revision: row.revision)
    }

    private func pauseQueue(_ call: Call, isDrain: Bool) async throws -> Answer {
        let pause = try PauseInput(call)
        // A slip of the finger would pause a queue that nobody uses, and leave the right one running.
        let queue = try await store.queue(call.parameter("queue")).name
        let changed = try await store.pause(
            .queue(queue), reason: pause.reason, until: pause.until, isDrain: isDrain, actor: call.principal.name)
        return try await changedQueue(queue, changed)
    }

    private func resumeQueue(_ call: Call) async throws -> Answer {
        _ = try PauseInput(call, mayEnd: false)
        let queue = try await store.queue(call.parameter("queue")).name
        let changed = try await store.resume(.queue(queue), actor: call.principal.name)
        if changed { host.enqueued(queue: queue, rank: 0) }
        return try await changedQueue(queue, changed)
    }

    private func changedQueue(_ name: String, _ changed: Bool) async throws -> Answer {
        var object = JSONObject()
        object.bool("changed", changed)
        object.object(
            "queue", CatalogJSON.queue(try await store.queue(name), WallClock.now, try await store.holdings()))
        return .json(object)
    }

    // MARK: Jobs

    private func pauseJob(_ call: Call, isDrain: Bool) async throws -> Answer {
        let pause = try PauseInput(call)
        let name = call.parameter("name")
        let changed = try await store.pause(
            .job(name), reason: pause.reason, until: pause.until, isDrain: isDrain, actor: call.principal.name)
        return try await changedJob(name, changed)
    }

    private func resumeJob(_ call: Call) async throws -> Answer {
        _ = try PauseInput(call, mayEnd: false)
        let name = call.parameter("name")
        let changed = try await store.resume(.job(name), actor: call.principal.name)
        let answer = try await changedJob(name, changed)
        if changed { host.enqueued(queue: "*", rank: 0) }
        return answer
    }

    private func changedJob(_ name: String, _ changed: Bool) async throws -> Answer {
        var object = JSONObject()
        object.bool("changed", changed)
        object.object("job", CatalogJSON.job(try await store.job(name), Set(host.handlers())))
        return .json(object)
    }
}

/// `{reason?, until?}`.
private struct PauseInput {
    var reason: String?
    var until: WallTime?

    /// - Parameter mayEnd: whether an end makes sense: not for a resume.
    init(_ call: Call, mayEnd: Bool = true) throws {
        var reader = try ObjectReader(body: call.body)
        reason = reader.string("reason", limit: 1000)
        if mayEnd {
            until = reader.time("until")
            if let until, until <= WallClock.now { reader.fault("until", "out_of_range", "must be in the future") }
        }
        try reader.finish()
    }
}

/// Rules as they are shown.
enum RulesJSON {
    static func pause(_ ruled: Ruled, _ pause: Pause) -> JSONObject {
        var object = JSONObject()
        object.string("kind", ruled.kind)
        object.string("name", ruled.name)
        object.time("since", pause.since)
        object.string("reason", pause.reason)
        object.time("until", pause.until)
        object.bool("drain", pause.isDrain)
        return object
    }

    static func add(
        _ pause: Pause?, _ service: ServiceState, _ limits: ConcurrencyLimits, to object: inout JSONObject
    ) {
        object.string("service", service.rawValue)
        object.bool("paused", pause != nil)
        object.time("paused_at", pause?.since)
        object.string("pause_reason", pause?.reason)
        object.time("pause_until", pause?.until)
        object.int("concurrency", limits.everywhere)
        object.int("host_concurrency", limits.here)
    }
}
