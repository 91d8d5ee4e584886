import HTTPTypes
import JobCore
import JobStore

/// Who did what.
extension Backend {
    var auditRoutes: [Route] {
        [
            Route(
                .get, "/api/v1/audit",
                query: ["actor", "action", "target", "result", "since", "until", "limit", "cursor"]
            ) { [self] in try await listAudit($0) }
        ]
    }

    private func listAudit(_ call: Call) async throws -> Answer {
        var filter = AuditFilter()
        filter.actor = try call.query.one("actor")
        filter.action = try call.query.one("action")
        filter.target = try call.query.one("target")
        filter.result = try call.query.one("result")
        filter.since = try call.query.time("since")
        filter.until = try call.query.time("until")
        let limit = Int(try call.query.int("limit", in: 1...200) ?? 50)
        let text = "\(filter)"
        if let given = try call.query.one("cursor") {
            filter.before = try Cursor.decodeAudit(given, filter: text, keys: keys)
        }
        var rows = try await store.auditRows(filter, limit: limit + 1)
        let hasMore = rows.count > limit
        rows.removeLast(rows.count - min(rows.count, limit))
        var object = JSONObject()
        object.array("items", rows.map { Self.row($0).text })
        object.string(
            "next_cursor", hasMore ? rows.last.map { Cursor.encode(audit: $0.id, filter: text, keys: keys) } : nil)
        object.raw("prev_cursor", "null")
        object.time("as_of", WallClock.now)
        return Answer.json(object).with(.cacheControl, "no-store")
    }

    private static func row(_ row: AuditRow) -> JSONObject {
        var object = JSONObject()
        object.string("id", String(row.id))
        object.time("time", row.time)
        object.string("actor", row.actor)
        object.string("action", row.action)
        object.string("target", row.target)
        object.string("reason", row.reason)
        object.string("result", row.result)
        object.string("request_id", row.request)
        object.string("address", row.address)
        object.raw("detail", row.detail?.json ?? "null")
        return object
    }
}
