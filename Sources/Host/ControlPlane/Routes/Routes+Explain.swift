import HTTPTypes
import JobCore
import JobStore

extension Backend {
    var explainRoutes: [Route] {
        [Route(.get, "/api/v1/runs/{id}/explain") { [self] in try await explain($0) }]
    }

    private func explain(_ call: Call) async throws -> Answer {
        let run = try await existingRun(try call.runID())
        let facts = try await facts(of: run)
        let explanation = Explanation(facts)
        var object = JSONObject()
        object.string("run", run.id.description)
        object.string("job", run.job)
        object.string("state", run.state.rawValue)
        object.string("outcome", run.outcome?.rawValue)
        object.string("reason", run.reason?.rawValue)
        object.object("explanation", explanation.json)
        return Answer.json(object).tagged(call)
    }

    // MARK: Gathering

    func facts(of run: RunRow) async throws -> RunFacts {
        var facts = RunFacts(
            id: run.id, job: run.job, state: run.state, now: WallClock.now, queue: run.queue, runAt: run.runAt)
        facts.startedAt = run.startedAt
        facts.finishedAt = run.finishedAt
        facts.attempt = run.attempt
        facts.attemptsUsed = run.attemptsUsed
        facts.maxAttempts = run.maxAttempts
        facts.lostCount = run.lostCount
        facts.cancelRequestedAt = run.cancelRequestedAt
        facts.terminateRequestedAt = run.terminateRequestedAt
        facts.cancelReason = run.cancelReason
        facts.outcome = run.outcome
        facts.reason = run.reason
        facts.error = run.error
        facts.progress = run.progress
        let home = try await addJob(run, to: &facts)
        if run.state == .queued { try await addQueue(run, home, to: &facts) }
        if run.state == .running { try await addLive(run, to: &facts) }
        try await addLastAttempt(run, to: &facts)
        return facts
    }

    /// Where a run's code is.
    private struct Home {
        /// The job's name where there is no job any more.
        var handler: String
        var plugin: String?
        /// Whether a quarantine holds the job back.
        var isHeldBack = true
    }

    private func addJob(_ run: RunRow, to facts: inout RunFacts) async throws -> Home {
        do throws(StoreError) {
            let job = try await store.job(run.job)
            var limits = job.limits.merging(over: job.handlerLimits)
            if let wall = run.timeout { limits.wall = wall }
            facts.limits = limits.resolved
            facts.isJobPaused = job.pause != nil
            facts.pauseReason = job.pause?.reason
            facts.fullLimit = Self.full(job.concurrency, job.counts[.running], "job \(job.name)")
            return Home(
                handler: job.handler, plugin: job.plugin,
                isHeldBack: job.execution.merging(over: job.handlerExecution).resolved.quarantine)
        } catch {
            guard case .notFound = error else { throw error }
            return Home(handler: run.job)
        }
    }

    /// The limit, if it is used up.
    private static func full(
        _ limits: ConcurrencyLimits, _ running: Int64?, _ what: String
    ) -> LimitFacts? {
        limits.everywhere.flatMap { Int(clamping: running ?? 0) >= $0 ? LimitFacts(runs: $0, of: what) : nil }
    }

    private func addQueue(_ run: RunRow, _ home: Home, to facts: inout RunFacts) async throws {
        let queue = try await store.queue(run.queue)
        facts.isQueuePaused = queue.isPaused
        if queue.isPaused { facts.pauseReason = queue.pause?.reason }
        if let full = Self.full(queue.limits, queue.counts[.running], "queue \(queue.name)") { facts.fullLimit = full }
        for mode in EmergencyMode.allCases where mode.haltsClaims {
            guard let order = try await store.order(mode) else { continue }
            facts.emergency = EmergencyFacts(mode: mode.rawValue, reason: order.reason)
        }
        if let holding = try await store.holdings().first(where: { $0.subject == .queue(run.queue) }) {
            facts.exclusive = ExclusiveFacts(
                holder: holding.holder?.hostname, isHere: holding.holder?.host == host.hostView().id)
        }
        if let ahead = try await store.queuedAhead(of: run.id) {
            facts.position = ahead.count + 1
            facts.isPositionBound = ahead.isBound
        }
        let own = host.hostView()
        facts.hosts = try await store.hosts().count { $0.state == .running }
        facts.slots = own.slots
        facts.busySlots = own.running
        facts.isDraining = host.isDraining
        facts.hasHandler = host.handlers().contains(home.handler)
        if !facts.hasHandler { facts.pluginError = try await whyAbsent(home) }
        guard home.isHeldBack else { return }
        let active = Set(host.plugins().filter { $0.state == "active" }.compactMap(\.version))
        facts.quarantine = try await store.quarantines().first { row in
            row.handler == home.handler && (active.isEmpty || active.contains(row.version))
        }.map {
            QuarantineFacts(
                version: $0.version, until: $0.until, crashes: $0.crashes, attempts: $0.attempts, reason: $0.reason,
                handler: $0.handler)
        }
    }

    /// What is wrong with the plugin that has the handler, as far as anybody knows.
    private func whyAbsent(_ home: Home) async throws -> String? {
        if let plugin = home.plugin {
            if let row = try await store.plugin(plugin), row.isDisabled {
                return "plugin \(plugin) is disabled" + (row.reason.map { " (\($0))" } ?? "")
            }
            let own = host.hostView().id
            let note = try await store.pluginHosts(plugin: plugin).first { $0.host == own }?.note
            if let problem = note?.problem { return "\(plugin): \(problem)" }
        }
        // A plugin that could not be loaded is the likely home of a handler that is missing.
        return host.plugins().first { $0.error != nil }.map { "\($0.file): \($0.error ?? "")" }
    }

    private func addLive(_ run: RunRow, to facts: inout RunFacts) async throws {
        if let live = host.live(runID: run.id), live.attempt == run.attempt {
            facts.live = live
            facts.startedAt = live.startedAt ?? facts.startedAt
        } else if let owner = run.hostID, owner != host.hostView().id {
            facts.otherHost = try await store.hosts().first { $0.id == owner }?.hostname ?? owner.description
        }
    }

    private func addLastAttempt(_ run: RunRow, to facts: inout RunFacts) async throws {
        // The last that has ended, behind the one that may be running.
        guard run.attempt > 0,
            let row = try await store.attempts(run.id, newest: 2).last(where: { $0.outcome != nil }),
            var last = AttemptFacts(row)
        else { return }
        guard row.crash != nil else {
            facts.last = last
            return
        }
        if let report = try await store.crashReport(run.id, attempt: row.attempt) {
            last.frames = report.frames
            facts.group = try await store.errorGroup(report.fingerprint).map {
                CrashGroupFacts(
                    fingerprint: $0.fingerprint, title: $0.title, count: $0.count, firstSeen: $0.firstSeenAt,
                    lastSeen: $0.lastSeenAt, firstVersion: $0.firstVersion, lastVersion: $0.lastVersion)
            }
        } else {
            last.isStackPending = try await store.pendingCrashCount(of: run.id, limit: 1) > 0
        }
        facts.last = last
    }
}

extension AttemptFacts {
    /// Nil while it runs.
    init?(_ row: AttemptRow) {
        guard let outcome = row.outcome else { return nil }
        self.init(attempt: row.attempt, outcome: outcome, reason: row.reason)
        code = row.error?.code
        sentence = row.sentence
        exitCode = row.exitCode
        signal = row.signal
        took = row.startedAt.flatMap { start in row.endedAt.map { $0 - start } }
        mode = row.mode
        ladder = row.ladder
        cpu = row.resources.userCPU + row.resources.systemCPU
        peakBytes = row.resources.maxRSSBytes
        leaks = row.leaks
        survivorsKilled = row.survivorsKilled
        droppedOutputBytes = row.droppedOutputBytes
        droppedLogLines = row.droppedLogLines
        crashAddress = row.crash?.address
        crashThread = row.crash?.threadName ?? ""
        lastLines = row.lastLines.map(\.message)
        hasDiagnosis = row.diagnosis != nil
        found = row.diagnosis.flatMap { Diagnosis(parsing: $0)?.place }
    }
}
