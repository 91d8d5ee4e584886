import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Ending, repeating and cleaning up runs; their logs.
@Suite struct ActionTests {
    @Test func waitingRunsAreCancelledAtOnce() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let first = try await plane.post("/api/v1/runs/\(id)/cancel", "{\"reason\":\"not needed\"}")
            #expect(first.status == 200)
            #expect(first["changed"] == .boolean(true))
            #expect(first["run"]?["state"]?.text == "cancelled")
            let again = try await plane.post("/api/v1/runs/\(id)/cancel", "")
            #expect(again.status == 200)
            #expect(again["changed"] == .boolean(false))
        }
    }

    @Test(arguments: ["cancel", "terminate"])
    func runningRunsAreTold(verb: String) async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            let reply = try await plane.post("/api/v1/runs/\(id)/\(verb)", "{\"grace_ms\":250,\"reason\":\"why\"}")
            #expect(reply.status == 202)
            #expect(reply["run"]?["cancel_reason"]?.text == "why")
            let order: FakeHost.Order =
                verb == "cancel"
                ? .cancel(id, attempt: run.attempt, grace: .milliseconds(250))
                : .terminate(id, attempt: run.attempt, grace: .milliseconds(250))
            #expect(plane.host.orders.contains(order))
            let again = try await plane.post("/api/v1/runs/\(id)/\(verb)", "{}")
            #expect(again.status == 200)
            #expect(again["changed"] == .boolean(false))
            try await plane.finish(run, .cancelled, outcome: .cancelled)
            #expect(try await plane.post("/api/v1/runs/\(id)/\(verb)", "{}")["changed"] == .boolean(false))
        }
    }

    @Test func whatHasSucceededCannotBeCancelled() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            try await plane.finish(try await plane.claim(id))
            for verb in ["cancel", "terminate"] {
                let reply = try await plane.post("/api/v1/runs/\(id)/\(verb)")
                #expect(reply.status == 409)
                #expect(reply["current_state"]?.text == "succeeded")
            }
            #expect(try await plane.post("/api/v1/runs/run_0000000000000/cancel").status == 404)
            #expect(try await plane.post("/api/v1/runs/\(id)/cancel", "{\"grace\":1}").places == ["/grace"])
        }
    }

    @Test func retryMakesANewRunWithChanges() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun(
                "{\"job\":\"test.echo\",\"queue\":\"q-retry\",\"args\":{\"a\":1,\"b\":2},\"title\":\"t\"}")
            let early = try await plane.post("/api/v1/runs/\(id)/retry")
            #expect(early.status == 409)
            #expect(early["current_state"]?.text == "queued")
            try await plane.finish(try await plane.claim(id), .failed, outcome: .error)
            let reply = try await plane.post(
                "/api/v1/runs/\(id)/retry", "{\"data_overrides\":{\"b\":3},\"priority\":4,\"attempts\":2}")
            #expect(reply.status == 201)
            let new = try #require(reply["new_run_id"]?.text)
            #expect(new != id.description)
            #expect(reply["run"]?["retry_of"]?.text == id.description)
            #expect(reply["run"]?["args"]?["b"]?.integer == 3)
            #expect(reply["run"]?["args"]?["a"]?.integer == 1)
            #expect(reply["run"]?["max_attempts"]?.integer == 2)
            #expect(plane.host.orders.contains(.enqueued(queue: "q-retry", rank: -4)))
            let both = try await plane.post("/api/v1/runs/\(id)/retry", "{\"args\":{},\"data_overrides\":{}}")
            #expect(both.places == ["/data_overrides"])
            let gone = try await plane.post("/api/v1/runs/\(id)/retry", "{\"remove_original\":true}")
            #expect(gone.status == 201)
            #expect(try await plane.get("/api/v1/runs/\(id)").status == 404)
        }
    }

    // MARK: Logs

    @Test func logsComeInThreeFormats() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            try await plane.log(id, 1...3)
            try await plane.log(id, 4...4, level: .error)
            let json = try await plane.get("/api/v1/runs/\(id)/logs?limit=2")
            #expect(json.items.map { $0["seq"]?.integer } == [1, 2])
            #expect(json["next_from"]?.integer == 3)
            #expect(json["state"]?.text == "running")
            #expect(json.items[0]["fields"]?["n"]?.integer == 1)
            let rest = try await plane.get("/api/v1/runs/\(id)/logs?from=3")
            #expect(rest.items.map { $0["seq"]?.integer } == [3, 4])
            let tail = try await plane.get("/api/v1/runs/\(id)/logs?tail=1")
            #expect(tail.items.map { $0["seq"]?.integer } == [4])
            let errors = try await plane.get(
                "/api/v1/runs/\(id)/logs?min_level=error&stream=handler&stream=host")
            #expect(errors.items.count == 1)
            let plain = try await plane.get("/api/v1/runs/\(id)/logs", headers: [.accept: "text/plain"])
            #expect(plain.text.split(separator: "\n").count == 4)
            #expect(plain.text.contains(" ERROR   line 4"))
            let lines = try await plane.get("/api/v1/runs/\(id)/logs", headers: [.accept: "application/x-ndjson"])
            #expect(try lines.text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }.count == 4)
            let none = try await plane.get("/api/v1/runs/\(id)/logs", headers: [.accept: "image/png"])
            #expect(none.status == 406)
            for (query, name) in [
                ("limit=0", "limit"), ("min_level=loud", "min_level"), ("stream=x", "stream"), ("attempt=0", "attempt"),
                ("follow=maybe", "follow"), ("from=1&tail=1", "tail"), ("from=-1", "from"),
            ] {
                #expect(try await plane.get("/api/v1/runs/\(id)/logs?\(query)").places == [name])
            }
            try await plane.finish(run)
            let whole = try await plane.get("/api/v1/runs/\(id)/logs?follow=true&tail=2")
            #expect(whole.text.split(separator: "\n").count == 2)
        }
    }

    @Test func followerEndsWhenNobodyListens() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            let hangUp = HangUp()
            let following = loopTask {
                try await plane.send(.get, "/api/v1/runs/\(id)/logs?follow=true", hangUp: hangUp)
            }
            while plane.host.followers(of: id) == 0 { try await LoopClock.sleep(for: .milliseconds(2)) }
            hangUp.happen()
            _ = try await following.value
            while plane.host.followers(of: id) > 0 { try await LoopClock.sleep(for: .milliseconds(2)) }
            try await plane.finish(run)
        }
    }

    // MARK: Safety

    @Test func cleanupShowsItsPlanThenDoesIt() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            try await LoopClock.sleep(for: .milliseconds(20))
            let plan = try await plane.post("/api/v1/safety/cleanup-stale", "{\"older_than_ms\":1,\"dry_run\":true}")
            #expect(plan["count"]?.integer == 1)
            #expect(plan["sample"]?.elements?.first?["id"]?.text == id.description)
            #expect(try await plane.get("/api/v1/runs/\(id)")["state"]?.text == "running")
            let name = try #require(plan["plan"]?.text)
            let other = try await plane.post(
                "/api/v1/safety/cleanup-stale", "{\"older_than_ms\":2,\"plan\":\"\(name)\"}")
            #expect(other.code == "plan_mismatch")
            let again = try #require(
                try await plane.post("/api/v1/safety/cleanup-stale", "{\"older_than_ms\":1,\"dry_run\":true}")["plan"]?
                    .text)
            let done = try await plane.post(
                "/api/v1/safety/cleanup-stale", "{\"older_than_ms\":1,\"plan\":\"\(again)\"}")
            #expect(done.status == 200, "\(done.text)")
            #expect(done["count"]?.integer == 1)
            #expect(plane.host.orders.contains(.terminate(id, attempt: run.attempt, grace: nil)))
            let ended = try await plane.get("/api/v1/runs/\(id)")
            #expect(ended["state"]?.text == "failed")
            #expect(ended["reason"]?.text == "stale")
            let twice = try await plane.post("/api/v1/safety/cleanup-stale", "{\"plan\":\"\(again)\"}")
            #expect(twice.code == "plan_unknown")
        }
    }

    @Test func cleanupStopsWhenMoreIsStaleThanWasShown() async throws {
        try await withOwnPlane { plane in
            let first = try await plane.claim(try await plane.makeRun())
            try await LoopClock.sleep(for: .milliseconds(20))
            let plan = try await plane.post("/api/v1/safety/cleanup-stale", "{\"older_than_ms\":1,\"dry_run\":true}")
            for _ in 0..<3 { _ = try await plane.claim(try await plane.makeRun()) }
            try await LoopClock.sleep(for: .milliseconds(20))
            let reply = try await plane.post(
                "/api/v1/safety/cleanup-stale", "{\"plan\":\"\(try #require(plan["plan"]?.text))\"}")
            #expect(reply.status == 409)
            #expect(reply.code == "plan_changed")
            #expect(try await plane.get("/api/v1/runs/\(first.id)")["state"]?.text == "running")
        }
    }

    @Test func cleanupLeavesWhatJustBegan() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            let reply = try await plane.post("/api/v1/safety/cleanup-stale", "")
            #expect(reply.status == 200)
            #expect(reply["older_than_ms"]?.integer == 21_600_000)
            #expect(try await plane.get("/api/v1/runs/\(id)")["state"]?.text == "running")
            for (body, place) in [
                ("{\"outcome\":\"explode\"}", "/outcome"), ("{\"older_than_ms\":-1}", "/older_than_ms"),
                ("{\"dry_run\":1}", "/dry_run"), ("{\"dry_run\":true,\"plan\":\"x\"}", "/plan"),
            ] {
                #expect(try await plane.post("/api/v1/safety/cleanup-stale", body).places == [place])
            }
            try await plane.finish(run)
        }
    }

    @Test func emergencyTerminateIsTheSame() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            let reply = try await plane.post("/api/v1/safety/terminate/\(id)", "{\"grace_ms\":0}")
            #expect(reply.status == 202)
            #expect(plane.host.orders.contains(.terminate(id, attempt: run.attempt, grace: .zero)))
            try await plane.finish(run, .cancelled, outcome: .terminated)
        }
    }

    @Test func healthSaysWhatIsWrong() async throws {
        try await withOwnPlane { plane in
            let good = try await plane.get("/api/v1/safety/health")
            #expect(good["verdict"]?.text == "ok", "\(good.text)")
            plane.host.pluginViews = [PluginView(name: "", file: "bad.so", state: "rejected", error: "no ELF file")]
            let bad = try await plane.get("/api/v1/safety/health")
            #expect(bad["verdict"]?.text == "attention")
            #expect(bad.text.contains("bad.so"))
            #expect(try await plane.get("/api/v1/safety/stuck").items.isEmpty)
            #expect(try await plane.get("/api/v1/safety/stuck?severity=huge").places == ["severity"])
        }
    }
}
