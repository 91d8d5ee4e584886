import HTTPTypes
import JobCore
import JobStore

/// Jobs, queues, plugins and hosts.
extension Backend {
    var catalogRoutes: [Route] {
        [
            Route(.get, "/api/v1/jobs") { [self] in try await listJobs($0) },
            Route(.get, "/api/v1/jobs/{name}") { [self] in try await showJob($0) },
            Route(.get, "/api/v1/queues") { [self] in try await listQueues($0) },
            Route(.get, "/api/v1/queues/{queue}") { [self] in try await showQueue($0) },
        ]
    }

    // MARK: Jobs

    private func listJobs(_ call: Call) async throws -> Answer {
        let available = Set(host.handlers())
        let items = try await store.jobs().map { CatalogJSON.job($0, available).text }
        return .json(list(items))
    }

    private func showJob(_ call: Call) async throws -> Answer {
        let job = try await store.job(call.parameter("name"))
        return Answer.json(CatalogJSON.job(job, Set(host.handlers()))).tagged(call, revision: job.revision)
    }

    // MARK: Queues

    private func listQueues(_ call: Call) async throws -> Answer {
        let now = WallClock.now
        let holdings = try await store.holdings()
        let recent = try await recentStats()
        let figures = recent.byQueue
        let items = try await store.queues().map { queue in
            var object = CatalogJSON.queue(queue, now, holdings)
            object.object("recent", StatsJSON.recent(recent, figures[queue.name] ?? RunFigures()))
            return object.text
        }
        return .json(list(items))
    }

    private func showQueue(_ call: Call) async throws -> Answer {
        let queue = try await store.queue(call.parameter("queue"))
        var object = CatalogJSON.queue(queue, WallClock.now, try await store.holdings())
        let recent = try await recentStats(queue: queue.name)
        object.object("recent", StatsJSON.recent(recent, recent.all))
        let running = try await store.runs(RunFilter(states: [.running], queues: [queue.name]), limit: 50)
        object.array("running", running.runs.map { RunJSON.object($0, live: host.live(runID: $0.id)).text })
        return Answer.json(object).tagged(call, revision: queue.revision)
    }

    // MARK: Plugins and hosts

    /// None while the database is away: what is loaded is known without it.
    func knownQuarantines() async throws -> [QuarantineRow] {
        do throws(StoreError) {
            return try await store.quarantines()
        } catch {
            guard case .unavailable = error else { throw error }
            return []
        }
    }
}

enum CatalogJSON {
    static func counts(_ counts: [RunState: Int64]) -> JSONObject {
        var object = JSONObject()
        object.int("scheduled", counts[.scheduled] ?? 0)
        object.int("blocked", counts[.blocked] ?? 0)
        object.int("queued", counts[.queued] ?? 0)
        object.int("running", counts[.running] ?? 0)
        object.int("retrying", counts[.retrying] ?? 0)
        object.int("succeeded", counts[.succeeded] ?? 0)
        object.int("failed", counts[.failed] ?? 0)
        object.int("cancelled", counts[.cancelled] ?? 0)
        return object
    }

    /// - Parameter available: handlers that this host can run now.
    static func job(_ job: JobRow, _ available: Set<String>) -> JSONObject {
        var object = JSONObject()
        object.string("name", job.name)
        object.string("handler", job.handler)
        object.string("plugin", job.plugin)
        object.bool("defined", job.isDefined)
        object.bool("available", available.contains(job.handler))
        object.string("description", job.description)
        object.raw("args_schema", job.argsSchema ?? "null")
        object.raw("result_schema", job.resultSchema ?? "null")
        object.string("queue", job.queue)
        object.int("priority", job.priority)
        let limits = job.limits.merging(over: job.handlerLimits)
        object.int("attempts", job.attempts ?? limits.resolved.attempts)
        object.raw("backoff", (job.backoff ?? BackoffPolicy()).json)
        let effective = SettingsJSON.limits(limits.resolved)
        let execution = SettingsJSON.execution(job.execution.merging(over: job.handlerExecution).resolved)
        object.object("limits", effective)
        object.object("execution", execution)
        var sources = JSONObject()
        sources.raw(
            "limits",
            SettingsJSON.sources(job: job.limits.json, handler: job.handlerLimits.json, effective: effective))
        sources.raw(
            "execution",
            SettingsJSON.sources(job: job.execution.json, handler: job.handlerExecution.json, effective: execution))
        sources.string("attempts", job.attempts != nil ? "job" : limits.attempts != nil ? "handler" : "default")
        sources.string("backoff", job.backoff != nil ? "job" : "default")
        object.object("sources", sources)
        RulesJSON.add(job.pause, job.service, job.concurrency, to: &object)
        object.int("retention_days", job.retentionDays)
        object.int("failed_retention_days", job.failedRetentionDays)
        object.object("counts", counts(job.counts))
        object.string("last_run_id", job.lastRunID?.description)
        object.string("last_state", job.lastState?.rawValue)
        object.time("last_finished_at", job.lastFinishedAt)
        object.time("created_at", job.createdAt)
        object.time("updated_at", job.updatedAt)
        return object
    }

    /// - Parameter holdings: nil: leave out who serves it.
    static func queue(_ queue: QueueRow, _ now: WallTime, _ holdings: [Holding]? = nil) -> JSONObject {
        var object = JSONObject()
        object.string("name", queue.name)
        RulesJSON.add(queue.pause, queue.service, queue.limits, to: &object)
        if let holdings { HoldingJSON.add(holdings.first { $0.subject == .queue(queue.name) }, to: &object) }
        object.object("counts", counts(queue.counts))
        object.time("oldest_queued_at", queue.oldestQueuedAt)
        object.int("oldest_age_ms", queue.oldestQueuedAt.map { max(0, (now - $0).wholeMilliseconds) })
        return object
    }

    static func plugin(_ plugin: PluginView, _ quarantines: [QuarantineRow] = []) -> JSONObject {
        var object = JSONObject()
        object.string("name", plugin.name)
        object.string("file", plugin.file)
        object.string("version", plugin.version)
        object.string("label", plugin.label)
        object.string("state", plugin.state)
        object.string("kind", plugin.kind)
        object.string("error", plugin.error)
        object.strings("notes", plugin.notes)
        object.time("loaded_at", plugin.loadedAt)
        object.array(
            "handlers",
            plugin.handlers.map { handler($0, version: plugin.version, quarantines).text })
        return object
    }

    static func handler(
        _ handler: PluginView.Handler, version: String?, _ quarantines: [QuarantineRow]
    ) -> JSONObject {
        var object = JSONObject()
        object.string("name", handler.name)
        object.string("description", handler.description)
        object.raw("args_schema", schema(handler.argsSchema))
        object.raw("result_schema", schema(handler.resultSchema))
        if let isUnverified = handler.isUnverified { object.bool("unverified", isUnverified) }
        object.object(
            "quarantine",
            quarantines.first { $0.handler == handler.name && $0.version == version }.map(QuarantineJSON.object))
        return object
    }

    /// What a plugin says of itself is not to be trusted with our syntax.
    static func schema(_ text: String?) -> String {
        guard let text, !text.isEmpty else { return "null" }
        do {
            _ = try JSONText.check(text)
            return text
        } catch {
            return JSONText.quoted(text)
        }
    }

    /// - Parameter own: what this host knows of itself, if the row is its own.
    static func host(_ row: HostRow, _ own: HostView?, isDraining: Bool, _ holdings: [Holding]) -> JSONObject {
        var object = JSONObject()
        object.string("id", row.id.description)
        object.string("name", row.hostname)
        object.string("state", row.state.rawValue)
        object.bool("draining", own == nil ? row.state == .stopping : isDraining)
        object.bool("this_host", own != nil)
        object.int("pid", row.pid)
        object.string("version", row.version)
        object.string("git_sha", row.gitSHA)
        object.int("slots", own?.slots ?? row.slots)
        object.int("running", own?.running)
        object.string("isolation", own?.isolation ?? isolation(row.capabilities))
        object.raw("capabilities", row.capabilities)
        object.array("holds", HoldingJSON.held(by: row, among: holdings))
        object.time("started_at", row.startedAt)
        object.time("heartbeat_at", row.heartbeatAt)
        object.time("stopped_at", row.stoppedAt)
        object.int("resident_bytes", own?.residentBytes)
        object.double("loop_lag_p99_ms", own?.loopLagP99.map { Double($0.wholeMicroseconds) / 1000 })
        return object
    }

    private static func isolation(_ capabilities: String) -> String? {
        do {
            return try JSONValue(parsing: capabilities)["profile"]?.text
        } catch {
            return nil
        }
    }
}
