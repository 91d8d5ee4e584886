import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Running again, changing and hurrying runs, one at a time.
@Suite struct RetryRouteTests {
    @Test func allChangesAreTaken() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-rt1\",\"args\":{\"a\":1}}")
            try await plane.finish(try await plane.claim(id), .failed, outcome: .error)
            let reply = try await plane.post(
                "/api/v1/runs/\(id)/retry",
                """
                {"priority":-3,"attempts":5,"backoff":{"type":"linear","delay_ms":2000,"no_retry_on":["out_of_memory"]},
                 "args":{"b":2},"queue":"q-rt2","delay_ms":60000,"timeout_ms":1000,"title":"again","remove_original":true}
                """)
            #expect(reply.status == 201)
            #expect(reply["removed_original"] == .boolean(true) && reply["retry_of"]?.text == id.description)
            let run = try #require(reply["run"])
            #expect(run["state"]?.text == "scheduled" && run["priority"]?.integer == -3)
            #expect(run["max_attempts"]?.integer == 5 && run["queue"]?.text == "q-rt2")
            #expect(run["backoff"]?["no_retry_on"]?.elements?.first?.text == "out_of_memory")
            #expect(run["args"]?.json == "{\"b\":2}" && run["timeout_ms"]?.integer == 1000)
            #expect(run["title"]?.text == "again")
            #expect(try await plane.get("/api/v1/runs/\(id)").status == 404)
        }
    }

    @Test(arguments: [
        ("{\"priority\":1.5}", "/priority"), ("{\"attempts\":0}", "/attempts"), ("{\"attempts\":1001}", "/attempts"),
        ("{\"backoff\":\"fixed\"}", "/backoff"), ("{\"backoff\":{\"type\":\"sometimes\"}}", "/backoff/type"),
        ("{\"backoff\":{\"delay_ms\":-1}}", "/backoff/delay_ms"),
        ("{\"backoff\":{\"retry_on\":[\"lost\"]}}", "/backoff/retry_on/0"),
        ("{\"run_at\":\"soon\"}", "/run_at"), ("{\"delay_ms\":\"1\"}", "/delay_ms"),
        ("{\"run_at\":\"2030-01-01T00:00:00Z\",\"delay_ms\":1}", "/delay_ms"),
        ("{\"args\":[]}", "/args"), ("{\"remove_orginal\":true}", "/remove_orginal"), ("{\"queue\":\"\"}", "/queue"),
        ("{\"timeout_ms\":0}", "/timeout_ms"),
    ])
    func whatIsWrongIsPointedAt(_ body: String, _ pointer: String) async throws {
        try await withPlane { plane in
            let reply = try await plane.post("/api/v1/runs/run_0000000000001/retry", body)
            #expect(reply.status == 422 && reply.places == [pointer], "\(reply.text)")
        }
    }

    @Test func otherArgsMustFitTheJob() async throws {
        try await withOwnPlane { plane in
            try await plane.store.registerHandlers(
                plugin: "strict",
                [
                    JobUpsert(
                        handler: "strict.one",
                        argsSchema: "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}")
                ])
            let id = try await plane.makeRun("{\"job\":\"strict.one\",\"queue\":\"q\",\"args\":{\"n\":1}}")
            try await plane.finish(try await plane.claim(id))
            let reply = try await plane.post("/api/v1/runs/\(id)/retry", "{\"data_overrides\":{\"n\":\"x\"}}")
            #expect(reply.status == 422 && reply.code == "invalid_args" && reply.places == ["/data_overrides/n"])
            #expect(try await plane.post("/api/v1/runs/\(id)/retry", "{\"data_overrides\":{\"n\":2}}").status == 201)
        }
    }

    @Test func aKeyMakesOneRun() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            try await plane.finish(try await plane.claim(id))
            let key = [HTTPField.Name.idempotencyKey: "\"k-\(id)\""]
            let body = "{\"remove_original\":true}"
            let first = try await plane.post("/api/v1/runs/\(id)/retry", body, headers: key)
            let again = try await plane.post("/api/v1/runs/\(id)/retry", body, headers: key)
            #expect(first.status == 201 && again.status == 200)
            #expect(again.headers[.idempotencyReplayed] == "true")
            #expect(first["new_run_id"] == again["new_run_id"])
            let other = try await plane.post("/api/v1/runs/\(id)/retry", "{\"priority\":1}", headers: key)
            #expect(other.status == 422 && other.code == "idempotency_key_reused")
        }
    }

    @Test func runsThatWaitAreHurried() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-now\",\"delay_ms\":3600000}")
            let reply = try await plane.post("/api/v1/runs/\(id)/run-now")
            #expect(reply.status == 200 && reply["changed"] == .boolean(true))
            #expect(reply["run"]?["state"]?.text == "queued")
            #expect(plane.host.orders.contains(.enqueued(queue: "q-now", rank: 0)))
            #expect(try await plane.post("/api/v1/runs/\(id)/run-now")["changed"] == .boolean(false))
            let run = try await plane.claim(id)
            let late = try await plane.post("/api/v1/runs/\(id)/run-now")
            #expect(late.status == 409 && late["current_state"]?.text == "running" && late.code == "not_waiting")
            try await plane.finish(run)
            #expect(try await plane.post("/api/v1/runs/run_0000000000000/run-now").status == 404)
        }
    }

    @Test func runsThatWaitAreChanged() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-ch\",\"delay_ms\":3600000}")
            func patch(_ body: String) async throws -> Harness.Reply {
                try await plane.send(.patch, "/api/v1/runs/\(id)", body)
            }
            let put = try await patch("{\"priority\":4,\"run_at\":\"2099-01-01T00:00:00Z\",\"title\":\"t\"}")
            #expect(put.status == 200 && put["changed"] == .boolean(true))
            #expect(put["run"]?["priority"]?.integer == 4 && put["run"]?["title"]?.text == "t")
            #expect(put["run"]?["run_at"]?.text?.hasPrefix("2099-01-01T00:00:00") == true)
            let same = try await patch("{\"priority\":4}")
            #expect(same["changed"] == .boolean(false), "\(same.text)")
            for (body, place) in [
                ("{\"prio\":1}", "/prio"), ("{\"run_at\":1}", "/run_at"), ("{\"queue\":7}", "/queue"),
            ] {
                #expect(try await patch(body).places == [place])
            }
            _ = try await plane.post("/api/v1/runs/\(id)/run-now")
            let moved = try await patch("{\"queue\":\"q-ch2\"}")
            #expect(moved["run"]?["queue"]?.text == "q-ch2")
            #expect(plane.host.orders.contains(.enqueued(queue: "q-ch2", rank: -4)))
            #expect(try await patch("{\"run_at\":\"2099-01-01T00:00:00Z\"}").status == 409)
            try await plane.finish(try await plane.claim(id))
            let late = try await patch("{\"priority\":1}")
            #expect(late.status == 409 && late["current_state"]?.text == "succeeded")
        }
    }

    @Test func aFinishedRunIsDeleted() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let early = try await plane.send(.delete, "/api/v1/runs/\(id)")
            #expect(early.status == 409 && early["current_state"]?.text == "queued")
            let run = try await plane.claim(id)
            try await plane.log(id, 1...3)
            try await plane.finish(run)
            #expect(try await plane.send(.delete, "/api/v1/runs/\(id)").status == 204)
            #expect(try await plane.get("/api/v1/runs/\(id)/logs").status == 404)
            #expect(try await plane.send(.delete, "/api/v1/runs/\(id)").status == 404)
        }
    }

    @Test func theNextAttemptsAreShown() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun(
                "{\"job\":\"test.echo\",\"queue\":\"q-na\",\"attempts\":3,\"delay_ms\":60000,"
                    + "\"backoff\":{\"type\":\"fixed\",\"delay_ms\":10000,\"jitter\":0.1}}")
            let run = try await plane.get("/api/v1/runs/\(id)").json
            let next = try #require(run["next_attempts"]?.elements)
            #expect(next.map { $0["number"]?.integer } == [1, 2, 3])
            #expect(next.map { $0["wait_ms"]?.integer } == [0, 10_000, 10_000])
            #expect(next.map { $0["spread_ms"]?.integer } == [0, 1000, 1000])
            #expect(next[0]["earliest_at"] == run["run_at"])
            let other = try await plane.makeRun()
            let usual = try await plane.get("/api/v1/runs/\(other)")["next_attempts"]?.elements
            #expect(usual?.map { $0["wait_ms"]?.integer } == [0, 5000, 10_000], "the job's policy, else the product's")
            try await plane.finish(try await plane.claim(other))
            #expect(try await plane.get("/api/v1/runs/\(other)")["next_attempts"]?.elements?.isEmpty == true)
        }
    }
}
