import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var actingRoutes: [Route] {
        [
            Route(.post, "/api/v1/runs/{id}/cancel", body: .json) { [self] in try await stop($0, .cancel) },
            Route(.post, "/api/v1/runs/{id}/terminate", body: .json) { [self] in try await stop($0, .terminate) },
        ]
    }

    enum Stop { case cancel, terminate }

    /// What ending a run did.
    struct Stopped {
        var run: RunRow
        var hasChanged: Bool
        /// It runs still, and has been told.
        var isUnderWay: Bool
    }

    /// - Parameter actor: who is written down.
    func stop(_ call: Call, _ how: Stop, actor: String? = nil) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 1000)
        let grace = reader.milliseconds("grace_ms", to: 3_600_000)
        try reader.finish()
        let stopped = try await stop(id, how, reason: reason, grace: grace, actor: actor ?? call.principal.name)
        return try await stopAnswer(stopped, call)
    }

    /// What became of it, after the wait that the caller prefers.
    func stopAnswer(_ stopped: Stopped, _ call: Call) async throws -> Answer {
        let id = stopped.run.id
        var run = stopped.run
        var isUnderWay = stopped.isUnderWay
        let preference = Preference(call.headers)
        if let seconds = preference.wait, isUnderWay {
            run = try await waitForEnd(of: id, seconds: seconds, call)
            isUnderWay = !run.state.isTerminal
        }
        var object = JSONObject()
        object.bool("changed", stopped.hasChanged)
        object.string("state", run.state.rawValue)
        object.object("run", RunJSON.object(run, live: host.live(runID: id)))
        var answer = Answer.json(object, isUnderWay && stopped.hasChanged ? .accepted : .ok)
        if isUnderWay { answer.headers[.location] = "/api/v1/runs/\(id)" }
        if let applied = preference.applied { answer.headers[.preferenceApplied] = applied }
        return answer
    }

    func stop(_ id: RunID, _ how: Stop, reason: String?, grace: Duration?, actor: String) async throws -> Stopped {
        let told =
            switch how {
            case .cancel: try await store.requestCancel(id, reason: reason, grace: grace, actor: actor)
            case .terminate: try await store.requestTerminate(id, reason: reason, grace: grace, actor: actor)
            }
        switch told {
        case .cancelled:
            return Stopped(run: try await existingRun(id), hasChanged: true, isUnderWay: false)
        case .requested(_, let attempt, let isRepeated):
            // If another host has it, the database tells that one.
            switch how {
            case .cancel: host.cancel(runID: id, attempt: attempt, grace: grace)
            case .terminate: host.terminate(runID: id, attempt: attempt, grace: grace)
            }
            return Stopped(run: try await existingRun(id), hasChanged: !isRepeated, isUnderWay: true)
        case .alreadyFinished(.cancelled):
            return Stopped(run: try await existingRun(id), hasChanged: false, isUnderWay: false)
        case .alreadyFinished(let state):
            var problem = Problem(.conflict, "already_finished", "The run is over: it \(state.rawValue).")
            problem.currentState = state
            throw problem
        }
    }
}
