import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var safetyRoutes: [Route] {
        [
            Route(.get, "/api/v1/safety/health") { [self] _ in .json(try await healthReport()) },
            Route(.get, "/api/v1/safety/stuck", query: ["severity", "queue"]) { [self] in try await listStuck($0) },
            Route(.post, "/api/v1/safety/cleanup-stale", body: .json) { [self] in try await cleanupStale($0) },
            Route(.post, "/api/v1/safety/terminate/{id}", body: .json) { [self] in try await safetyTerminate($0) },
            Route(.get, "/api/v1/safety/orphans", query: ["kind"]) { [self] in try await listOrphans($0) },
            Route(.post, "/api/v1/safety/orphans/cleanup", body: .json) { [self] in try await cleanupOrphans($0) },
            Route(.get, "/api/v1/safety/policy") { [self] in try await readPolicy($0) },
            Route(.put, "/api/v1/safety/policy", body: .json) { [self] in try await writePolicy($0) },
            Route(.get, "/api/v1/safety/sweeps", query: ["limit", "cursor", "found"]) { [self] in
                try await listSweeps($0)
            },
            Route(.get, "/api/v1/safety/emergency") { [self] _ in
                try await store.lookForEmergency()
                return .json(SafetyJSON.emergency(store.emergency))
            },
            Route(.post, "/api/v1/safety/emergency", body: .json) { [self] in try await declareEmergency($0) },
            Route(.delete, "/api/v1/safety/emergency", query: ["mode", "reason"]) { [self] in
                try await liftEmergency($0)
            },
        ]
    }

    /// A snapshot that is held so long keeps finished rows from being cleaned away.
    private static let longestSnapshot = Duration.seconds(600)

    // MARK: Health

    /// `{verdict, checks, counts, thresholds, policy, emergency, last_sweeps}`; also while the database is away, which is one of the
    /// checks.
    func healthReport() async throws -> JSONObject {
        var checks: [ReadinessCheck] = []
        var counts: SafetyCounts?
        var policy: PolicyRow?
        var sweeps: [SweepRow] = []
        do throws(StoreError) {
            let known = try await store.safetyPolicy()
            policy = known
            counts = try await store.safetyCounts(staleAfter: known.policy.staleAfter)
            sweeps = try await store.sweeps(limit: 5)
            try await store.lookForEmergency()
            checks.append(ReadinessCheck(name: "database", ok: true, detail: "The database answers."))
        } catch {
            guard error.isTransient else { throw error }
            checks.append(ReadinessCheck(name: "database", ok: false, detail: "The database cannot be reached."))
        }
        if let counts, let policy { checks += Self.checks(counts, policy) }
        checks.append(Self.check(store.emergency))
        let broken = host.plugins().filter { $0.error != nil && ($0.state == "rejected" || $0.state == "crash_loop") }
        checks.append(
            ReadinessCheck(
                name: "plugins", ok: broken.isEmpty,
                detail: broken.isEmpty
                    ? "All plugins are in service."
                    : "\(broken.count) refused: " + broken.map(\.file).joined(separator: ", ")))
        if host.isDraining {
            checks.append(ReadinessCheck(name: "draining", ok: false, detail: "This host is shutting down."))
        }
        var object = JSONObject()
        object.string("verdict", Self.verdict(checks))
        object.array("checks", checks.map(Self.check))
        object.object("counts", counts.map { CatalogJSON.counts($0.counts) })
        var thresholds = SafetyJSON.thresholds(policy?.policy ?? SafetyPolicy())
        thresholds.int("snapshot_ms", Self.longestSnapshot.wholeMilliseconds)
        object.object("thresholds", thresholds)
        object.string("policy", policy?.policy.mode.rawValue)
        object.array("emergency", store.emergency.orders.map { SafetyJSON.order($0).text })
        object.array("last_sweeps", sweeps.map { SafetyJSON.sweep($0).text })
        object.time("as_of", WallClock.now)
        return object
    }

    private static func verdict(_ checks: [ReadinessCheck]) -> String {
        if checks.allSatisfy(\.ok) { return "ok" }
        return checks.contains { !$0.ok && ["database", "emergency"].contains($0.name) } ? "critical" : "attention"
    }

    private static func check(_ check: ReadinessCheck) -> String {
        var object = JSONObject()
        object.string("name", check.name)
        object.bool("ok", check.ok)
        object.string("detail", check.detail)
        return object.text
    }

    private static func check(_ emergency: Emergency) -> ReadinessCheck {
        ReadinessCheck(
            name: "emergency", ok: !emergency.isOn,
            detail: emergency.isOn
                ? emergency.orders.map { "\($0.mode.rawValue) by \($0.actor ?? "somebody"): \($0.reason)" }
                    .joined(separator: "; ")
                : "There is no emergency.")
    }

    private static func checks(_ counts: SafetyCounts, _ row: PolicyRow) -> [ReadinessCheck] {
        func check(_ name: String, _ count: Int, _ good: String, _ bad: String) -> ReadinessCheck {
            ReadinessCheck(name: name, ok: count == 0, detail: count == 0 ? good : "\(count) \(bad)")
        }
        let minutes = row.policy.staleAfter.components.seconds / 60
        let age = minutes % 60 == 0 ? "\(minutes / 60) hours" : "\(minutes) minutes"
        var checks = [
            check("stale", counts.stale, "No run is stale.", "runs are running for more than \(age)."),
            check("hosts", counts.silentHosts, "No host is silent.", "hosts are silent; their runs were requeued."),
            check("schedules", counts.overdueSchedules, "No schedule is overdue.", "schedules are overdue."),
            check("queues", counts.pausedQueues, "No queue is paused.", "queues are paused."),
        ]
        let late = WallClock.now - row.sweptAt > row.policy.sweepEvery * 3 + .seconds(60)
        checks.append(
            ReadinessCheck(
                name: "sweeps", ok: row.policy.mode != .off && !late,
                detail: row.policy.mode == .off
                    ? "Nobody sweeps: the policy is off."
                    : late
                        ? "Nobody has swept for three intervals." : "Hosts sweep, and \(row.policy.mode.rawValue)."))
        if let age = counts.oldestSnapshotAge, age > longestSnapshot {
            checks.append(
                ReadinessCheck(
                    name: "snapshot", ok: false,
                    detail: "A transaction is open for \(age.components.seconds) s and slows cleaning: "
                        + (counts.oldestSnapshotHolder ?? "nobody says whose.")))
        }
        return checks
    }

    // MARK: Stuck

    private func listStuck(_ call: Call) async throws -> Answer {
        let severity = try call.query.one("severity").map { (word) throws(Problem) in
            guard let severity = Severity(rawValue: word) else {
                throw .invalidParameter(
                    "severity", "unknown_word",
                    "must be one of " + Severity.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return severity
        }
        let rule = try await store.safetyPolicy().policy.stuck
        let stuck = try await store.stuckRuns(rule, severity: severity, queue: try call.query.one("queue"))
        return .json(
            list(
                stuck.map { entry in
                    var object = SafetyJSON.stuck(entry.run, entry.verdict)
                    let live = host.live(runID: entry.run.id)
                    object.object(
                        "progress", live.flatMap { RunJSON.progress($0.progress) } ?? SafetyJSON.progress(entry.run))
                    return object.text
                }))
    }

    // MARK: Terminate

    /// As terminating a run, recorded as an emergency. A plan is for the attempt that it showed.
    private func safetyTerminate(_ call: Call) async throws -> Answer {
        let id = try call.runID()
        var reader = try ObjectReader(body: call.body)
        let reason = reader.string("reason", limit: 1000)
        let grace = reader.milliseconds("grace_ms", to: 3_600_000)
        let isDry = reader.bool("dry_run") ?? false
        let name = reader.string("plan", limit: 100)
        if isDry, name != nil { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
        try reader.finish()
        let run = try await existingRun(id)
        if isDry {
            var object = JSONObject()
            object.string("plan", terminatePlans.make(TerminatePlan(run: id, attempt: run.attempt)))
            object.bool("dry_run", true)
            object.int("count", run.state.isTerminal ? 0 : 1)
            object.object("run", RunJSON.object(run, live: host.live(runID: id)))
            object.string(
                "effect",
                run.state.isTerminal
                    ? "nothing: it has ended"
                    : run.state == .running ? "its whole tree of processes ends" : "it is cancelled")
            object.time("expires_at", WallClock.now.advanced(by: Plans.life))
            return .json(object)
        }
        if let name {
            guard let plan = terminatePlans.take(name) else { throw Plans.unknown }
            guard plan.run == id else {
                terminatePlans.put(plan, name)
                throw Plans.mismatch("The plan is of another run.")
            }
            guard plan.attempt == run.attempt else {
                throw Plans.mismatch("The run is in attempt \(run.attempt) by now, the plan showed \(plan.attempt).")
            }
        }
        let stopped = try await stop(
            id, .terminate, reason: reason, grace: grace, actor: "\(call.principal.name) (emergency)")
        if stopped.hasChanged {
            var detail = JSONObject()
            detail.string("reason", reason)
            detail.int("attempt", stopped.run.attempt)
            await note(call.principal.name, "safety.terminate", id.description, detail)
        }
        return try await stopAnswer(stopped, call)
    }

    /// A run that somebody saw before its end by force.
    struct TerminatePlan: Sendable {
        var run: RunID
        var attempt: Int
    }
}
