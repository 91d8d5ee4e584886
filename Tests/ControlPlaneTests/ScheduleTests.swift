import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Schedules over HTTP.
@Suite struct ScheduleTests {
    @Test func lifeOfASchedule() async throws {
        try await withPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules",
                """
                {"name":"nightly","job":"test.echo","kind":"cron","spec":{"expression":"30 2 * * *"},
                 "timezone":"Europe/Berlin","args":{"a": 1}}
                """)
            #expect(made.status == 201, "\(made.text)")
            let id = try #require(made["id"]?.text)
            #expect(made.headers[.location] == "/api/v1/schedules/\(id)")
            #expect(made["next_at"]?.text != nil)
            #expect(made["expression"]?.text == "30 2 * * *")
            let shown = try await plane.get("/api/v1/schedules/\(id)")
            let tag = try #require(shown.headers[.eTag])
            #expect(made.headers[.eTag] == tag)
            #expect(try await plane.get("/api/v1/schedules/\(id)", headers: [.ifNoneMatch: tag]).status == 304)
            let body = "{\"name\":\"hourly\",\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":3600000}"
            #expect(try await plane.send(.put, "/api/v1/schedules/\(id)", body).status == 428)
            let changed = try await plane.send(.put, "/api/v1/schedules/\(id)", body, headers: [.ifMatch: tag])
            #expect(changed.status == 200, "\(changed.text)")
            #expect(changed["interval_ms"]?.integer == 3_600_000)
            let late = try await plane.send(.put, "/api/v1/schedules/\(id)", body, headers: [.ifMatch: tag])
            #expect(late.status == 412)
            #expect(late.headers[.eTag] == changed.headers[.eTag])
            #expect(try await plane.send(.delete, "/api/v1/schedules/\(id)").status == 428)
            #expect(
                try await plane.send(.delete, "/api/v1/schedules/\(id)", headers: [.ifMatch: tag]).status == 412)
            let now = try #require(changed.headers[.eTag])
            #expect(try await plane.send(.delete, "/api/v1/schedules/\(id)", headers: [.ifMatch: now]).status == 204)
            #expect(try await plane.get("/api/v1/schedules/\(id)").status == 404)
        }
    }

    @Test(arguments: [
        ("{\"job\":\"test.echo\",\"kind\":\"cron\",\"spec\":{\"expression\":\"0 25 * * *\"}}", "/spec/expression"),
        ("{\"job\":\"test.echo\",\"kind\":\"cron\",\"expression\":\"0 25 * * *\"}", "/expression"),
        (
            "{\"job\":\"test.echo\",\"kind\":\"cron\",\"expression\":\"* * * * *\",\"timezone\":\"Mars/Olympus\"}",
            "/timezone"
        ),
        ("{\"job\":\"test.echo\",\"kind\":\"sometimes\",\"spec\":{}}", "/kind"),
        ("{\"job\":\"test.echo\",\"kind\":\"interval\"}", "/spec"),
        ("{\"job\":\"test.echo\",\"kind\":\"interval\",\"spec\":{\"every_ms\":1}}", "/spec/every_ms"),
        ("{\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":1}", "/interval_ms"),
        ("{\"job\":\"test.echo\",\"kind\":\"once\",\"spec\":{\"at\":\"soon\"}}", "/spec/at"),
        ("{\"job\":\"test.echo\",\"kind\":\"once\",\"spec\":[]}", "/spec"),
        ("{\"kind\":\"interval\",\"interval_ms\":1000}", "/job"),
        ("{\"job\":\"test.echo\",\"interval_ms\":1000}", "/kind"),
        ("{\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":1000,\"max_runs\":0}", "/max_runs"),
        ("{\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":1000,\"cron\":1}", "/cron"),
        (
            "{\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":1000,\"starts_at\":\"2030-01-02T00:00:00Z\",\"ends_at\":\"2030-01-01T00:00:00Z\"}",
            "/ends_at"
        ),
    ])
    func badSchedulesAreRefusedWithTheirField(body: String, place: String) async throws {
        try await withPlane { plane in
            let reply = try await plane.post("/api/v1/schedules", body)
            #expect(reply.status == 422, "\(reply.text)")
            #expect(reply.places == [place], "\(reply.text)")
        }
    }

    @Test func schedulesNeedTheirJob() async throws {
        try await withPlane { plane in
            let reply = try await plane.post(
                "/api/v1/schedules", "{\"job\":\"test.ecko\",\"kind\":\"interval\",\"interval_ms\":1000}")
            #expect(reply.status == 404)
            #expect(try await plane.get("/api/v1/jobs/nobody/schedules").status == 404)
            for id in ["sch_0", "sch_99999", "1", "sch_01", "x"] {
                #expect(try await plane.get("/api/v1/schedules/\(id)").status == 404, "\(id)")
            }
        }
    }

    @Test func dueListsLookAhead() async throws {
        try await withPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules", "{\"job\":\"test.other\",\"kind\":\"interval\",\"interval_ms\":7200000}")
            let id = made["id"]
            #expect(!(try await plane.get("/api/v1/schedules/due").items.contains { $0["id"] == id }))
            #expect(try await plane.get("/api/v1/schedules/due?within_ms=10000000").items.contains { $0["id"] == id })
            #expect(try await plane.get("/api/v1/jobs/test.other/schedules").items.contains { $0["id"] == id })
            #expect(try await plane.get("/api/v1/schedules?job=test.other&enabled=false").items.isEmpty)
            #expect(try await plane.get("/api/v1/schedules/\(id?.text ?? "")/occurrences").items.isEmpty)
        }
    }

    @Test func previewKnowsTheNightsOfTheClocks() async throws {
        try await withPlane { plane in
            // 2026-10-25: Berlin's clocks go back at 3:00.
            let fold = try await plane.post(
                "/api/v1/schedules/preview",
                """
                {"kind":"cron","expression":"30 2 * * *","timezone":"Europe/Berlin","count":2,"from":"2026-10-24T12:00:00Z"}
                """)
            #expect(fold.status == 200, "\(fold.text)")
            let runs = try #require(fold["runs"]?.elements)
            #expect(runs[0]["at"]?.text == "2026-10-25T00:30:00.000000Z")
            #expect(runs[0]["local"]?.text == "2026-10-25T02:30:00+02:00")
            #expect(runs[0]["note"]?.text != nil)
            #expect(runs[1]["local"]?.text == "2026-10-26T02:30:00+01:00")
            #expect(runs[1]["note"] == .null)
            let gap = try await plane.post(
                "/api/v1/schedules/preview",
                """
                {"kind":"cron","expression":"30 2 * * *","timezone":"Europe/Berlin","count":1,"from":"2026-03-28T12:00:00Z"}
                """)
            #expect(gap["runs"]?.elements?.first?["local"]?.text == "2026-03-29T03:00:00+02:00")
            #expect(gap["runs"]?.elements?.first?["note"]?.text != nil)
            let past = try await plane.post(
                "/api/v1/schedules/preview", "{\"kind\":\"once\",\"at\":\"2020-01-01T00:00:00Z\"}")
            #expect(past["warnings"]?.elements?.count == 1)
            #expect(try await plane.post("/api/v1/schedules/preview", "{\"count\":0,\"kind\":\"once\"}").status == 422)
            #expect(!(try await plane.get("/api/v1/schedules").items.contains { $0["timezone"]?.text == "x" }))
        }
    }

    @Test func optionsPauseAndSkip() async throws {
        try await withPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules",
                """
                {"job":"test.echo","kind":"oncalendar","expression":"Mon..Fri 02:30 Europe/Berlin",
                "dst":{"gap":"skip"},"overlap":"skip","catch_up":{"policy":"none"},"jitter_ms":1000}
                """)
            #expect(made.status == 201, "\(made.text)")
            #expect(made["timezone"]?.text == "Europe/Berlin" && made["dst"]?["gap"]?.text == "skip")
            #expect(made["overlap"]?.text == "skip" && made["catch_up"]?["policy"]?.text == "none")
            let path = "/api/v1/schedules/\(made["id"]?.text ?? "")"
            let paused = try await plane.post(path + "/pause", "{\"reason\":\"upkeep\"}")
            #expect(
                paused.status == 200 && paused["pause_reason"]?.text == "upkeep" && paused["paused_at"]?.text != nil)
            let resumed = try await plane.post(path + "/resume", "")
            #expect(resumed.status == 200 && resumed["paused_at"] == .null)
            let skipping = try await plane.post(path + "/skip", "{\"next\":2}")
            #expect(skipping.status == 200 && skipping["skip_next"]?.integer == 2)
            #expect(try await plane.post(path + "/skip", "{}").status == 422)
            let toNow = try await plane.post(path + "/skip", "{\"until\":\"now\"}")
            #expect(toNow.status == 200 && toNow["skip_until"]?.text != nil, "\(toNow.text)")
            #expect(try await plane.post(path + "/skip", "{\"until\":\"then\"}").status == 422)
            #expect(try await plane.post("/api/v1/schedules/sch_999999/resume", "").status == 404)
            for (body, pointer) in [
                ("\"overlap\":\"queue\"", "/overlap"), ("\"count_manual\":1", "/count_manual"),
                ("\"dst\":{\"gap\":\"jump\"}", "/dst/gap"),
                ("\"timezone\":\"EST\"", "/timezone"),
            ] {
                let refused = try await plane.post(
                    "/api/v1/schedules", "{\"job\":\"test.echo\",\"kind\":\"cron\",\"expression\":\"@daily\",\(body)}")
                #expect(refused.status == 422 && refused.text.contains("\"\(pointer)\""), "\(refused.text)")
            }
        }
    }

    @Test func triggerWithChanges() async throws {
        try await withPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules",
                """
                {"job":"test.echo","kind":"interval","interval_ms":3600000,"overlap":"skip","args":{"n":1},"enabled":false,
                "labels":{"a":"1"}}
                """)
            let id = made["id"]?.text ?? ""
            let path = "/api/v1/schedules/\(id)/trigger"
            let run = try await plane.post(
                path,
                "{\"args\":{\"n\":2},\"queue\":\"held\",\"labels\":{\"b\":\"2\"},\"run_at\":\"2090-01-01T00:00:00Z\"}")
            #expect(run.status == 201 && run["schedule_id"]?.text == id, "\(run.text)")
            #expect(run["args"]?["n"]?.integer == 2 && run["queue"]?.text == "held" && run["trigger"]?.text == "manual")
            #expect(run["labels"] == .object([JSONMember("a", .string("1")), JSONMember("b", .string("2"))]))
            let again = try await plane.post(path, "{}")
            #expect(again.status == 409 && again["code"]?.text == "overlap", "\(again.text)")
            let waiting = try await plane.post(path, "{\"overlap\":\"queue_one\"}")
            #expect(waiting.status == 201 && waiting["state"]?.text == "blocked", "\(waiting.text)")
            for (body, pointer) in [
                ("{\"overlap\":\"x\"}", "/overlap"), ("{\"args\":[]}", "/args"), ("{\"job\":\"x\"}", "/job"),
                ("{\"attempts\":0}", "/attempts"),
            ] {
                let refused = try await plane.post(path, body)
                #expect(refused.status == 422 && refused.text.contains("\"\(pointer)\""), "\(refused.text)")
            }
            #expect(try await plane.post("/api/v1/schedules/sch_999999/trigger", "{}").status == 404)
            let rows = try await plane.get("/api/v1/schedules/\(id)/occurrences").items
            #expect(rows.count == 2 && rows.allSatisfy { $0["source"]?.text == "manual" })
            #expect(try await plane.get("/api/v1/schedules/\(id)")["run_count"]?.integer == 0)
        }
    }

    @Test func backfillShowsItsPlanFirst() async throws {
        try await withPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules",
                "{\"job\":\"test.echo\",\"kind\":\"cron\",\"expression\":\"0 3 * * *\",\"queue\":\"backfilled\"}")
            let path = "/api/v1/schedules/\(made["id"]?.text ?? "")/backfill"
            let range = "\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-10T00:00:00Z\""
            let plan = try await plane.post(path, "{\(range),\"max_parallel\":2,\"dry_run\":true}")
            #expect(plan.status == 200 && plan["count"]?.integer == 9, "\(plan.text)")
            #expect(plan["sample"]?.elements?.first?.text?.prefix(19) == "2026-01-01T03:00:00", "\(plan.text)")
            let name = plan["plan"]?.text ?? ""
            #expect(try await plane.post(path, "{\"plan\":\"\(name)\"}").status >= 400)
            let done = try await plane.post(path, "{\"plan\":\"\(name)\"}", headers: [.idempotencyKey: "\"b1\""])
            #expect(done.status == 200 && done["count"]?.integer == 9 && done["backfill"]?.text != nil, "\(done.text)")
            let replay = try await plane.post(path, "{\"plan\":\"\(name)\"}", headers: [.idempotencyKey: "\"b1\""])
            #expect(replay["backfill"] == done["backfill"])
            let nothing = try await plane.post(path, "{\(range)}", headers: [.idempotencyKey: "\"b2\""])
            #expect(nothing["count"]?.integer == 0 && nothing["existing"]?.integer == 9 && nothing["backfill"] == .null)
            let runs = try await plane.get("/api/v1/runs?queue=backfilled&limit=20").items
            #expect(runs.count == 9 && runs.allSatisfy { $0["state"]?.text == "blocked" })
            for (body, pointer) in [
                ("{\"to\":\"2026-01-10T00:00:00Z\"}", "/from"),
                ("{\"from\":\"2026-01-02T00:00:00Z\",\"to\":\"2026-01-01T00:00:00Z\",\"dry_run\":true}", "/to"),
                ("{\(range),\"max_parallel\":0,\"dry_run\":true}", "/max_parallel"),
                ("{\(range),\"plan\":\"x\"}", "/from"),
            ] {
                let refused = try await plane.post(path, body, headers: [.idempotencyKey: "\"b3\""])
                #expect(refused.status == 422 && refused.text.contains("\"\(pointer)\""), "\(refused.text)")
            }
            let event = try await plane.post(
                "/api/v1/schedules",
                "{\"job\":\"test.echo\",\"kind\":\"event\",\"spec\":{\"event\":\"host_start\"}}")
            #expect(event.status == 201 && event["next_at"] == .null, "\(event.text)")
            let timeless = try await plane.post(
                "/api/v1/schedules/\(event["id"]?.text ?? "")/backfill", "{\(range),\"dry_run\":true}")
            #expect(timeless.status == 409 && timeless["code"]?.text == "no_times")
        }
    }

    @Test func textsAndZones() async throws {
        try await withPlane { plane in
            let one = try await plane.post("/api/v1/schedules/parse", "{\"text\":\"@daily\"}")
            #expect(one["items"]?.elements?.first?["sentence"]?.text == "At 00:00 every day", "\(one.text)")
            let tab = try await plane.post(
                "/api/v1/schedules/parse",
                "{\"crontab\":true,\"text\":\"# Nightly\\n30 2 * * * load\\n0 0 32 * * bad\"}")
            #expect(tab["items"]?.elements?.first?["description"]?.text == "Nightly", "\(tab.text)")
            #expect(tab["problems"]?.elements?.first?["line"]?.integer == 3)
            #expect(try await plane.post("/api/v1/schedules/parse", "{\"text\":\"0 0 32 * *\"}").status == 422)
            let zones = try await plane.get("/api/v1/timezones")
            #expect(
                zones["release"]?.text != nil && zones["items"]?.elements?.contains(.string("Europe/Berlin")) == true)
            #expect(zones["items"]?.elements?.contains(.string("EST")) == false)
        }
    }
}
