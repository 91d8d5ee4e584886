/// Follows a run until it has ended, the time is up or the user lets go: a bar that is redrawn in place on a terminal,
/// otherwise one line per change with its time. All of it is talk, on standard error.
struct RunFollower {
    enum End {
        case finished(RunRecord)
        case timedOut(RunRecord)
        case interrupted
    }

    let session: ClientSession
    let id: String
    /// Milliseconds to wait at most; nil for as long as it takes.
    var timeout: Int64?
    var quiet = false

    /// How long a server may be away before the wait gives up. The run does not need us; a restart takes seconds.
    private static let patienceNanoseconds: UInt64 = 60_000_000_000

    func follow() throws(ClientFailure) -> End {
        Interrupt.watch()
        let start = monotonicNanoseconds()
        var display = FollowDisplay(terminal: self.session.terminal, quiet: self.quiet)
        defer { display.end() }
        var awaySince: UInt64?
        var last: RunRecord?
        while true {
            let now = monotonicNanoseconds()
            do {
                let run = try self.session.run(self.id)
                awaySince = nil
                last = run
                if run.isFinished {
                    display.finish(run)
                    return .finished(run)
                }
                display.show(run, now: now)
            } catch {
                if error.exit == .interrupted { return .interrupted }
                guard error.exit == .unreachable || error.exit == .tryLater else { throw error }
                // The first look must succeed; later ones may miss a server that is being restarted.
                guard last != nil, now - (awaySince ?? now) < Self.patienceNanoseconds else { throw error }
                if awaySince == nil { awaySince = now }
                display.away(since: now - (awaySince ?? now))
            }
            if let timeout = self.timeout, now - start >= UInt64(max(0, timeout)) * 1_000_000, let last {
                return .timedOut(last)
            }
            Interrupt.sleep(milliseconds: self.pause(afterNanoseconds: now - start))
            if Interrupt.received != nil { return .interrupted }
        }
    }

    /// Short runs are seen at once, long ones do not cost the server much.
    private func pause(afterNanoseconds elapsed: UInt64) -> Int {
        let pause = elapsed < 1_000_000_000 ? 50 : elapsed < 30_000_000_000 ? 200 : 1_000
        guard let timeout = self.timeout else { return pause }
        return max(1, min(pause, Int(clamping: timeout - Int64(elapsed / 1_000_000))))
    }
}

/// Draws what a follower sees.
private struct FollowDisplay {
    let terminal: Terminal
    let quiet: Bool
    private var bar = ProgressBar()
    private var frame = 0
    private var hasLine = false
    private var lastState = ""
    private var lastText = ""
    private var lastPrinted: UInt64 = 0

    init(terminal: Terminal, quiet: Bool) {
        self.terminal = terminal
        self.quiet = quiet
    }

    mutating func show(_ run: RunRecord, now: UInt64) {
        self.bar.observe(run.progress, now: now)
        guard !self.quiet else { return }
        if self.terminal.talk.isTerminal {
            self.frame += 1
            self.redraw(
                self.bar.line(
                    run, elapsedMilliseconds: Format.elapsed(run.startedAt, nil, now: wallMicroseconds()),
                    width: self.terminal.width(of: self.terminal.talk), unicode: self.terminal.isUnicode,
                    frame: self.frame / 2),
                StateSign(state: run.state).ink)
            return
        }
        // A log: one line per change, progress at most once a second.
        let state = run.attempt > 1 ? "\(run.state), attempt \(run.attempt)" : run.state
        if state != self.lastState {
            self.lastState = state
            self.say(state + (run.state == "retrying" ? (run.errorLine.map { ": \($0)" } ?? "") : ""))
        }
        let text = self.progressText(run)
        if !text.isEmpty, text != self.lastText, now - self.lastPrinted >= 1_000_000_000 {
            self.lastText = text
            self.lastPrinted = now
            self.say(text)
        }
    }

    mutating func away(since nanoseconds: UInt64) {
        guard !self.quiet else { return }
        let text = "the server is away, trying again"
        if self.terminal.talk.isTerminal {
            self.redraw("\(text) (\(Format.span(milliseconds: Int64(nanoseconds / 1_000_000))))", .yellow)
        } else if self.lastState != text {
            self.lastState = text
            self.say(text)
        }
    }

    mutating func finish(_ run: RunRecord) {
        if !self.quiet, !self.terminal.talk.isTerminal {
            let text = self.progressText(run)
            if !text.isEmpty, text != self.lastText { self.say(text) }
        }
        self.end()
    }

    /// Takes the redrawn line away, so that what follows starts on a clean one.
    mutating func end() {
        guard self.hasLine else { return }
        self.terminal.talk.write("\r\u{1B}[K")
        self.hasLine = false
    }

    private mutating func redraw(_ text: String, _ ink: Terminal.Ink?) {
        self.terminal.talk.write("\r\u{1B}[K" + self.terminal.talk.paint(text, ink))
        self.hasLine = true
    }

    private func progressText(_ run: RunRecord) -> String {
        guard let progress = run.progress, let line = progress.line, !line.isEmpty else { return "" }
        var text = line
        if let percent = progress.percent { text += " \(Int(percent.rounded(.down)))%" }
        if let message = progress.message, !message.isEmpty, !line.contains(message) { text += ": \(message)" }
        return Table.printable(text)
    }

    private func say(_ text: String) {
        let clock = JobClock.timeOfDay(wallMicroseconds())
        self.terminal.talk.writeLine("\(clock) \(text)")
    }
}
