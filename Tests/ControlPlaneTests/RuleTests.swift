import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Pause, drain and limits of queues and jobs over HTTP.
@Suite struct RuleTests {
    @Test func aQueueIsLimitedByWhoHasSeenIt() async throws {
        try await withOwnPlane { plane in
            _ = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-limit\"}")
            let path = "/api/v1/queues/q-limit"
            #expect(try await plane.send(.patch, path, "{\"concurrency\":3}").status == 428)
            let tag = try #require(try await plane.get(path).headers[.eTag])
            let first = try await plane.send(.patch, path, "{\"concurrency\":3}", headers: [.ifMatch: tag])
            #expect(first.status == 200 && first["concurrency"]?.integer == 3, "\(first.text)")
            #expect(first["host_concurrency"] == .null && first["service"]?.text == "active")
            let second = try await plane.send(.patch, path, "{\"concurrency\":4}", headers: [.ifMatch: tag])
            #expect(second.status == 412 && second.code == "etag_mismatch")
            let wrong = try await plane.send(.patch, path, "{\"concurrency\":0}", headers: [.ifMatch: "*"])
            #expect(wrong.status == 422)
            #expect(wrong["errors"]?.elements?.first?["pointer"]?.text == "/concurrency")
            let off = try await plane.send(
                .patch, path, "{\"concurrency\":null,\"host_concurrency\":2}", headers: [.ifMatch: "*"])
            #expect(off["concurrency"] == .null && off["host_concurrency"]?.integer == 2)
            #expect(try await plane.get(path)["host_concurrency"]?.integer == 2)
            // Before anything comes into it, if that is meant.
            let new = try await plane.send(
                .patch, "/api/v1/queues/q-new", "{\"concurrency\":1}", headers: [.ifMatch: "*"])
            #expect(new.status == 200 && new["name"]?.text == "q-new")
        }
    }

    @Test func aJobIsPausedDrainedResumedAndLimited() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/jobs/test.echo"
            let id = try await plane.makeRun("{\"job\":\"test.echo\"}")
            let paused = try await plane.post(
                "\(path)/pause", "{\"reason\":\"repairs\",\"until\":\"2099-01-01T00:00:00Z\"}")
            #expect(paused["changed"] == .boolean(true) && paused["job"]?["service"]?.text == "paused")
            #expect(paused["job"]?["pause_until"]?.text == "2099-01-01T00:00:00.000000Z")
            #expect(paused["job"]?["pause_reason"]?.text == "repairs")
            let why = try await plane.get("/api/v1/runs/\(id)/explain")
            #expect(why["cause"]?.text ?? why["explanation"]?["cause"]?.text == "job_paused", "\(why.text)")
            let past = try await plane.post("\(path)/pause", "{\"until\":\"2001-01-01T00:00:00Z\"}")
            #expect(past.status == 422 && past["errors"]?.elements?.first?["pointer"]?.text == "/until")
            #expect(try await plane.post("\(path)/drain")["job"]?["service"]?.text == "drained")
            #expect(try await plane.post("\(path)/resume")["changed"] == .boolean(true))
            #expect(try await plane.post("\(path)/resume")["changed"] == .boolean(false))
            #expect(try await plane.post("/api/v1/jobs/test.ehco/pause").status == 404)
            let limited = try await plane.send(
                .patch, "\(path)/settings", "{\"concurrency\":2}", headers: [.ifMatch: "*"])
            #expect(limited["concurrency"]?.integer == 2, "\(limited.text)")
            let wrong = try await plane.send(
                .patch, "\(path)/settings", "{\"host_concurrency\":-1}", headers: [.ifMatch: "*"])
            #expect(wrong.status == 422 && wrong["errors"]?.elements?.first?["pointer"]?.text == "/host_concurrency")
        }
    }

    @Test func allPausesAreListed() async throws {
        try await withOwnPlane { plane in
            #expect(try await plane.get("/api/v1/pauses").items.isEmpty)
            _ = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"mail\"}")
            _ = try await plane.post("/api/v1/queues/mail/drain", "{\"reason\":\"a move\"}")
            _ = try await plane.post("/api/v1/jobs/test.other/pause", "{\"until\":\"2099-01-01T00:00:00Z\"}")
            let found = try await plane.get("/api/v1/pauses").items
            #expect(found.map { $0["kind"]?.text } == ["queue", "job"])
            #expect(found.map { $0["name"]?.text } == ["mail", "test.other"])
            #expect(found.map { $0["reason"] } == [.string("a move"), .null])
            #expect(found.map { $0["drain"] } == [.boolean(true), .boolean(false)])
            #expect(found[0]["until"] == .null && found[1]["until"]?.text == "2099-01-01T00:00:00.000000Z")
            _ = try await plane.post("/api/v1/queues/mail/resume")
            #expect(try await plane.get("/api/v1/pauses").items.map { $0["name"]?.text } == ["test.other"])
        }
    }

    @Test func waitingForAHolderOrTheEndOfAnEmergencyIsExplained() async throws {
        try await withOwnPlane { plane in
            func why(_ id: RunID) async throws -> JSONValue? {
                try await plane.get("/api/v1/runs/\(id)/explain")["explanation"]
            }
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"solo\"}")
            _ = try await plane.post("/api/v1/queues/solo/exclusive", "{\"exclusive\":true}")
            #expect(try await why(id)?["cause"]?.text == "exclusive", "nobody holds it")
            let emergency = try await plane.post(
                "/api/v1/safety/emergency", "{\"mode\":\"pause_queues\",\"reason\":\"a fire\"}",
                headers: [.idempotencyKey: "k"])
            #expect(emergency.status == 200, "\(emergency.text)")
            let told = try await why(id)
            #expect(told?["cause"]?.text == "emergency")
            #expect(told?["summary"]?.text?.contains("pause_queues: a fire") == true)
            _ = try await plane.send(.delete, "/api/v1/safety/emergency")
            _ = try await plane.post("/api/v1/queues/solo/exclusive", "{\"exclusive\":false}")
            #expect(try await why(id)?["cause"]?.text == "next_in_line")
            let rows = try await plane.get("/api/v1/audit?action=queue.*").items
            #expect(rows.map { $0["action"]?.text } == ["queue.exclusive", "queue.exclusive"])
            #expect(rows.map { $0["detail"]?["exclusive"] } == [.boolean(false), .boolean(true)])
        }
    }

    @Test func aQueueIsDrained() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-drain\"}")
            let run = try await plane.claim(id)
            let answer = try await plane.post("/api/v1/queues/q-drain/drain", "{\"reason\":\"move\"}")
            #expect(answer["queue"]?["service"]?.text == "draining", "\(answer.text)")
            try await plane.finish(run)
            #expect(try await plane.get("/api/v1/queues/q-drain")["service"]?.text == "drained")
            #expect(try await plane.post("/api/v1/queues/q-drain/resume")["queue"]?["service"]?.text == "active")
        }
    }
}
