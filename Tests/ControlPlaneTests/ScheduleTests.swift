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
            #expect(try await plane.post("/api/v1/schedules/sch_999999/resume", "").status == 404)
            for (body, pointer) in [
                ("\"overlap\":\"queue\"", "/overlap"), ("\"dst\":{\"gap\":\"jump\"}", "/dst/gap"),
                ("\"timezone\":\"EST\"", "/timezone"),
            ] {
                let refused = try await plane.post(
                    "/api/v1/schedules", "{\"job\":\"test.echo\",\"kind\":\"cron\",\"expression\":\"@daily\",\(body)}")
                #expect(refused.status == 422 && refused.text.contains("\"\(pointer)\""), "\(refused.text)")
            }
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
