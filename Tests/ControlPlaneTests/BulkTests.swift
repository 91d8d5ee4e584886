import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Many runs at once: clears and bulk operations, by plan and at once.
@Suite struct BulkTests {
    private static func key() -> [HTTPField.Name: String] {
        [.idempotencyKey: "k-\(UInt64.random(in: 0 ... .max))"]
    }

    @LoopActor
    private func runs(_ plane: Harness, _ count: Int, queue: String, ending: RunState? = nil) async throws -> [RunID] {
        var ids: [RunID] = []
        for _ in 0..<count {
            let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"\(queue)\"}")
            if let ending {
                try await plane.finish(
                    try await plane.claim(id), ending, outcome: ending == .succeeded ? .succeeded : .error)
            }
            ids.append(id)
        }
        return ids
    }

    // MARK: Clear

    @Test func clearShowsItsPlanThenDoesIt() async throws {
        try await withOwnPlane { plane in
            let failed = try await runs(plane, 3, queue: "q", ending: .failed)
            let queued = try await runs(plane, 2, queue: "q")
            let running = try await plane.claim(queued[0])
            let path = "/api/v1/queues/q/clear"
            let plan = try await plane.post(path, "{\"states\":[\"finished\",\"queued\"],\"dry_run\":true}")
            #expect(plan.status == 200, "\(plan.text)")
            #expect(plan["count"]?.integer == 4 && plan["count_is"]?.text == "exact")
            #expect(plan["by_state"]?.json == "{\"failed\":3,\"queued\":1}")
            #expect(plan["untouched"]?.json == "{\"running\":1}")
            #expect(plan["sample"]?.elements?.count == 4)
            #expect(try await plane.get("/api/v1/runs/\(failed[0])").status == 200, "nothing has happened")
            let name = try #require(plan["plan"]?.text)
            let body = "{\"plan\":\"\(name)\",\"reason\":\"why\"}"
            #expect(try await plane.post(path, body).places == ["Idempotency-Key"])
            let key = Self.key()
            let done = try await plane.post(path, body, headers: key)
            #expect(done.status == 200, "\(done.text)")
            #expect(done["complete"] == .boolean(true) && done["count"]?.integer == 4)
            #expect(done["removed"]?.json == "{\"failed\":3,\"queued\":1}")
            for id in failed + [queued[1]] { #expect(try await plane.get("/api/v1/runs/\(id)").status == 404) }
            let again = try await plane.post(path, body, headers: key)
            #expect(again["count"]?.integer == 4 && again.headers[.idempotencyReplayed] == "true")
            #expect(try await plane.post(path, body, headers: Self.key()).code == "plan_unknown")
            try await plane.finish(running)
            let counts = try await plane.get("/api/v1/queues/q")["counts"]
            #expect(counts?["failed"]?.integer == 0 && counts?["succeeded"]?.integer == 1)
        }
    }

    @Test func clearStopsWhenThereIsMuchMoreThanWasShown() async throws {
        try await withOwnPlane { plane in
            _ = try await runs(plane, 2, queue: "q", ending: .failed)
            let path = "/api/v1/queues/q/clear"
            let plan = try await plane.post(path, "{\"states\":[\"failed\"],\"dry_run\":true}")
            let late = try await runs(plane, 2, queue: "q", ending: .failed)
            let body = "{\"plan\":\"\(try #require(plan["plan"]?.text))\"}"
            let refused = try await plane.post(path, body, headers: Self.key())
            #expect(refused.status == 409 && refused.code == "plan_changed")
            #expect(refused["plan"]?["count"]?.integer == 4)
            #expect(try await plane.get("/api/v1/runs/\(late[0])").status == 200)
            let new = try #require(refused["plan"]?["plan"]?.text)
            let done = try await plane.post(path, "{\"plan\":\"\(new)\"}", headers: Self.key())
            #expect(done["count"]?.integer == 4, "\(done.text)")
        }
    }

    @Test func clearOfAJobAndByAge() async throws {
        try await withOwnPlane { plane in
            let ids = try await runs(plane, 2, queue: "q", ending: .succeeded)
            let path = "/api/v1/jobs/test.echo/clear"
            let old = try await plane.post(
                path, "{\"states\":[\"succeeded\"],\"older_than_ms\":3600000}", headers: Self.key())
            #expect(old["count"]?.integer == 0 && old["complete"] == .boolean(true))
            let plan = try await plane.post(
                path, "{\"states\":\"all\",\"older_than_ms\":3600000,\"dry_run\":true}")
            #expect(plan["count"]?.integer == 0)
            let done = try await plane.post(path, "{\"states\":[\"all\"]}", headers: Self.key())
            #expect(done["removed"]?.json == "{\"succeeded\":2}", "\(done.text)")
            #expect(try await plane.get("/api/v1/runs/\(ids[0])").status == 404)
        }
    }

    @Test func wrongClearsAreRefused() async throws {
        try await withPlane { plane in
            _ = try await runs(plane, 1, queue: "q-wrong")
            for (body, place) in [
                ("{}", "/states"), ("{\"states\":[]}", "/states"), ("{\"states\":[\"running\"]}", "/states/0"),
                ("{\"states\":[\"failed\",\"gone\"]}", "/states/1"), ("{\"states\":7}", "/states/0"),
                ("{\"states\":[\"failed\"],\"older_than_ms\":-1}", "/older_than_ms"),
                ("{\"plan\":\"x\",\"dry_run\":true}", "/plan"),
                ("{\"plan\":\"x\",\"states\":[\"failed\"]}", "/states"), ("{\"state\":[\"failed\"]}", "/states"),
            ] {
                let reply = try await plane.post("/api/v1/queues/q-wrong/clear", body)
                #expect(reply.status == 422 && reply.places.first == place, "\(body): \(reply.text)")
            }
            let missing = try await plane.post("/api/v1/queues/q-wron/clear", "{\"states\":[\"failed\"]}")
            #expect(missing.status == 404)
            #expect(try await plane.post("/api/v1/jobs/test.eco/clear", "{\"states\":[\"failed\"]}").status == 404)
        }
    }

    // MARK: Bulk

    @LoopActor
    private func bulk(_ plane: Harness, _ body: String) async throws -> Harness.Reply {
        try await plane.post("/api/v1/bulk-operations", body, headers: Self.key())
    }

    @Test func manyAreRetriedByFilter() async throws {
        try await withOwnPlane { plane in
            let failed = try await runs(plane, 3, queue: "q", ending: .failed)
            _ = try await runs(plane, 1, queue: "q", ending: .succeeded)
            _ = try await runs(plane, 1, queue: "other", ending: .failed)
            let plan = try await bulk(
                plane,
                """
                {"action":"retry","filter":{"queue":"q"},"params":{"priority":7,"remove_original":true},"dry_run":true}
                """)
            #expect(plan["count"]?.integer == 3 && plan["count_is"]?.text == "exact", "\(plan.text)")
            #expect(plan["created_after"]?.text != nil, "a filter without times looks back a week")
            let done = try await bulk(plane, "{\"plan\":\"\(try #require(plan["plan"]?.text))\"}")
            #expect(done["count"]?.integer == 3 && done["complete"] == .boolean(true), "\(done.text)")
            let made = try #require(done["runs"]?.elements)
            #expect(Set(made.compactMap { $0["retry_of"]?.text }) == Set(failed.map(\.description)))
            let first = try await plane.get("/api/v1/runs/\(made[0]["id"]?.text ?? "")")
            #expect(first["priority"]?.integer == 7 && first["state"]?.text == "queued")
            #expect(try await plane.get("/api/v1/runs/\(failed[0])").status == 404)
        }
    }

    @Test func eachActionSaysWhatItDid() async throws {
        try await withOwnPlane { plane in
            let over = try await runs(plane, 2, queue: "q", ending: .succeeded)
            let queued = try await runs(plane, 2, queue: "p")
            let later = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"p\",\"delay_ms\":3600000}")
            let all = (over + queued + [later]).map { "\"\($0)\"" }.joined(separator: ",")
            let ranked = try await bulk(
                plane, "{\"action\":\"set_priority\",\"ids\":[\(all)],\"params\":{\"priority\":5}}")
            #expect(ranked["count"]?.integer == 3 && ranked["untouched"]?.integer == 2, "\(ranked.text)")
            #expect(plane.host.orders.contains(.enqueued(queue: "p", rank: -5)))
            let hurried = try await bulk(plane, "{\"action\":\"run_now\",\"ids\":[\(all)]}")
            #expect(hurried["count"]?.integer == 1 && hurried["untouched"]?.integer == 4, "\(hurried.text)")
            #expect(try await plane.get("/api/v1/runs/\(later)")["state"]?.text == "queued")
            let running = try await plane.claim(queued[0])
            let ended = try await bulk(
                plane, "{\"action\":\"cancel\",\"ids\":[\(all)],\"params\":{\"reason\":\"why\"}}")
            #expect(ended["count"]?.integer == 3 && ended["untouched"]?.integer == 2, "\(ended.text)")
            #expect(plane.host.orders.contains(.cancel(running.id, attempt: 1, grace: nil)))
            let gone = try await bulk(plane, "{\"action\":\"delete\",\"ids\":[\(all),\"run_0000000000000\"]}")
            #expect(gone["count"]?.integer == 4 && gone["untouched"]?.integer == 2, "\(gone.text)")
            try await plane.finish(running, .cancelled, outcome: .cancelled)
        }
    }

    @Test func bulkStopsWhenThereIsMuchMoreThanWasShown() async throws {
        try await withOwnPlane { plane in
            _ = try await runs(plane, 1, queue: "q", ending: .failed)
            let plan = try await bulk(plane, "{\"action\":\"retry\",\"filter\":{\"queue\":[\"q\"]},\"dry_run\":true}")
            _ = try await runs(plane, 2, queue: "q", ending: .failed)
            let refused = try await bulk(plane, "{\"plan\":\"\(try #require(plan["plan"]?.text))\"}")
            #expect(refused.status == 409 && refused.code == "plan_changed")
            #expect(refused["plan"]?["count"]?.integer == 3)
        }
    }

    @Test(arguments: [
        ("{}", "/action"), ("{\"action\":\"explode\",\"ids\":[\"run_0000000000001\"]}", "/action"),
        ("{\"action\":\"cancel\"}", "/filter"), ("{\"action\":\"cancel\",\"ids\":[]}", "/ids"),
        ("{\"action\":\"cancel\",\"ids\":[\"x\"]}", "/ids/0"),
        ("{\"action\":\"cancel\",\"ids\":[\"run_0000000000001\"],\"filter\":{}}", "/filter"),
        ("{\"action\":\"cancel\",\"filter\":{\"state\":\"failed\"}}", "/filter/state"),
        ("{\"action\":\"cancel\",\"filter\":{\"staet\":\"queued\"}}", "/filter/staet"),
        ("{\"action\":\"set_priority\",\"filter\":{}}", "/params"),
        ("{\"action\":\"set_priority\",\"filter\":{},\"params\":{}}", "/params/priority"),
        ("{\"action\":\"retry\",\"filter\":{},\"params\":{\"attempts\":0}}", "/params/attempts"),
        ("{\"action\":\"retry\",\"filter\":{},\"params\":{\"backoff\":{\"type\":1}}}", "/params/backoff/type"),
        ("{\"action\":\"delete\",\"filter\":{},\"max\":0}", "/max"),
        ("{\"plan\":\"x\",\"action\":\"cancel\"}", "/action"), ("{\"plan\":\"x\",\"dry_run\":true}", "/plan"),
    ])
    func wrongOrdersAreRefused(_ body: String, _ pointer: String) async throws {
        try await withPlane { plane in
            let reply = try await bulk(plane, body)
            #expect(reply.status == 422 && reply.places.contains(pointer), "\(reply.text)")
        }
    }

    @Test func aKeyIsNeededAndGoodOnce() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let body = "{\"action\":\"cancel\",\"ids\":[\"\(id)\"]}"
            let without = try await plane.post("/api/v1/bulk-operations", body)
            #expect(without.status == 400 && without.places == ["Idempotency-Key"])
            let key = Self.key()
            let first = try await plane.post("/api/v1/bulk-operations", body, headers: key)
            let again = try await plane.post("/api/v1/bulk-operations", body, headers: key)
            #expect(first["count"]?.integer == 1 && again["count"]?.integer == 1)
            #expect(again.headers[.idempotencyReplayed] == "true")
            let other = try await plane.post(
                "/api/v1/bulk-operations", body.replacing("cancel", with: "delete"), headers: key)
            #expect(other.status == 422 && other.code == "idempotency_key_reused")
        }
    }
}
