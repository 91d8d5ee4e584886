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

    @Test func aJobIsMadeWithItsSchedules() async throws {
        try await withOwnPlane { plane in
            let body = """
                {"name":"nightly","handler":"csv.to_jsonl","settings":{"attempts":2},"schedules":[
                {"name":"nightly-at-two","kind":"cron","expression":"0 2 * * *","timezone":"Europe/Berlin"},
                {"name":"nightly-often","kind":"interval","interval_ms":3600000}]}
                """
            let made = try await plane.post("/api/v1/jobs", body)
            #expect(made.status == 201, "\(made.text)")
            let schedules = try await plane.get("/api/v1/jobs/nightly/schedules").items
            #expect(schedules.compactMap { $0["name"]?.text } == ["nightly-at-two", "nightly-often"])
            #expect(schedules.allSatisfy { $0["job"]?.text == "nightly" && $0["next_at"]?.text != nil })
            // All of it or nothing.
            let taken = try await plane.post(
                "/api/v1/jobs",
                """
                {"name":"other","handler":"csv.to_jsonl","schedules":[{"name":"fresh","kind":"cron","expression":"@daily"},
                {"name":"nightly-often","kind":"cron","expression":"@daily"}]}
                """)
            #expect(taken.status == 409 && taken.code == "schedule_exists", "\(taken.text)")
            #expect(try await plane.get("/api/v1/jobs/other").status == 404)
            #expect(try await plane.get("/api/v1/schedules/fresh").status == 404)
            let wrong = try await plane.post(
                "/api/v1/jobs",
                """
                {"name":"other","handler":"csv.to_jsonl","schedules":[{"kind":"cron","expression":"@daily"},
                {"kind":"cron","expression":"0 25 * * *"},{"kind":"cron","expression":"@daily","job":"nightly"}]}
                """)
            #expect(
                wrong.status == 422 && wrong.places == ["/schedules/1/expression", "/schedules/2/job"], "\(wrong.text)")
            let args = try await plane.post(
                "/api/v1/jobs",
                #"{"name":"other","handler":"test.echo","schedules":[{"kind":"once","at":"2020-01-01T00:00:00Z"}]}"#)
            #expect(args.status == 422 && args.places == ["/schedules/0/spec"], "\(args.text)")
        }
    }

    @Test func aJobIsChangedWithItsSchedules() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/jobs/nightly"
            let body = """
                {"handler":"test.echo","settings":{"attempts":2,"limits":{"wall_ms":9000},"queue":"slow","concurrency":3},
                "schedules":[{"name":"a","kind":"interval","interval_ms":3600000},
                {"name":"b","kind":"cron","expression":"@daily"}]}
                """
            let made = try await plane.send(.put, path, body, headers: [.ifNoneMatch: "*"])
            #expect(made.status == 201 && made["attempts"]?.integer == 2, "\(made.text)")
            #expect(try await plane.send(.put, path, body, headers: [.ifNoneMatch: "*"]).status == 409)
            #expect(try await plane.send(.put, path, body).status == 428)
            let tag = try #require(made.headers[.eTag])
            #expect(try await plane.get(path).headers[.eTag] == tag)
            // Said again it changes nothing, not even the interval's beginning.
            let before = try await plane.get(path + "/schedules").items
            let again = try await plane.send(.put, path, body, headers: [.ifMatch: tag])
            #expect(again.status == 200 && again.headers[.eTag] == tag, "\(again.text)")
            #expect(
                try await plane.get(path + "/schedules").items.map { $0["revision"] } == before.map { $0["revision"] })
            let changed = try await plane.send(
                .put, path,
                """
                {"description":"Each hour","settings":{"attempts":5},"schedules":[{"name":"a","kind":"interval",
                "interval_ms":7200000},{"name":"c","kind":"cron","expression":"@weekly"}]}
                """, headers: [.ifMatch: tag])
            #expect(changed.status == 200, "\(changed.text)")
            #expect(changed["attempts"]?.integer == 5 && changed["queue"]?.text == "default")
            #expect(changed["sources"]?["limits"]?["wall_ms"]?.text == "default" && changed["concurrency"] == .null)
            #expect(changed["description"]?.text == "Each hour")
            let after = try await plane.get(path + "/schedules").items
            #expect(after.compactMap { $0["name"]?.text } == ["a", "c"])
            #expect(after.first?["id"] == before.first?["id"] && after.first?["interval_ms"]?.integer == 7_200_000)
            #expect(after.first?["spec"]?["anchor"] == before.first?["spec"]?["anchor"])
            let late = try await plane.send(.put, path, #"{"schedules":[]}"#, headers: [.ifMatch: tag])
            #expect(late.status == 412 && late.headers[.eTag] == changed.headers[.eTag], "\(late.text)")
            // What is not said stays.
            let now = try #require(changed.headers[.eTag])
            let bare = try await plane.send(.put, path, #"{"schedules":[]}"#, headers: [.ifMatch: now])
            #expect(bare.status == 200 && bare["attempts"]?.integer == 5, "\(bare.text)")
            #expect(try await plane.get(path + "/schedules").items.isEmpty)
            for (body, place) in [
                (#"{"schedules":[{"kind":"cron","expression":"@daily"}]}"#, "/schedules/0/name"),
                (#"{"settings":{"attempts":0}}"#, "/settings/attempts"), (#"{"name":"other"}"#, "/name"),
            ] {
                let refused = try await plane.send(.put, path, body, headers: [.ifMatch: "*"])
                #expect(refused.status == 422 && refused.places == [place], "\(refused.text)")
            }
            let handler = try await plane.send(.put, path, #"{"handler":"test.other"}"#, headers: [.ifMatch: "*"])
            #expect(handler.status == 409 && handler.code == "handler_differs")
            let own = try await plane.send(
                .put, "/api/v1/jobs/test.echo", #"{"description":"mine"}"#, headers: [.ifMatch: "*"])
            #expect(own.status == 422 && own.places == ["/description"], "\(own.text)")
        }
    }

    @Test func aPlanOfARemovalBindsIt() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/jobs/going"
            let made = try await plane.post(
                "/api/v1/jobs",
                #"{"name":"going","handler":"test.echo","schedules":[{"name":"g","kind":"cron","expression":"@daily"}]}"#
            )
            #expect(made.status == 201)
            _ = try await plane.makeRun(#"{"job":"going"}"#)
            let plan = try await plane.send(.delete, path + "?cascade=true&dry_run=true")
            #expect(plan["ended_runs"]?.integer == 1 && plan["removed_schedules"]?.integer == 1, "\(plan.text)")
            let name = try #require(plan["plan"]?.text)
            let other = try await plane.send(.delete, "/api/v1/jobs/test.echo?plan=" + name)
            #expect(other.status == 409 && other.code == "plan_mismatch")
            let lesser = try await plane.send(.delete, path + "?cascade=false&plan=" + name)
            #expect(lesser.status == 409 && lesser.code == "plan_mismatch")
            // A schedule more than it showed.
            let more = try await plane.post(
                "/api/v1/schedules", #"{"job":"going","name":"h","kind":"cron","expression":"@daily"}"#)
            let grown = try await plane.send(.delete, path + "?plan=" + name)
            #expect(grown.status == 409 && grown.code == "plan_changed", "\(grown.text)")
            let newer = try #require(grown["plan"]?["plan"]?.text)
            #expect(grown["plan"]?["removed_schedules"]?.integer == 2)
            let gone = try await plane.send(.delete, path + "?plan=" + newer)
            #expect(gone.status == 200 && gone["removed_schedules"]?.integer == 2, "\(gone.text)")
            #expect(try await plane.get("/api/v1/schedules/" + (more["id"]?.text ?? "")).status == 404)
            #expect(try await plane.send(.delete, path + "?plan=" + newer).code == "plan_unknown")
        }
    }
}
