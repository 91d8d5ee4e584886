import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Who did what, why, and what came of it.
@Suite struct AuditTests {
    @Test func everyChangingRouteHasAName() {
        var names: Set<String> = []
        for (key, permission) in Permission.table {
            let parts = key.split(separator: " ").map(String.init)
            guard let method = HTTPRequest.Method(parts[0]) else { continue }
            let action = AuditTrail.action(method, parts[1], permission)
            if method == .get {
                #expect(action == nil)
            } else if permission.scope == .enqueue || AuditTrail.quiet.contains(key) || key == "POST /api/jobs" {
                #expect(action == nil, "\(key)")
            } else {
                #expect(action?.contains(".") == true && action?.contains("{") == false, "\(key)")
                action.map { _ = names.insert($0) }
            }
        }
        for name in [
            "run.cancel", "run.terminate", "run.retry", "run.remove", "run.change", "queue.pause", "queue.clear",
            "job.settings", "schedule.create", "schedule.replace", "schedule.delete", "plugin.activate",
            "safety.cleanup_stale", "safety.orphans_cleanup", "token.create", "token.revoke", "runs.bulk",
            "emergency.on", "emergency.off", "run.hurry", "queue.limit", "quarantine.lift", "plugin.upload",
            "plugin.rollback",
            "token.rotate",
        ] { #expect(names.contains(name), "\(name)") }
        for key in AuditTrail.words.keys { #expect(Permission.table[key] != nil, "\(key) is a word without a route") }
    }

    @Test func onlyWhatHappenedOrWasForbiddenIsKept() {
        #expect(AuditTrail.result(status: 201, code: nil) == "ok")
        #expect(AuditTrail.result(status: 403, code: "insufficient_scope") == "insufficient_scope")
        #expect(AuditTrail.result(status: 500, code: "internal_error") == "internal_error")
        for status in [400, 401, 404, 405, 413, 415, 422, 429] {
            #expect(AuditTrail.result(status: status, code: "x") == nil)
        }
    }

    @Test func oneRowForEachThing() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"mail\"}")
            let viewer = try await TokenTests.make(plane, "{\"name\":\"eve\",\"role\":\"viewer\"}").token
            #expect(
                try await plane.send(
                    .post, "/api/v1/runs/\(id)/cancel", "{\"reason\":\"mine\"}", token: viewer
                ).status == 403)
            #expect(try await plane.post("/api/v1/runs/\(id)/cancel", "{\"reason\":\"wrong input\"}").status == 200)
            #expect(try await plane.post("/api/v1/queues/mail/pause", "{\"reason\":\"full moon\"}").status == 200)
            #expect(try await plane.post("/api/v1/queues/mail/pause", "{\"colour\":1}").status == 422)
            let plan = try await plane.post("/api/v1/safety/cleanup-stale", "{\"dry_run\":true}")
            #expect(plan.status == 200)

            let rows = try await plane.get("/api/v1/audit").items
            func line(_ row: JSONValue) -> String {
                ["actor", "action", "target", "result", "reason"].map { row[$0]?.text ?? "-" }.joined(separator: " ")
            }
            #expect(
                rows.map(line) == [
                    "admin queue.pause mail ok full moon",
                    "admin run.cancel \(id) ok wrong input",
                    "token:eve run.cancel \(id) insufficient_scope -",
                    "admin token.create eve ok -",
                ])
            #expect(
                rows.allSatisfy { $0["request_id"]?.text?.hasPrefix("req_") == true && $0["address"]?.text == "test" })
            // Nobody less than an administrator reads it.
            #expect(try await plane.send(.get, "/api/v1/audit", token: viewer).status == 403)
        }
    }

    @Test func doneAndRefusedHaveOneName() async throws {
        try await withOwnPlane { plane in
            let made = try await TokenTests.make(plane, "{\"name\":\"eve\",\"role\":\"viewer\"}")
            let id = try await plane.makeRun()
            let requests: [(HTTPRequest.Method, String, String?)] = [
                (.post, "/api/v1/safety/emergency", "{\"mode\":\"stop_scheduling\",\"reason\":\"a fire\"}"),
                (.delete, "/api/v1/safety/emergency", nil),
                (.post, "/api/v1/bulk-operations", "{\"action\":\"cancel\",\"ids\":[\"\(id)\"]}"),
                (.post, "/api/v1/queues/default/exclusive", "{\"exclusive\":true}"),
                (.post, "/api/v1/queues/default/exclusive", "{\"exclusive\":false}"),
                (.delete, "/api/v1/tokens/\(made.id)", nil),
            ]
            for token in [made.token, Harness.token] {
                for (index, (method, path, body)) in requests.enumerated() {
                    let key: [HTTPField.Name: String] = [.idempotencyKey: "k\(index)"]
                    let reply = try await plane.send(method, path, body, token: token, headers: key)
                    #expect((reply.status == 403) == (token == made.token), "\(path) \(reply.text)")
                    // What is only repeated leaves nothing.
                    guard token == Harness.token, method == .post, !path.hasSuffix("exclusive") else { continue }
                    let again = try await plane.send(method, path, body, headers: key)
                    #expect(again.headers[.idempotencyReplayed] == "true")
                }
            }
            let rows = try await plane.get("/api/v1/audit").items.reversed().map { row in
                "\(row["action"]?.text ?? "") \(row["result"]?.text ?? "")"
            }
            #expect(
                rows == [
                    "token.create ok", "emergency.on insufficient_scope", "emergency.off insufficient_scope",
                    "runs.bulk insufficient_scope", "queue.exclusive insufficient_scope",
                    "queue.exclusive insufficient_scope", "token.revoke insufficient_scope", "emergency.on ok",
                    "emergency.off ok", "runs.cancel ok", "queue.exclusive ok", "queue.exclusive ok", "token.revoke ok",
                ])
        }
    }

    @Test func pagesAndFilters() async throws {
        try await withOwnPlane { plane in
            for n in 0..<7 { try await plane.store.audit(actor: "a\(n % 2)", action: "x.y\(n % 3)", target: "t\(n)") }
            func targets(_ query: String) async throws -> [String] {
                try await plane.get("/api/v1/audit?" + query).items.compactMap { $0["target"]?.text }
            }
            #expect(try await targets("limit=3") == ["t6", "t5", "t4"])
            #expect(try await targets("actor=a1") == ["t5", "t3", "t1"])
            #expect(try await targets("action=x.y1") == ["t4", "t1"])
            #expect(try await targets("action=x.*&actor=a0").count == 4)
            #expect(try await targets("action=x.") == [])
            #expect(try await targets("target=t2") == ["t2"])
            #expect(try await targets("result=error") == [])
            #expect(try await targets("since=2100-01-01T00:00:00Z") == [])
            #expect(try await targets("until=2100-01-01T00:00:00Z").count == 7)
            var seen: [String] = []
            var cursor: String?
            repeat {
                let page = try await plane.get("/api/v1/audit?limit=3" + (cursor.map { "&cursor=\($0)" } ?? ""))
                seen += page.items.compactMap { $0["target"]?.text }
                cursor = page["next_cursor"]?.text
            } while cursor != nil
            #expect(seen == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"])
            let first = try #require(try await plane.get("/api/v1/audit?limit=3")["next_cursor"]?.text)
            #expect(try await plane.get("/api/v1/audit?actor=a1&cursor=\(first)").code == "cursor_mismatch")
            #expect(try await plane.get("/api/v1/audit?limit=0").status == 400)
        }
    }
}
