import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var safetyRoutes: [Route] {
        [
            Route(.get, "/api/v1/safety/health") { [self] _ in .json(try await healthReport()) },
            Route(.get, "/api/v1/safety/stuck", query: ["severity", "queue"]) { [self] in try await listStuck($0) },
            Route(.post, "/api/v1/safety/cleanup-stale", body: .json) { [self] in try await cleanupStale($0) },
            Route(.post, "/api/v1/safety/terminate/{id}", body: .json) { [self] in
                try await stop($0, .terminate, actor: "\($0.principal.name) (emergency)")
            },
        ]
    }

    /// Source: product.md, "stale".
    nonisolated static let staleAfter = Duration.seconds(6 * 3600)
    /// A snapshot that is held so long keeps finished rows from being cleaned away.
    private static let longestSnapshot = Duration.seconds(600)

    // MARK: Health

    /// `{verdict, checks, counts, thresholds}`; also while the database is away, which is one of the checks.
    func healthReport() async throws -> JSONObject {
        var checks: [ReadinessCheck] = []
        var counts: SafetyCounts?
        do throws(StoreError) {
            counts = try await store.safetyCounts(staleAfter: Self.staleAfter)
            checks.append(ReadinessCheck(name: "database", ok: true, detail: "The database answers."))
        } catch {
            guard error.isTransient else { throw error }
            checks.append(ReadinessCheck(name: "database", ok: false, detail: "The database cannot be reached."))
        }
        if let counts { checks += Self.checks(counts) }
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
        var thresholds = JSONObject()
        thresholds.int("stale_after_ms", Self.staleAfter.wholeMilliseconds)
        thresholds.int("stuck_after_ms", Severity.low.from.wholeMilliseconds)
        thresholds.int("snapshot_ms", Self.longestSnapshot.wholeMilliseconds)
        object.object("thresholds", thresholds)
        object.time("as_of", WallClock.now)
        return object
    }

    private static func verdict(_ checks: [ReadinessCheck]) -> String {
        if checks.allSatisfy(\.ok) { return "ok" }
        return checks.contains { !$0.ok && $0.name == "database" } ? "critical" : "attention"
    }

    private static func check(_ check: ReadinessCheck) -> String {
        var object = JSONObject()
        object.string("name", check.name)
        object.bool("ok", check.ok)
        object.string("detail", check.detail)
        return object.text
    }

    private static func checks(_ counts: SafetyCounts) -> [ReadinessCheck] {
        func check(_ name: String, _ count: Int, _ good: String, _ bad: String) -> ReadinessCheck {
            ReadinessCheck(name: name, ok: count == 0, detail: count == 0 ? good : "\(count) \(bad)")
        }
        var checks = [
            check("stale", counts.stale, "No run is stale.", "runs are running for more than 6 hours."),
            check("hosts", counts.silentHosts, "No host is silent.", "hosts are silent; their runs were requeued."),
            check("schedules", counts.overdueSchedules, "No schedule is overdue.", "schedules are overdue."),
            check("queues", counts.pausedQueues, "No queue is paused.", "queues are paused."),
        ]
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

    /// Lower bounds are inclusive. Source: product.md.
    enum Severity: String, CaseIterable {
        case low, medium, high, critical

        var from: Duration {
            switch self {
            case .low: .seconds(600)
            case .medium: .seconds(1800)
            case .high: .seconds(3600)
            case .critical: .seconds(7200)
            }
        }

        init?(_ time: Duration) {
            guard let severity = Self.allCases.last(where: { time >= $0.from }) else { return nil }
            self = severity
        }
    }

    func stuckRuns(severity: Severity?, queue: String?) async throws -> [(run: StaleRun, severity: Severity)] {
        try await store.staleRuns(olderThan: (severity ?? .low).from).compactMap { run in
            guard let found = Severity(run.runningFor), severity == nil || found == severity,
                queue == nil || run.queue == queue
            else { return nil }
            return (run, found)
        }
    }

    private func listStuck(_ call: Call) async throws -> Answer {
        let severity = try call.query.one("severity").map { (word) throws(Problem) in
            guard let severity = Severity(rawValue: word) else {
                throw .invalidParameter(
                    "severity", "unknown_word",
                    "must be one of " + Severity.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return severity
        }
        let stuck = try await stuckRuns(severity: severity, queue: try call.query.one("queue"))
        return .json(
            list(
                stuck.map { entry in
                    var object = Self.stale(entry.run)
                    object.string("severity", entry.severity.rawValue)
                    object.object("progress", host.live(runID: entry.run.id).flatMap { RunJSON.progress($0.progress) })
                    return object.text
                }))
    }

    static func stale(_ run: StaleRun) -> JSONObject {
        var object = JSONObject()
        object.string("id", run.id.description)
        object.string("number", String(run.id.rawValue))
        object.string("job", run.job)
        object.string("queue", run.queue)
        object.string("state", RunState.running.rawValue)
        object.int("attempt", run.attempt)
        object.string("host", run.hostID?.description)
        object.time("started_at", run.startedAt)
        object.int("running_for_ms", run.runningFor.wholeMilliseconds)
        return object
    }

    // MARK: Cleanup

    struct CleanupRequest {
        var olderThan = Backend.staleAfter
        var outcome = StaleOutcome.fail
        var plan: String?
        /// Said, not taken from the defaults: must agree with the plan.
        var saidAge = false
        var saidOutcome = false
    }

    private func cleanupStale(_ call: Call) async throws -> Answer {
        var reader = try ObjectReader(body: call.body)
        var request = CleanupRequest()
        let age = reader.milliseconds("older_than_ms", to: RunInput.longestMilliseconds)
        let isDry = reader.bool("dry_run") ?? false
        if let word = reader.string("outcome", limit: 20) {
            if let outcome = StaleOutcome(rawValue: word) {
                request.outcome = outcome
                request.saidOutcome = true
            } else {
                reader.fault("outcome", "unknown_word", "must be fail or retry")
            }
        }
        request.plan = reader.string("plan", limit: 100)
        if isDry, request.plan != nil { reader.fault("plan", "exclusive", "cannot stand beside dry_run") }
        try reader.finish()
        if let age {
            request.olderThan = age
            request.saidAge = true
        }
        if isDry { return .json(try await plan(request)) }
        return .json(try await cleanup(request, actor: call.principal.name))
    }

    private func plan(_ request: CleanupRequest) async throws -> JSONObject {
        let runs = try await store.staleRuns(olderThan: request.olderThan)
        let name = plans.make(
            StalePlan(runs: runs, olderThan: request.olderThan, outcome: request.outcome))
        var object = JSONObject()
        object.string("plan", name)
        object.bool("dry_run", true)
        object.int("count", runs.count)
        object.array("sample", runs.prefix(20).map { Self.stale($0).text })
        object.int("older_than_ms", request.olderThan.wholeMilliseconds)
        object.string("outcome", request.outcome.rawValue)
        object.time("expires_at", WallClock.now.advanced(by: Plans.life))
        return object
    }

    /// Does what the plan says, or without one what is stale now.
    func cleanup(_ request: CleanupRequest, actor: String) async throws -> JSONObject {
        var request = request
        let targets: [StaleRun]
        if let name = request.plan {
            guard let plan = plans.take(name) else { throw Plans.unknown }
            if (request.saidAge && request.olderThan != plan.olderThan)
                || (request.saidOutcome && request.outcome != plan.outcome)
            {
                throw Plans.mismatch("The request asks for something else than the plan.")
            }
            request.olderThan = plan.olderThan
            request.outcome = plan.outcome
            let now = try await store.staleRuns(olderThan: plan.olderThan)
            let (shown, found) = (Int64(plan.runs.count), Int64(now.count))
            if Plans.hasGrown(from: shown, to: found) { throw Plans.changed(from: shown, to: found, "are stale") }
            targets = plan.runs
        } else {
            targets = try await store.staleRuns(olderThan: request.olderThan)
        }
        let answers =
            targets.isEmpty
            ? []
            : try await store.cleanupStale(
                targets.map { (id: $0.id, attempt: $0.attempt) }, outcome: request.outcome, actor: actor)
        var tally: [StaleAnswer: Int] = [:]
        for (run, answer) in zip(targets, answers) {
            tally[answer, default: 0] += 1
            // Whoever runs it is told by the database; for ourselves that would be a detour.
            if answer != .untouched { host.terminate(runID: run.id, attempt: run.attempt, grace: nil) }
        }
        var object = JSONObject()
        object.bool("dry_run", false)
        object.int("count", (tally[.failed] ?? 0) + (tally[.requeued] ?? 0))
        object.int("failed", tally[.failed] ?? 0)
        object.int("requeued", tally[.requeued] ?? 0)
        object.int("untouched", tally[.untouched] ?? 0)
        object.strings("runs", zip(targets, answers).filter { $0.1 != .untouched }.map { $0.0.id.description })
        object.int("older_than_ms", request.olderThan.wholeMilliseconds)
        object.string("outcome", request.outcome.rawValue)
        return object
    }
}
