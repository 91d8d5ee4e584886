import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

@Suite struct BatchTests {
    @LoopActor
    private static func post(_ plane: Harness, _ items: String, mode: String? = "per_item", key: String) async throws
        -> Harness.Reply
    {
        let mode = mode.map { "\"mode\":\"\($0)\"," } ?? ""
        return try await plane.post(
            "/api/v1/runs/batch", "{\(mode)\"items\":\(items)}", headers: [.idempotencyKey: "\"\(key)\""])
    }

    private static let mixed = """
        [{"job":"test.echo","args":{"n":0}}, {"job":"nobody"}, 5, {"job":"test.echo","priority":[]},
         {"job":"test.echo","args":{"n":4},"priority":7,"queue":"q"}, {"job":"test.echo","delay_ms":60000,"title":"t"},
         {"job":"test.echo","nob":1}]
        """

    @Test func eachItemAnswersForItselfInOrder() async throws {
        try await withOwnPlane { plane in
            let reply = try await Self.post(plane, Self.mixed, key: "k")
            #expect(reply.status == 207, "\(reply.text)")
            let words = reply.items.map { $0["state"]?.text ?? $0["code"]?.text }
            #expect(
                words == [
                    "queued", "job_not_found", "invalid_fields", "invalid_fields", "queued", "scheduled",
                    "invalid_fields",
                ])
            let places = reply.items.map { $0["errors"]?.elements?.first?["pointer"]?.text }
            #expect(
                places == [nil, "/items/1/job", "/items/2", "/items/3/priority", nil, nil, "/items/6/nob"],
                "\(reply.text)")
            #expect(reply["count"]?.integer == 3 && reply["refused"]?.integer == 4)
            let id = try #require(reply.items[4]["id"]?.text)
            let run = try await plane.get("/api/v1/runs/\(id)")
            #expect(run["priority"]?.integer == 7 && run["queue"]?.text == "q" && run["args"]?.json == "{\"n\":4}")
        }
    }

    @Test func wholeBatchesTellAllPlacesAndStoreNothing() async throws {
        try await withOwnPlane { plane in
            let wrong = try await Self.post(plane, Self.mixed, mode: nil, key: "a")
            #expect(wrong.status == 422)
            #expect(Set(wrong.places).isSuperset(of: ["/items/2", "/items/3/priority", "/items/6/nob"]))
            let unknown = try await Self.post(
                plane, "[{\"job\":\"test.echo\"},{\"job\":\"nobody\"},{\"job\":\"test.ecko\"}]", mode: "all_or_nothing",
                key: "b")
            #expect(unknown.status == 404 && unknown.places == ["/items/1/job", "/items/2/job"])
            let unique = "{\"job\":\"test.echo\",\"unique\":{\"key\":\"u\"}}"
            let held = try await Self.post(plane, "[{\"job\":\"test.echo\"},\(unique),\(unique)]", mode: nil, key: "c")
            #expect(held.status == 409 && held.code == "unique_conflict" && held.places == ["/items/2/unique"])
            #expect(try await plane.get("/api/v1/runs").items.isEmpty)
            // A refused batch has not used up its key.
            #expect(try await Self.post(plane, "[{\"job\":\"test.echo\"}]", mode: nil, key: "c").status == 201)
            #expect(try await Self.post(plane, "[{\"job\":\"test.echo\"}]", mode: "some", key: "d").places == ["/mode"])
        }
    }

    /// The database keeps what was answered, so that another host, or this one after a restart, answers the same.
    @Test func theAnswerOutlivesTheHost() async throws {
        try await withOwnPlane { plane in
            let first = try await Self.post(plane, Self.mixed, key: "k")
            plane.restart()
            let again = try await Self.post(plane, Self.mixed, key: "k")
            #expect(again.status == 207 && again.body == first.body)
            #expect(again.headers[.idempotencyReplayed] == "true")
            #expect(try await plane.get("/api/v1/runs").items.count == 3)
            let other = try await Self.post(plane, "[{\"job\":\"test.echo\"}]", key: "k")
            #expect(other.status == 422 && other.code == "idempotency_key_reused")
        }
    }

    @Test func itemsHaveKeysOfTheirOwn() async throws {
        try await withOwnPlane { plane in
            func item(_ key: String, _ n: Int) -> String {
                "{\"job\":\"test.echo\",\"args\":{\"n\":\(n)},\"idempotency_key\":\"\(key)\"}"
            }
            let first = try await Self.post(
                plane, "[\(item("a", 1)),\(item("b", 2)),\(item("a", 1)),\(item("b", 3))]", key: "1")
            #expect(first.items.map { $0["enqueued"]?.text } == [nil, nil, "known", nil], "\(first.text)")
            #expect(first.items[0]["id"] == first.items[2]["id"])
            #expect(first.items[3]["code"]?.text == "idempotency_key_reused")
            #expect(first.items[3]["errors"]?.elements?.first?["pointer"]?.text == "/items/3/idempotency_key")
            let second = try await Self.post(plane, "[\(item("c", 1)),\(item("b", 2))]", mode: nil, key: "2")
            #expect(second.status == 201 && second.items[1]["id"] == first.items[1]["id"], "\(second.text)")
            #expect(try await plane.get("/api/v1/runs").items.count == 3)
        }
    }

    @Test func uniqueKeysHoldWithinABatchToo() async throws {
        try await withOwnPlane { plane in
            func item(_ policy: String, _ n: Int) -> String {
                "{\"job\":\"test.echo\",\"args\":{\"n\":\(n)},\"unique\":{\"key\":\"u\",\"policy\":\"\(policy)\"}}"
            }
            let reply = try await Self.post(
                plane,
                "[\(item("reject", 0)),\(item("reject", 1)),\(item("return_existing", 2)),\(item("replace", 3))]",
                key: "1")
            #expect(
                reply.items.map { $0["enqueued"]?.text ?? $0["code"]?.text } == [
                    nil, "unique_conflict", "existing", "replaced",
                ])
            let id = try #require(reply.items[0]["id"]?.text)
            #expect(reply.items[1]["existing_run"]?.text == id && reply.items[3]["id"]?.text == id)
            #expect(try await plane.get("/api/v1/runs/\(id)")["args"]?.json == "{\"n\":3}")
            #expect(try await plane.get("/api/v1/runs").items.count == 1)
        }
    }

    @Test func aSingleRunSaysWhatBecameOfItsKey() async throws {
        try await withOwnPlane { plane in
            func ask(_ unique: String, _ n: Int = 1) async throws -> Harness.Reply {
                try await plane.post(
                    "/api/v1/runs", "{\"job\":\"test.echo\",\"args\":{\"n\":\(n)},\"unique\":\(unique)}")
            }
            let first = try await ask("{\"key\":\"u\"}")
            #expect(first.status == 201 && first["enqueued"]?.text == "made" && first["created_at"]?.text != nil)
            let id = try #require(first["id"]?.text)
            let held = try await ask("{\"key\":\"u\"}")
            #expect(held.status == 409 && held.code == "unique_conflict", "\(held.text)")
            #expect(held["existing_run"]?.text == id && held["current_state"]?.text == "queued")
            let existing = try await ask("{\"key\":\"u\",\"policy\":\"return_existing\"}")
            #expect(existing.status == 200 && existing["enqueued"]?.text == "existing" && existing["id"]?.text == id)
            let replaced = try await ask("{\"key\":\"u\",\"policy\":\"replace\"}", 2)
            #expect(
                replaced.status == 200 && replaced["enqueued"]?.text == "replaced"
                    && replaced["args"]?.json == "{\"n\":2}")
            let wrong = try await ask("{\"until\":\"done\"}")
            #expect(wrong.status == 422 && wrong.places == ["/unique/until"])
            let strange = try await plane.post(
                "/api/v1/runs", "{\"job\":\"test.echo\",\"args\":{\"n\":\"\\u0000\"},\"unique\":{}}")
            #expect(strange.status == 422 && strange.places == ["/unique"])
        }
    }

    /// What is answered without a look into the table is what stands there.
    @Test func theAnswerIsTheRow() async throws {
        try await withOwnPlane { plane in
            let body = """
                {"job":"test.echo","args":{"b":1, "a":[2.50]},"queue":"q","priority":-3,"attempts":7,"timeout_ms":5000,"queue_ms":60000,
                 "title":"T","description":"D","labels":{"x":"y"},"owner":"o","organization":"g",
                 "backoff":{"type":"fixed","delay_ms":100}}
                """
            for delay in ["", ",\"delay_ms\":3600000"] {
                let made = try await plane.post("/api/v1/runs", body.dropLast() + delay + "}")
                #expect(made.status == 201, "\(made.text)")
                let id = try #require(made["id"]?.text)
                let read = try await plane.get("/api/v1/runs/\(id)")
                guard case .object(let members) = made.json else { return }
                for member in members where member.key != "enqueued" {
                    #expect(read[member.key] == member.value, "\(member.key)")
                }
            }
        }
    }

    /// Many single requests at once share commits, and each has its own outcome.
    @Test func manySinglesAtOnce() async throws {
        try await withOwnPlane { plane in
            let tasks = (0..<200).map { index in
                loopTask { () -> (Int, Int, String?)? in
                    let job = index % 10 == 3 ? "nobody" : "test.echo"
                    let key = index % 10 == 5 ? "twin-\(index / 20)" : "k\(index)"
                    do {
                        let reply = try await plane.post(
                            "/api/v1/runs", "{\"job\":\"\(job)\",\"args\":{\"n\":\(index % 10 == 5 ? 5 : index)}}",
                            headers: [.idempotencyKey: key])
                        return (index, reply.status, reply["args"]?["n"].map(\.json))
                    } catch {
                        Issue.record(error)
                        return nil
                    }
                }
            }
            var fresh = 0
            for task in tasks {
                guard let (index, status, n) = await task.value else { continue }
                switch index % 10 {
                case 3: #expect(status == 404)
                case 5:
                    #expect((status == 201 || status == 200) && n == "5")
                    if status == 201 { fresh += 1 }
                default: #expect(status == 201 && n == "\(index)")
                }
            }
            #expect(fresh == 10)
        }
    }
}
