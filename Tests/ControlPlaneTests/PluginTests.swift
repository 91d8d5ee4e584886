import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Plugins: their versions side by side, and changing which one serves.
@Suite struct PluginTests {
    private static let one = String(repeating: "1a", count: 32)
    private static let two = String(repeating: "2b", count: 32)
    private static let three = String(repeating: "2c", count: 32)

    private static func facts() -> PluginFacts {
        let at = WallTime(micros: 1_700_000_000_000_000)
        func handler(_ schema: String) -> PluginView.Handler { .init(name: "test.echo", argsSchema: schema) }
        return PluginFacts(
            name: "test", file: "test.so",
            versions: [
                PluginVersionFacts(
                    version: two, label: "2.0", state: "held", steps: [PluginStep(name: "staged", at: at)],
                    handlers: [handler("{\"type\":\"object\",\"required\":[\"a\"]}")]),
                PluginVersionFacts(
                    version: one, label: "1.0", state: "active", bytes: 4711, loadedAt: at,
                    steps: [
                        PluginStep(name: "staged", at: at),
                        PluginStep(name: "active", at: at.advanced(by: .milliseconds(80)), detail: "in 80 ms"),
                    ],
                    handlers: [handler("{\"type\":\"object\"}"), .init(name: "test.other")], runs: 12, failed: 2,
                    crashed: 1, running: 3),
            ],
            held: HeldVersion(
                version: two,
                problems: [
                    ContractProblem(
                        kind: .argsIncompatible, handler: "test.echo", where: "schedule nightly", words: "/a is missing"
                    )
                ]),
            canary: CanaryFacts(
                version: two, percent: 5, minimumRuns: 20, crashPercentBound: 1.5, ended: 40, crashed: 1))
    }

    /// Version one serves on all hosts; three was there before, and nobody has it loaded.
    @LoopActor
    private static func prepare(_ plane: Harness) async throws {
        plane.host.facts = [facts()]
        for (version, label) in [(three, "0.9"), (one, "1.0")] {
            try await plane.store.recordPluginVersion(
                PluginVersionRow(sha256: version, plugin: "test", label: label, sizeBytes: 4711, signedBy: "key"))
            let answer = try await plane.store.changePlugin(
                "test", PluginDecision(.activate(version), at: WallClock.now, by: "admin", reason: "because"),
                ifRevision: nil)
            guard case .changed = answer else {
                Issue.record("\(answer)")
                return
            }
        }
        try await plane.store.notePlugins(
            plane.lease.id, [PluginHostNote(plugin: "test", sha256: three, state: "active", problem: "cannot load")])
        try await plane.store.addPluginEvents(
            [
                NewPluginEvent(plugin: "test", sha256: three, at: WallClock.now, kind: "active"),
                NewPluginEvent(
                    plugin: "test", sha256: two, at: WallClock.now, kind: "held", detail: "{\"words\":\"one thing\"}"),
            ], host: plane.lease.id)
    }

    @Test func versionsStandSideBySide() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let reply = try await plane.get("/api/v1/plugins/test")
            try #require(reply.status == 200, "\(reply.text)")
            #expect(reply["active"]?.text == Self.one && reply["previous"]?.text == Self.three)
            #expect(reply["changed_by"]?.text == "admin" && reply["reason"]?.text == "because")
            let versions = try #require(reply["versions"]?.elements)
            #expect(versions.map { $0["version"]?.text } == [Self.two, Self.one, Self.three])
            #expect(versions.map { $0["state"]?.text } == ["held", "active", "retired"])
            #expect(versions[1]["runs"]?.integer == 12 && versions[1]["crashed"]?.integer == 1)
            #expect(versions[1]["size_bytes"]?.integer == 4711 && versions[1]["signed_by"]?.text == "key")
            #expect(versions[2]["runs"] == .null)
            let steps = try #require(versions[1]["steps"]?.elements)
            #expect(steps.map { $0["step"]?.text } == ["staged", "active"])
            #expect(steps.map { $0["after_ms"]?.integer } == [nil, 80])
            #expect(reply["held"]?["problems"]?.elements?.first?["where"]?.text == "schedule nightly")
            #expect(reply["canary"]?["seen"]?["crashed"]?.integer == 1)
            #expect(reply["canary"]?["crash_percent_bound"]?.double == 1.5)
            let host = try #require(reply["hosts"]?.elements?.first)
            #expect(host["drift"] == .boolean(true) && host["this_host"] == .boolean(true))
            #expect(host["error"]?.text == "cannot load" && reply["drift"]?.integer == 1)
            #expect(reply["events"]?.elements?.map { $0["kind"]?.text } == ["held", "active"])
            // What the held version would change, with what breaks.
            let changes = try #require(reply["changes"])
            #expect(changes["from"]?.text == Self.one && changes["to"]?.text == Self.two)
            let handlers = try #require(changes["handlers"]?.elements)
            #expect(handlers.map { $0["handler"]?.text } == ["test.other", "test.echo"])
            #expect(handlers.map { $0["kind"]?.text } == ["removed", "changed"])
            #expect(handlers.allSatisfy { $0["breaking"] == .boolean(true) })
            let back = try await plane.get("/api/v1/plugins/test?from=2b2b&to=1a1a")
            #expect(back["changes"]?["handlers"]?.elements?.last?["kind"]?.text == "added")
            #expect(try await plane.get("/api/v1/plugins/test?from=2b2b").status == 400)
            // The list says it in short, and the page's poll too.
            for path in ["/api/v1/plugins", "/api/v1/overview"] {
                let all = try await plane.get(path)
                let items = all["plugins"]?.elements ?? all.items
                let item = try #require(items.first)
                #expect(item["drift"]?.integer == 1 && item["held"]?["version"]?.text == Self.two, "\(path)")
            }
        }
    }

    @Test func whatIsUnknownHasNearNames() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let unknown = try await plane.get("/api/v1/plugins/tset")
            #expect(unknown.status == 404 && unknown.code == "plugin_not_found")
            #expect(unknown["near_matches"]?.elements?.first?.text == "test")
            #expect(try await plane.get("/api/v1/plugins/tset/events").status == 404)
            #expect(try await plane.send(.get, "/api/v1/plugins/test", token: nil).status == 401)
        }
    }

    @Test func eventsArePaged() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let first = try await plane.get("/api/v1/plugins/test/events?limit=1")
            #expect(first.items.map { $0["kind"]?.text } == ["held"])
            #expect(first.items[0]["detail"]?["words"]?.text == "one thing")
            let cursor = try #require(first["next_cursor"]?.text)
            let second = try await plane.get("/api/v1/plugins/test/events?limit=1&cursor=\(cursor)")
            #expect(second.items.map { $0["kind"]?.text } == ["active"] && second["next_cursor"] == .null)
            #expect(try await plane.get("/api/v1/plugins/test/events?cursor=x").code == "invalid_cursor")
        }
    }

    // MARK: Changes

    @Test func ordersReachTheHostWithWhatWasSeen() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let tag = try #require(try await plane.get("/api/v1/plugins/test").headers[.eTag])
            let cases: [(String, String, PluginOrder.Action)] = [
                ("activate", "{\"version\":\"1A1A\",\"force\":true}", .activate(version: Self.one, force: true)),
                ("rollback", "{}", .rollback), ("disable", "{}", .disable), ("enable", "{}", .enable),
                ("unquarantine", "{}", .unquarantine), ("pin", "{}", .pin(true)), ("unpin", "{}", .pin(false)),
                (
                    "canary", "{\"version\":\"2b2b\",\"percent\":5,\"crash_percent_bound\":2.5,\"deadline_ms\":1000}",
                    .canary(
                        version: Self.two, CanaryWish(percent: 5, crashPercentBound: 2.5, limit: .milliseconds(1000)))
                ),
                (
                    "canary", "{\"version\":\"2b2b\",\"runs\":50,\"minimum_runs\":10}",
                    .canary(version: Self.two, CanaryWish(runs: 50, minimumRuns: 10))
                ),
            ]
            for (verb, body, action) in cases {
                let reply = try await plane.post("/api/v1/plugins/test/\(verb)", body, headers: [.ifMatch: tag])
                #expect(reply.status == 200 && reply["changed"] == .boolean(true), "\(verb): \(reply.text)")
                #expect(reply["plugin"]?["name"]?.text == "test" && reply.headers[.eTag] != nil)
                #expect(
                    plane.host.orders.last
                        == .plugin(PluginOrder(plugin: "test", action: action, actor: "admin", revision: 2)))
            }
            let reply = try await plane.post(
                "/api/v1/plugins/test/rollback", "{\"reason\":\"why\"}", headers: [.ifMatch: "*"])
            #expect(reply.status == 200)
            #expect(
                plane.host.orders.last
                    == .plugin(PluginOrder(plugin: "test", action: .rollback, actor: "admin", reason: "why")))
            let removed = try await plane.send(
                .delete, "/api/v1/plugins/test/versions/\(Self.three)", headers: [.ifMatch: tag])
            #expect(removed.status == 204)
            #expect(
                plane.host.orders.last
                    == .plugin(
                        PluginOrder(plugin: "test", action: .remove(version: Self.three), actor: "admin", revision: 2)))
        }
    }

    @Test func nobodysChangeIsLost() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let seen = try #require(try await plane.get("/api/v1/plugins/test").headers[.eTag])
            let path = "/api/v1/plugins/test/rollback"
            #expect(try await plane.post(path).status == 428)
            _ = try await plane.store.changePlugin(
                "test", PluginDecision(.pin(true), at: WallClock.now, by: "other"), ifRevision: nil)
            let late = try await plane.post(path, headers: [.ifMatch: seen])
            #expect(late.status == 412 && late.code == "etag_mismatch")
            #expect(late.headers[.eTag]?.hasPrefix("\"3-") == true)
            #expect(plane.host.orders.isEmpty)
            let version = "/api/v1/plugins/test/versions/\(Self.three)"
            #expect(try await plane.send(.delete, version).status == 428)
            #expect(try await plane.send(.delete, version, headers: [.ifMatch: seen]).status == 412)
            // Somebody who comes between the look and the change.
            plane.host.pluginFault = PluginFault(.changed, "etag_mismatch", "changed")
            #expect(try await plane.post(path, headers: [.ifMatch: "*"]).status == 412)
        }
    }

    @Test(arguments: [
        ("activate", "{}", 422, "/version"), ("activate", "{\"version\":\"ffff\"}", 404, ""),
        ("activate", "{\"version\":\"2b\"}", 404, ""),
        ("activate", "{\"version\":\"1a1a\",\"forse\":true}", 422, "/forse"),
        ("canary", "{\"version\":\"2b2b\"}", 422, "/percent"),
        ("canary", "{\"version\":\"2b2b\",\"percent\":0}", 422, "/percent"),
        ("canary", "{\"version\":\"2b2b\",\"percent\":5,\"runs\":5}", 422, "/runs"),
        ("canary", "{\"version\":\"2b2b\",\"percent\":5,\"crash_percent_bound\":101}", 422, "/crash_percent_bound"),
        ("rollback", "{\"version\":\"1a1a\"}", 422, "/version"),
    ])
    func wrongOrdersAreToldWithTheirPlace(verb: String, body: String, status: Int, place: String) async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let reply = try await plane.post("/api/v1/plugins/test/\(verb)", body, headers: [.ifMatch: "*"])
            #expect(reply.status == status, "\(verb) \(body): \(reply.text)")
            if !place.isEmpty { #expect(reply.places == [place], "\(verb) \(body): \(reply.text)") }
            #expect(plane.host.orders.isEmpty)
        }
    }

    @Test func refusalsAreProblemsWithTheirReasons() async throws {
        try await withOwnPlane { plane in
            try await Self.prepare(plane)
            let problem = ContractProblem(
                kind: .handlerRemoved, handler: "test.other", where: "12 waiting runs", words: "it is gone")
            let cases: [(PluginFault, Int)] = [
                (PluginFault(.conflict, "activation_held", "1 thing would break", problems: [problem]), 409),
                (PluginFault(.notFound, "version_not_found", "gone"), 404),
                (PluginFault(.refused, "plugin_refused", "no ELF file"), 422),
                (PluginFault(.unavailable, "database_unavailable", "away"), 503),
            ]
            for (fault, status) in cases {
                plane.host.pluginFault = fault
                let reply = try await plane.post(
                    "/api/v1/plugins/test/activate", "{\"version\":\"1a1a\"}", headers: [.ifMatch: "*"])
                #expect(reply.status == status && reply.code == fault.code && reply["detail"]?.text == fault.words)
                #expect((reply["problems"]?.elements?.first?["where"]?.text == "12 waiting runs") == (status == 409))
            }
        }
    }

    // MARK: Schemas and bytes

    @Test func schemasAreThoseOfTheVersionThatServes() async throws {
        try await withOwnPlane { plane in
            let stored = try await plane.get("/api/v1/jobs/csv.to_jsonl/schema")
            #expect(stored["args"]?["type"]?.text == "object" && stored["result"] == .null)
            plane.host.handlerSchemas["csv.to_jsonl"] = HandlerSchemas(version: Self.two, args: "{\"type\":\"array\"}")
            let own = try await plane.get("/api/v1/jobs/csv.to_jsonl/schema")
            #expect(own["args"]?["type"]?.text == "array" && own["version"]?.text == Self.two)
            let tag = try #require(own.headers[.eTag])
            #expect(
                try await plane.get("/api/v1/jobs/csv.to_jsonl/schema", headers: [.ifNoneMatch: tag]).status == 304)
            let part = try await plane.get("/api/v1/jobs/csv.to_jsonl/schema?part=args")
            #expect(part.text == "{\"type\":\"array\"}")
            #expect(part.headers[.contentType] == "application/schema+json")
            #expect(try await plane.get("/api/v1/jobs/csv.to_jsonl/schema?part=result").code == "no_schema")
            #expect(try await plane.get("/api/v1/jobs/csv.to_jsonl/schema?part=both").status == 400)
            #expect(try await plane.get("/api/v1/jobs/csv.to_json/schema").status == 404)
        }
    }

    @Test func bytesOfAnotherHostComeFromTheDatabase() async throws {
        try await withOwnPlane { plane in
            let bytes = (0..<(JobStore.blobPartSize + 1000)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            _ = try await plane.store.beginBlob(Self.one, size: Int64(bytes.count), configuration: "{\"a\":1}")
            try await plane.store.putBlobPart(Self.one, 0, Array(bytes[..<JobStore.blobPartSize]))
            try await plane.store.putBlobPart(Self.one, 1, Array(bytes[JobStore.blobPartSize...]))
            let path = "/api/v1/plugins/versions/\(Self.one)"
            #expect(try await plane.get(path + "/bytes").status == 404)
            #expect(try await plane.store.completeBlob(Self.one))
            #expect(try await plane.get(path + "/bytes").body == bytes)
            #expect(try await plane.get("/api/v1/plugins/test/versions/\(Self.one)/bytes").body == bytes)
            #expect(try await plane.get(path + "/configuration").text == "{\"a\":1}")
            #expect(try await plane.get("/api/v1/plugins/versions/%2e%2e%2fadmin-token/bytes").status == 404)
            #expect(try await plane.get("/api/v1/plugins/versions/\(Self.two)/configuration").status == 404)
        }
    }
}
