import HTTPTypes
import JobCore
import JobStore

/// What hosts do by themselves, and what they have done.
extension Backend {
    func readPolicy(_ call: Call) async throws -> Answer {
        let row = try await store.safetyPolicy()
        return Answer.json(SafetyJSON.policy(row)).tagged(call, revision: row.revision, by: [])
    }

    func writePolicy(_ call: Call) async throws -> Answer {
        let revision = try EntityTag.revision(call.headers, isRequired: true)
        var reader = try ObjectReader(body: call.body)
        var policy = SafetyPolicy()
        let longest = SafetyPolicy.timeRange.upperBound.wholeMilliseconds
        if let mode = reader.word("mode", SafetyPolicy.Mode.self) { policy.mode = mode }
        if let outcome = reader.word("outcome", StaleOutcome.self) { policy.outcome = outcome }
        if let age = reader.milliseconds("stale_after_ms", to: longest) { policy.staleAfter = age }
        if let pause = reader.milliseconds("sweep_every_ms", to: longest) { policy.sweepEvery = pause }
        if let idle = reader.milliseconds("idle_after_ms", to: longest) { policy.stuck.idleAfter = idle }
        if let value = reader.value("slow_factor") {
            if case .number(let text) = value, let factor = Double(text) {
                policy.stuck.slowFactor = factor
            } else {
                reader.fault("slow_factor", "wrong_type", "must be a number")
            }
        }
        if let text = reader.objectText("stuck_after_ms") {
            var times = try ObjectReader(text, under: "/stuck_after_ms")
            if let time = times.milliseconds("low", to: longest) { policy.stuck.times.low = time }
            if let time = times.milliseconds("medium", to: longest) { policy.stuck.times.medium = time }
            if let time = times.milliseconds("high", to: longest) { policy.stuck.times.high = time }
            if let time = times.milliseconds("critical", to: longest) { policy.stuck.times.critical = time }
            times.noteUnknown()
            reader.add(times.faults)
        }
        let reason = reader.string("reason", limit: 1000)
        reader.require("mode")
        try reader.finish()
        switch try await store.setSafetyPolicy(policy, ifRevision: revision, actor: call.principal.name, reason: reason)
        {
        case .changed(let row):
            return Answer.json(SafetyJSON.policy(row)).tagged(call, revision: row.revision, by: [])
        case .mismatch(let now):
            throw Problem(
                .preconditionFailed, "etag_mismatch",
                "The policy was changed meanwhile: its revision is \(now). Look at it again.")
        }
    }

    func listSweeps(_ call: Call) async throws -> Answer {
        let limit = Int(try call.query.int("limit", in: 1...200) ?? 50)
        let before = try call.query.int("cursor", in: 1...Int64.max)
        let word = try call.query.one("found")
        guard word == nil || word == "true" || word == "false" else {
            throw Problem.invalidParameter("found", "wrong_type", "must be true or false")
        }
        let rows = try await store.sweeps(before: before, limit: limit, foundOnly: word == "true")
        var object = JSONObject()
        object.array("items", rows.map { SafetyJSON.sweep($0).text })
        object.string("next_cursor", rows.count == limit ? rows.last.map { "\($0.id)" } : nil)
        object.raw("prev_cursor", "null")
        object.time("as_of", WallClock.now)
        return .json(object)
    }
}
