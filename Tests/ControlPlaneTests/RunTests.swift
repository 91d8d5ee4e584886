import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Creating, reading and listing runs.
@Suite struct RunTests {
    @Test func createsARunWithEverythingItCanSay() async throws {
        try await withPlane { plane in
            let reply = try await plane.post(
                "/api/v1/runs",
                """
                {"job":"test.echo","args": {"b": 1.10, "a":"ü\\u0041", "b": 2},"queue":"q-create","priority":7,
                 "attempts":5,"backoff":{"type":"fixed","delay_ms":50},"timeout_ms":1000,"queue_ms":60000,"title":"A title",
                 "description":"Why","labels":{"customer":"42"},"owner":"ann","organization":"org","x_note":1}
                """)
            #expect(reply.status == 201)
            let id = try #require(reply["id"]?.text)
            #expect(reply.headers[.location] == "/api/v1/runs/\(id)")
            #expect(reply["state"]?.text == "queued")
            #expect(reply["queue"]?.text == "q-create")
            #expect(reply["priority"]?.integer == 7)
            #expect(reply["max_attempts"]?.integer == 5)
            #expect(reply["timeout_ms"]?.integer == 1000)
            #expect(reply["expires_at"]?.text != nil)
            #expect(reply["labels"]?["customer"]?.text == "42")
            #expect(reply["backoff"]?["delay_ms"]?.integer == 50)
            // Text-preserving: order, doubles, escapes and spaces are as they were sent.
            #expect(reply.text.contains("\"args\":{\"b\": 1.10, \"a\":\"ü\\u0041\", \"b\": 2}"))
            #expect(plane.host.orders.contains(.enqueued(queue: "q-create", rank: -7)))
            #expect(reply.headers[.xRequestID]?.hasPrefix("req_") == true)
            #expect(reply.headers[.date] != nil)
            #expect(reply.headers[.server] == "pawl")
        }
    }

    @Test func delayedRunsWaitAndNobodyIsWoken() async throws {
        try await withPlane { plane in
            let reply = try await plane.post(
                "/api/v1/runs", "{\"job\":\"test.echo\",\"queue\":\"q-delay\",\"delay_ms\":3600000}")
            #expect(reply["state"]?.text == "scheduled")
            #expect(!plane.host.orders.contains(.enqueued(queue: "q-delay", rank: 0)))
        }
    }

    @Test func unknownJobNamesNearOnes() async throws {
        try await withPlane { plane in
            let reply = try await plane.post("/api/v1/runs", "{\"job\":\"csv.to_jsnol\"}")
            #expect(reply.status == 404)
            #expect(reply.code == "job_not_found")
            #expect(reply["near_matches"]?.elements?.first?.text == "csv.to_jsonl")
            #expect(reply.headers[.contentType] == "application/problem+json")
        }
    }

    @Test(arguments: [
        ("{\"job\":\"test.echo\",\"prioritiy\":1}", 422, "/prioritiy"),
        ("{\"job\":\"test.echo\",\"args\":[]}", 422, "/args"),
        ("{\"job\":\"test.echo\",\"args\":\"x\"}", 422, "/args"),
        ("{\"job\":\"test.echo\",\"args\":null}", 422, "/args"),
        ("{\"job\":\"test.echo\",\"priority\":\"high\"}", 422, "/priority"),
        ("{\"job\":\"test.echo\",\"priority\":1.5}", 422, "/priority"),
        ("{\"job\":\"test.echo\",\"priority\":99999999999}", 422, "/priority"),
        ("{\"job\":\"test.echo\",\"attempts\":0}", 422, "/attempts"),
        ("{\"job\":\"test.echo\",\"labels\":{\"a\":1}}", 422, "/labels/a"),
        ("{\"job\":\"test.echo\",\"run_at\":\"tomorrow\"}", 422, "/run_at"),
        ("{\"job\":\"test.echo\",\"run_at\":\"2026-11-21T00:00:00Z\",\"delay_ms\":1}", 422, "/delay_ms"),
        ("{\"job\":\"test.echo\",\"backoff\":{\"type\":\"sometimes\"}}", 422, "/backoff/type"),
        ("{\"job\":\"test.echo\",\"job\":\"test.other\"}", 422, "/job"),
        ("{\"args\":{}}", 422, "/job"),
        ("{\"job\":\"\"}", 422, "/job"),
        ("{\"job\":\"test.echo\",}", 400, ""),
        ("[]", 400, ""),
        ("{\"job\":\"test.echo\"} x", 400, ""),
    ])
    func badInputIsRefusedWithItsField(body: String, status: Int, place: String) async throws {
        try await withPlane { plane in
            let reply = try await plane.post("/api/v1/runs", body)
            #expect(reply.status == status, "\(reply.text)")
            #expect(reply.places.contains(place), "\(reply.text)")
            #expect(reply["retryable"] == .boolean(false))
        }
    }

    @Test func nothingIsStoredWhenTheRequestIsRefused() async throws {
        try await withOwnPlane { plane in
            for body in [
                "{\"job\":\"nobody\"}", "{\"job\":\"test.echo\",\"args\":1}", "nonsense",
                "{\"items\":[{\"job\":\"test.echo\"},{\"job\":\"nobody\"}]}",
            ] {
                let path = body.contains("items") ? "/api/v1/runs/batch" : "/api/v1/runs"
                let reply = try await plane.post(path, body, headers: [.idempotencyKey: "k"])
                #expect((400..<500).contains(reply.status))
            }
            #expect(try await plane.get("/api/v1/runs").items.isEmpty)
        }
    }

    @Test func argsAboveTheLimitAreRefused() async throws {
        try await withPlane { plane in
            let large = String(repeating: "x", count: 256 << 10)
            let reply = try await plane.post("/api/v1/runs", "{\"job\":\"test.echo\",\"args\":{\"a\":\"\(large)\"}}")
            #expect(reply.status == 422)
            #expect(reply.places == ["/args"])
        }
    }

    @Test func bodiesAboveTheLimitAre413() async throws {
        try await withPlane { plane in
            let large = String(repeating: " ", count: 1_000_001)
            let reply = try await plane.post("/api/v1/runs", large)
            #expect(reply.status == 413)
            #expect(reply.code == "body_too_large")
        }
    }

    @Test func repeatedKeyMakesNoSecondRun() async throws {
        try await withPlane { plane in
            let body = "{\"job\":\"test.echo\",\"title\":\"once\"}"
            let first = try await plane.post("/api/v1/runs", body, headers: [.idempotencyKey: "\"key-1\""])
            let again = try await plane.post("/api/v1/runs", body, headers: [.idempotencyKey: "\"key-1\""])
            #expect(first.status == 201)
            #expect(again.status == 200)
            #expect(again["id"] == first["id"])
            #expect(again.headers[.idempotencyReplayed] == "true")
            let other = try await plane.post(
                "/api/v1/runs", "{\"job\":\"test.other\"}", headers: [.idempotencyKey: "\"key-1\""])
            #expect(other.status == 422)
            #expect(other.code == "idempotency_key_reused")
            let broken = try await plane.post("/api/v1/runs", body, headers: [.idempotencyKey: "\"key"])
            #expect(broken.status == 400)
        }
    }

    @Test func minimalAnswerSkipsTheRead() async throws {
        try await withPlane { plane in
            let reply = try await plane.post(
                "/api/v1/runs", "{\"job\":\"test.echo\"}", headers: [.prefer: "return=minimal"])
            #expect(reply.status == 201)
            #expect(reply["id"] != nil)
            #expect(reply["created_at"] == nil)
            #expect(reply.headers[.preferenceApplied] == "return=minimal")
        }
    }

    @Test func waitsForTheEndWhenAsked() async throws {
        try await withPlane { plane in
            let waiting = loopTask {
                try await plane.post(
                    "/api/v1/runs", "{\"job\":\"test.echo\",\"queue\":\"q-wait\"}", headers: [.prefer: "wait=30"])
            }
            var found: RunID?
            while found == nil {
                let listed = try await plane.get("/api/v1/runs?queue=q-wait")
                found = listed.items.first?["id"]?.text.flatMap { RunID(parsing: $0) }
                try await LoopClock.sleep(for: .milliseconds(5))
            }
            let run = try await plane.claim(try #require(found))
            try await plane.finish(run) { $0.result = .json("{\"answer\": 42}") }
            plane.host.poke(run.id)
            let reply = try await waiting.value
            #expect(reply.status == 201)
            #expect(reply["state"]?.text == "succeeded")
            #expect(reply["result"]?["answer"]?.integer == 42)
        }
    }

    @Test func waitEndsWhenTimeIsUp() async throws {
        try await withPlane { plane in
            let reply = try await plane.post(
                "/api/v1/runs", "{\"job\":\"test.echo\"}", headers: [.prefer: "wait=0"])
            #expect(reply.status == 202)
            #expect(reply["state"]?.text == "queued")
        }
    }

    @Test func batchIsStoredWholeOrNotAtAll() async throws {
        try await withPlane { plane in
            let good = try await plane.post(
                "/api/v1/runs/batch",
                "{\"items\": [ {\"job\":\"test.echo\",\"queue\":\"q-batch\"} , {\"job\":\"test.echo\",\"queue\":\"q-batch\",\"title\":\"a,]}\\\"\"} ]}",
                headers: [.idempotencyKey: "\"batch-1\""])
            #expect(good.status == 201, "\(good.text)")
            #expect(good.items.count == 2)
            let again = try await plane.post(
                "/api/v1/runs/batch", "{\"items\":[{\"job\":\"test.echo\"}]}", headers: [.idempotencyKey: "\"batch-1\""]
            )
            #expect(again.code == "idempotency_key_reused")
            let bad = try await plane.post(
                "/api/v1/runs/batch",
                "{\"items\":[{\"job\":\"test.echo\",\"queue\":\"q-batch\"},{\"job\":\"test.echo\",\"priority\":[]},{\"nob\":1}]}",
                headers: [.idempotencyKey: "batch-2"])
            #expect(bad.status == 422)
            #expect(Set(bad.places).isSuperset(of: ["/items/1/priority", "/items/2/job", "/items/2/nob"]))
            let unknown = try await plane.post(
                "/api/v1/runs/batch",
                "{\"items\":[{\"job\":\"test.echo\",\"queue\":\"q-batch\"},{\"job\":\"test.ecko\"}]}",
                headers: [.idempotencyKey: "batch-3"])
            #expect(unknown.status == 404)
            #expect(unknown.places == ["/items/1/job"])
            #expect(try await plane.get("/api/v1/runs?queue=q-batch").items.count == 2)
            let without = try await plane.post("/api/v1/runs/batch", "{\"items\":[{\"job\":\"test.echo\"}]}")
            #expect(without.status == 400)
            #expect(without.places == ["Idempotency-Key"])
        }
    }

    @Test func repeatedBatchIsAnsweredFromMemory() async throws {
        try await withPlane { plane in
            let body = "{\"items\":[{\"job\":\"test.echo\",\"queue\":\"q-batch-again\"}]}"
            let first = try await plane.post("/api/v1/runs/batch", body, headers: [.idempotencyKey: "again"])
            let second = try await plane.post("/api/v1/runs/batch", body, headers: [.idempotencyKey: "again"])
            #expect(second.status == 200)
            #expect(second.headers[.idempotencyReplayed] == "true")
            #expect(second.body == first.body)
            #expect(try await plane.get("/api/v1/runs?queue=q-batch-again").items.count == 1)
        }
    }

    @Test func tenThousandAtOnce() async throws {
        try await withOwnPlane { plane in
            let item = "{\"job\":\"test.echo\"}"
            let items = Array(repeating: item, count: 10_000).joined(separator: ",")
            let reply = try await plane.post(
                "/api/v1/runs/batch", "{\"items\":[\(items)]}", headers: [.idempotencyKey: "many"])
            #expect(reply.status == 201)
            #expect(Set(reply.items.compactMap { $0["id"]?.text }).count == 10_000)
            let more = try await plane.post(
                "/api/v1/runs/batch", "{\"items\":[\(items),\(item)]}", headers: [.idempotencyKey: "more"])
            #expect(more.status == 422)
            #expect(more.places == ["/items"])
        }
    }

    // MARK: Reading

    @Test func listGoesOnWithItsCursor() async throws {
        try await withPlane { plane in
            var made: [String] = []
            for index in 0..<5 {
                made.append(
                    try await plane.makeRun(
                        "{\"job\":\"test.echo\",\"queue\":\"q-list\",\"labels\":{\"n\":\"\(index % 2)\"}}"
                    ).description)
            }
            var seen: [String] = []
            var target = "/api/v1/runs?queue=q-list&limit=2"
            var pages = 0
            while pages < 5 {
                pages += 1
                let page = try await plane.get(target)
                #expect(page.status == 200)
                seen += page.items.compactMap { $0["id"]?.text }
                guard let next = page["next_cursor"]?.text else { break }
                #expect(page.headers[.link]?.contains("rel=\"next\"") == true)
                target = "/api/v1/runs?limit=2&cursor=\(next)&queue=q-list"
            }
            #expect(seen == made.reversed())
            let labelled = try await plane.get("/api/v1/runs?queue=q-list&label.n=1")
            #expect(labelled.items.count == 2)
        }
    }

    @Test func cursorsOfOthersAreRefused() async throws {
        try await withPlane { plane in
            for _ in 0..<3 { _ = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-cursor\"}") }
            let page = try await plane.get("/api/v1/runs?queue=q-cursor&limit=1")
            let cursor = try #require(page["next_cursor"]?.text)
            let other = try await plane.get("/api/v1/runs?queue=q-list&limit=1&cursor=\(cursor)")
            #expect(other.status == 400)
            #expect(other.code == "cursor_mismatch")
            for broken in ["x", "", String(cursor.dropLast()), cursor + "A", "B" + cursor.dropFirst(), "%01"] {
                let reply = try await plane.get("/api/v1/runs?queue=q-cursor&limit=1&cursor=\(broken)")
                #expect(reply.status == 400, "\(broken)")
                #expect(reply.code == "invalid_cursor")
            }
        }
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=201", "limit"), ("limit=ten", "limit"), ("state=done", "state"),
        ("stat=failed", "stat"), ("created_after=yesterday", "created_after"), ("include=secrets", "include"),
        ("limit=1&limit=2", "limit"), ("retry_of=1", "retry_of"), ("label.=1", "label."),
    ])
    func badParametersAreNamed(query: String, name: String) async throws {
        try await withPlane { plane in
            let reply = try await plane.get("/api/v1/runs?\(query)")
            #expect(reply.status == 400)
            #expect(reply.places == [name])
        }
    }

    @Test func wrongIDsAre404() async throws {
        try await withPlane { plane in
            for id in ["run_0zzzzzzzzzzzz", "1", "run_1", "%27%3B%20DROP%20TABLE%20run_live%3B--", "run_zzzzzzzzzzzzz"]
            {
                for path in ["", "/attempts", "/logs", "/progress", "/result"] {
                    let reply = try await plane.get("/api/v1/runs/\(id)\(path)")
                    #expect(reply.status == 404, "\(id)\(path) \(reply.text)")
                    #expect(reply.code == "run_not_found")
                }
            }
        }
    }

    @Test func tagSavesTheBody() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let first = try await plane.get("/api/v1/runs/\(id)")
            let tag = try #require(first.headers[.eTag])
            let second = try await plane.get("/api/v1/runs/\(id)", headers: [.ifNoneMatch: "\"other\", W/\(tag)"])
            #expect(second.status == 304)
            #expect(second.body.isEmpty)
            #expect(second.headers[.contentLength] == nil)
            let run = try await plane.claim(id)
            let third = try await plane.get("/api/v1/runs/\(id)", headers: [.ifNoneMatch: tag])
            #expect(third.status == 200)
            #expect(third["state"]?.text == "running")
            try await plane.finish(run)
        }
    }

    @Test func liveAttemptIsShownFromMemory() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            plane.host.attempts.append(
                LiveAttempt(
                    runID: id, attempt: run.attempt, pid: 99, version: "ab", startedAt: WallTime(micros: 5_000_000),
                    progress: Progress(stage: "Reading", current: 1250, total: 5000)))
            let shown = try await plane.get("/api/v1/runs/\(id)")
            #expect(shown["progress"]?["percent"]?.integer == 25)
            #expect(shown["progress"]?["line"]?.text == "Reading (1,250 / 5,000)")
            #expect(shown["pid"]?.integer == 99)
            let attempts = try await plane.get("/api/v1/runs/\(id)/attempts")
            #expect(attempts.items.count == 1)
            #expect(attempts.items[0]["pid"]?.integer == 99)
            #expect(attempts.items[0]["outcome"] == .null)
            let progress = try await plane.get("/api/v1/runs/\(id)/progress")
            #expect(progress["done"]?.integer == 1250)
            plane.host.attempts.removeAll { $0.runID == id }
            try await plane.finish(run, .failed, outcome: .crashed) {
                $0.reason = .signal
                $0.signal = 11
                $0.crash = CrashInfo(
                    signal: 11, code: 1, address: .max, pc: 0x1234, threadName: "run", frames: [0x1234, 0xffff],
                    addressSpaceBytes: 1)
                $0.ladder = [LadderStep(name: "term", atMillis: 5)]
            }
            let ended = try await plane.get("/api/v1/runs/\(id)/attempts")
            #expect(ended.items[0]["outcome"]?.text == "crashed")
            #expect(ended.items[0]["signal"]?.integer == 11)
            #expect(ended.items[0]["crash"]?["address"]?.text == "0xffffffffffffffff")
            #expect(ended.items[0]["ladder"]?.elements?.first?["at_ms"]?.integer == 5)
        }
    }

    @Test func bytesComeAsTheyAre() async throws {
        try await withPlane { plane in
            let id = try await plane.makeRun()
            let early = try await plane.get("/api/v1/runs/\(id)/result")
            #expect(early.code == "no_result")
            #expect(early["retryable"] == .boolean(true))
            let run = try await plane.claim(id)
            try await plane.finish(run) { $0.result = .bytes([0, 255, 10], mediaType: "application/x-test") }
            let reply = try await plane.get("/api/v1/runs/\(id)/result")
            #expect(reply.body == [0, 255, 10])
            #expect(reply.headers[.contentType] == "application/x-test")
            #expect(try await plane.get("/api/v1/runs/\(id)")["result_bytes"]?.integer == 3)
        }
    }
}
