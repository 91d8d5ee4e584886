import HTTPTypes
import JobCore
import JobStore

/// The same action on many runs, by filter or by name: what it would do first, then the deed.
extension Backend {
    var bulkRoutes: [Route] {
        [Route(.post, "/api/v1/bulk-operations", body: .batch) { [self] in try await bulk($0) }]
    }

    /// What a plan for a bulk operation keeps.
    struct BulkPlan: Sendable {
        var order: BulkOrder
        /// A part has been done.
        var isBegun = false
    }

    /// What was done to the runs of an order.
    private struct Tally {
        /// Runs that were looked at, from the first on.
        var looked = 0
        var done = 0
        /// In a state where it could not be done.
        var untouched = 0
        var refused: [(id: RunID, code: String, detail: String)] = []
        /// New runs by what they repeat.
        var made: [(of: RunID, new: RunID)] = []
        /// Why it stopped before its time was over.
        var stoppedBy: Problem?
    }

    private func bulk(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        let isDry = reader.bool("dry_run") ?? false
        if let name = reader.string("plan", limit: 100) {
            if isDry { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
            for field in ["action", "ids", "filter", "params", "max"] where reader.has(field) {
                _ = reader.raw(field)
                reader.fault(field, "exclusive", "cannot stand beside plan, which has its own")
            }
            try reader.finish()
            return try await once(call) { try await apply(name, call) }
        }
        let order = BulkOrder.read(&reader, now: WallClock.now, argsLimit: configuration.argsLimitBytes)
        try reader.finish()
        guard let order else { preconditionFailure("finish() throws when the action is missing") }
        if isDry { return .json(try await show(order)) }
        return try await once(call) {
            var order = order
            if let filter = order.filter { order.ids = try await collect(filter, order.limit).ids }
            return try await perform(BulkPlan(order: order), call)
        }
    }

    private func apply(_ name: String, _ call: Call) async throws -> Answer {
        guard let plan = bulkPlans.take(name) else { throw Plans.unknown }
        if let filter = plan.order.filter, !plan.isBegun {
            let now = Int64(try await collect(filter, plan.order.limit).ids.count)
            let shown = Int64(plan.order.ids.count)
            if Plans.hasGrown(from: shown, to: now) {
                throw Plans.changed(from: shown, to: now, "match", plan: try await show(plan.order))
            }
        }
        // What was shown is what is done: what has come since is not in it.
        return try await perform(plan, call)
    }

    /// - Returns: newest first; and whether there are more than `limit`.
    private func collect(_ filter: RunFilter, _ limit: Int) async throws -> (ids: [RunID], hasMore: Bool) {
        var ids: [RunID] = []
        var cursor: RunCursor?
        let time = WorkTime()
        repeat {
            // In small pieces: each is decoded in one go.
            let page = try await store.runs(filter, limit: min(200, limit - ids.count), cursor: cursor)
            ids += page.runs.map(\.id)
            cursor = page.next
        } while ids.count < limit && cursor != nil && !time.isOver
        return (ids, cursor != nil)
    }

    private func show(_ order: BulkOrder) async throws -> JSONObject {
        var order = order
        var hasMore = false
        if let filter = order.filter { (order.ids, hasMore) = try await collect(filter, order.limit) }
        var sample: [RunRow] = []
        for id in order.ids.prefix(20) {
            if let run = try await store.run(id) { sample.append(run) }
        }
        var object = JSONObject()
        object.string("plan", bulkPlans.make(BulkPlan(order: order)))
        object.bool("dry_run", true)
        object.string("action", order.action.rawValue)
        object.int("count", order.ids.count)
        object.string("count_is", hasMore ? "lower_bound" : "exact")
        object.array("sample", sample.map { RunJSON.object($0).text })
        object.time("created_after", order.filter?.createdAfter)
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    // MARK: The deed

    private func perform(_ plan: BulkPlan, _ call: Call) async throws -> Answer {
        if plan.order.action == .retry {
            try refuseWhileDraining()
            try await refuseInEmergency()
        }
        var tally = Tally()
        let ids = plan.order.ids
        let time = WorkTime()
        while tally.looked < ids.count, !time.isOver, !call.hangUp.happened, tally.stoppedBy == nil {
            let piece = Array(ids[tally.looked..<min(tally.looked + 200, ids.count)])
            do {
                try await perform(plan.order, piece, &tally, time, actor: call.principal.name)
            } catch let error as StoreError {
                // Nothing of what was done before is undone by that.
                if tally.looked == 0 { throw error }
                tally.stoppedBy = Problem(error)
            }
        }
        var rest: String?
        if tally.looked < ids.count {
            var left = plan
            left.order.ids = Array(ids[tally.looked...])
            left.isBegun = true
            rest = bulkPlans.make(left)
        }
        if tally.done > 0 {
            var detail = JSONObject()
            detail.int("done", tally.done)
            detail.string("reason", plan.order.reason)
            await note(call.principal.name, "runs.\(plan.order.action.rawValue)", "runs", detail)
        }
        return .json(Self.answer(plan.order.action, tally, ids.count, rest))
    }

    /// Goes through a piece, or, where each run is a step of its own, as far as time allows.
    private func perform(
        _ order: BulkOrder, _ ids: [RunID], _ tally: inout Tally, _ time: WorkTime, actor: String
    ) async throws {
        let done: Set<RunID>
        switch order.action {
        case .retry, .cancel:
            for id in ids where !time.isOver {
                try await performAlone(order, id, &tally, actor: actor)
                tally.looked += 1
            }
            return
        case .delete: done = try await store.remove(ids)
        case .setPriority:
            let answer = try await store.setPriority(ids, order.priority)
            for queue in answer.queues { host.enqueued(queue: queue, rank: -Int(order.priority)) }
            done = answer.changed
        case .runNow:
            let hurried = try await store.hurry(ids)
            for lane in Set(hurried.map { Lane(queue: $0.queue, rank: $0.rank) }) {
                host.enqueued(queue: lane.queue, rank: Int(lane.rank))
            }
            done = Set(hurried.map(\.id))
        }
        tally.done += done.count
        tally.untouched += ids.count - done.count
        tally.looked += ids.count
    }

    private func performAlone(_ order: BulkOrder, _ id: RunID, _ tally: inout Tally, actor: String) async throws {
        do {
            if order.action == .retry {
                let enqueued = try await store.retry(id, order.changes)
                wake(enqueued)
                tally.made.append((id, enqueued.id))
                tally.done += 1
            } else {
                let stopped = try await stop(id, .cancel, reason: order.reason, grace: order.grace, actor: actor)
                if stopped.hasChanged { tally.done += 1 } else { tally.untouched += 1 }
            }
        } catch let problem as Problem where problem.status == .conflict {
            tally.untouched += 1
        } catch let problem as Problem {
            tally.refused.append((id, problem.code, problem.detail))
        } catch let error as StoreError where !error.isTransient {
            let problem = Problem(error)
            if problem.status == .conflict {
                tally.untouched += 1
            } else {
                tally.refused.append((id, problem.code, problem.detail))
            }
        }
    }

    private static func answer(_ action: BulkAction, _ tally: Tally, _ count: Int, _ rest: String?) -> JSONObject {
        var object = JSONObject()
        object.bool("dry_run", false)
        object.string("action", action.rawValue)
        object.bool("complete", rest == nil)
        object.int("count", tally.done)
        object.int("untouched", tally.untouched)
        object.int("failed", tally.refused.count)
        object.int("remaining", count - tally.looked)
        // The first of them tell enough.
        object.array(
            "errors",
            tally.refused.prefix(100).map { entry in
                var object = JSONObject()
                object.string("id", entry.id.description)
                object.string("code", entry.code)
                object.string("detail", entry.detail)
                return object.text
            })
        object.array(
            "runs",
            tally.made.prefix(1000).map { entry in
                var object = JSONObject()
                object.string("retry_of", entry.of.description)
                object.string("id", entry.new.description)
                return object.text
            })
        // With it the rest can be done.
        object.string("plan", rest)
        object.string("stopped_by", tally.stoppedBy?.code)
        return object
    }
}
