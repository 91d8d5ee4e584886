import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// `POST /apply`: state from files.
@Suite struct ApplyTests {
    private static let state = """
        "calendars":[{"name":"holidays","dates":["2026-12-25"]}],
        "queues":[{"name":"slow","concurrency":2}],
        "jobs":[{"name":"nightly","handler":"test.echo","settings":{"attempts":2,"queue":"slow","limits":{"wall_ms":9000}}},
        {"name":"test.other","settings":{"priority":5}}],
        "schedules":[{"name":"n1","job":"nightly","kind":"interval","interval_ms":3600000,"calendars":["holidays"]},
        {"name":"n2","job":"test.other","kind":"cron","expression":"30 2 * * *","timezone":"Europe/Berlin"}]
        """

    private func actions(_ reply: Harness.Reply) -> [String] {
        (reply["changes"]?.elements ?? []).map {
            "\($0["action"]?.text ?? "") \($0["kind"]?.text ?? "") \($0["name"]?.text ?? "")"
        }
    }

    @Test func stateIsAppliedOnce() async throws {
        try await withOwnPlane { plane in
            let plan = try await plane.post("/api/v1/apply", "{\(Self.state),\"dry_run\":true}")
            #expect(plan.status == 200, "\(plan.text)")
            #expect(
                actions(plan) == [
                    "create calendar holidays", "change queue slow", "create job nightly", "change job test.other",
                    "create schedule n1", "create schedule n2",
                ], "\(plan.text)")
            #expect(try await plane.get("/api/v1/jobs/nightly").status == 404)
            let name = try #require(plan["plan"]?.text)
            let done = try await plane.post("/api/v1/apply", "{\(Self.state),\"plan\":\"\(name)\"}")
            #expect(done.status == 200 && done["changes"] == plan["changes"], "\(done.text)")
            let job = try await plane.get("/api/v1/jobs/nightly")
            #expect(
                job["attempts"]?.integer == 2 && job["queue"]?.text == "slow"
                    && job["limits"]?["wall_ms"]?.integer == 9000)
            #expect(try await plane.get("/api/v1/queues/slow")["concurrency"]?.integer == 2)
            let schedules = try await plane.get("/api/v1/schedules").items
            let again = try await plane.post("/api/v1/apply", "{\(Self.state)}")
            #expect(again.status == 200 && actions(again).isEmpty && again["unchanged"]?.integer == 6, "\(again.text)")
            #expect(
                try await plane.get("/api/v1/schedules").items.map { $0["revision"] }
                    == schedules.map { $0["revision"] })
            #expect(try await plane.get("/api/v1/jobs/nightly").headers[.eTag] == job.headers[.eTag])
        }
    }

    @Test func whatIsSaidIsAllThatIsSaid() async throws {
        try await withOwnPlane { plane in
            #expect(try await plane.post("/api/v1/apply", "{\(Self.state)}").status == 200)
            let less = """
                {"jobs":[{"name":"nightly","settings":{"attempts":3}}],"queues":[{"name":"slow"}],
                "schedules":[{"name":"n2","job":"test.other","kind":"cron","expression":"30 3 * * *"}]
                """
            let plan = try await plane.post("/api/v1/apply", less + ",\"dry_run\":true}")
            #expect(actions(plan) == ["change queue slow", "change job nightly", "change schedule n2"], "\(plan.text)")
            let fields = plan["changes"]?.elements?[1]["fields"]?.elements ?? []
            #expect(fields.compactMap { $0["name"]?.text } == ["limits", "attempts", "queue"], "\(plan.text)")
            #expect(fields[1]["from"]?.integer == 2 && fields[1]["to"]?.integer == 3 && fields[2]["to"] == .null)
            #expect(try await plane.post("/api/v1/apply", less + "}").status == 200)
            let job = try await plane.get("/api/v1/jobs/nightly")
            #expect(job["queue"]?.text == "default" && job["sources"]?["limits"]?["wall_ms"]?.text == "default")
            #expect(try await plane.get("/api/v1/queues/slow")["concurrency"] == .null)
            let schedule = try await plane.get("/api/v1/schedules/n2")
            #expect(schedule["timezone"]?.text == "UTC" && schedule["expression"]?.text == "30 3 * * *")
            #expect(try await plane.get("/api/v1/schedules/n1").status == 200)
        }
    }

    @Test func pruningTakesWhatWasAppliedAndNothingElse() async throws {
        try await withOwnPlane { plane in
            _ = try await plane.post(
                "/api/v1/schedules", #"{"name":"mine","job":"test.echo","kind":"cron","expression":"@daily"}"#)
            #expect(try await plane.post("/api/v1/apply", "{\(Self.state)}").status == 200)
            let other =
                #"{"set":"b","schedules":[{"name":"theirs","job":"test.echo","kind":"cron","expression":"@daily"}]}"#
            #expect(try await plane.post("/api/v1/apply", other).status == 200)
            let rest =
                #"{"schedules":[{"name":"n2","job":"test.other","kind":"cron","expression":"30 2 * * *","timezone":"Europe/Berlin"}]"#
            let plan = try await plane.post("/api/v1/apply", rest + #","prune":true,"dry_run":true}"#)
            #expect(actions(plan).sorted() == ["delete calendar holidays", "delete schedule n1"], "\(plan.text)")
            // What is shown is what is done, or nothing.
            _ = try await plane.post("/api/v1/apply", rest + #","prune":true}"#)
            let late = try await plane.post(
                "/api/v1/apply", rest + #","prune":true,"plan":"\#(plan["plan"]?.text ?? "")"}"#)
            #expect(late.status == 409 && late.code == "plan_changed", "\(late.text)")
            let names = try await plane.get("/api/v1/schedules").items.compactMap { $0["name"]?.text }
            #expect(names.sorted() == ["mine", "n2", "theirs"])
            #expect(try await plane.get("/api/v1/calendars/holidays").status == 404)
            #expect(try await plane.get("/api/v1/jobs/nightly").status == 200)
        }
    }

    @Test func allOfItOrNothing() async throws {
        try await withOwnPlane { plane in
            let before = try await plane.get("/api/v1/jobs").text
            for (body, places) in [
                (#""jobs":[{"name":"a","handler":"test.echo"},{"name":"test.ecko"}]"#, ["/jobs/1/name"]),
                (#""jobs":[{"name":"a","handler":"none.such"}]"#, ["/jobs/0/handler"]),
                (
                    #""jobs":[{"name":"a","handler":"test.echo","settings":{"attempts":0}}]"#,
                    ["/jobs/0/settings/attempts"]
                ),
                (#""jobs":[{"name":"test.echo","handler":"test.other"}]"#, ["/jobs/0/handler"]),
                (
                    #""schedules":[{"name":"a","job":"test.echo","kind":"cron","expression":"@daily"},{"name":"a","job":"x","kind":"cron","expression":"0 25 * * *"}]"#,
                    ["/schedules/1/name", "/schedules/1/expression"]
                ),
                (
                    #""schedules":[{"name":"a","job":"test.echo","kind":"cron","expression":"@daily"},{"name":"b","job":"none","kind":"cron","expression":"@daily"}]"#,
                    ["/schedules/1/job"]
                ),
                (
                    #""schedules":[{"name":"a","job":"test.echo","kind":"cron","expression":"@daily","calendars":["none"]}]"#,
                    ["/schedules/0/calendars/0"]
                ),
                (#""queues":[{"name":"q","concurrency":0}]"#, ["/queues/0/concurrency"]),
                (#""queues":[{"concurrency":1}]"#, ["/queues/0/name"]), (#""ques":[]"#, ["/ques"]),
                (#""calendars":[{"name":"A B"}]"#, ["/calendars/0/name"]),
                (#""calendars":[{"name":"a","dates":["soon"]}]"#, ["/calendars/0/dates/0"]),
            ] {
                for dry in ["false", "true"] {
                    let reply = try await plane.post("/api/v1/apply", "{\(body),\"dry_run\":\(dry)}")
                    #expect(reply.status == 422 && Set(reply.places) == Set(places), "\(body) \(dry): \(reply.text)")
                }
            }
            #expect(try await plane.get("/api/v1/jobs").items.count == 3, "\(before)")
            #expect(try await plane.get("/api/v1/schedules").items.isEmpty)
            #expect(try await plane.get("/api/v1/calendars").items.isEmpty)
        }
    }
}
