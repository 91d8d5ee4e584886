import JobCore

/// Why a run is as it is: the cause in words, what proves it, and what to type next.
struct Explanation: Sendable, Hashable {
    struct Evidence: Sendable, Hashable {
        /// A stable word, for programs: `position`, `signal`, `ladder`, …
        var fact: String
        /// For people.
        var text: String
        /// The fact's value; JSON.
        var value: String
    }

    struct Step: Sendable, Hashable {
        /// To be typed as it stands.
        var command: String
        /// What it is good for.
        var why: String
    }

    var cause: Cause
    /// Of the last attempt that failed, where the run's own cause is that it waits for the next.
    var attemptCause: Cause?
    /// One sentence: what is.
    var summary: String
    /// One to three sentences: why.
    var because: String
    var evidence: [Evidence]
    var next: [Step]

    init(_ facts: RunFacts) {
        cause = Cause(facts)
        attemptCause = Cause(attemptOf: facts).flatMap { [cause] in $0 == cause ? nil : $0 }
        let phrases = Phrases(facts)
        summary = phrases.fill(Self.summaries[cause] ?? "")
        if attemptCause != nil, let sentence = facts.last?.sentence, !sentence.isEmpty {
            summary += " Attempt \(facts.last?.attempt ?? 0) before: \(sentence)"
        }
        because = phrases.fill(Self.entry(cause).because)
        evidence = EvidenceList(facts).items
        var steps = Self.entry(cause).steps
        if let attemptCause { steps = Self.entry(attemptCause).steps.filter { !$0.command.contains("retry") } + steps }
        var seen: Set<String> = []
        next = steps.map {
            Step(command: phrases.fill($0.command, as: Words.shellWord), why: phrases.fill($0.why))
        }
        .filter { seen.insert($0.command).inserted }
    }

    /// As clients see it.
    var json: JSONObject {
        var object = JSONObject()
        object.string("cause", cause.rawValue)
        object.string("attempt_cause", attemptCause?.rawValue)
        object.string("summary", summary)
        object.string("because", because)
        object.array(
            "evidence",
            evidence.map { item in
                var object = JSONObject()
                object.string("fact", item.fact)
                object.string("text", item.text)
                object.raw("value", item.value)
                return object.text
            })
        object.array(
            "next",
            next.map { step in
                var object = JSONObject()
                object.string("command", step.command)
                object.string("why", step.why)
                return object.text
            })
        return object
    }
}

/// Fills `{name}` in the table's texts.
struct Phrases {
    private var values: [String: String]

    init(_ facts: RunFacts) {
        let limits = facts.limits
        let last = facts.last
        let frame = last?.frames.culprit?.words
        values = [
            "run": facts.id.description, "job": facts.job, "queue": facts.queue,
            "wall": Words.span(limits.wall), "cpu": limits.cpu.map(Words.span) ?? "unlimited",
            "memory": Words.bytes(limits.memoryBytes), "output": Words.bytes(limits.outputBytes),
            "no_progress": limits.noProgress.map(Words.span) ?? "unlimited", "start": Words.span(limits.start),
            "queue_limit": limits.queue.map(Words.span) ?? "unlimited", "cancel_grace": Words.span(limits.cancelGrace),
            "term_grace": Words.span(limits.termGrace),
            "queue_path": PercentEncoding.encode(facts.queue),
            "twice_wall": Words.twice(limits.wall), "twice_memory": Words.twice(limits.memoryBytes),
            "twice_cpu": Words.twice(limits.cpu ?? .seconds(60)),
            "twice_no_progress": Words.twice(limits.noProgress ?? .seconds(60)),
            "due": facts.runAt > facts.now ? "in \(Words.span(facts.runAt - facts.now))" : "now",
            "attempt": "\(facts.attempt)", "attempts": "\(facts.maxAttempts)", "used": "\(facts.attemptsUsed)",
            "lost": Words.count(facts.lostCount, "attempt"),
            "position": facts.position.map { facts.isPositionBound ? "beyond \($0 - 1)" : "\($0)" } ?? "unknown",
            "busy": "\(facts.busySlots)", "slots": "\(facts.slots)",
            "limit": facts.fullLimit.map { "\(Words.count($0.runs, "run")) of \($0.of)" } ?? "the limit",
            "emergency": facts.emergency.map { "\($0.mode): \($0.reason)" } ?? "",
            "holder": facts.exclusive?.holder ?? "the host that takes it over",
            "pause_reason": facts.pauseReason.map { ": \($0)" } ?? "",
            "plugin_error": facts.pluginError.map { " This host says: \($0)" } ?? "",
            "other_hosts": facts.hosts > 1 ? " None of the other hosts has taken it either." : "",
            "other_host": facts.otherHost ?? "another host",
            "stop_reason": facts.cancelReason.map { " (\($0))" } ?? "",
            "signal": last?.signal.map(Words.signal) ?? "a signal",
            "place": frame.map { " in \($0)" } ?? "",
            "exit": last?.exitCode.map { " \($0)" } ?? "",
            "error": facts.error.map { $0.message.isEmpty ? $0.code : $0.message } ?? "it gave no reason",
            "took": last?.took.map { " after \(Words.span($0))" } ?? "",
            "peak": (last?.peakBytes ?? 0) > 0 ? " Its largest process had \(Words.bytes(last?.peakBytes ?? 0))." : "",
            "sentence": last?.sentence ?? "",
            "crashes": facts.quarantine.map { "\($0.crashes) of its last \($0.attempts) attempts" } ?? "its attempts",
            "version": (facts.quarantine?.version ?? facts.live?.version ?? "").prefix(12).description,
            "handler": facts.quarantine?.handler ?? facts.job,
            "trial": facts.quarantine?.until.map {
                $0 > facts.now ? "in \(Words.span($0 - facts.now))" : "with the next run"
            } ?? "only when it is lifted",
            "running_for": facts.startedAt.map { Words.span(facts.now - $0) } ?? "an instant",
            "fingerprint": facts.group?.fingerprint ?? "",
        ]
    }

    /// - Parameter form: how each value is written.
    func fill(_ template: String, as form: (String) -> String = { $0 }) -> String {
        var text = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            text += rest[..<open]
            let name = String(rest[rest.index(after: open)..<close])
            guard let value = values[name] else { preconditionFailure("an explanation names {\(name)}") }
            text += form(value)
            rest = rest[rest.index(after: close)...]
        }
        return text + rest
    }
}
