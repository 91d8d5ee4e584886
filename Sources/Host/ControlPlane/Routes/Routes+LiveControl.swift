import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// What can be done with a run while it runs, short of ending it.
extension Backend {
    var liveRoutes: [Route] {
        [
            Route(.post, "/api/v1/runs/{id}/freeze", body: .json) { [self] in try await setFrozen($0, true) },
            Route(.post, "/api/v1/runs/{id}/thaw", body: .json) { [self] in try await setFrozen($0, false) },
            Route(.post, "/api/v1/runs/{id}/extend", body: .json) { [self] in try await extend($0) },
            Route(.post, "/api/v1/runs/{id}/niceness", body: .json) { [self] in try await setNiceness($0) },
            Route(.post, "/api/v1/runs/{id}/diagnostics", body: .json) { [self] in try await diagnose($0) },
        ]
    }

    /// A year: whoever wants more means no limit.
    private static let longestExtension: Int64 = 31_536_000_000

    private func setFrozen(_ call: Call, _ isFrozen: Bool) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 1000)
        try reader.finish()
        let live = try await attemptHere(id)
        guard live.isFrozen != isFrozen else { return try await changed(id, false) }
        let done =
            isFrozen
            ? host.freeze(runID: id, attempt: live.attempt) : host.thaw(runID: id, attempt: live.attempt)
        guard done else { throw tooLate(live, isFrozen ? "freeze" : "thaw") }
        try await store.audit(
            actor: call.principal.name, action: isFrozen ? "run.freeze" : "run.thaw", target: id.description,
            detail: reason.map { "{\"reason\":\(JSONText.quoted($0))}" })
        return try await changed(id, true)
    }

    private func extend(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let by = reader.milliseconds("by_ms", from: 1, to: Self.longestExtension)
        let until = reader.time("until")
        if by != nil, until != nil { reader.fault("until", "exclusive", "cannot stand beside by_ms") }
        if !reader.has("by_ms"), !reader.has("until") { reader.require("by_ms") }
        try reader.finish()
        let live = try await attemptHere(id)
        var extra = by ?? .zero
        if let until {
            guard let deadline = live.deadline else { throw tooEarly }
            extra = until - deadline
            guard extra > .zero, extra.wholeMilliseconds <= Self.longestExtension else {
                throw Problem.invalid([
                    FieldFault(
                        pointer: "/until", code: "out_of_range",
                        detail: "until must be after the present deadline, \(deadline.rfc3339), by a year at most")
                ])
            }
        }
        guard let deadline = host.extend(runID: id, attempt: live.attempt, by: extra) else {
            throw tooLate(live, "extend")
        }
        return try await changed(id, true) { $0.time("deadline_at", deadline) }
    }

    private func setNiceness(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let niceness = reader.int("niceness", in: -20...19).map { Int32($0) }
        reader.require("niceness")
        try reader.finish()
        guard let niceness else { preconditionFailure("it was required") }
        let live = try await attemptHere(id)
        guard host.setNiceness(runID: id, attempt: live.attempt, niceness) else {
            guard host.live(runID: id)?.attempt == live.attempt else { throw tooLate(live, "renice") }
            throw Problem(
                .conflict, "niceness_refused",
                "The system does not allow niceness \(niceness) here. Lowering it takes CAP_SYS_NICE.")
        }
        return try await changed(id, live.niceness != niceness) { $0.int("niceness", niceness) }
    }

    private func diagnose(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        try reader.finish()
        let live = try await attemptHere(id)
        // Each look stops the processes for an instant: they shall not stand still because everybody looks.
        guard diagnosing.insert(id).inserted else {
            var problem = Problem(.tooManyRequests, "diagnosis_under_way", "Somebody is looking at this run just now.")
            problem.isRetryable = true
            problem.retryAfter = 1
            throw problem
        }
        defer { diagnosing.remove(id) }
        guard let found = await host.diagnose(runID: id, attempt: live.attempt) else {
            guard host.live(runID: id)?.attempt == live.attempt else { throw tooLate(live, "look at") }
            throw Problem(
                .serviceUnavailable, "diagnosis_unavailable",
                "This host cannot look into processes: pawl-inspect is missing, or the kernel forbids it.")
        }
        var object = JSONObject()
        object.string("run", id.description)
        object.int("attempt", live.attempt)
        object.time("taken_at", WallClock.now)
        object.raw("diagnosis", AttemptJSON.checked(found))
        return .json(object)
    }

    // MARK: Who has it

    /// The attempt, if this host runs it; else why that is not so.
    func attemptHere(_ id: RunID) async throws -> LiveAttempt {
        let run = try await existingRun(id)
        if run.state == .running, let live = host.live(runID: id), live.attempt == run.attempt { return live }
        guard run.state == .running else {
            var problem = Problem(
                .conflict, "not_running",
                run.state.isTerminal ? "The run is over: it \(run.state.rawValue)." : "The run does not run now.")
            problem.currentState = run.state
            throw problem
        }
        guard let owner = run.hostID, owner != host.hostView().id else { throw tooEarly }
        let name = try await store.hosts().first { $0.id == owner }?.hostname
        var problem = Problem(
            .conflict, "runs_elsewhere", "The run is on host \(name ?? "?") (\(owner)); only that one can do this.")
        problem.currentState = .running
        throw problem
    }

    private var tooEarly: Problem {
        var problem = Problem(.conflict, "starting", "The attempt's process has not begun yet.")
        problem.currentState = .running
        problem.isRetryable = true
        problem.retryAfter = 1
        return problem
    }

    private func tooLate(_ live: LiveAttempt, _ what: String) -> Problem {
        if live.startedAt == nil { return tooEarly }
        var problem = Problem(
            .conflict, "ending", "It is too late to \(what) attempt \(live.attempt): it is ending, or has ended.")
        problem.currentState = .running
        return problem
    }

    private func changed(
        _ id: RunID, _ hasChanged: Bool, _ more: (inout JSONObject) -> Void = { _ in }
    ) async throws -> Answer {
        var object = JSONObject()
        object.bool("changed", hasChanged)
        more(&object)
        object.object("run", RunJSON.object(try await existingRun(id), live: host.live(runID: id)))
        return .json(object)
    }
}
