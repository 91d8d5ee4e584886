import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Freeze, thaw, extend, renice, look, explain: over HTTP, on a host without processes.
@Suite struct LiveControlTests {
    private static let verbs: [(String, String)] = [
        ("freeze", "{}"), ("thaw", "{}"), ("extend", "{\"by_ms\":60000}"), ("niceness", "{\"niceness\":10}"),
        ("diagnostics", "{}"),
    ]

    @LoopActor private static func begin(_ plane: Harness) async throws -> (RunID, LiveAttempt) {
        let id = try await plane.makeRun()
        let run = try await plane.claim(id)
        let live = LiveAttempt(
            runID: id, attempt: run.attempt, pid: 4711, startedAt: WallClock.now, mode: .pool,
            deadline: WallClock.now.advanced(by: .seconds(60)), niceness: 5,
            latest: ResourceSample(
                atMillis: 1000, cpuMillis: 900, rssBytes: 4096, processes: 1, threads: 2, descriptors: 3))
        plane.host.attempts.append(live)
        return (id, live)
    }

    @Test func theHostIsToldAndTheRunShowsIt() async throws {
        try await withOwnPlane { plane in
            let (id, live) = try await Self.begin(plane)
            let path = "/api/v1/runs/\(id)"
            let frozen = try await plane.post("\(path)/freeze", "{\"reason\":\"repairs\"}")
            #expect(frozen.status == 200, "\(frozen.text)")
            #expect(frozen["changed"] == .boolean(true))
            #expect(frozen["run"]?["frozen"] == .boolean(true))
            #expect(frozen["run"]?["mode"]?.text == "pool")
            #expect(try await plane.post("\(path)/freeze")["changed"] == .boolean(false))
            #expect(try await plane.post("\(path)/thaw")["changed"] == .boolean(true))
            #expect(try await plane.post("\(path)/thaw")["changed"] == .boolean(false))
            let extended = try await plane.post("\(path)/extend", "{\"by_ms\":90000}")
            let deadline = live.deadline?.advanced(by: .seconds(90))
            #expect(extended["deadline_at"]?.text == deadline?.rfc3339)
            #expect(extended["run"]?["deadline_at"]?.text == deadline?.rfc3339)
            let until = deadline?.advanced(by: .seconds(5)).rfc3339 ?? ""
            #expect(try await plane.post("\(path)/extend", "{\"until\":\"\(until)\"}")["deadline_at"]?.text == until)
            let nice = try await plane.post("\(path)/niceness", "{\"niceness\":15}")
            #expect(nice["run"]?["niceness"]?.integer == 15)
            let looked = try await plane.post("\(path)/diagnostics", "")
            #expect(looked["diagnosis"]?["processes"]?.elements?.isEmpty == true)
            #expect(looked["attempt"]?.integer == Int64(live.attempt))
            #expect(
                plane.host.orders.contains(.extend(id, attempt: live.attempt, by: .seconds(90)))
                    && plane.host.orders.contains(.niceness(id, attempt: live.attempt, 15)))
            let attempts = try await plane.get("\(path)/attempts")
            #expect(attempts.items.last?["sample"]?["cpu_ms"]?.integer == 900)
            #expect(attempts.items.last?["samples"]?.elements?.count == 1)
        }
    }

    @Test func whatIsAskedForMustMakeSense() async throws {
        try await withOwnPlane { plane in
            let (id, live) = try await Self.begin(plane)
            let past = live.deadline?.advanced(by: .seconds(-1)).rfc3339 ?? ""
            let far = WallClock.now.advanced(by: .seconds(400 * 86_400)).rfc3339
            for (verb, body, place) in [
                ("extend", "{}", "/by_ms"), ("extend", "{\"by_ms\":0}", "/by_ms"),
                ("extend", "{\"by_ms\":1,\"until\":\"\(far)\"}", "/until"),
                ("extend", "{\"until\":\"\(past)\"}", "/until"),
                ("extend", "{\"until\":\"\(far)\"}", "/until"), ("extend", "{\"byms\":5}", "/by_ms"),
                ("niceness", "{}", "/niceness"), ("niceness", "{\"niceness\":20}", "/niceness"),
                ("niceness", "{\"niceness\":\"low\"}", "/niceness"), ("freeze", "{\"why\":\"\"}", "/why"),
                ("diagnostics", "{\"kind\":\"stack\"}", "/kind"),
            ] {
                let reply = try await plane.post("/api/v1/runs/\(id)/\(verb)", body)
                #expect(reply.status == 422, "\(verb) \(body): \(reply.text)")
                #expect(reply.places.contains(place), "\(verb) \(body): \(reply.text)")
            }
            #expect(plane.host.orders.allSatisfy { if case .enqueued = $0 { true } else { false } })
        }
    }

    @Test func refusalsNameTheState() async throws {
        try await withOwnPlane { plane in
            let waiting = try await plane.makeRun()
            let (id, _) = try await Self.begin(plane)
            for (verb, body) in Self.verbs {
                let unknown = try await plane.post("/api/v1/runs/run_0000000000000/\(verb)", body)
                #expect(unknown.status == 404, "\(verb)")
                let reply = try await plane.post("/api/v1/runs/\(waiting)/\(verb)", body)
                #expect(reply.status == 409, "\(verb)")
                #expect(reply.code == "not_running")
                #expect(reply["current_state"]?.text == "queued")
                #expect(
                    try await plane.send(.post, "/api/v1/runs/\(id)/\(verb)", body, token: nil).status == 401, "\(verb)"
                )
            }
            plane.host.isTooLate = true
            plane.host.diagnosis = nil
            for (verb, body) in Self.verbs.prefix(1) {
                let reply = try await plane.post("/api/v1/runs/\(id)/\(verb)", body)
                #expect(reply.status == 409 && reply.code == "ending", "\(verb) \(reply.text)")
            }
            let blind = try await plane.post("/api/v1/runs/\(id)/diagnostics")
            #expect(blind.status == 503 && blind.code == "diagnosis_unavailable")
            plane.host.isTooLate = false
            plane.host.mayRenice = false
            let renice = try await plane.post("/api/v1/runs/\(id)/niceness", "{\"niceness\":-20}")
            #expect(renice.status == 409 && renice.code == "niceness_refused")
        }
    }

    @Test func aRunOfAnotherHostNamesIt() async throws {
        try await withOwnPlane { plane in
            let other = try await plane.store.registerHost(
                HostRegistration(dataDirectoryID: "there", hostname: "there", pid: 2, version: "1", slots: 4)
            ).lease
            let id = try await plane.makeRun()
            let queue = try #require(try await plane.store.run(id)).queue
            _ = try await plane.store.claim(other, ClaimRequest(limit: 1, queues: [queue]))
            for (verb, body) in Self.verbs {
                let reply = try await plane.post("/api/v1/runs/\(id)/\(verb)", body)
                #expect(reply.status == 409 && reply.code == "runs_elsewhere", "\(reply.text)")
                #expect(reply["detail"]?.text?.contains("there") == true)
            }
            let reply = try await plane.get("/api/v1/runs/\(id)/explain")
            #expect(reply["explanation"]?["cause"]?.text == "running_elsewhere")
        }
    }

    @Test func anAttemptThatHasNotBegunSaysSo() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            _ = try await plane.claim(id)
            let reply = try await plane.post("/api/v1/runs/\(id)/freeze")
            #expect(reply.status == 409 && reply.code == "starting")
            #expect(reply["retryable"] == .boolean(true))
        }
    }

    // MARK: Explain

    @Test func waitingRunsAreExplained() async throws {
        try await withOwnPlane { plane in
            let body = "{\"job\":\"test.echo\",\"queue\":\"line\"}"
            let first = try await plane.makeRun(body)
            let second = try await plane.makeRun(body)
            func cause(_ id: RunID) async throws -> String? {
                let reply = try await plane.get("/api/v1/runs/\(id)/explain")
                #expect(reply.status == 200, "\(reply.text)")
                #expect(reply["explanation"]?["next"]?.elements?.isEmpty == false)
                return reply["explanation"]?["cause"]?.text
            }
            #expect(try await cause(first) == "next_in_line")
            #expect(try await cause(second) == "behind_others")
            let other = try await plane.makeRun("{\"job\":\"test.other\"}")
            #expect(try await cause(other) == "no_handler")
            let late = try await plane.makeRun("{\"job\":\"test.echo\",\"delay_ms\":60000}")
            #expect(try await cause(late) == "not_due")
            _ = try await plane.post("/api/v1/queues/line/pause", "{\"reason\":\"repairs\"}")
            #expect(try await cause(second) == "queue_paused")
            _ = try await plane.post("/api/v1/runs/\(second)/cancel", "{\"reason\":\"enough\"}")
            #expect(try await cause(second) == "cancelled_before_start")
            #expect(try await plane.get("/api/v1/runs/run_0000000000000/explain").status == 404)
        }
    }

    @Test func endedRunsAreExplained() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            try await plane.finish(run, .failed, outcome: .timedOut) {
                $0.reason = .wall
                $0.sentence = "It ran longer than allowed and was ended."
                $0.ladder = [LadderStep(name: "cancel", atMillis: 1000), LadderStep(name: "kill", atMillis: 2000)]
                $0.diagnosis =
                    "{\"processes\":[{\"threads\":[{\"stack\":[{\"function\":\"spin\",\"file\":\"/s/m.c\",\"line\":7}]}]}]}"
                $0.samples = [
                    ResourceSample(
                        atMillis: 1000, cpuMillis: 999, rssBytes: 1 << 20, processes: 1, threads: 1, descriptors: 5)
                ]
                $0.leaks = LeakReport(processes: 1)
                $0.mode = .spawn
                $0.lastLines = [LogLine(time: $0.ended, level: .warning, stream: .stderr, message: "still here")]
            }
            let reply = try await plane.get("/api/v1/runs/\(id)/explain")
            #expect(reply["explanation"]?["cause"]?.text == "timed_out_wall")
            let facts = (reply["explanation"]?["evidence"]?.elements ?? []).compactMap { $0["fact"]?.text }
            for fact in ["found", "ladder", "last_line", "survivors", "diagnosis", "sentence"] {
                #expect(facts.contains(fact), "\(fact)")
            }
            let attempt = try #require(try await plane.get("/api/v1/runs/\(id)/attempts").items.first)
            #expect(attempt["mode"]?.text == "spawn")
            #expect(attempt["samples"]?.elements?.first?["cpu_ms"]?.integer == 999)
            #expect(attempt["leaks"]?["processes"]?.integer == 1)
            #expect(attempt["diagnosis"]?["processes"]?.elements?.count == 1)
            #expect(attempt["last_lines"]?.elements?.first?["message"]?.text == "still here")
        }
    }
}
