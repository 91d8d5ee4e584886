import JobCore

/// One run in full, as labelled lines.
struct RunReport {
    let run: RunRecord
    let attempts: [JSONValue]
    let terminal: Terminal

    func print() {
        let out = self.terminal.out
        let sign = StateSign(state: self.run.state)
        let now = wallMicroseconds()
        out.writeLine(
            out.paint(sign.text(unicode: self.terminal.isUnicode), sign.ink) + "  " + out.paint(self.run.name, .bold)
                + (self.run.title.map { "  " + Table.printable($0) } ?? ""))
        self.line("id", self.run.id)
        self.line(
            "queue",
            self.run.queue + (self.run.json["priority"]?.integer.map { $0 == 0 ? "" : ", priority \($0)" } ?? "")
        )
        self.line("description", self.run.json["description"]?.text)
        self.line("labels", self.labels(self.run.json["labels"]))
        self.line("created", self.time(self.run.createdAt, now))
        if !self.run.isFinished, self.run.state != "running" { self.line("due", self.time(self.run.runAt, now)) }
        self.line("started", self.time(self.run.startedAt, now))
        self.line("finished", self.time(self.run.finishedAt, now))
        if self.run.startedAt != nil, let span = Format.elapsed(self.run.startedAt, self.run.finishedAt, now: now) {
            self.line("duration", Format.span(milliseconds: span))
        }
        self.line("attempts", self.attemptsLeft(now))
        self.line("backoff", (self.run.json["backoff"]?.present).map(BackoffText.words))
        self.line("host", self.run.host)
        self.line("retry of", self.run.json["retry_of"]?.text)
        self.line("follows", self.run.json["parent"]?.text)
        for child in self.run.json["follow_ups"]?.elements ?? [] {
            let words = [child["id"]?.text, child["job"]?.text].compactMap { $0 }
            self.line("follow-up", words.joined(separator: "  "))
        }
        self.line("schedule", self.run.json["schedule_id"]?.text)
        if let progress = self.run.progress {
            self.line("progress", (progress.line ?? "") + (progress.percent.map { ", \(Int($0))%" } ?? ""))
            self.line(
                "counters", progress.counters.map { "\($0.kind) \(Format.count($0.count))" }.joined(separator: ", "))
        }
        if self.run.state != "succeeded" { self.line("error", self.run.errorLine, .red) }
        self.block("args", self.run.json["args"])
        self.block("result", self.run.json["result"])
        for attempt in self.attempts { self.print(attempt: attempt, now: now) }
    }

    /// `1 of 4 used; next in 10 s, then after 20 s ±4 s, 40 s ±8 s`
    private func attemptsLeft(_ now: Int64) -> String? {
        guard let most = self.run.maxAttempts, let used = self.run.json["attempts_used"]?.integer else { return nil }
        var text = "\(used) of \(most) used"
        var next = (self.run.json["next_attempts"]?.elements ?? [])[...]
        if self.run.state == "retrying", let first = next.popFirst() {
            text += "; next \(Format.relative(first["earliest_at"]?.text, now: now))"
        } else if self.run.state != "running", next.popFirst() == nil {
            return text
        }
        let waits = next.prefix(5).map { attempt in
            let spread = attempt["spread_ms"]?.integer ?? 0
            return Format.span(milliseconds: attempt["wait_ms"]?.integer ?? 0)
                + (spread > 0 ? " ±\(Format.span(milliseconds: spread))" : "")
        }
        if waits.isEmpty { return text }
        return text + "; if it goes wrong, again after \(waits.joined(separator: ", "))"
            + (next.count > waits.count ? ", …" : "")
    }

    private func print(attempt: JSONValue, now: Int64) {
        let out = self.terminal.out
        let number = (attempt["attempt"] ?? attempt["number"])?.integer ?? 0
        let outcome = attempt["outcome"]?.text ?? "running"
        let reason = attempt["reason"]?.text.map { " (\($0))" } ?? ""
        out.writeLine()
        out.writeLine(out.paint("attempt \(number)", .bold) + "  " + out.paint(outcome + reason, self.ink(outcome)))
        let started = attempt["started_at"]?.text
        let ended = attempt["ended_at"]?.text ?? attempt["finished_at"]?.text
        self.line("started", self.time(started, now))
        if let span = Format.elapsed(started, ended, now: now) {
            self.line("duration", Format.span(milliseconds: span))
        }
        self.line("host", attempt["host"]?.text)
        self.line("pid", attempt["pid"]?.integer.map(String.init))
        self.line("version", attempt["version"]?.text.map { String($0.prefix(12)) })
        self.line("exit", self.exit(attempt))
        self.line("in words", attempt["sentence"]?.text)
        self.line("error", RunRecord(json: attempt).errorLine, .red)
        self.line("resources", self.resources(attempt["resources"]))
        self.line("mode", attempt["mode"]?.text)
        if attempt["frozen"]?.bool == true {
            self.line("frozen", "yes; let it go on with: pawl thaw \(self.run.name)", .yellow)
        }
        self.line("deadline", self.time(attempt["deadline_at"]?.text, now))
        self.crash(attempt["crash"]?.present)
        self.line("crash group", attempt["error_group"]?.text)
        self.line("left behind", self.leaks(attempt["leaks"]))
        if let ladder = attempt["ladder"]?.elements, !ladder.isEmpty {
            let steps = ladder.compactMap { step -> String? in
                guard let name = step["name"]?.text ?? step["step"]?.text else { return nil }
                return name + ((step["at_ms"]?.integer).map { " at \(Format.span(milliseconds: $0))" } ?? "")
            }
            self.line("kill ladder", steps.joined(separator: self.terminal.isUnicode ? " → " : " -> "))
        }
        if let survivors = attempt["survivors_killed"]?.integer, survivors > 0 {
            self.line("survivors", "\(survivors) left-over processes killed")
        }
        let doing = DiagnosisReport(attempt["diagnosis"] ?? .null).lines
        for (index, text) in doing.prefix(60).enumerated() { self.line(index == 0 ? "was doing" : "", text) }
        for (index, entry) in (attempt["last_lines"]?.elements ?? []).suffix(5).enumerated() {
            self.line(index == 0 ? "last words" : "", entry["message"]?.text)
        }
    }

    private func exit(_ attempt: JSONValue) -> String? {
        if let signal = attempt["signal"]?.present {
            return "signal " + (signal.text ?? signal.integer.map { Self.signalName($0) } ?? signal.json)
        }
        return attempt["exit_code"]?.integer.map { "code \($0)" }
    }

    private func resources(_ resources: JSONValue?) -> String? {
        guard let resources, resources.object != nil else { return nil }
        var parts: [String] = []
        func milliseconds(_ name: String) -> Int64? {
            resources["\(name)_ms"]?.integer ?? resources["\(name)_us"]?.integer.map { $0 / 1_000 }
        }
        if let user = milliseconds("user_cpu") ?? milliseconds("cpu_user") {
            parts.append("cpu \(Format.span(milliseconds: user)) user")
        }
        if let system = milliseconds("system_cpu") ?? milliseconds("cpu_system") {
            parts.append("\(Format.span(milliseconds: system)) system")
        }
        if let rss = resources["max_rss_bytes"]?.integer { parts.append("memory \(Format.bytes(rss)) peak") }
        let faults = (resources["minor_faults"]?.integer ?? 0) + (resources["major_faults"]?.integer ?? 0)
        if faults > 0 { parts.append("\(Format.count(faults)) page faults") }
        let voluntary = resources["voluntary_switches"]?.integer ?? 0
        let involuntary = resources["involuntary_switches"]?.integer ?? 0
        if voluntary + involuntary > 0 { parts.append("\(Format.count(voluntary + involuntary)) context switches") }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    private func crash(_ crash: JSONValue?) {
        guard let crash, crash.object != nil else { return }
        var words: [String] = []
        if let signal = crash["signal"]?.present {
            words.append(signal.text ?? signal.integer.map { Self.signalName($0) } ?? "")
        }
        if let address = crash["address"]?.present { words.append("at address \(Self.hex(address))") }
        if let pc = crash["pc"]?.present { words.append("pc \(Self.hex(pc))") }
        if let thread = crash["thread_name"]?.text ?? crash["thread"]?.text { words.append("thread \(thread)") }
        self.line("crash", words.joined(separator: ", "), .red)
        if let stack = crash["stack"]?.present?.elements {
            for frame in stack.prefix(24) { self.line("", DiagnosisReport.place(frame)) }
        } else {
            for frame in (crash["frames"]?.elements ?? []).prefix(16) {
                self.line("", frame.text ?? (frame.integer.map { _ in Self.hex(frame) } ?? frame.json))
            }
        }
    }

    /// What was left behind, in words.
    private func leaks(_ leaks: JSONValue?) -> String? {
        guard let leaks = leaks?.present else { return nil }
        var parts: [String] = []
        for (name, words) in [
            ("processes", "processes"), ("scratch_files", "scratch files"), ("descriptors", "descriptors"),
            ("threads", "threads"),
        ] {
            if let count = leaks[name]?.integer, count > 0 { parts.append("\(Format.count(count)) \(words)") }
        }
        if let bytes = leaks["growth_bytes"]?.integer, bytes > 0 { parts.append("grew by \(Format.bytes(bytes))") }
        parts += (leaks["restored"]?.elements ?? []).compactMap(\.text).map { "\($0) put back" }
        if let why = leaks["recycled"]?.text { parts.append("its process was not used again: \(why)") }
        return parts.joined(separator: ", ")
    }

    private static func hex(_ value: JSONValue) -> String {
        if let text = value.text { return text }
        guard case .number(let digits) = value, let number = UInt64(digits) else { return value.json }
        return "0x" + String(number, radix: 16)
    }

    /// Names of the signals of Linux that end a process in practice (signal(7)).
    static func signalName(_ number: Int64) -> String {
        let names: [Int64: String] = [
            1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE",
            9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
            31: "SIGSYS",
        ]
        return names[number] ?? "\(number)"
    }

    private func ink(_ outcome: String) -> Terminal.Ink? {
        switch outcome {
        case "succeeded": .green
        case "running": .blue
        case "cancelled", "terminated", "snoozed": .dim
        default: .red
        }
    }

    private func labels(_ labels: JSONValue?) -> String? {
        let pairs = (labels?.object ?? []).map { "\($0.key)=\($0.value.text ?? $0.value.json)" }
        return pairs.isEmpty ? nil : pairs.joined(separator: ", ")
    }

    private func time(_ time: String?, _ now: Int64) -> String? {
        time.map { "\($0)  (\(Format.relative($0, now: now)))" }
    }

    private func line(_ label: String, _ text: String?, _ ink: Terminal.Ink? = nil) {
        guard let text, !text.isEmpty else { return }
        let out = self.terminal.out
        out.writeLine("  " + out.paint(label.padded(to: 12), .dim) + " " + out.paint(Table.printable(text), ink))
    }

    private func block(_ label: String, _ value: JSONValue?) {
        guard let value = value?.present, value != .object([]) else { return }
        let compact = value.json
        if compact.count <= 100 { return self.line(label, compact) }
        self.line(label, "(\(Format.count(Int64(compact.utf8.count))) bytes)")
        for text in value.pretty.split(separator: "\n") { self.terminal.out.writeLine("    " + text) }
    }
}
