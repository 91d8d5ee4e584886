import HTTPTypes
import JobCore
import JobStore

/// Calendars, queues, jobs and schedules made what somebody has written down: in one transaction, and again without effect.
extension Backend {
    var stateRoutes: [Route] {
        [Route(.post, "/api/v1/apply", body: .batch) { [self] in try await applyState($0) }]
    }

    /// What was asked for besides the state itself.
    struct ApplyWish {
        /// Whose files these are; nil: nobody's.
        var set: String?
        var prunes = false
        var isDry = false
        var plan: String?
    }

    private func applyState(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        var wish = Self.wish(&reader)
        wish.set = reader.string("set", limit: 100, isEmptyAllowed: false) ?? "default"
        wish.prunes = reader.bool("prune") ?? false
        let state = stateInput(&reader)
        try reader.finish()
        return .json(try await apply(state, wish, call, problems: nil))
    }

    /// `dry_run`, `plan`, `reason`.
    static func wish(_ reader: inout ObjectReader) -> ApplyWish {
        var wish = ApplyWish()
        wish.isDry = reader.bool("dry_run") ?? false
        wish.plan = reader.string("plan", limit: 100)
        _ = reader.string("reason", limit: 1000)
        if wish.isDry, wish.plan != nil { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
        return wish
    }

    /// Shows what would be done, or does it.
    /// - Parameter problems: JSON objects of what could not be read.
    func apply(_ state: StateInput, _ wish: ApplyWish, _ call: Call, problems: [String]?) async throws -> JSONObject {
        let plan = try await planState(state, set: wish.set, prunes: wish.prunes)
        if !plan.faults.isEmpty { throw Problem.invalid(plan.faults) }
        if wish.isDry {
            // What would be refused is refused now.
            try await store.checkState(plan.changes.map { ($0.pointer, $0.change) })
            return answer(plan, isDry: true, problems, name: statePlans.make(plan.fingerprint))
        }
        try refuseWhileDraining()
        if let name = wish.plan {
            guard let seen = statePlans.take(name) else { throw Plans.unknown }
            guard seen == plan.fingerprint else {
                var problem = Problem(
                    .conflict, "plan_changed", "What would be done now is not what the plan showed. Look again.",
                    fields: [.init(.pointer("/plan"), "plan_changed", "shows something else")])
                problem.plan = answer(plan, isDry: true, problems, name: statePlans.make(plan.fingerprint)).text
                throw problem
            }
        }
        let names = wish.set.map {
            AppliedNames(
                set: $0, schedules: state.schedules.compactMap(\.input.name),
                calendars: state.calendars.map(\.input.name))
        }
        try await store.applyState(
            plan.changes.map { ($0.pointer, $0.change) }, names: names, actor: call.principal.name)
        return answer(plan, isDry: false, problems, name: nil)
    }

    private func answer(_ plan: StatePlan, isDry: Bool, _ problems: [String]?, name: String?) -> JSONObject {
        var object = JSONObject()
        object.bool("dry_run", isDry)
        if let name {
            object.string("plan", name)
            object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        }
        object.int("count", plan.changes.count)
        object.int("unchanged", plan.unchanged)
        object.array("changes", plan.changes.map(\.json))
        if let problems { object.array("problems", problems) }
        return object
    }
}
