import HTTPTypes
import JobCore
import JobStore

/// Running again what is over, and changing or hurrying what has not begun.
extension Backend {
    var retryingRoutes: [Route] {
        [
            Route(.post, "/api/v1/runs/{id}/retry", body: .json) { [self] in try await retryRun($0) },
            Route(.post, "/api/v1/runs/{id}/run-now", body: .json) { [self] in try await hurryRun($0) },
            Route(.patch, "/api/v1/runs/{id}", body: .json) { [self] in try await changeRun($0) },
            Route(.delete, "/api/v1/runs/{id}") { [self] in try await removeRun($0) },
        ]
    }

    // MARK: Retry

    private func retryRun(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        var changes = RetryInput.read(&reader, argsLimit: configuration.argsLimitBytes)
        try reader.finish()
        changes.idempotencyKey = try IdempotencyKey.read(call.headers)
        if changes.idempotencyKey != nil { changes.idempotencyFingerprint = IdempotencyKey.fingerprint(call) }
        let enqueued = try await retry(id, changes)
        let preference = Preference(call.headers)
        var status: HTTPResponse.Status = enqueued.isReplay ? .ok : .created
        var run = try await store.run(enqueued.id)
        if let seconds = preference.wait, run != nil {
            let waited = try await waitForEnd(of: enqueued.id, seconds: seconds, call)
            if !waited.state.isTerminal { status = .accepted }
            run = waited
        }
        var object = JSONObject()
        object.string("new_run_id", enqueued.id.description)
        object.string("retry_of", id.description)
        object.string("mode", "new")
        object.bool("removed_original", changes.removeOriginal)
        if enqueued.isUnchecked { object.bool("args_unchecked", true) }
        // A key may outlive its run.
        object.object(
            "run", run.map { RunJSON.object($0, live: host.live(runID: $0.id), parts: [.args, .result]) })
        var answer = Answer.json(object, status).with(.location, "/api/v1/runs/\(enqueued.id)")
        if enqueued.isReplay { answer.headers[.idempotencyReplayed] = "true" }
        if let applied = preference.applied { answer.headers[.preferenceApplied] = applied }
        return answer
    }

    /// - Parameter overrides: where they stand in the body.
    func retry(
        _ id: RunID, _ changes: RetryChanges, overrides: String = "/data_overrides"
    ) async throws -> Enqueued {
        let hasKey = changes.idempotencyKey != nil
        let enqueued: Enqueued
        do throws(StoreError) {
            enqueued = try await store.retry(id, changes)
        } catch {
            // What does not fit came from the overrides, wherever it stands now.
            if changes.dataOverrides != nil { throw Self.unanswered(error.withArgs(at: overrides), hasKey: hasKey) }
            throw Self.unanswered(error, hasKey: hasKey)
        }
        wake(enqueued)
        return enqueued
    }

    // MARK: Runs that have not begun

    private func hurryRun(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        try reader.finish()
        // Again is no fault: it is where it should be.
        if try await existingRun(id).state == .queued { return try await changed(id, false) }
        try await store.hurry(id, actor: call.principal.name)
        let run = try await existingRun(id)
        if run.state == .queued { host.enqueued(queue: run.queue, rank: -Int(run.priority)) }
        return try await changed(id, true)
    }

    private func changeRun(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        var changes = RunChanges()
        changes.priority = RunInput.priority(&reader)
        changes.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        changes.runAt = reader.time("run_at")
        changes.title = reader.string("title", limit: 500)
        try reader.finish()
        let before = try await existingRun(id)
        if let lane = try await store.change(id, changes, actor: call.principal.name) {
            host.enqueued(queue: lane.queue, rank: Int(lane.rank))
        }
        let after = try await existingRun(id)
        let same =
            (before.priority, before.queue, before.runAt, before.title)
            == (after.priority, after.queue, after.runAt, after.title)
        return try await changed(id, !same)
    }

    private func changed(_ id: RunID, _ changed: Bool) async throws -> Answer {
        var object = JSONObject()
        object.bool("changed", changed)
        object.object("run", RunJSON.object(try await existingRun(id), live: host.live(runID: id)))
        return .json(object)
    }

    private func removeRun(_ call: Call) async throws -> Answer {
        try await store.remove(try call.runID(), actor: call.principal.name)
        return Answer(.noContent)
    }
}
