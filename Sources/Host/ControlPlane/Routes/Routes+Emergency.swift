import HTTPTypes
import JobCore
import JobStore

/// What everybody must stop doing.
extension Backend {
    /// How many runs somebody saw before they were all ended.
    struct EmergencyPlan: Sendable {
        var mode: EmergencyMode
        var running: Int64
    }

    /// Refuses runs from outside while nobody takes them.
    func refuseInEmergency() async throws {
        guard let order = try await store.order(.refuseNew) else { return }
        var problem = Problem(
            .init(code: 423, reasonPhrase: "Locked"), "emergency", "No new runs are taken: \(order.reason)")
        problem.isRetryable = true
        problem.retryAfter = 60
        throw problem
    }

    func declareEmergency(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        reader.require("mode")
        let mode = reader.word("mode", EmergencyMode.self)
        let reason = reader.string("reason", limit: 1000, isEmptyAllowed: false)
        let isDry = reader.bool("dry_run") ?? false
        let name = reader.string("plan", limit: 100)
        if !isDry { reader.require("reason") }
        if isDry, name != nil { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
        try reader.finish()
        guard let mode else { preconditionFailure("finish() throws when the mode is missing") }
        if isDry { return .json(try await show(mode)) }
        guard let reason else { preconditionFailure("finish() throws when the reason is missing") }
        return try await once(call) {
            if let name {
                guard let plan = emergencyPlans.take(name) else { throw Plans.unknown }
                guard plan.mode == mode else {
                    emergencyPlans.put(plan, name)
                    throw Plans.mismatch("The plan is of \(plan.mode.rawValue).")
                }
                let now = try await running()
                if mode == .terminateAll, Plans.hasGrown(from: plan.running, to: now) {
                    throw Plans.changed(from: plan.running, to: now, "are running", plan: try await show(mode))
                }
            }
            let done = try await store.declare(mode, reason: reason, actor: call.principal.name)
            for run in done.ended { host.terminate(runID: run.id, attempt: run.attempt, grace: nil) }
            var object = SafetyJSON.emergency(store.emergency)
            object.bool("changed", done.isNew || !done.ended.isEmpty)
            object.int("count", done.ended.count)
            return .json(object)
        }
    }

    private func running() async throws -> Int64 {
        try await store.safetyCounts(staleAfter: SafetyPolicy.usualStale).counts[.running] ?? 0
    }

    private func show(_ mode: EmergencyMode) async throws -> JSONObject {
        let running = try await running()
        var object = JSONObject()
        object.string("plan", emergencyPlans.make(EmergencyPlan(mode: mode, running: running)))
        object.bool("dry_run", true)
        object.string("mode", mode.rawValue)
        object.int("count", mode == .terminateAll ? running : 0)
        object.string("effect", SafetyJSON.effect(mode))
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    func liftEmergency(_ call: Call) async throws -> Answer {
        var modes: Set<EmergencyMode> = []
        for word in call.query.all("mode") {
            guard let mode = EmergencyMode(rawValue: word) else {
                throw Problem.invalidParameter(
                    "mode", "unknown_word",
                    "must be one of " + EmergencyMode.allCases.map(\.rawValue).joined(separator: ", "))
            }
            modes.insert(mode)
        }
        let reason = try call.query.one("reason")
        let lifted = try await store.lift(
            modes.isEmpty ? Set(EmergencyMode.allCases) : modes, reason: reason, actor: call.principal.name)
        if !lifted.isEmpty { host.emergencyChanged() }
        var object = SafetyJSON.emergency(store.emergency)
        object.bool("changed", !lifted.isEmpty)
        object.strings("lifted", lifted.map(\.rawValue))
        return .json(object)
    }
}
