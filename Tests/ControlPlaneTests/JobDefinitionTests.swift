import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// `POST /jobs` and `DELETE /jobs/{name}`.
@Suite struct JobDefinitionTests {
    @Test func aJobIsMadeRunAndRemoved() async throws {
        try await withOwnPlane { plane in
            let body = """
                {"name":"data-conversion","handler":"csv.to_jsonl","description":"S1's","settings":{"attempts":4,
                "limits":{"wall_ms":30000},"queue":"slow"},"x_note":1}
                """
            let made = try await plane.post("/api/v1/jobs", body)
            #expect(made.status == 201, "\(made.text)")
            #expect(made.headers[.location] == "/api/v1/jobs/data-conversion")
            #expect(made["defined"] == .boolean(true) && made["handler"]?.text == "csv.to_jsonl")
            #expect(made["attempts"]?.integer == 4 && made["limits"]?["wall_ms"]?.integer == 30_000)
            let shown = try await plane.get("/api/v1/jobs/data-conversion")
            #expect(shown.text == made.text && shown.headers[.eTag] == made.headers[.eTag])
            #expect(try await plane.get("/api/v1/jobs/csv.to_jsonl")["defined"] == .boolean(false))
            // S1's own form takes the name as its type.
            let run = try await plane.post("/api/jobs", #"{"type":"data-conversion","name":"n","data":{}}"#)
            #expect(run.status == 201 || run.status == 200, "\(run.text)")

            let path = "/api/v1/jobs/data-conversion"
            let tag = try #require(shown.headers[.eTag])
            let missing = try await plane.send(.delete, path)
            #expect(missing.status == 428 && missing.code == "if_match_required")
            let used = try await plane.send(.delete, path, headers: [.ifMatch: tag])
            #expect(used.status == 409 && used.code == "job_in_use")
            let plan = try await plane.send(.delete, path + "?cascade=true&dry_run=true")
            #expect(plan.status == 200 && plan["dry_run"] == .boolean(true) && plan["ended_runs"]?.integer == 1)
            let old = try await plane.send(.delete, path + "?cascade=true", headers: [.ifMatch: "\"77-x\""])
            #expect(old.status == 412 && old.headers[.eTag] != nil)
            let gone = try await plane.send(.delete, path + "?cascade=true", headers: [.ifMatch: tag])
            #expect(gone.status == 200 && gone["ended_runs"]?.integer == 1, "\(gone.text)")
            #expect(try await plane.get(path).status == 404)
            #expect(try await plane.send(.delete, path, headers: [.ifMatch: "*"]).status == 404)
        }
    }

    @Test func faultsHavePointers() async throws {
        try await withOwnPlane { plane in
            let empty = try await plane.post("/api/v1/jobs", "{}")
            #expect(empty.status == 422 && empty.places == ["/name", "/handler"])
            let wrong = try await plane.post(
                "/api/v1/jobs",
                #"{"name":"A B","handler":"test.echo","settings":{"limits":{"wall_ms":"x"}},"colour":"red"}"#)
            #expect(wrong.status == 422)
            #expect(Set(wrong.places) == ["/name", "/settings/limits/wall_ms", "/colour"])
            let unknown = try await plane.post("/api/v1/jobs", #"{"name":"a","handler":"test.ecko"}"#)
            #expect(unknown.status == 422 && unknown.places == ["/handler"])
            #expect(unknown["near_matches"]?.elements?.compactMap(\.text).contains("test.echo") == true)
            let range = try await plane.post(
                "/api/v1/jobs", #"{"name":"a","handler":"test.echo","settings":{"attempts":0}}"#)
            #expect(range.status == 422 && range.places == ["/settings/attempts"])
            let taken = try await plane.post("/api/v1/jobs", #"{"name":"test.other","handler":"test.echo"}"#)
            #expect(taken.status == 409 && taken.code == "job_exists")
        }
    }

    @Test func aHandlersOwnJobStays() async throws {
        try await withOwnPlane { plane in
            plane.host.handlerNames = ["test.echo"]
            let served = try await plane.send(.delete, "/api/v1/jobs/test.echo", headers: [.ifMatch: "*"])
            #expect(served.status == 409 && served.code == "job_of_handler")
            plane.host.handlerNames = []
            #expect(try await plane.send(.delete, "/api/v1/jobs/test.echo", headers: [.ifMatch: "*"]).status == 200)
        }
    }
}
