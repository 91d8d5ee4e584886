import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Times of a schedule that lie in the past, as they were shown to somebody.
struct ScheduleBackfill: Sendable {
    var schedule: Int64
    var from: WallTime
    var to: WallTime
    var maxParallel: Int
    var includesForgotten: Bool
    var count: Int64
}

/// Runs of a schedule that its times did not make: by hand, and of times gone by.
extension Backend {
    // MARK: Trigger

    func triggerSchedule(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        let id = try await scheduleID(call)
        var reader = try ObjectReader(body: call.body)
        var changes = TriggerChanges()
        changes.args = reader.objectText("args", limitBytes: configuration.argsLimitBytes)
        changes.queue = reader.string("queue", limit: 100, isEmptyAllowed: false)
        changes.priority = RunInput.priority(&reader)
        changes.attempts = reader.int("attempts", in: 1...1000).map { Int($0) }
        changes.timeout = reader.milliseconds("timeout_ms", from: 1, to: RunInput.longestMilliseconds)
        changes.backoff = reader.decoded("backoff") { value throws(FieldFault) in try BackoffPolicy(value) }
        changes.queueTime = reader.milliseconds("queue_ms", from: 1, to: RunInput.longestQueueMilliseconds)
        changes.title = reader.string("title", limit: 500)
        changes.description = reader.string("description", limit: 10_000)
        changes.labels = RunInput.labels(&reader)
        changes.owner = reader.string("owner", limit: 200)
        changes.runAt = reader.time("run_at")
        changes.overlap = reader.word("overlap", OverlapPolicy.self)
        _ = reader.string("reason", limit: 500)  // The audit has it from the request.
        try reader.finish()
        // Whoever made the schedule may have chosen it; who only triggers it may end no run by force.
        if changes.overlap == .terminateRunning {
            try Gate.authorize(call.principal, Permission(.admin, .everything))
        }
        changes.idempotencyKey = try IdempotencyKey.read(call.headers)
        if changes.idempotencyKey != nil { changes.idempotencyFingerprint = IdempotencyKey.fingerprint(call) }
        let made = try await store.triggerSchedule(id, changes, actor: call.principal.name)
        if !made.isReplay { wake(made) }
        guard let run = try await store.run(made.id) else { throw Problem.notFound("run", made.id.description) }
        var object = RunJSON.object(run, live: nil, parts: [.args])
        if made.isUnchecked { object.bool("args_unchecked", true) }
        let answer = Answer.json(object, made.isReplay ? .ok : .created).with(.location, "/api/v1/runs/\(made.id)")
        return made.isReplay ? answer.with(.idempotencyReplayed, "true") : answer
    }

    // MARK: Backfill

    func backfillSchedule(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        let id = try await scheduleID(call)
        var reader = try ObjectReader(body: call.body)
        let from = reader.time("from")
        let to = reader.time("to")
        let maxParallel = reader.int("max_parallel", in: 1...1000)
        let includesForgotten = reader.bool("include_forgotten")
        let isDry = reader.bool("dry_run") ?? false
        let name = reader.string("plan", limit: 100)
        _ = reader.string("reason", limit: 500)  // The audit has it from the request.
        if name == nil {
            reader.require("from")
            reader.require("to")
        } else {
            if isDry { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
            if from != nil { reader.fault("from", "exclusive", "cannot stand beside plan, which has its own") }
            if to != nil { reader.fault("to", "exclusive", "cannot stand beside plan, which has its own") }
            if includesForgotten != nil {
                reader.fault("include_forgotten", "exclusive", "cannot stand beside plan, which has its own")
            }
            if maxParallel != nil {
                reader.fault("max_parallel", "exclusive", "cannot stand beside plan, which has its own")
            }
        }
        try reader.finish()
        let none = WallTime(micros: 0)
        let fresh = ScheduleBackfill(
            schedule: id, from: from ?? none, to: to ?? none, maxParallel: Int(maxParallel ?? 1),
            includesForgotten: includesForgotten ?? false, count: 0)
        if isDry { return .json(try await show(fresh)) }
        return try await once(call) {
            guard let name else { return try await backfill(fresh, call) }
            guard let known = backfillPlans.take(name) else { throw Plans.unknown }
            guard known.schedule == id else {
                backfillPlans.put(known, name)
                throw Plans.mismatch("The plan is of another schedule.")
            }
            let count = Int64(try await planBackfill(known).times.count)
            if Plans.hasGrown(from: known.count, to: count) {
                throw Plans.changed(
                    from: known.count, to: count, "would be made", plan: try await show(known))
            }
            return try await backfill(known, call)
        }
    }

    private func planBackfill(_ wanted: ScheduleBackfill) async throws(StoreError) -> BackfillPlan {
        try await store.planBackfill(
            wanted.schedule, from: wanted.from, to: wanted.to, includesForgotten: wanted.includesForgotten)
    }

    private func show(_ wanted: ScheduleBackfill) async throws -> JSONObject {
        let plan = try await planBackfill(wanted)
        var kept = wanted
        kept.count = Int64(plan.times.count)
        var object = JSONObject()
        object.string("plan", backfillPlans.make(kept))
        object.bool("dry_run", true)
        object.int("count", plan.times.count)
        object.int("existing", plan.existing)
        object.int("excluded", plan.excluded)
        object.int("max_parallel", wanted.maxParallel)
        object.strings("sample", plan.times.prefix(20).map(\.rfc3339))
        object.time("first", plan.times.first)
        object.time("last", plan.times.last)
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    private func backfill(_ wanted: ScheduleBackfill, _ call: Call) async throws -> Answer {
        let plan = try await planBackfill(wanted)
        let done = try await store.backfill(
            wanted.schedule, plan.times, maxParallel: wanted.maxParallel, actor: call.principal.name)
        var object = JSONObject()
        object.bool("dry_run", false)
        object.string("backfill", done.id.map { "bfl_\($0)" })
        object.int("count", done.runs.count)
        object.int("existing", plan.existing)
        object.int("excluded", plan.excluded)
        object.int("max_parallel", wanted.maxParallel)
        object.strings("runs", done.runs.prefix(100).map(\.description))
        return .json(object)
    }
}
