import JobCore
import JobStore

/// What the safety routes say.
enum SafetyJSON {
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

    static func stuck(_ run: WatchedRun, _ verdict: StuckVerdict) -> JSONObject {
        var object = JSONObject()
        object.string("id", run.id.description)
        object.string("number", String(run.id.rawValue))
        object.string("job", run.job)
        object.string("queue", run.queue)
        object.string("title", run.title)
        object.string("owner", run.owner)
        object.string("state", RunState.running.rawValue)
        object.int("attempt", run.attempt)
        object.int("attempts_used", run.attemptsUsed)
        object.int("max_attempts", run.maxAttempts)
        object.string("host", run.hostID?.description)
        object.time("started_at", run.startedAt)
        object.int("running_for_ms", run.runningFor.wholeMilliseconds)
        object.int("timeout_ms", run.timeout.wholeMilliseconds)
        object.time("deadline", run.deadline)
        object.bool("frozen", run.isFrozen)
        object.bool("ending", run.isEnding)
        object.raw("args", run.args ?? "null")
        object.int("args_bytes", run.argsBytes)
        object.int("cpu_ms", run.cpuMillis)
        object.int("resident_bytes", run.residentBytes)
        object.int("processes", run.processes)
        object.string("severity", verdict.severity.rawValue)
        object.array("evidence", verdict.evidence.map { evidence($0).text })
        return object
    }

    private static func evidence(_ evidence: StuckEvidence) -> JSONObject {
        var object = JSONObject()
        object.string("kind", evidence.kind)
        switch evidence {
        case .runsLong(let severity): object.string("severity", severity.rawValue)
        case .slowerThanUsual(let times, let p95):
            object.double("times", (times * 100).rounded() / 100)
            object.int("p95_ms", p95.wholeMilliseconds)
        case .pastTimeout(let limit): object.int("timeout_ms", limit.wholeMilliseconds)
        case .noProgress(let time), .noCPU(let time): object.int("for_ms", time.wholeMilliseconds)
        case .hostSilent: break
        }
        return object
    }

    static func progress(_ run: WatchedRun) -> JSONObject? {
        guard run.stage != nil || run.processed != nil else { return nil }
        return RunJSON.progress(
            Progress(
                stage: run.stage, current: UInt64(clamping: run.processed ?? 0),
                total: run.total.map { UInt64(clamping: $0) }))
    }

    static func orphan(_ orphan: Orphan) -> JSONObject {
        var object = JSONObject()
        object.string("kind", orphan.kind.rawValue)
        object.string("name", orphan.name)
        object.string("mark", orphan.mark)
        object.string("detail", orphan.detail)
        object.string("remedy", orphan.kind.remedy)
        return object
    }

    static func counts(_ counts: [OrphanKind: Int]) -> String {
        let named = counts.filter { $0.value > 0 }.map { "\"\($0.key.rawValue)\":\($0.value)" }
        return "{" + named.sorted().joined(separator: ",") + "}"
    }

    static func thresholds(_ policy: SafetyPolicy) -> JSONObject {
        var object = JSONObject()
        object.int("stale_after_ms", policy.staleAfter.wholeMilliseconds)
        object.object("stuck_after_ms", times(policy.stuck.times))
        object.double("slow_factor", policy.stuck.slowFactor)
        object.int("idle_after_ms", policy.stuck.idleAfter.wholeMilliseconds)
        return object
    }

    private static func times(_ times: StuckTimes) -> JSONObject {
        var object = JSONObject()
        object.int("low", times.low.wholeMilliseconds)
        object.int("medium", times.medium.wholeMilliseconds)
        object.int("high", times.high.wholeMilliseconds)
        object.int("critical", times.critical.wholeMilliseconds)
        return object
    }

    static func policy(_ row: PolicyRow) -> JSONObject {
        var object = JSONObject()
        object.string("mode", row.policy.mode.rawValue)
        object.string("outcome", row.policy.outcome.rawValue)
        object.int("stale_after_ms", row.policy.staleAfter.wholeMilliseconds)
        object.object("stuck_after_ms", times(row.policy.stuck.times))
        object.double("slow_factor", row.policy.stuck.slowFactor)
        object.int("idle_after_ms", row.policy.stuck.idleAfter.wholeMilliseconds)
        object.int("sweep_every_ms", row.policy.sweepEvery.wholeMilliseconds)
        object.int("revision", row.revision)
        object.time("updated_at", row.updatedAt)
        object.string("updated_by", row.updatedBy)
        object.time("swept_at", row.sweptAt)
        return object
    }

    static func sweep(_ row: SweepRow) -> JSONObject {
        var object = JSONObject()
        object.string("id", "\(row.id)")
        object.time("at", row.at)
        object.string("kind", row.kind.rawValue)
        object.bool("acted", row.hasActed)
        object.string("host", row.hostID?.description)
        object.string("actor", row.actor)
        object.string("reason", row.reason)
        object.int("took_ms", row.took.wholeMilliseconds)
        object.int("stale", row.stale)
        object.int("failed", row.failed)
        object.int("requeued", row.requeued)
        object.int("untouched", row.untouched)
        object.strings("runs", row.runs.map(\.description))
        object.raw("orphans", counts(row.orphans))
        object.raw("cleaned", counts(row.cleaned))
        return object
    }

    static func order(_ order: Emergency.Order) -> JSONObject {
        var object = JSONObject()
        object.string("mode", order.mode.rawValue)
        object.time("since", order.since)
        object.string("actor", order.actor)
        object.string("reason", order.reason)
        object.string("effect", effect(order.mode))
        return object
    }

    static func emergency(_ emergency: Emergency) -> JSONObject {
        var object = JSONObject()
        object.bool("on", emergency.isOn)
        object.array("orders", emergency.orders.map { order($0).text })
        return object
    }

    /// For people.
    static func effect(_ mode: EmergencyMode) -> String {
        switch mode {
        case .pauseQueues: "Nothing new is started; what runs goes on."
        case .stopScheduling: "No schedule fires."
        case .refuseNew: "No new runs are taken from outside."
        case .terminateAll: "Everything that runs is ended by force, and nothing new is started."
        }
    }
}
