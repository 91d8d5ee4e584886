import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var creatingRoutes: [Route] {
        [
            Route(.post, "/api/v1/runs", body: .json) { [self] in try await createRun($0) },
            Route(.post, "/api/v1/runs/batch", body: .batch) { [self] in try await createBatch($0) },
        ]
    }

    private func createRun(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        var reader = try ObjectReader(body: call.body)
        var run = RunInput.read(&reader, argsLimit: configuration.argsLimitBytes)
        try reader.finish()
        run.idempotencyKey = try IdempotencyKey.read(call.headers)
        if run.idempotencyKey != nil { run.idempotencyFingerprint = IdempotencyKey.fingerprint(call) }
        run.traceparent = RunInput.traceparent(call)
        let enqueued = try await enqueue(run)
        return try await created(enqueued, of: run, call)
    }

    /// Enqueues and tells the host's dispatcher.
    func enqueue(_ run: NewRun) async throws -> Enqueued {
        let enqueued: Enqueued
        do throws(StoreError) {
            enqueued = try await store.enqueue(run)
        } catch {
            throw Self.unanswered(error, hasKey: run.idempotencyKey != nil)
        }
        wake(enqueued)
        return enqueued
    }

    func wake(_ enqueued: Enqueued) {
        guard enqueued.isNew, enqueued.state == .queued, !enqueued.isClaimed else { return }
        host.enqueued(queue: enqueued.queue, rank: -Int(enqueued.priority))
    }

    /// The answer to a request that made a run, or found another.
    func created(_ enqueued: Enqueued, of request: NewRun, _ call: Call) async throws -> Answer {
        let preference = Preference(call.headers)
        var status: HTTPResponse.Status = enqueued.manner == .made ? .created : .ok
        var run = enqueued.row(of: request)
        // A key may outlive its run: retention is short for some.
        if run == nil, preference.wait != nil || !preference.isMinimal { run = try await store.run(enqueued.id) }
        if let seconds = preference.wait, run != nil {
            run = try await waitForEnd(of: enqueued.id, seconds: seconds, call)
            if run?.state.isTerminal == false { status = .accepted }
        } else if preference.isMinimal {
            run = nil
        }
        var object: JSONObject
        if let run {
            object = RunJSON.object(run, live: host.live(runID: run.id), parts: [.args, .result])
        } else {
            object = JSONObject()
            object.string("id", enqueued.id.description)
            object.string("number", String(enqueued.id.rawValue))
            object.string("job", request.job)
            object.string("state", enqueued.state.rawValue)
            if enqueued.isNew {
                object.string("queue", enqueued.queue)
                object.int("priority", enqueued.priority)
            }
        }
        object.string("enqueued", enqueued.manner.rawValue)
        if enqueued.isUnchecked { object.bool("args_unchecked", true) }
        var answer = Answer.json(object, status)
        answer.headers[.location] = "/api/v1/runs/\(enqueued.id)"
        if enqueued.isReplay { answer.headers[.idempotencyReplayed] = "true" }
        if let applied = preference.applied { answer.headers[.preferenceApplied] = applied }
        return answer
    }

    /// A commit whose answer was lost may have happened: says how to be sure.
    static func unanswered(_ error: StoreError, hasKey: Bool) -> any Error {
        guard error.isTransient else { return error }
        var problem = Problem(error)
        problem.detail +=
            hasKey
            ? " Repeating the request with the same Idempotency-Key makes no second run."
            : " With an Idempotency-Key the request could be repeated without the risk of a second run."
        return problem
    }
}
