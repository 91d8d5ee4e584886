import JobCore

/// What proves an explanation, most telling first.
struct EvidenceList {
    private(set) var items: [Explanation.Evidence] = []

    init(_ facts: RunFacts) {
        if facts.state == .queued { waiting(facts) }
        if facts.state == .running { running(facts) }
        if let last = facts.last { ended(last, facts) }
        if let group = facts.group { self.group(group, facts) }
        attempts(facts)
    }

    private mutating func add(_ fact: String, _ text: String, _ value: String) {
        items.append(Explanation.Evidence(fact: fact, text: text, value: value))
    }
    private mutating func add(_ fact: String, _ text: String, number: some BinaryInteger) {
        add(fact, text, String(number))
    }
    private mutating func add(_ fact: String, _ text: String, text value: String) {
        add(fact, text, JSONText.quoted(value))
    }

    // MARK: Waiting

    private mutating func waiting(_ facts: RunFacts) {
        add("waits", "It has been due for \(Words.span(facts.now - facts.runAt)).", number: ms(facts.now - facts.runAt))
        if let emergency = facts.emergency {
            add("emergency", "\(emergency.mode): \(emergency.reason)", text: emergency.mode)
        }
        if let exclusive = facts.exclusive {
            let holder = exclusive.holder.map { "held by \($0)" } ?? "held by nobody at the moment"
            add(
                "exclusive", "Queue \(facts.queue) is exclusive, \(holder).",
                exclusive.holder.map(JSONText.quoted) ?? "null")
        }
        if facts.isQueuePaused { add("queue_paused", "Queue \(facts.queue) is paused.", "true") }
        if facts.isJobPaused { add("job_paused", "Job \(facts.job) is paused.", "true") }
        if let limit = facts.fullLimit {
            add("limit", "\(Words.count(limit.runs, "run")) of \(limit.of) may execute at once.", number: limit.runs)
        }
        if let quarantine = facts.quarantine {
            add(
                "quarantine",
                "Version \(quarantine.version.prefix(12)): \(quarantine.crashes) of the last "
                    + "\(quarantine.attempts) attempts crashed.",
                text: quarantine.version)
        }
        if let position = facts.position {
            let text = (facts.isPositionBound ? "At least " : "") + Words.count(position - 1, "run")
            add("position", "\(text) of queue \(facts.queue) come before it.", number: position)
        }
        add("slots", "\(facts.busySlots) of this host's \(facts.slots) slots are taken.", number: facts.busySlots)
        add("hosts", "\(Words.count(facts.hosts, "host")) running.", number: facts.hosts)
        if !facts.hasHandler { add("handler", "No loaded plugin of this host has \(facts.job).", "false") }
        if let limit = facts.limits.queue {
            add("queue_limit", "It expires after \(Words.span(limit)) of waiting.", number: ms(limit))
        }
    }

    // MARK: Running

    private mutating func running(_ facts: RunFacts) {
        if let started = facts.live?.startedAt ?? facts.startedAt {
            add("running", "It began \(Words.span(facts.now - started)) ago.", number: ms(facts.now - started))
        }
        if let live = facts.live {
            if let pid = live.pid { add("pid", "Its first process is \(pid).", number: pid) }
            if let mode = live.mode { add("mode", "Its process was made by \(mode.rawValue).", text: mode.rawValue) }
            if let deadline = live.deadline, !live.isFrozen {
                let left = deadline - facts.now
                add(
                    "deadline",
                    left > .zero ? "Its time is over in \(Words.span(left))." : "Its time has been over.",
                    text: deadline.rfc3339)
            }
            if let sample = live.latest {
                add(
                    "sample",
                    "It has used \(Words.span(.milliseconds(sample.cpuMillis))) of processor time and holds "
                        + "\(Words.bytes(sample.rssBytes)) in \(Words.count(sample.processes, "process", "processes")) "
                        + "with \(Words.count(sample.threads, "thread")).",
                    SampleJSON.object(sample).text)
            } else if let bytes = live.residentBytes {
                add("resident", "It holds \(Words.bytes(bytes)).", number: bytes)
            }
        }
        if let host = facts.otherHost { add("host", "It runs on \(host).", text: host) }
        let progress = facts.live?.progress ?? facts.progress
        add(
            "progress", progress.isEmpty ? "It has reported no progress." : "Its progress: \(progress.line).",
            progress.isEmpty ? "null" : JSONText.quoted(progress.line))
        if let asked = facts.cancelRequestedAt ?? facts.terminateRequestedAt {
            add("asked", "It was asked to stop \(Words.span(facts.now - asked)) ago.", text: asked.rfc3339)
        }
    }

    // MARK: Ended

    private mutating func ended(_ last: AttemptFacts, _ facts: RunFacts) {
        if !last.sentence.isEmpty { add("sentence", last.sentence, text: last.sentence) }
        if let signal = last.signal {
            add("signal", "Its process was ended by \(Words.signal(signal)).", number: signal)
        } else if let code = last.exitCode {
            add("exit_code", "Its process ended with exit code \(code).", number: code)
        }
        if let address = last.crashAddress {
            let text = "0x" + String(address, radix: 16)
            add(
                "address",
                "It touched address \(text)"
                    + (address == 0 ? ", the null pointer" : address < 4096 ? ", near the null pointer" : "")
                    + (last.crashThread.isEmpty ? "." : ", on thread \(last.crashThread)."),
                text: text)
        }
        if last.isStackPending {
            add("stack_pending", "Its stack is still being read: ask again in a moment.", "true")
        }
        if let frame = last.frames.culprit { add("frame", "It was in \(frame.words).", text: frame.words) }
        if let found = last.found { add("found", "When it was ended it was in \(found).", text: found) }
        limit(last, facts.limits)
        if !last.ladder.isEmpty {
            let steps = last.ladder.map { "\($0.name) after \(Words.span(.milliseconds($0.atMillis)))" }
            add(
                "ladder", "To end it: " + steps.joined(separator: ", ") + ".",
                "["
                    + last.ladder.map { "{\"name\":\(JSONText.quoted($0.name)),\"at_ms\":\($0.atMillis)}" }
                    .joined(separator: ",") + "]")
        }
        if !last.lastLines.isEmpty {
            add(
                "last_line", "Its last words: \(last.lastLines.last ?? "")",
                "[" + last.lastLines.map(JSONText.quoted).joined(separator: ",") + "]")
        }
        leftOvers(last)
    }

    /// How near it came to what it is allowed.
    private mutating func limit(_ last: AttemptFacts, _ limits: ResolvedLimits) {
        if let took = last.took {
            add("took", "It took \(Words.span(took)) of \(Words.span(limits.wall)) allowed.", number: ms(took))
        }
        if last.cpu >= .milliseconds(1) {
            let allowed = limits.cpu.map { " of \(Words.span($0)) allowed" } ?? ""
            add("cpu", "It used \(Words.span(last.cpu)) of processor time\(allowed).", number: ms(last.cpu))
        }
        if last.peakBytes > 0 {
            add(
                "peak",
                "Its largest process had \(Words.bytes(last.peakBytes)); \(Words.bytes(limits.memoryBytes)) are allowed.",
                number: last.peakBytes)
        }
    }

    private mutating func leftOvers(_ last: AttemptFacts) {
        if last.droppedOutputBytes > 0 {
            add(
                "dropped_output", "\(Words.bytes(Int64(clamping: last.droppedOutputBytes))) of output were dropped.",
                number: last.droppedOutputBytes)
        }
        if last.droppedLogLines > 0 {
            add(
                "dropped_lines", "\(Words.count(last.droppedLogLines, "log line")) were dropped.",
                number: last.droppedLogLines)
        }
        let survivors = max(last.survivorsKilled, last.leaks.processes)
        if survivors > 0 {
            add(
                "survivors",
                "\(Words.count(survivors, "process", "processes")) of its tree outlived it and had to be killed.",
                number: survivors)
        }
        var left: [String] = []
        if last.leaks.scratchFiles > 0 { left.append(Words.count(last.leaks.scratchFiles, "scratch file")) }
        if last.leaks.descriptors > 0 { left.append(Words.count(last.leaks.descriptors, "descriptor")) }
        if last.leaks.threads > 0 { left.append(Words.count(last.leaks.threads, "thread")) }
        if !left.isEmpty { add("leaks", "It left behind \(Words.list(left)).", text: Words.list(left)) }
        if last.hasDiagnosis {
            add("diagnosis", "What its threads were doing is kept with the attempt.", "true")
        }
    }

    private mutating func group(_ group: CrashGroupFacts, _ facts: RunFacts) {
        let first = Words.span(facts.now - group.firstSeen)
        let text =
            group.count <= 1
            ? "It is the first crash with this stack."
            : "\(group.count) crashes had this stack; the first \(first) ago."
        add("crash_group", text, text: group.fingerprint)
        if group.count > 1, let first = group.firstVersion, let last = group.lastVersion, first != last {
            add(
                "crash_versions", "Version \(first.prefix(12)) had it first, \(last.prefix(12)) last.",
                "[\(JSONText.quoted(first)),\(JSONText.quoted(last))]")
        }
    }

    private mutating func attempts(_ facts: RunFacts) {
        guard facts.attempt > 0 else { return }
        add(
            "attempts",
            "\(facts.attemptsUsed) of \(Words.count(facts.maxAttempts, "attempt")) used up"
                + (facts.lostCount > 0 ? "; \(facts.lostCount) more were lost with their host." : "."),
            number: facts.attemptsUsed)
    }

    private func ms(_ duration: Duration) -> Int64 { duration.wholeMilliseconds }
}
