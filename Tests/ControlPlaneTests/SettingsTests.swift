import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// Job settings, crash groups, quarantine, and the bytes of plugins.
@Suite struct SettingsTests {
    private static let path = "/api/v1/jobs/csv.to_jsonl"

    @Test func settingsAreChangedAndShownWithTheirSource() async throws {
        try await withOwnPlane { plane in
            let before = try await plane.get(Self.path)
            #expect(before["limits"]?["wall_ms"]?.integer == 3_600_000)
            #expect(before["execution"]?["mode"]?.text == "fork")
            #expect(before["sources"]?["limits"]?["wall_ms"]?.text == "default")
            let tag = try #require(before.headers[.eTag])
            let body = """
                {"limits":{"wall_ms":30000,"no_progress_ms":5000},"execution":{"mode":"pool","niceness":10},"attempts":5,
                "backoff":{"type":"fixed","delay_ms":100},"priority":7,"queue":"bulk","retention_days":7,"x_why":"test"}
                """
            let reply = try await plane.send(.patch, Self.path + "/settings", body, headers: [.ifMatch: tag])
            #expect(reply.status == 200, "\(reply.text)")
            let after = try await plane.get(Self.path)
            #expect(after.text == reply.text)
            #expect(after.headers[.eTag] == reply.headers[.eTag])
            #expect(after["limits"]?["wall_ms"]?.integer == 30_000)
            #expect(after["limits"]?["memory_bytes"]?.integer == 1 << 30)
            #expect(after["sources"]?["limits"]?["wall_ms"]?.text == "job")
            #expect(after["sources"]?["execution"]?["mode"]?.text == "job")
            #expect(after["sources"]?["execution"]?["sandbox"]?.text == "default")
            #expect(after["sources"]?["attempts"]?.text == "job")
            #expect(after["execution"]?["niceness"]?.integer == 10)
            #expect(
                after["queue"]?.text == "bulk" && after["priority"]?.integer == 7 && after["attempts"]?.integer == 5)
            // Null takes it back.
            let back = try await plane.send(
                .patch, Self.path + "/settings", "{\"limits\":{\"wall_ms\":null},\"execution\":{\"mode\":null}}",
                headers: [.ifMatch: "*"])
            #expect(back["limits"]?["wall_ms"]?.integer == 3_600_000)
            #expect(back["limits"]?["no_progress_ms"]?.integer == 5000)
            #expect(back["sources"]?["execution"]?["mode"]?.text == "default")
        }
    }

    @Test func nobodysChangeIsLost() async throws {
        try await withOwnPlane { plane in
            let tag = try #require(try await plane.get(Self.path).headers[.eTag])
            let body = "{\"attempts\":2}"
            let missing = try await plane.send(.patch, Self.path + "/settings", body)
            #expect(missing.status == 428 && missing.code == "if_match_required")
            let first = try await plane.send(.patch, Self.path + "/settings", body, headers: [.ifMatch: tag])
            #expect(first.status == 200)
            let second = try await plane.send(.patch, Self.path + "/settings", body, headers: [.ifMatch: tag])
            #expect(second.status == 412 && second.code == "etag_mismatch")
            #expect(second.headers[.eTag] == first.headers[.eTag])
            let unknown = try await plane.send(
                .patch, "/api/v1/jobs/csv.to_json/settings", body, headers: [.ifMatch: "*"])
            #expect(unknown.status == 404)
            #expect(unknown["near_matches"]?.elements?.first?.text == "csv.to_jsonl")
        }
    }

    @Test(arguments: [
        ("{\"limits\":{\"wall_ms\":0}}", "/limits/wall_ms"), ("{\"limits\":{\"wal_ms\":1}}", "/limits/wal_ms"),
        ("{\"limits\":{\"wall_ms\":\"1m\"}}", "/limits/wall_ms"), ("{\"limits\":[]}", "/limits"),
        ("{\"execution\":{\"mode\":\"thread\"}}", "/execution/mode"),
        ("{\"execution\":{\"write_paths\":[\"tmp\"]}}", "/execution/write_paths/0"),
        ("{\"execution\":{\"niceness\":40}}", "/execution/niceness"), ("{\"attempts\":0}", "/attempts"),
        ("{\"retention_days\":8}", "/retention_days"), ("{\"queue\":\"\"}", "/queue"),
        ("{\"priority\":1e99}", "/priority"), ("{\"prioritiy\":1}", "/prioritiy"),
        ("{\"backoff\":{\"type\":\"never\"}}", "/backoff/type"), ("{\"queue\":\"a\",\"queue\":\"b\"}", "/queue"),
    ])
    func faultsHavePointers(body: String, pointer: String) async throws {
        try await withPlane { plane in
            let reply = try await plane.send(.patch, Self.path + "/settings", body, headers: [.ifMatch: "*"])
            #expect(reply.status == 422, "\(body): \(reply.text)")
            #expect(reply.places == [pointer], "\(body): \(reply.text)")
        }
    }

    // MARK: Crashes

    @Test func crashesAreGroupedAndPaged() async throws {
        try await withOwnPlane { plane in
            for number in 0..<5 {
                let id = try await plane.makeRun()
                let run = try await plane.claim(id)
                try await plane.finish(run, .failed, outcome: .crashed) {
                    $0.reason = .signal
                    $0.signal = 11
                    $0.version = String(repeating: "a", count: 64)
                    var crash = CrashInfo(
                        signal: 11, code: 1, address: 0, pc: 1, threadName: "pawl-worker", frames: [0x1234],
                        addressSpaceBytes: 1)
                    crash.registers = [RegisterValue(name: "rip", value: 0x1234)]
                    $0.crash = crash
                }
                if number == 0 {
                    // Its stack is not read yet, and whoever asks is told so.
                    let waiting = try await plane.get("/api/v1/runs/\(id)/explain")
                    let facts = waiting["explanation"]?["evidence"]?.elements?.compactMap { $0["fact"]?.text }
                    #expect(facts?.contains("stack_pending") == true, "\(waiting.text)")
                    let groups = try await plane.get("/api/v1/error-groups")
                    #expect(groups["pending"]?.integer == 1 && groups.items.isEmpty, "\(groups.text)")
                }
                for crash in try await plane.store.pendingCrashes(plane.lease) {
                    _ = try await plane.store.fileCrash(
                        crash,
                        CrashFiling(
                            fingerprint: "f\(number % 3)",
                            frames: [StackFrame(address: 0x1234, function: "parse", file: "/s/etl.c", line: 41)],
                            title: "SIGSEGV in parse"))
                }
                if number == 0 {
                    let attempt = try #require(try await plane.get("/api/v1/runs/\(id)/attempts").items.first)
                    #expect(attempt["error_group"]?.text == "f0")
                    #expect(attempt["crash"]?["stack"]?.elements?.first?["words"]?.text == "parse (etl.c:41)")
                    #expect(attempt["crash"]?["frames"]?.elements?.first?.text == "0x1234")
                    #expect(attempt["crash"]?["registers"]?["rip"]?.text == "0x1234")
                    #expect(attempt["crash"]?["signal_name"]?.text == "SIGSEGV")
                    let explained = try await plane.get("/api/v1/runs/\(id)/explain")
                    #expect(
                        explained["explanation"]?["summary"]?.text == "It crashed with SIGSEGV in parse (etl.c:41).")
                    #expect(!explained.text.contains("stack_pending"))
                    #expect(try await plane.get("/api/v1/error-groups")["pending"]?.integer == 0)
                }
            }
            let first = try await plane.get("/api/v1/error-groups?kind=crash&limit=2")
            #expect(first.status == 200, "\(first.text)")
            #expect(first.items.map { $0["fingerprint"]?.text } == ["f1", "f0"])
            #expect(first.items[0]["count"]?.integer == 2)
            let cursor = try #require(first["next_cursor"]?.text)
            #expect(first.headers[.link]?.contains("cursor=") == true)
            let second = try await plane.get("/api/v1/error-groups?kind=crash&limit=2&cursor=\(cursor)")
            #expect(second.items.map { $0["fingerprint"]?.text } == ["f2"])
            #expect(second["next_cursor"] == .null)
            let one = try await plane.get("/api/v1/error-groups/f1")
            #expect(one["crashes"]?.elements?.count == 2)
            #expect(one["stack"]?.elements?.first?["line"]?.integer == 41)
            #expect(try await plane.get("/api/v1/error-groups/nope").status == 404)
            #expect(try await plane.get("/api/v1/error-groups?kind=error").status == 400)
            // A list of runs has other cursors.
            #expect(try await plane.get("/api/v1/runs?cursor=\(cursor)").status == 400)
            #expect(try await plane.get("/api/v1/error-groups?cursor=\(String(cursor.dropLast(2)))AA").status == 400)
            #expect(try await plane.get("/api/v1/overview")["crashes"]?.elements?.count == 3)
        }
    }

    // MARK: Quarantine

    @Test func quarantinesAreShownAndLifted() async throws {
        try await withOwnPlane { plane in
            let version = String(repeating: "ab", count: 32)
            plane.host.pluginViews = [
                PluginView(
                    name: "test", file: "test.so", version: version, state: "active",
                    handlers: [.init(name: "test.echo"), .init(name: "test.other")],
                    notes: ["it cannot be forked: it has started threads"])
            ]
            let now = try await plane.store.databaseTime()
            let row = QuarantineRow(
                handler: "test.echo", version: version, since: now, until: now.advanced(by: .seconds(60)), level: 1,
                crashes: 8, attempts: 10, reason: "8 of the last 10 attempts crashed")
            try await plane.store.recordQuarantine(row, pause: .seconds(60))
            let listed = try await plane.get("/api/v1/quarantines")
            #expect(listed.items.first?["handler"]?.text == "test.echo", "\(listed.text)")
            let plugin = try #require(try await plane.get("/api/v1/plugins").items.first)
            #expect(plugin["handlers"]?.elements?[0]["quarantine"]?["crashes"]?.integer == 8)
            #expect(plugin["handlers"]?.elements?[1]["quarantine"] == .null)
            #expect(plugin["notes"]?.elements?.first?.text?.contains("forked") == true)
            #expect(try await plane.get("/api/v1/overview")["quarantines"]?.elements?.count == 1)
            let id = try await plane.makeRun()
            let why = try await plane.get("/api/v1/runs/\(id)/explain")["explanation"]
            #expect(why?["cause"]?.text == "quarantined")
            #expect(
                why?["next"]?.elements?.contains {
                    $0["command"]?.text == "pawl quarantines lift test.echo \(version.prefix(12))"
                } == true)
            // A job that no quarantine holds back waits for something else.
            let settings = JSONValue.object([JSONMember("quarantine", .boolean(false))])
            _ = try await plane.store.patchJob("test.echo", JobPatch(execution: settings), ifRevision: nil)
            let other = try await plane.get("/api/v1/runs/\(id)/explain")["explanation"]
            #expect(other?["cause"]?.text != "quarantined", "\(other?.json ?? "")")
            let short = try await plane.post("/api/v1/quarantines/test.echo/abab/lift", "")
            #expect(short.status == 200, "\(short.text)")
            #expect(plane.host.orders.contains(.lifted(handler: "test.echo", version: version)))
            #expect(try await plane.get("/api/v1/quarantines").items.isEmpty)
            let again = try await plane.send(.delete, "/api/v1/quarantines/test.echo/\(version)")
            #expect(again.status == 404 && again.code == "quarantine_not_found")
            try await plane.store.recordQuarantine(row, pause: .seconds(60))
            #expect(try await plane.send(.delete, "/api/v1/quarantines/test.echo/ab").status == 404)
            #expect(try await plane.send(.delete, "/api/v1/quarantines/test.echo/\(version)").status == 204)
        }
    }

    // MARK: Bytes

    @Test func bytesOfAVersionAreForTheAdministrator() async throws {
        try await withOwnPlane { plane in
            let version = String(repeating: "0f", count: 32)
            plane.host.stored[version] = StoredPlugin(path: "/proc/self/exe")
            let path = "/api/v1/plugins/versions/\(version)/bytes"
            #expect(try await plane.send(.get, path, token: nil).status == 401)
            let reply = try await plane.get(path)
            #expect(reply.status == 200)
            #expect(reply.headers[.contentType] == "application/octet-stream")
            #expect(Array(reply.body.prefix(4)) == [0x7F, 0x45, 0x4C, 0x46])
            #expect(reply.body.count > 65_536)
            let unknown = try await plane.get("/api/v1/plugins/versions/\(String(repeating: "1", count: 64))/bytes")
            #expect(unknown.status == 404 && unknown.code == "version_not_found")
        }
    }
}
