import HTTPTypes
import JobCore
import JobStore
import Logging
import UVLoop

/// Ending runs that have been running for too long: what it would end first, then the deed.
extension Backend {
    struct CleanupRequest {
        var olderThan = SafetyPolicy.usualStale
        var outcome = StaleOutcome.fail
        /// Empty: of all.
        var queues: Set<String> = []
        var plan: String?
        var reason: String?
        /// Said, not taken from the defaults: must agree with the plan.
        var saidAge = false
        var saidOutcome = false
        var saidQueues = false
    }

    func cleanupStale(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        var request = CleanupRequest()
        let age = reader.milliseconds("older_than_ms", to: RunInput.longestMilliseconds)
        let isDry = reader.bool("dry_run") ?? false
        if let word = reader.string("outcome", limit: 20) {
            if let outcome = StaleOutcome(rawValue: word) {
                request.outcome = outcome
                request.saidOutcome = true
            } else {
                reader.fault("outcome", "unknown_word", "must be fail or retry")
            }
        }
        if let value = reader.value("queues") {
            let names = value.elements?.compactMap(\.text) ?? []
            if names.isEmpty || names.count > 1000 || names.count != value.elements?.count {
                reader.fault("queues", "wrong_type", "must be a list of 1 to 1000 queues")
            }
            request.queues = Set(names.filter { !$0.utf8.contains(0) })
            request.saidQueues = true
        }
        request.plan = reader.string("plan", limit: 100)
        request.reason = reader.string("reason", limit: 1000)
        if isDry, request.plan != nil { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
        try reader.finish()
        if let age {
            request.olderThan = age
            request.saidAge = true
        } else {
            request.olderThan = try await store.safetyPolicy().policy.staleAfter
        }
        if isDry { return .json(try await show(request)) }
        return .json(try await cleanup(request, actor: call.principal.name))
    }

    private func show(_ request: CleanupRequest) async throws -> JSONObject {
        let runs = try await store.staleRuns(olderThan: request.olderThan, queues: request.queues)
        let name = plans.make(
            StalePlan(runs: runs, olderThan: request.olderThan, outcome: request.outcome, queues: request.queues))
        var object = JSONObject()
        object.string("plan", name)
        object.bool("dry_run", true)
        object.int("count", runs.count)
        object.array("sample", runs.prefix(20).map { SafetyJSON.stale($0).text })
        object.int("older_than_ms", request.olderThan.wholeMilliseconds)
        object.string("outcome", request.outcome.rawValue)
        object.strings("queues", request.queues.sorted())
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    /// Does what the plan says, or without one what is stale now.
    func cleanup(_ request: CleanupRequest, actor: String) async throws -> JSONObject {
        let began = LoopInstant.now
        var request = request
        let targets: [StaleRun]
        if let name = request.plan {
            guard let plan = plans.take(name) else { throw Plans.unknown }
            if (request.saidAge && request.olderThan != plan.olderThan)
                || (request.saidOutcome && request.outcome != plan.outcome)
                || (request.saidQueues && request.queues != plan.queues)
            {
                throw Plans.mismatch("The request asks for something else than the plan.")
            }
            request.olderThan = plan.olderThan
            request.outcome = plan.outcome
            request.queues = plan.queues
            let now = try await store.staleRuns(olderThan: plan.olderThan, queues: plan.queues)
            let (shown, found) = (Int64(plan.runs.count), Int64(now.count))
            if Plans.hasGrown(from: shown, to: found) { throw Plans.changed(from: shown, to: found, "are stale") }
            targets = plan.runs
        } else {
            targets = try await store.staleRuns(olderThan: request.olderThan, queues: request.queues)
        }
        let answers =
            targets.isEmpty
            ? []
            : try await store.cleanupStale(
                targets.map { (id: $0.id, attempt: $0.attempt) }, outcome: request.outcome, actor: actor)
        // Whoever runs it is told by the database; for ourselves that would be a detour.
        for (run, answer) in zip(targets, answers) where answer != .untouched {
            host.terminate(runID: run.id, attempt: run.attempt, grace: nil)
        }
        var row = SweepRow(kind: .cleanupStale, hasActed: true)
        row.hostID = host.hostView().id
        row.actor = actor
        row.reason = request.reason
        row.stale = targets.count
        row.count(answers, of: targets.map(\.id))
        row.took = LoopInstant.now - began
        await remember(row)
        if row.failed + row.requeued > 0 {
            var detail = JSONObject()
            detail.int("failed", row.failed)
            detail.int("requeued", row.requeued)
            detail.int("older_than_ms", request.olderThan.wholeMilliseconds)
            detail.string("reason", request.reason)
            await note(actor, "safety.cleanup_stale", "runs", detail)
        }
        var object = JSONObject()
        object.bool("dry_run", false)
        object.int("count", row.failed + row.requeued)
        object.int("failed", row.failed)
        object.int("requeued", row.requeued)
        object.int("untouched", row.untouched)
        object.strings("runs", row.runs.map(\.description))
        object.int("older_than_ms", request.olderThan.wholeMilliseconds)
        object.string("outcome", request.outcome.rawValue)
        object.strings("queues", request.queues.sorted())
        return object
    }

    /// For the history. That it cannot be written must not hide what was done.
    func remember(_ row: SweepRow) async {
        do throws(StoreError) { try await store.remember(row) } catch {
            logger.warning(
                "a cleanup is missing from the history",
                metadata: ["kind": "\(row.kind.rawValue)", "error": "\(error)"])
        }
    }
}
