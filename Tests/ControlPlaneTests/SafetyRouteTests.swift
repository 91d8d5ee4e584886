import HTTPTypes
import JobCore
import Postgres
import Testing
import UVLoop

@testable import ControlPlane
@testable import JobStore

@Suite struct SafetyRouteTests {
    private static func key() -> [HTTPField.Name: String] {
        [.idempotencyKey: "k-\(UInt64.random(in: 0 ... .max))"]
    }

    @LoopActor
    private static func age(_ plane: Harness, _ id: RunID, hours: Int) async throws {
        try await plane.store.pool.withTransaction { connection in
            try await connection.execute(
                "UPDATE pawl.run_live SET started_at = now() - interval '\(hours) hours' WHERE id = \(id.rawValue)")
        }
    }

    @Test func cleanupIsBoundByItsPlan() async throws {
        try await withOwnPlane { plane in
            var old: [RunID] = []
            for queue in ["a", "a", "b"] {
                let id = try await plane.makeRun("{\"job\":\"test.echo\",\"queue\":\"\(queue)\"}")
                _ = try await plane.claim(id)
                try await Self.age(plane, id, hours: 7)
                old.append(id)
            }
            let young = try await plane.makeRun()
            _ = try await plane.claim(young)
            let path = "/api/v1/safety/cleanup-stale"
            let plan = try await plane.post(path, "{\"dry_run\":true,\"queues\":[\"a\"],\"outcome\":\"fail\"}")
            #expect(plan["count"]?.integer == 2 && plan["queues"]?.json == "[\"a\"]", "\(plan.text)")
            #expect(plan["older_than_ms"]?.integer == 21_600_000)
            let name = try #require(plan["plan"]?.text)
            let other = try await plane.post(path, "{\"plan\":\"\(name)\",\"queues\":[\"b\"]}")
            #expect(other.status == 409 && other.code == "plan_mismatch")
            let again = try await plane.post(path, "{\"dry_run\":true,\"queues\":[\"a\"]}")
            let done = try await plane.post(path, "{\"plan\":\"\(again["plan"]?.text ?? "")\",\"reason\":\"why\"}")
            #expect(done["count"]?.integer == 2 && done["runs"]?.elements?.count == 2, "\(done.text)")
            for id in old.prefix(2) {
                let run = try await plane.get("/api/v1/runs/\(id)")
                #expect(run["state"]?.text == "failed" && run["reason"]?.text == "stale")
            }
            for id in [old[2], young] { #expect(try await plane.get("/api/v1/runs/\(id)")["state"]?.text == "running") }
            let sweep = try #require(try await plane.get("/api/v1/safety/sweeps?found=true").items.first)
            #expect(sweep["kind"]?.text == "cleanup_stale" && sweep["failed"]?.integer == 2)
            #expect(sweep["reason"]?.text == "why" && sweep["actor"]?.text == "admin")
            #expect(try await plane.post(path, "{\"queues\":[]}").places == ["/queues"])
            #expect(try await plane.post(path, "{\"outcome\":\"kill\"}").places == ["/outcome"])
        }
    }

    @Test func stuckRunsComeWithTheirEvidence() async throws {
        try await withOwnPlane { plane in
            var ids: [RunID] = []
            for hours in [0, 1, 3] {
                let id = try await plane.makeRun()
                _ = try await plane.claim(id)
                try await Self.age(plane, id, hours: hours)
                ids.append(id)
            }
            let items = try await plane.get("/api/v1/safety/stuck").items
            #expect(items.map { $0["id"]?.text } == [ids[2], ids[1]].map(\.description))
            #expect(items.map { $0["severity"]?.text } == ["critical", "high"])
            let kinds = items[0]["evidence"]?.elements?.map { $0["kind"]?.text }
            #expect(kinds == ["runs_long", "past_timeout"], "\(items[0].json)")
            #expect(items[0]["args"]?.json == "{}" && items[0]["max_attempts"]?.integer == 3)
            #expect(try await plane.get("/api/v1/safety/stuck?severity=high").items.count == 1)
            #expect(try await plane.get("/api/v1/safety/stuck?severity=dire").status == 400)
        }
    }

    @Test func aTerminateMayBeForTheAttemptThatWasSeen() async throws {
        try await withOwnPlane { plane in
            let id = try await plane.makeRun()
            let run = try await plane.claim(id)
            let path = "/api/v1/safety/terminate/\(id)"
            let plan = try await plane.post(path, "{\"dry_run\":true}")
            #expect(plan["count"]?.integer == 1 && plan["dry_run"] == .boolean(true), "\(plan.text)")
            #expect(plane.host.orders.allSatisfy { $0 != .terminate(id, attempt: 1, grace: nil) })
            // It ends and is claimed again meanwhile.
            let now = try await plane.store.databaseTime()
            _ = try await plane.store.settle(plane.lease, [.release(id, attempt: run.attempt, at: now)])
            _ = try await plane.claim(id)
            let late = try await plane.post(path, "{\"plan\":\"\(plan["plan"]?.text ?? "")\"}")
            #expect(late.code == "plan_mismatch", "\(late.text)")
            let again = try await plane.post(path, "{\"dry_run\":true}")
            let done = try await plane.post(path, "{\"plan\":\"\(again["plan"]?.text ?? "")\",\"reason\":\"why\"}")
            #expect(done.status == 202 && done["changed"] == .boolean(true), "\(done.text)")
            #expect(plane.host.orders.last == .terminate(id, attempt: 2, grace: nil))
        }
    }

    @Test func orphansArePutRightByPlan() async throws {
        try await withOwnPlane { plane in
            let lost = try await plane.makeRun()
            _ = try await plane.claim(lost)
            let stray = Orphan(kind: .processWithoutRun, name: "4711", mark: "1", detail: "sleep")
            let scratch = Orphan(kind: .scratchWithoutRun, name: "/x/slot-9", mark: "1:2", detail: "")
            plane.host.orphanList = [stray, scratch]
            try await plane.store.pool.withTransaction { connection in
                try await connection.execute(
                    "UPDATE pawl.host SET state = 'stopped' WHERE id = \(plane.lease.id.rawValue)")
            }
            let list = try await plane.get("/api/v1/safety/orphans")
            #expect(
                list["counts"]?.json
                    == "{\"process_without_run\":1,\"run_without_process\":1,\"scratch_without_run\":1}", "\(list.text)"
            )
            #expect(try await plane.get("/api/v1/safety/orphans?kind=scratch_without_run").items.count == 1)
            #expect(try await plane.get("/api/v1/safety/orphans?kind=dust").status == 400)
            let path = "/api/v1/safety/orphans/cleanup"
            #expect(try await plane.post(path).places == ["/plan"])
            #expect(try await plane.post(path, "{\"kinds\":[\"dust\"],\"dry_run\":true}").places == ["/kinds"])
            let plan = try await plane.post(path, "{\"dry_run\":true}")
            #expect(plan["count"]?.integer == 3)
            // One is gone, one is another thing by now, and one has come since.
            plane.host.orphanList = [
                Orphan(kind: .processWithoutRun, name: "4711", mark: "2", detail: "another"),
                scratch, Orphan(kind: .scratchWithoutRun, name: "/x/slot-10", mark: "1:3", detail: ""),
            ]
            let body = "{\"plan\":\"\(plan["plan"]?.text ?? "")\",\"reason\":\"why\"}"
            #expect(try await plane.post(path, body).places == ["Idempotency-Key"])
            let key = Self.key()
            let done = try await plane.post(path, body, headers: key)
            #expect(done["count"]?.integer == 2 && done["untouched"]?.integer == 1, "\(done.text)")
            #expect(done["cleaned"]?.json == "{\"run_without_process\":1,\"scratch_without_run\":1}")
            #expect(plane.host.orphanList.map(\.name) == ["4711", "/x/slot-10"])
            #expect(try await plane.get("/api/v1/runs/\(lost)")["state"]?.text == "queued")
            #expect(try await plane.post(path, body, headers: key)["count"]?.integer == 2)
            #expect(try await plane.post(path, body, headers: Self.key()).code == "plan_unknown")
        }
    }

    @Test func thePolicyIsReplacedByThoseWhoHaveSeenIt() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/safety/policy"
            let policy = try await plane.get(path)
            #expect(policy["mode"]?.text == "act" && policy["stuck_after_ms"]?["high"]?.integer == 3_600_000)
            let tag = try #require(policy.headers[.eTag])
            let body = "{\"mode\":\"report\",\"stale_after_ms\":60000,\"slow_factor\":2.5,\"reason\":\"a trial\"}"
            #expect(try await plane.send(.put, path, body).status == 428)
            let changed = try await plane.send(.put, path, body, headers: [.ifMatch: tag])
            #expect(changed.status == 200 && changed["slow_factor"]?.json == "2.5", "\(changed.text)")
            #expect(changed["updated_by"]?.text == "admin" && changed["outcome"]?.text == "fail")
            #expect(try await plane.send(.put, path, body, headers: [.ifMatch: tag]).status == 412)
            let any: [HTTPField.Name: String] = [.ifMatch: "*"]
            #expect(try await plane.send(.put, path, "{}", headers: any).places == ["/mode"])
            let bad = "{\"mode\":\"act\",\"stale_after_ms\":1,\"stuck_after_ms\":{\"mild\":3}}"
            #expect(try await plane.send(.put, path, bad, headers: any).places == ["/stuck_after_ms/mild"])
            let short = "{\"mode\":\"act\",\"stale_after_ms\":1}"
            #expect(try await plane.send(.put, path, short, headers: any).places == ["/stale_after_ms"])
            let health = try await plane.get("/api/v1/safety/health")
            #expect(health["policy"]?.text == "report" && health["thresholds"]?["stale_after_ms"]?.integer == 60000)
            #expect(
                health["last_sweeps"]?.elements?.isEmpty == true && health["verdict"]?.text == "ok", "\(health.text)")
        }
    }

    /// What cannot be told of is not done.
    @Test func anEmergencyAndItsRowAreOne() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/safety/emergency"
            let order = "{\"mode\":\"pause_queues\",\"reason\":\"a fire\"}"
            func execute(_ sql: String) async throws {
                try await plane.store.pool.withTransaction { connection in try await connection.execute(sql) }
            }
            let breaking = "ALTER TABLE pawl.audit ADD CONSTRAINT broken CHECK (actor IS NULL) NOT VALID"
            let mending = "ALTER TABLE pawl.audit DROP CONSTRAINT broken"
            let before = try await plane.get("/api/v1/safety/policy")["revision"]?.integer
            try await execute(breaking)
            #expect(try await plane.post(path, order, headers: Self.key()).status == 500)
            let policy = "{\"mode\":\"report\"}"
            #expect(
                try await plane.send(.put, "/api/v1/safety/policy", policy, headers: [.ifMatch: "*"]).status == 500)
            try await plane.store.lookForEmergency()
            #expect(try await plane.get(path)["on"] == .boolean(false))
            let after = try await plane.get("/api/v1/safety/policy")
            #expect(after["mode"]?.text == "act" && after["revision"]?.integer == before)
            try await execute(mending)
            #expect(try await plane.post(path, order, headers: Self.key()).status == 200)
            try await execute(breaking)
            #expect(try await plane.send(.delete, path).status == 500)
            try await plane.store.lookForEmergency()
            #expect(try await plane.get(path)["on"] == .boolean(true))
            try await execute(mending)
        }
    }

    @Test func anEmergencyIsObeyedAndLifted() async throws {
        try await withOwnPlane { plane in
            let path = "/api/v1/safety/emergency"
            let id = try await plane.makeRun()
            _ = try await plane.claim(id)
            #expect(try await plane.post(path, "{\"mode\":\"refuse_new\"}", headers: Self.key()).places == ["/reason"])
            #expect(
                try await plane.post(path, "{\"mode\":\"panic\",\"reason\":\"x\"}", headers: Self.key()).places == [
                    "/mode"
                ])
            let order = "{\"mode\":\"refuse_new\",\"reason\":\"we move\"}"
            #expect(try await plane.post(path, order).places == ["Idempotency-Key"])
            let on = try await plane.post(path, order, headers: Self.key())
            #expect(on["on"] == .boolean(true) && on["changed"] == .boolean(true), "\(on.text)")
            let refused = try await plane.post("/api/v1/runs", "{\"job\":\"test.echo\"}")
            #expect(refused.status == 423 && refused.code == "emergency" && refused.text.contains("we move"))
            #expect(
                try await plane.post("/api/v1/runs/batch", "{\"items\":[{\"job\":\"test.echo\"}]}", headers: Self.key())
                    .status == 423)
            #expect(try await plane.post("/api/v1/runs/\(id)/retry").status == 423)

            let plan = try await plane.post(path, "{\"mode\":\"terminate_all\",\"dry_run\":true}")
            #expect(plan["count"]?.integer == 1, "\(plan.text)")
            let all = "{\"mode\":\"terminate_all\",\"reason\":\"now\",\"plan\":\"\(plan["plan"]?.text ?? "")\"}"
            let ended = try await plane.post(path, all, headers: Self.key())
            #expect(ended["count"]?.integer == 1, "\(ended.text)")
            #expect(plane.host.orders.last == .terminate(id, attempt: 1, grace: nil))
            let health = try await plane.get("/api/v1/safety/health")
            #expect(health["verdict"]?.text == "critical" && health["emergency"]?.elements?.count == 2)
            // A restarted host knows it from the database.
            plane.restart()
            #expect(try await plane.post("/api/v1/runs", "{\"job\":\"test.echo\"}").status == 423)
            let off = try await plane.send(.delete, "\(path)?mode=refuse_new&reason=done")
            #expect(off["lifted"]?.json == "[\"refuse_new\"]" && off["on"] == .boolean(true), "\(off.text)")
            #expect(try await plane.post("/api/v1/runs", "{\"job\":\"test.echo\"}").status == 201)
            #expect(try await plane.send(.delete, path)["lifted"]?.json == "[\"terminate_all\"]")
            #expect(try await plane.get(path)["on"] == .boolean(false))
            #expect(try await plane.send(.delete, "\(path)?mode=panic").status == 400)
        }
    }
}
