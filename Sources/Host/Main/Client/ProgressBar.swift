/// One line that tells how a running run stands: sign, state, stage, bar, counts, rate, time left. Pure; the caller draws it.
struct ProgressBar {
    /// The last look at `current`, for the rate: smoothed, so that the time left does not jump about.
    private var last: (stage: String?, current: Int64, at: UInt64)?
    private var rate: Double?

    /// Takes note of a new look at the run. `now` is monotonic, in nanoseconds.
    mutating func observe(_ progress: ProgressRecord?, now: UInt64) {
        guard let progress, let current = progress.current else { return }
        guard let last = self.last, last.stage == progress.stage, current >= last.current else {
            self.rate = nil
            self.last = (progress.stage, current, now)
            return
        }
        guard now > last.at, now - last.at >= 200_000_000 else { return }
        let fresh = Double(current - last.current) * 1e9 / Double(now - last.at)
        self.rate = self.rate.map { $0 * 0.7 + fresh * 0.3 } ?? fresh
        self.last = (progress.stage, current, now)
    }

    /// The line, at most `width` columns.
    func line(_ run: RunRecord, elapsedMilliseconds: Int64?, width: Int, unicode: Bool, frame: Int) -> String {
        let progress = run.progress
        var parts: [String] = []
        parts.append("\(self.sign(run.state, unicode: unicode, frame: frame)) \(run.state)")
        if run.state == "running" || progress?.current != nil {
            if let stage = progress?.stage, !stage.isEmpty { parts.append(stage) }
            parts.append(self.bar(progress, cells: width < 100 ? 10 : 20, unicode: unicode, frame: frame))
            if let percent = progress?.percent { parts.append("\(Int(percent.rounded(.down)))%") }
            if let counts = self.counts(progress) { parts.append(counts) }
            if let rate = self.rate, rate > 0 {
                parts.append(progress?.unit == "bytes" ? Format.bytes(Int64(rate)) + "/s" : Format.rate(rate))
            }
            if let left = self.timeLeft(progress) {
                parts.append(
                    "ETA \(Format.span(milliseconds: (left + 999) / 1_000 * 1_000).replacing(".0s", with: "s"))")
            }
            for counter in progress?.counters ?? []
            where counter.count != 0 && !(counter.kind == progress?.unit && counter.count == progress?.current) {
                parts.append("\(counter.kind) \(Format.count(counter.count))")
            }
        }
        if run.attempt > 1 { parts.append("attempt \(run.attempt)") }
        if let elapsedMilliseconds { parts.append(Format.ticking(milliseconds: elapsedMilliseconds)) }
        if let message = progress?.message, !message.isEmpty { parts.append(message) }
        let text = Table.printable(parts.joined(separator: "  "))
        return Table.shortened(text, to: max(1, width - 1), unicode: unicode)
    }

    private func sign(_ state: String, unicode: Bool, frame: Int) -> String {
        guard state == "running" else { return StateSign(state: state).sign(unicode: unicode) }
        let frames = unicode ? ["◐", "◓", "◑", "◒"] : ["|", "/", "-", "\\"]
        return frames[frame % frames.count]
    }

    private func bar(_ progress: ProgressRecord?, cells: Int, unicode: Bool, frame: Int) -> String {
        let (full, empty) = unicode ? ("█", "░") : ("#", ".")
        guard let percent = progress?.percent else {
            // Nobody knows the end: a block that walks says "alive", and no more.
            let start = frame % cells
            return (0..<cells).map { (cells + $0 - start) % cells < 3 ? full : empty }.joined()
        }
        let filled = min(cells, max(0, Int(percent / 100 * Double(cells))))
        return String(repeating: full, count: filled) + String(repeating: empty, count: cells - filled)
    }

    private func counts(_ progress: ProgressRecord?) -> String? {
        guard let current = progress?.current else { return nil }
        let unit = progress?.unit ?? ""
        if unit == "bytes" {
            guard let total = progress?.total else { return Format.bytes(current) }
            return "\(Format.bytes(current)) / \(Format.bytes(total))"
        }
        let counts = progress?.total.map { "\(Format.count(current)) / \(Format.count($0))" } ?? Format.count(current)
        return unit.isEmpty ? counts : "\(counts) \(unit)"
    }

    private func timeLeft(_ progress: ProgressRecord?) -> Int64? {
        guard let rate = self.rate, rate > 0, let current = progress?.current, let total = progress?.total,
            total > current
        else { return nil }
        let milliseconds = Double(total - current) / rate * 1_000
        return milliseconds < 1e12 ? Int64(milliseconds) : nil
    }
}
