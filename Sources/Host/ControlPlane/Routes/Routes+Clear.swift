import HTTPTypes
import JobCore
import JobStore
import Logging
import UVLoop

/// Clearing a queue or a job: what it would take away first, then the deed, in pieces.
extension Backend {
    var clearingRoutes: [Route] {
        [
            Route(.post, "/api/v1/queues/{queue}/clear", body: .json) { [self] in
                // A slip of the finger would clear nothing and say that all is well.
                let queue = try await store.queue($0.parameter("queue")).name
                return try await clear($0, .queue(queue))
            },
            Route(.post, "/api/v1/jobs/{name}/clear", body: .json) { [self] in
                try await clear($0, .job(try await store.job($0.parameter("name")).name))
            },
        ]
    }

    /// What a plan for a clear keeps.
    struct ClearPlan: Sendable {
        var request: ClearRequest
        /// Nil: whatever their age.
        var olderThan: Duration?
        var count: Int64
        /// Where to go on; nil: not begun.
        var cursor: ClearCursor?
    }

    /// What a clear did.
    struct Cleared: Sendable {
        var removed: [RunState: Int64] = [:]
        /// What is left to do; nil: nothing.
        var rest: ClearPlan?
        /// Why it stopped before its time was over.
        var problem: Problem?
        var count: Int64 { removed.values.reduce(0, +) }
    }

    private func clear(_ call: Call, _ scope: ClearRequest.Scope) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let states = ClearWords.states(&reader)
        let olderThan = reader.milliseconds("older_than_ms", to: RunInput.longestMilliseconds)
        let isDry = reader.bool("dry_run") ?? false
        let name = reader.string("plan", limit: 100)
        let reason = reader.string("reason", limit: 1000)
        if name != nil {
            if isDry { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
            if states != nil { reader.fault("states", "exclusive", "cannot stand beside plan, which has its own") }
            if olderThan != nil {
                reader.fault("older_than_ms", "exclusive", "cannot stand beside plan, which has its own")
            }
        } else if states == nil {
            reader.require("states")
        }
        try reader.finish()
        let now = try await store.databaseTime()
        let fresh = ClearPlan(
            request: ClearRequest(
                scope: scope, states: states ?? [], before: now.advanced(by: .zero - (olderThan ?? .zero))),
            olderThan: olderThan, count: 0)
        if isDry { return .json(try await show(fresh)) }
        return try await once(call) {
            var plan = fresh
            if let name {
                guard let known = clearPlans.take(name) else { throw Plans.unknown }
                guard known.request.scope == scope else {
                    clearPlans.put(known, name)
                    throw Plans.mismatch("The plan is of another queue or job.")
                }
                plan = known
                if plan.cursor == nil {
                    let count = try await count(plan).count
                    if Plans.hasGrown(from: plan.count, to: count) {
                        plan.request.before = now.advanced(by: .zero - (plan.olderThan ?? .zero))
                        throw Plans.changed(
                            from: plan.count, to: count, "would be cleared", plan: try await show(plan))
                    }
                }
            }
            let cleared = try await clear(plan, actor: call.principal.name, reason: reason, hangUp: call.hangUp)
            return .json(Self.answer(cleared, plan: cleared.rest.map { clearPlans.make($0) }))
        }
    }

    /// Works until all is done, time is over, or nobody listens any more.
    func clear(_ plan: ClearPlan, actor: String, reason: String?, hangUp: HangUp?) async throws -> Cleared {
        var cleared = Cleared()
        var cursor: ClearCursor? = plan.cursor ?? ClearCursor()
        let time = WorkTime()
        do throws(StoreError) {
            while let present = cursor, !time.isOver, hangUp?.happened != true {
                let step = try await store.clearStep(plan.request, present)
                for (state, n) in step.removed { cleared.removed[state, default: 0] += n }
                cursor = step.next
            }
        } catch {
            // Nothing of what was done before is undone by that.
            if cleared.count == 0 { throw error }
            cleared.problem = Problem(error)
        }
        if let cursor {
            var rest = plan
            rest.cursor = cursor
            rest.count = max(0, plan.count - cleared.count)
            cleared.rest = rest
        }
        if cleared.count > 0 {
            var detail = JSONObject()
            detail.raw("removed", Self.counts(cleared.removed))
            detail.string("reason", reason)
            let isQueue: Bool
            let target: String
            switch plan.request.scope {
            case .queue(let name): (isQueue, target) = (true, name)
            case .job(let name): (isQueue, target) = (false, name)
            }
            await note(actor, isQueue ? "queue.clear" : "job.clear", target, detail)
        }
        return cleared
    }

    /// For the record of what has been done. That it cannot be written must not hide what was done.
    func note(_ actor: String, _ action: String, _ target: String, _ detail: JSONObject) async {
        do throws(StoreError) {
            try await store.audit(actor: actor, action: action, target: target, detail: detail.text)
        } catch {
            logger.warning(
                "an action is missing from the audit",
                metadata: [
                    "action": "\(action)", "target": "\(target)", "detail": "\(detail.text)", "error": "\(error)",
                ])
        }
    }

    // MARK: Plans

    private func show(_ plan: ClearPlan) async throws -> JSONObject {
        var plan = plan
        let counted = try await count(plan)
        plan.count = counted.count
        var filter = RunFilter(states: plan.request.states)
        switch plan.request.scope {
        case .queue(let name): filter.queues = [name]
        case .job(let name): filter.jobs = [name]
        }
        let sample = try await store.runs(filter, limit: 20).runs.filter { run in
            (run.finishedAt ?? run.createdAt) < plan.request.before
        }
        var object = JSONObject()
        object.string("plan", clearPlans.make(plan))
        object.bool("dry_run", true)
        object.int("count", counted.count)
        object.string("count_is", counted.isWhole ? "exact" : "lower_bound")
        object.raw("by_state", Self.counts(counted.byState))
        object.strings("states", plan.request.states.map(\.rawValue).sorted())
        object.int("older_than_ms", plan.olderThan?.wholeMilliseconds)
        object.array("sample", sample.map { RunJSON.object($0).text })
        object.raw("untouched", Self.counts(try await others(plan.request)))
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    /// What there is beside it and stays.
    private func others(_ request: ClearRequest) async throws -> [RunState: Int64] {
        switch request.scope {
        case .queue(let name): try await store.queue(name).counts.filter { !request.states.contains($0.key) }
        case .job(let name): try await store.job(name).counts.filter { !request.states.contains($0.key) }
        }
    }

    /// From counters; where the age matters, by looking, for a few seconds at most.
    private func count(
        _ plan: ClearPlan
    ) async throws -> (count: Int64, byState: [RunState: Int64], isWhole: Bool) {
        if plan.olderThan == nil {
            let counts = try await store.clearCounts(plan.request)
            return (counts.values.reduce(0, +), counts, true)
        }
        var total: Int64 = 0
        var cursor: ClearCursor? = ClearCursor()
        var pieces = 0
        while let present = cursor, pieces < 200 {
            let piece = try await store.clearCount(plan.request, present)
            total += piece.count
            cursor = piece.next
            pieces += 1
        }
        return (total, [:], cursor == nil)
    }

    // MARK: Answers

    private static func answer(_ cleared: Cleared, plan: String?) -> JSONObject {
        var object = JSONObject()
        object.bool("dry_run", false)
        object.bool("complete", cleared.rest == nil)
        object.int("count", cleared.count)
        object.raw("removed", counts(cleared.removed))
        // With it the rest can be done.
        object.string("plan", plan)
        object.string("stopped_by", cleared.problem?.code)
        return object
    }

    private static func counts(_ counts: [RunState: Int64]) -> String {
        let named = counts.filter { $0.value != 0 }.map { (name: $0.key.rawValue, n: $0.value) }
        return "{" + named.sorted { $0.name < $1.name }.map { "\"\($0.name)\":\($0.n)" }.joined(separator: ",") + "}"
    }

    /// Does `body` for the first request with its key, which it must have, and repeats the answer for the others.
    func once(_ call: Call, _ body: @LoopActor () async throws -> Answer) async throws -> Answer {
        guard let key = try IdempotencyKey.read(call.headers) else {
            throw Problem.invalidHeader(
                "Idempotency-Key", "required", "is needed here, so that a repeated request does nothing twice")
        }
        if let known = try operations.begin(key, IdempotencyKey.fingerprint(call)) {
            return known.with(.idempotencyReplayed, "true")
        }
        do {
            let answer = try await body()
            operations.finish(key, answer)
            return answer
        } catch {
            operations.forget(key)
            throw error
        }
    }
}

/// The states that a clear may name.
enum ClearWords {
    static let groups: [(name: String, states: Set<RunState>)] = [
        ("finished", [.succeeded, .failed, .cancelled]), ("waiting", [.scheduled, .retrying, .blocked]),
        ("all", [.succeeded, .failed, .cancelled, .queued, .scheduled, .retrying, .blocked]),
    ]

    /// A list of states and of names for several of them; nil if it is not there, or wrong.
    static func states(_ reader: inout ObjectReader) -> Set<RunState>? {
        guard let value = reader.value("states") else { return nil }
        let words = value.elements ?? [value]
        var states: Set<RunState> = []
        for (index, word) in words.enumerated() {
            if let group = groups.first(where: { $0.name == word.text }) {
                states.formUnion(group.states)
            } else if let state = word.text.flatMap(RunState.init(rawValue:)), state != .running {
                states.insert(state)
            } else {
                let known = RunState.allCases.filter { $0 != .running }.map(\.rawValue) + groups.map(\.name)
                let detail =
                    word.text == RunState.running.rawValue
                    ? "runs that are running are never cleared; cancel or terminate them"
                    : "must be one of " + known.joined(separator: ", ")
                reader.fault(FieldFault(pointer: "/\(index)", code: "unknown_word", detail: detail), at: "states")
            }
        }
        if states.isEmpty, reader.faults.isEmpty { reader.fault("states", "out_of_range", "must name at least one") }
        return states
    }
}
