import HTTPTypes
import JobCore
import JobStore
import Logging
import UVLoop

/// Which requests leave a row in the audit, and what stands in it.
///
/// Everything that may change something does, also where it was refused; but not the enqueueing of runs, which the runs
/// themselves tell of, nor a plan that changes nothing.
enum AuditTrail {
    /// Requests that change nothing of anybody's, whatever their method is.
    static let quiet: Set<String> = [
        "POST /api/v1/schedules/preview", "POST /api/v1/schedules/parse", "POST /api/v1/auth/logout",
    ]

    /// What the store calls what these do, where their paths would say something else: done and refused have one name.
    static let words = [
        "DELETE /api/v1/runs/{id}": "run.remove",
        "POST /api/v1/runs/{id}/run-now": "run.hurry",
        "PATCH /api/v1/queues/{queue}": "queue.limit",
        "DELETE /api/v1/quarantines/{handler}/{version}": "quarantine.lift",
        "DELETE /api/v1/tokens/{id}": "token.revoke",
        "POST /api/v1/safety/orphans/cleanup": "safety.orphans_cleanup",
        "POST /api/v1/safety/emergency": "emergency.on",
        "DELETE /api/v1/safety/emergency": "emergency.off",
        "POST /api/v1/plugins/{plugin}/versions": "plugin.upload",
        "DELETE /api/v1/plugins/{plugin}/versions/{version}": "plugin.remove",
        "POST /api/v1/apply": "state.apply",
        // Done, it is `runs.` and what was done to them.
        "POST /api/v1/bulk-operations": "runs.bulk",
        "DELETE /admin/jobs/queue/{queueName}/clear": "queue.clear",
        "DELETE /api/v1/admin/jobs/queue/{queueName}/clear": "queue.clear",
        "PATCH /admin/jobs/queue/{queueName}/pause": "queue.pause",
        "PATCH /api/v1/admin/jobs/queue/{queueName}/pause": "queue.pause",
        "PATCH /admin/jobs/queue/{queueName}/resume": "queue.resume",
        "PATCH /api/v1/admin/jobs/queue/{queueName}/resume": "queue.resume",
        "POST /admin/jobs/retry/{queueName}/{jobId}": "run.retry",
        "POST /api/v1/admin/jobs/retry/{queueName}/{jobId}": "run.retry",
        "PATCH /api/jobs/{id}/cancel": "run.cancel",
        "POST /api/jobs/{id}/retry": "run.retry",
        "POST /api/jobs/safety/cleanup-stale": "safety.cleanup_stale",
        "POST /api/jobs/safety/terminate/{id}": "safety.terminate",
        "POST /api/jobs/schedules": "schedule.create",
        "PUT /api/jobs/schedules/{id}": "schedule.replace",
        "DELETE /api/jobs/schedules/{id}": "schedule.delete",
    ]

    /// What a request on this route is called; nil: it leaves no row.
    static func action(_ method: HTTPRequest.Method, _ path: String, _ permission: Permission) -> String? {
        guard method != .get, method != .head, permission.role != nil, permission.scope != .enqueue,
            !quiet.contains("\(method) \(path)")
        else { return nil }
        if let word = words["\(method) \(path)"] { return word }
        var parts = path.split(separator: "/").map(String.init)
        while let first = parts.first, ["api", "v1", "admin"].contains(first) { parts.removeFirst() }
        // An old path for enqueueing.
        if method == .post, path == "/api/jobs" { return nil }
        let thing = parts.first.map { $0.hasSuffix("s") ? String($0.dropLast()) : $0 } ?? "host"
        let rest = parts.dropFirst().filter { !$0.hasPrefix("{") }
        let word: String
        if rest.isEmpty || (method == .delete && parts.last?.hasPrefix("{") == true) {
            let verb =
                switch method {
                case .post: "create"
                case .put: "replace"
                case .patch: "change"
                case .delete: "delete"
                default: method.rawValue.lowercased()
                }
            word = (rest + [verb]).joined(separator: ".")
        } else {
            word = rest.joined(separator: ".")
        }
        return "\(thing).\(word)".replacing("-", with: "_")
    }

    /// The same for one request, whose body may say more.
    static func action(_ action: String, of call: Call) -> String {
        guard action == words["POST /api/v1/bulk-operations"], call.body.count <= 1 << 20 else { return action }
        do throws(JSONFault) {
            let body = try JSONValue(parsing: String(decoding: call.body, as: UTF8.self))
            return body["action"]?.text.flatMap(BulkAction.init).map { "runs.\($0.rawValue)" } ?? action
        } catch {
            return action
        }
    }

    /// What is said of an answer; nil: nothing has happened that would be worth a row.
    static func result(status: Int, code: String?) -> String? {
        switch status {
        case 200..<400: "ok"
        // What was wrong with the request is not an action, unless it was not for this one to do.
        case 403, 409, 412, 423, 500...: code ?? String(status)
        default: nil
        }
    }

    /// The things that the path names, or else what was made.
    static func target(_ call: Call, _ route: Route, location: String?) -> String {
        let named = route.path.split(separator: "/").filter { $0.hasPrefix("{") }.compactMap {
            call.parameters[String($0.dropFirst().dropLast())]
        }
        if !named.isEmpty { return named.joined(separator: " ").clipped }
        return location?.split(separator: "/").last.map { String($0).clipped } ?? "-"
    }

    /// The reason that stands in the body or the query, and whether only a plan is asked for.
    static func wish(_ call: Call) -> (reason: String?, isPlan: Bool) {
        var reason = call.query.all("reason").first
        var isPlan = ["true", "1", ""].contains(call.query.all("dry_run").first ?? "false")
        if !call.body.isEmpty, call.body.count <= 1 << 20 {
            do throws(JSONFault) {
                let body = try JSONValue(parsing: String(decoding: call.body, as: UTF8.self))
                reason = body["reason"]?.text ?? reason
                if body["dry_run"] == .boolean(true) { isPlan = true }
            } catch {
                // The route refuses it.
            }
        }
        return (reason.map { String($0.prefix(1000)).replacing("\0", with: "") }, isPlan)
    }
}

extension Backend {
    /// Writes the row of a request; see `record`.
    typealias Recorder =
        @LoopActor @Sendable (_ action: String, _ target: String, _ call: Call, _ result: String) async -> Void

    /// One row for each request that did something: its own where the store has written none in the action's transaction.
    func record(_ action: String, _ target: String, of call: Call, result: String) async {
        if result == "ok", call.isPlan || call.record?.isNoted == true { return }
        let context =
            call.record ?? AuditContext(reason: nil, request: call.requestID, address: call.address)
        do {
            try await AuditContext.$current.withValue(context) {
                try await store.audit(actor: call.principal.name, action: action, target: target, result: result)
            }
        } catch {
            // The action itself is done, or refused: its answer must not be lost for its record.
            logger.warning(
                "an action is missing from the audit",
                metadata: [
                    "actor": "\(call.principal.name)", "action": "\(action)", "target": "\(target)",
                    "result": "\(result)", "request": "\(call.requestID)", "error": "\(error)",
                ])
        }
    }
}
