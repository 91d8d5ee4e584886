import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Health, figures, lists, the page's poll, and a host that drains or has lost its database.
@Suite struct SystemTests {
    @Test func documentAndRoutesAgree() async throws {
        try await withPlane { plane in
            let reply = try await plane.get("/api/v1/openapi.json")
            #expect(reply.status == 200)
            let document = reply.json
            #expect(document["openapi"]?.text?.hasPrefix("3.1") == true)
            guard case .object(let paths)? = document["paths"] else {
                Issue.record("no paths")
                return
            }
            var described: [String: [String: JSONValue]] = [:]
            for path in paths {
                guard case .object(let operations) = path.value else { continue }
                for operation in operations { described[path.key, default: [:]][operation.key] = operation.value }
            }
            var served: Set<String> = []
            for route in plane.plane.responder.routes {
                let method = route.method.rawValue.lowercased()
                served.insert("\(method) \(route.path)")
                guard let operation = described[route.path]?[method] else {
                    Issue.record("not described: \(method) \(route.path)")
                    continue
                }
                #expect((operation["deprecated"] == .boolean(true)) == route.isAlias, "\(route.path)")
                #expect((operation["security"]?.elements?.isEmpty ?? false) == (route.access == .open), "\(route.path)")
                #expect((operation["requestBody"] != nil) == (route.body != .none), "\(method) \(route.path)")
                let parameters = (operation["parameters"]?.elements ?? []).filter { $0["in"]?.text == "query" }
                let names = Set(parameters.compactMap { $0["name"]?.text })
                // `label` and `field` are objects in the document: `label.NAME` in a URL.
                #expect(
                    names == Set(route.query.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }),
                    "\(method) \(route.path)")
            }
            for (path, operations) in described {
                for method in operations.keys {
                    #expect(served.contains("\(method) \(path)"), "not served: \(method) \(path)")
                }
            }
        }
    }

    @Test func methodsThatArePossibleAreNamed() async throws {
        try await withPlane { plane in
            let reply = try await plane.send(.delete, "/api/v1/runs")
            #expect(reply.status == 405)
            #expect(reply.headers[.allow] == "GET, HEAD, POST")
            #expect(try await plane.send(.init("BREW")!, "/api/v1/runs").status == 405)
            #expect(try await plane.send(.init("BREW")!, "/api/v1/coffee").status == 404)
            let nowhere = try await plane.get("/api/v2/runs")
            #expect(nowhere.status == 404)
            #expect(nowhere.code == "route_not_found")
            let head = try await plane.send(.head, "/api/v1/jobs")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.headers[.contentLength] != "0")
        }
    }

    @Test func onlyJSONIsTaken() async throws {
        try await withPlane { plane in
            for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
                let reply = try await plane.send(
                    .post, "/api/v1/runs", "{\"job\":\"test.echo\"}", headers: [.contentType: type])
                #expect(reply.status == 415)
            }
            let reply = try await plane.send(
                .post, "/api/v1/runs", "{\"job\":\"test.echo\"}",
                headers: [.contentType: "Application/JSON; charset=utf-8"])
            #expect(reply.status == 201)
            let broken = try await plane.send(.post, "/api/v1/runs", bytes: [0x7B, 0xFF, 0x7D])
            #expect(broken.status == 400)
            let position = try await plane.post("/api/v1/runs", "{\"job\":\n tru}")
            #expect(position["detail"]?.text?.contains("byte") == true)
        }
    }

    @Test func readinessGivesReasons() async throws {
        try await withOwnPlane { plane in
            #expect(try await plane.send(.get, "/livez", token: nil).text == "ok\n")
            let good = try await plane.send(.get, "/readyz", token: nil)
            #expect(good.status == 200)
            #expect(good.text == "ok\n")
            #expect(try await plane.send(.get, "/readyz?verbose", token: nil).text.contains("[+] database: connected"))
            plane.host.checks = [ReadinessCheck(name: "database", ok: false, detail: "refused")]
            let bad = try await plane.send(.get, "/readyz", token: nil)
            #expect(bad.status == 503)
            #expect(bad.text.contains("[-] database: refused"))
        }
    }

    @Test func drainingHostsTakeNothingNew() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            plane.host.isDraining = true
            for (path, body) in [
                ("/api/v1/runs", "{\"job\":\"test.echo\"}"),
                ("/api/v1/runs/batch", "{\"items\":[{\"job\":\"test.echo\"}]}"),
                ("/api/v1/runs/\(id)/retry", "{}"), ("/api/jobs", "{\"type\":\"test.echo\"}"),
                ("/api/v1/schedules", "{\"job\":\"test.echo\",\"kind\":\"interval\",\"interval_ms\":1000}"),
            ] {
                let reply = try await plane.post(path, body, headers: [.idempotencyKey: "k"])
                #expect(reply.status == 503, "\(path)")
                #expect(reply.code == "draining")
                #expect(reply.headers[.retryAfter] != nil)
            }
            #expect(try await plane.get("/api/v1/runs/\(id)").status == 200)
            #expect(try await plane.post("/api/v1/runs/\(id)/cancel").status == 200)
            #expect(try await plane.send(.get, "/readyz", token: nil).status == 503)
        }
    }

    @Test func lostDatabaseIs503() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            await plane.store.shutdown()
            for path in [
                "/api/v1/runs", "/api/v1/runs/\(id)", "/api/v1/jobs", "/api/v1/overview", "/api/v1/runs/\(id)/logs",
            ] {
                let reply = try await plane.get(path)
                #expect(reply.status == 503, "\(path) \(reply.text)")
                #expect(reply["retryable"] == .boolean(true))
                #expect(reply.headers[.retryAfter] != nil)
            }
            let reply = try await plane.post("/api/v1/runs", "{\"job\":\"test.echo\"}")
            #expect(reply.status == 503)
            #expect(reply.code == "database_unavailable")
            #expect(try await plane.send(.get, "/livez", token: nil).status == 200)
            #expect(try await plane.get("/metrics").status == 200)
            let health = try await plane.get("/api/v1/safety/health")
            #expect(health["verdict"]?.text == "critical")
        }
    }

    @Test func listsOfThings() async throws {
        try await withPlane { plane in
            let jobs = try await plane.get("/api/v1/jobs")
            #expect(jobs.items.contains { $0["name"]?.text == "test.echo" && $0["available"] == .boolean(true) })
            #expect(jobs.items.contains { $0["name"]?.text == "test.other" && $0["available"] == .boolean(false) })
            let job = try await plane.get("/api/v1/jobs/csv.to_jsonl")
            #expect(job["args_schema"]?["type"]?.text == "object")
            #expect(job["attempts"]?.integer == 3)
            #expect(
                try await plane.get("/api/v1/jobs/csv.to_json")["near_matches"]?.elements?.first?.text == "csv.to_jsonl"
            )
            let hosts = try await plane.get("/api/v1/hosts")
            #expect(hosts.items.first?["isolation"]?.text == "none")
            #expect(hosts.items.first?["this_host"] == .boolean(true))
            #expect(try await plane.get("/api/v1/system")["version"]?.text == "1.2.3")
            let stats = try await plane.get("/api/v1/stats/summary?window_ms=3600000")
            #expect(stats["counts"]?["queued"]?.integer != nil)
        }
    }

    @Test func pluginsSayExactlyWhy() async throws {
        try await withOwnPlane { plane in
            plane.host.pluginViews = [
                PluginView(
                    name: "csv", file: "csv.so", version: "ab12", label: "1.0", state: "active",
                    handlers: [
                        .init(
                            name: "csv.x", description: "X", argsSchema: "{\"type\":\"object\"}",
                            resultSchema: "no json")
                    ]),
                PluginView(name: "", file: "bad.so", state: "rejected", error: "it is no ELF file"),
            ]
            let reply = try await plane.get("/api/v1/plugins")
            #expect(reply.items[0]["handlers"]?.elements?.first?["args_schema"]?["type"]?.text == "object")
            #expect(reply.items[0]["handlers"]?.elements?.first?["result_schema"]?.text == "no json")
            #expect(reply.items[1]["error"]?.text == "it is no ELF file")
        }
    }

    @Test func queuesArePausedAndResumed() async throws {
        try await withPlane { plane in
            _ = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"q-pause\"}")
            let first = try await plane.post("/api/v1/queues/q-pause/pause", "{\"reason\":\"repairs\"}")
            #expect(first.status == 200, "\(first.text)")
            #expect(first["changed"] == .boolean(true))
            #expect(first["queue"]?["pause_reason"]?.text == "repairs")
            #expect(try await plane.post("/api/v1/queues/q-pause/pause")["changed"] == .boolean(false))
            #expect(try await plane.post("/api/v1/queues/q-pause/resume", "")["changed"] == .boolean(true))
            let unknown = try await plane.post("/api/v1/queues/q-puase/pause")
            #expect(unknown.status == 404)
        }
    }

    @Test func overviewIsOneTagUntilSomethingHappens() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            try await plane.log(id, 1...9)
            let first = try await plane.get("/api/v1/overview")
            #expect(first.status == 200, "\(first.text)")
            #expect(first["running"]?.elements?.first?["id"]?.text == id.description)
            #expect(first["running"]?.elements?.first?["log_tail"]?.elements?.count == 5)
            #expect(first["host"]?["name"]?.text == "here")
            #expect(first["now"] != nil)
            let tag = try #require(first.headers[.eTag])
            // Past the cache, with a new look at the database.
            try await LoopClock.sleep(for: .milliseconds(600))
            #expect(try await plane.get("/api/v1/overview", headers: [.ifNoneMatch: tag]).status == 304)
            try await plane.finish(run)
            try await LoopClock.sleep(for: .milliseconds(600))
            let second = try await plane.get("/api/v1/overview", headers: [.ifNoneMatch: tag])
            #expect(second.status == 200)
            #expect(second["recent"]?.elements?.first?["state"]?.text == "succeeded")
        }
    }

    @Test func metricsCountRequests() async throws {
        try await withOwnPlane { plane in
            plane.host.families = [MetricFamily("pawl_worker_slots", "Slots.", .gauge, 4)]
            _ = try await plane.get("/api/v1/runs/run_0000000000001")
            let reply = try await plane.get("/metrics")
            #expect(reply.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(reply.text.contains("pawl_worker_slots 4\n"))
            #expect(
                reply.text.contains("route=\"/api/v1/runs/{id}\",method=\"GET\",code=\"404\"} 1\n"), "\(reply.text)")
            #expect(reply.text.contains("pawl_build_info{version=\"1.2.3\",revision=\"abc\"} 1\n"))
        }
    }
}
