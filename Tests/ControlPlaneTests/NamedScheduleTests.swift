import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Schedules by name, registered once, changed with their tags.
@Suite struct NamedScheduleTests {
    @Test func registeringTwiceIsRegisteringOnce() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/schedules/pulse"
            let body = #"{"job":"test.echo","kind":"interval","interval_ms":60000,"args":{"a": 1}}"#
            let made = try await plane.send(.put, path, body, headers: [.ifNoneMatch: "*"])
            #expect(made.status == 201 && made["name"]?.text == "pulse", "\(made.text)")
            let again = try await plane.send(.put, path, body, headers: [.ifNoneMatch: "*"])
            #expect(again.status == 200 && again["id"] == made["id"] && again["revision"] == made["revision"])
            #expect(again.headers[.eTag] == made.headers[.eTag])
            let spaced = #"{"job":"test.echo","kind":"interval","interval_ms":60000,"args":{"a":1}}"#
            #expect(try await plane.send(.put, path, spaced, headers: [.ifNoneMatch: "*"]).status == 200)
            let other = try await plane.send(
                .put, path, #"{"job":"test.echo","kind":"interval","interval_ms":90000,"queue":"q"}"#,
                headers: [.ifNoneMatch: "*"])
            #expect(other.status == 412 && other.code == "schedule_exists", "\(other.text)")
            #expect(other.headers[.eTag] == made.headers[.eTag] && other.text.contains("spec, args, queue"))
            #expect(try await plane.get("/api/v1/schedules").items.count == 1)
            #expect(try await plane.send(.put, path, body, headers: [.ifNoneMatch: "\"1\""]).status == 400)
            // Removed by its name, and registered anew.
            #expect(try await plane.send(.delete, path, headers: [.ifMatch: "*"]).status == 204)
            #expect(try await plane.get(path).status == 404)
            #expect(try await plane.send(.put, path, body, headers: [.ifNoneMatch: "*"]).status == 201)
        }
    }

    @Test func aNameIsOfOneScheduleAndNoWordOfOurs() async throws {
        try await withOwnPlane { plane in
            func make(_ name: String) async throws -> Harness.Reply {
                try await plane.post(
                    "/api/v1/schedules", #"{"name":"\#(name)","job":"test.echo","kind":"cron","expression":"@daily"}"#)
            }
            #expect(try await make("a").status == 201)
            let twice = try await make("a")
            #expect(twice.status == 409 && twice.code == "schedule_exists")
            #expect(try await make("b").status == 201)
            for name in ["due", "preview", "export", "sch_5"] {
                let refused = try await make(name)
                #expect(refused.status == 422 && refused.places == ["/name"], "\(name)")
            }
            #expect(try await make("sch_x").status == 201)
            let taken = try await plane.send(
                .patch, "/api/v1/schedules/b", #"{"name":"a"}"#, headers: [.ifMatch: "*"])
            #expect(taken.status == 409 && taken.code == "schedule_exists", "\(taken.text)")
            // Whatever it is called, its path finds it.
            #expect(try await make("Each night/at two").status == 201)
            #expect(try await plane.get("/api/v1/schedules/Each%20night%2Fat%20two").status == 200)
        }
    }

    @Test func patchesChangeWhatTheyName() async throws {
        try await withOwnPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules",
                """
                {"name":"p","job":"test.echo","kind":"interval","interval_ms":60000,"args":{"a":1},"labels":{"x":"1","y":"2"},
                "catch_up":{"policy":"all","cap":7},"max_runs":9}
                """)
            let path = "/api/v1/schedules/p"
            var tag = try #require(made.headers[.eTag])
            func patch(_ body: String) async throws -> Harness.Reply {
                let reply = try await plane.send(.patch, path, body, headers: [.ifMatch: tag])
                if let new = reply.headers[.eTag], reply.status == 200 { tag = new }
                return reply
            }
            #expect(try await plane.send(.patch, path, "{}").status == 428)
            let off = try await patch(#"{"enabled":false}"#)
            #expect(off.status == 200 && off["enabled"] == .boolean(false) && off["next_at"] == .null, "\(off.text)")
            #expect(off["args"]?["a"]?.integer == 1 && off["spec"] == made["spec"] && off["max_runs"]?.integer == 9)
            let old = try #require(made.headers[.eTag])
            #expect(try await plane.send(.patch, path, "{}", headers: [.ifMatch: old]).status == 412)
            let on = try await patch(
                #"{"enabled":null,"max_runs":null,"labels":{"x":null,"z":"3"},"catch_up":{"cap":8}}"#)
            #expect(
                on["enabled"] == .boolean(true) && on["max_runs"] == .null && on["next_at"]?.text != nil, "\(on.text)")
            #expect(on["labels"]?.json == #"{"y":"2","z":"3"}"#)
            #expect(on["catch_up"]?["policy"]?.text == "all" && on["catch_up"]?["cap"]?.integer == 8)
            let cron = try await patch(#"{"kind":"cron","expression":"@daily","timezone":"Europe/Berlin"}"#)
            #expect(cron["kind"]?.text == "cron" && cron["timezone"]?.text == "Europe/Berlin", "\(cron.text)")
            let spec = try await patch(#"{"expression":"0 25 * * *"}"#)
            #expect(spec.status == 422 && spec.places == ["/expression"], "\(spec.text)")
            #expect(try await patch(#"{"jop":"x"}"#).places == ["/jop"])
        }
    }

    @Test func actionsHonourTags() async throws {
        try await withOwnPlane { plane in
            let made = try await plane.post(
                "/api/v1/schedules", #"{"name":"t","job":"test.echo","kind":"cron","expression":"@daily"}"#)
            let path = "/api/v1/schedules/t"
            let old = try #require(made.headers[.eTag])
            let paused = try await plane.send(.post, path + "/pause", "{}", headers: [.ifMatch: old])
            #expect(paused.status == 200 && paused["paused_at"]?.text != nil, "\(paused.text)")
            for (action, body) in [("pause", "{}"), ("resume", ""), ("skip", #"{"next":1}"#)] {
                let late = try await plane.send(.post, "\(path)/\(action)", body, headers: [.ifMatch: old])
                #expect(late.status == 412 && late.code == "etag_mismatch", "\(action)")
                #expect(late.headers[.eTag] == paused.headers[.eTag])
            }
            #expect(try await plane.post(path + "/resume", "")["paused_at"] == .null)
            #expect(try await plane.post("/api/v1/schedules/none/resume", "").status == 404)
        }
    }

    @Test func whatIsWrittenDownReadsBack() async throws {
        try await withOwnPlane { plane in
            let body = """
                {"name":"w","job":"test.echo","kind":"rrule","expression":"FREQ=WEEKLY;BYDAY=MO","timezone":"Europe/Berlin",
                "args":{"n":[1,null]},"queue":"q","priority":-3,"attempts":4,"backoff":{"type":"fixed","delay_ms":5},
                "timeout_ms":70,"queue_ms":80,"title":"T","description":"D","labels":{"k":"v"},"owner":"me",
                "starts_at":"2026-01-01T00:00:00Z","ends_at":"2036-01-01T00:00:00Z","max_runs":5,"enabled":false,
                "dst":{"gap":"skip","fold":"both"},"catch_up":{"policy":"none"},"overlap":"skip","jitter_ms":9,
                "every_nth":2,"business_days":true,"blackouts":{"dates":["2026-12-24/2026-12-26"]}}
                """
            _ = try await plane.post("/api/v1/schedules", body)
            let row = try #require(try await plane.store.schedule(named: "w"))
            let written = ScheduleDefinition.json(row.input)
            let again = try await plane.send(.put, "/api/v1/schedules/w", written.json, headers: [.ifMatch: "*"])
            #expect(again.status == 200, "\(again.text)")
            let after = try #require(try await plane.store.schedule(named: "w"))
            #expect(after.input == row.input)
            #expect(ScheduleDefinition.json(after.input) == written)
        }
    }
}
