import JobCore
import JobStore

/// A run as clients see it.
struct RunJSON {
    /// What is left out of lists.
    struct Parts: OptionSet {
        let rawValue: Int
        static let args = Parts(rawValue: 1)
        static let result = Parts(rawValue: 2)
    }

    /// - Parameter live: the attempt that this host runs now, which knows more than the row.
    static func object(_ run: RunRow, live: LiveAttempt? = nil, parts: Parts = []) -> JSONObject {
        // The row may be of an attempt that has ended since, or begun since.
        let live = live.flatMap { run.state == .running && $0.attempt == run.attempt ? $0 : nil }
        var object = JSONObject()
        object.string("id", run.id.description)
        object.string("number", String(run.id.rawValue))
        object.string("job", run.job)
        object.string("title", run.title)
        object.string("description", run.description)
        object.string("state", run.state.rawValue)
        object.string("queue", run.queue)
        object.int("priority", run.priority)
        object.raw("labels", JSONText.object(run.labels))
        object.string("owner", run.owner)
        object.string("organization", run.organization)
        object.string("trigger", run.trigger)
        object.string("retry_of", run.retryOf?.description)
        object.string("schedule_id", run.scheduleID.map(ScheduleJSON.id))
        object.time("planned_at", run.plannedAt)
        object.time("created_at", run.createdAt)
        object.time("run_at", run.runAt)
        object.time("started_at", live?.startedAt ?? run.startedAt)
        object.time("finished_at", run.finishedAt)
        object.int("attempt", run.attempt)
        object.int("attempts_used", run.attemptsUsed)
        object.int("max_attempts", run.maxAttempts)
        object.int("lost_count", run.lostCount)
        object.raw("backoff", run.backoff?.json ?? "null")
        object.int("timeout_ms", run.timeout?.wholeMilliseconds)
        object.string("host", run.hostID?.description)
        object.int("pid", live?.pid ?? run.pid)
        object.string("version", live?.version ?? run.version)
        object.time("cancel_requested_at", run.cancelRequestedAt ?? live?.cancelRequestedAt)
        object.time("terminate_requested_at", run.terminateRequestedAt)
        object.string("cancel_reason", run.cancelReason)
        object.time("expires_at", run.expiresAt)
        object.string("traceparent", run.traceparent)
        LiveJSON.add(live, to: &object)
        object.object("progress", progress(live?.progress ?? run.progress))
        object.string("outcome", run.outcome?.rawValue)
        object.string("reason", run.reason?.rawValue)
        object.object("error", run.error.map(error))
        if parts.contains(.args) { object.raw("args", run.args ?? "null") }
        if parts.contains(.result) { result(run.result, into: &object) }
        return object
    }

    /// The run's relatives; only where one run is shown.
    static func add(_ links: RunLinks, to object: inout JSONObject) {
        object.string("parent", links.parent?.description)
        object.array(
            "follow_ups",
            links.followUps.map { child in
                var object = JSONObject()
                object.string("id", child.id.description)
                object.string("job", child.job)
                return object.text
            })
    }

    /// The attempts that are left; only where one run is shown.
    static func add(_ next: [NextAttempt], to object: inout JSONObject) {
        object.array(
            "next_attempts",
            next.map { attempt in
                var object = JSONObject()
                object.int("number", attempt.number)
                object.int("wait_ms", attempt.wait.wholeMilliseconds)
                object.int("spread_ms", attempt.spread.wholeMilliseconds)
                object.time("earliest_at", attempt.earliest)
                return object.text
            })
    }

    /// Nil while the handler has reported nothing.
    static func progress(_ progress: Progress) -> JSONObject? {
        guard !progress.isEmpty else { return nil }
        var object = JSONObject()
        object.string("stage", progress.stage)
        object.int("current", progress.current)
        object.int("total", progress.total)
        object.string("unit", progress.unit)
        object.double("percent", progress.percent.map { ($0 * 100).rounded() / 100 })
        object.string("message", progress.message)
        object.string("line", progress.line)
        object.raw("counters", counters(progress))
        return object
    }

    static func counters(_ progress: Progress) -> String {
        "{" + progress.counters.map { "\(JSONText.quoted($0.kind)):\($0.value)" }.joined(separator: ",") + "}"
    }

    static func error(_ error: AttemptError) -> JSONObject {
        var object = JSONObject()
        object.string("code", error.code)
        object.string("message", error.message)
        object.raw("details", error.detailsJSON ?? "null")
        return object
    }

    /// Bytes are fetched by `/result`; here only what they are.
    private static func result(_ result: RunResult?, into object: inout JSONObject) {
        switch result {
        case .json(let text): object.raw("result", text)
        case .bytes(let bytes, let type):
            object.raw("result", "null")
            object.string("result_media_type", type)
            object.int("result_bytes", bytes.count)
        case .some(.none), nil: object.raw("result", "null")
        }
    }
}

/// An attempt as clients see it.
enum AttemptJSON {
    /// - Parameter report: of its crash, once its frames have names.
    static func object(_ row: AttemptRow, live: LiveAttempt? = nil, report: CrashReportRow? = nil) -> JSONObject {
        let live = live.flatMap { row.outcome == nil && $0.attempt == row.attempt ? $0 : nil }
        var object = JSONObject()
        object.int("attempt", row.attempt)
        object.string("outcome", row.outcome?.rawValue)
        object.string("reason", row.reason?.rawValue)
        object.string("host", row.hostID?.description)
        object.int("host_epoch", row.hostEpoch)
        object.int("pid", live?.pid ?? row.pid)
        object.string("version", live?.version ?? row.version)
        object.time("claimed_at", row.claimedAt)
        object.time("started_at", live?.startedAt ?? row.startedAt)
        object.time("ended_at", row.endedAt)
        object.int("exit_code", row.exitCode)
        object.int("signal", row.signal)
        object.object("error", row.error.map(RunJSON.error))
        object.object("resources", row.outcome == nil ? nil : resources(row.resources))
        object.int("resident_bytes", live?.residentBytes)
        LiveJSON.add(live, mode: row.mode, to: &object)
        // Of a live attempt the host knows the newest; the series is written at the end.
        let samples = row.samples.isEmpty ? live?.latest.map { [$0] } ?? [] : row.samples
        object.array("samples", samples.map { SampleJSON.object($0).text })
        object.object("leaks", row.leaks.isClean ? nil : leaks(row.leaks))
        object.raw("diagnosis", row.diagnosis.map(checked) ?? "null")
        object.object("progress", RunJSON.progress(live?.progress ?? row.progress))
        object.object("crash", row.crash.map { crash($0, report) })
        object.string("error_group", report?.fingerprint)
        object.array(
            "ladder",
            row.ladder.map { step in
                var object = JSONObject()
                object.string("name", step.name)
                object.int("at_ms", step.atMillis)
                return object.text
            })
        object.array("last_lines", row.lastLines.map { LogJSON.line($0).text })
        object.string("output_head", row.outputHead)
        object.string("output_tail", row.outputTail)
        object.int("dropped_log_lines", row.droppedLogLines)
        object.int("dropped_output_bytes", row.droppedOutputBytes)
        object.int("survivors_killed", row.survivorsKilled)
        object.string("sentence", row.sentence)
        return object
    }

    /// An attempt that has no row yet: the same members, most of them empty.
    static func object(_ live: LiveAttempt, host: HostID?) -> JSONObject {
        var object = JSONObject()
        object.int("attempt", live.attempt)
        object.raw("outcome", "null")
        object.raw("reason", "null")
        object.string("host", host?.description)
        object.raw("host_epoch", "null")
        object.int("pid", live.pid)
        object.string("version", live.version)
        object.raw("claimed_at", "null")
        object.time("started_at", live.startedAt)
        object.raw("ended_at", "null")
        object.raw("exit_code", "null")
        object.raw("signal", "null")
        object.raw("error", "null")
        object.raw("resources", "null")
        object.int("resident_bytes", live.residentBytes)
        LiveJSON.add(live, to: &object)
        object.array("samples", live.latest.map { [SampleJSON.object($0).text] } ?? [])
        object.raw("leaks", "null")
        object.raw("diagnosis", "null")
        object.object("progress", RunJSON.progress(live.progress))
        object.raw("crash", "null")
        object.raw("error_group", "null")
        object.array("ladder", [])
        object.array("last_lines", [])
        object.string("output_head", "")
        object.string("output_tail", "")
        object.int("dropped_log_lines", 0)
        object.int("dropped_output_bytes", 0)
        object.int("survivors_killed", 0)
        object.string("sentence", "")
        return object
    }

    private static func resources(_ usage: ResourceUsage) -> JSONObject {
        var object = JSONObject()
        object.int("user_cpu_ms", usage.userCPU.wholeMilliseconds)
        object.int("system_cpu_ms", usage.systemCPU.wholeMilliseconds)
        object.int("user_cpu_us", usage.userCPU.wholeMicroseconds)
        object.int("system_cpu_us", usage.systemCPU.wholeMicroseconds)
        object.int("max_rss_bytes", usage.maxRSSBytes)
        object.int("minor_faults", usage.minorFaults)
        object.int("major_faults", usage.majorFaults)
        object.int("blocks_in", usage.blocksIn)
        object.int("blocks_out", usage.blocksOut)
        object.int("voluntary_switches", usage.voluntarySwitches)
        object.int("involuntary_switches", usage.involuntarySwitches)
        return object
    }

    private static func leaks(_ leaks: LeakReport) -> JSONObject {
        var object = JSONObject()
        object.int("processes", leaks.processes)
        object.int("scratch_files", leaks.scratchFiles)
        object.int("scratch_bytes", leaks.scratchBytes)
        object.int("descriptors", leaks.descriptors)
        object.int("threads", leaks.threads)
        object.int("growth_bytes", leaks.growthBytes)
        object.strings("restored", leaks.restored)
        object.string("recycled", leaks.recycled)
        return object
    }

    /// What a helper process wrote is JSON, or else a text.
    static func checked(_ text: String) -> String {
        do {
            _ = try JSONText.check(text)
            return text
        } catch {
            return JSONText.quoted(text)
        }
    }

    static func crash(_ crash: CrashInfo, _ report: CrashReportRow? = nil) -> JSONObject {
        var object = JSONObject()
        object.int("signal", crash.signal)
        object.string("signal_name", Words.signal(crash.signal))
        object.int("code", crash.code)
        object.string("address", address(crash.address))
        object.string("pc", address(crash.pc))
        object.string("thread_name", crash.threadName)
        object.strings("frames", crash.frames.map(address))
        object.raw(
            "stack",
            report.map { "[" + $0.frames.map { CrashJSON.frame($0).text }.joined(separator: ",") + "]" } ?? "null")
        object.raw(
            "registers",
            "{" + crash.registers.map { "\(JSONText.quoted($0.name)):\"\(address($0.value))\"" }.joined(separator: ",")
                + "}")
        object.int("address_space_bytes", crash.addressSpaceBytes)
        return object
    }

    /// As text: an address fits into no double.
    static func address(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

/// What is known of an attempt only while it runs; all null afterwards, but for the mode.
enum LiveJSON {
    /// - Parameter mode: as it was written down.
    static func add(_ live: LiveAttempt?, mode: ExecutionMode? = nil, to object: inout JSONObject) {
        object.string("mode", (live?.mode ?? mode)?.rawValue)
        object.bool("frozen", live?.isFrozen ?? false)
        object.time("deadline_at", live?.deadline)
        object.int("niceness", live?.niceness)
        object.object("sample", live?.latest.map(SampleJSON.object))
    }
}

enum SampleJSON {
    static func object(_ sample: ResourceSample) -> JSONObject {
        var object = JSONObject()
        object.int("at_ms", sample.atMillis)
        object.int("cpu_ms", sample.cpuMillis)
        object.int("rss_bytes", sample.rssBytes)
        object.int("processes", sample.processes)
        object.int("threads", sample.threads)
        object.int("descriptors", sample.descriptors)
        return object
    }
}

/// A log line as clients see it.
enum LogJSON {
    static func object(_ row: LogRow) -> JSONObject {
        var object = JSONObject()
        object.int("seq", row.seq)
        object.int("attempt", row.attempt)
        add(row.line, to: &object)
        return object
    }

    /// One that has lost its number.
    static func line(_ line: LogLine) -> JSONObject {
        var object = JSONObject()
        add(line, to: &object)
        return object
    }

    private static func add(_ line: LogLine, to object: inout JSONObject) {
        object.time("time", line.time)
        object.string("level", line.level.name)
        object.string("stream", line.stream.name)
        object.string("stage", line.stage)
        object.string("message", line.message)
        // On one line also as NDJSON: outside of strings a line break is only space, inside it is escaped.
        object.raw("fields", line.fields.map { $0.replacing("\n", with: " ").replacing("\r", with: " ") } ?? "null")
    }

    /// `2026-11-21T08:00:00.000000Z INFO    [stdout] stage: message {"k":1}`; an end of line inside stays an escape.
    static func plain(_ row: LogRow) -> String {
        let level = row.line.level.name.uppercased()
        var text = row.line.time.rfc3339 + " " + level + String(repeating: " ", count: 7 - level.count)
        if row.line.stream != .handler { text += " [\(row.line.stream.name)]" }
        if let stage = row.line.stage, !stage.isEmpty { text += " \(stage):" }
        text += " " + row.line.message
        if let fields = row.line.fields { text += " " + fields }
        var clean = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": clean += "\\n"
            case "\r": clean += "\\r"
            // A terminal must not obey what a handler printed.
            case "\u{0}"..<"\u{9}", "\u{b}"..<"\u{20}", "\u{7f}"..<"\u{a0}":
                clean += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: clean.unicodeScalars.append(scalar)
            }
        }
        return clean + "\n"
    }
}
