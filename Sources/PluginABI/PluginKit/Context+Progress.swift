import PluginABI

/// Progress: one picture per attempt, of stage, current, total, unit, message and counters. The calls are cheap and
/// coalesced by the host, so make one per item. `docs/plugins.md` shows the five patterns.
extension Context {
    /// Begins a stage. Current goes to 0, the total becomes unknown, unit and message are emptied; counters stay.
    public func stage(_ name: String, file: StaticString = #fileID, line: UInt = #line) {
        self.attempt.speak(file, line)
        name.withPawl { _ = self.attempt.host.pointee.set_stage?(self.attempt.handle, $0) }
    }

    /// Sets the stage's total, and its unit (`"rows"`, `"bytes"`; `nil` keeps the old one). Negative totals count as 0.
    public func total(
        _ total: Int, unit: String? = nil, file: StaticString = #fileID, line: UInt = #line
    ) {
        self.attempt.speak(file, line)
        (unit ?? "").withPawl {
            _ = self.attempt.host.pointee.set_total?(self.attempt.handle, UInt64(clamping: total), $0)
        }
    }

    /// Adds `count` to what is done. Negative numbers count as 0: progress never goes back.
    public func advance(_ count: Int = 1, file: StaticString = #fileID, line: UInt = #line) {
        self.attempt.speak(file, line)
        _ = self.attempt.host.pointee.advance?(self.attempt.handle, UInt64(clamping: count))
    }

    /// Sets the text beside the bar.
    public func message(_ text: String, file: StaticString = #fileID, line: UInt = #line) {
        self.attempt.speak(file, line)
        text.withPawl { _ = self.attempt.host.pointee.set_message?(self.attempt.handle, $0) }
    }

    /// Sets current and total at once, e.g. from a library that reports both; `total: nil` means unknown, and no message
    /// keeps the old one.
    public func progress(
        _ current: Int, of total: Int?, _ message: String = "",
        file: StaticString = #fileID, line: UInt = #line
    ) {
        self.attempt.speak(file, line)
        // UInt64.max is PAWL_TOTAL_UNKNOWN, a macro that Swift does not import.
        let total = total.map { UInt64(clamping: $0) } ?? .max
        message.withPawl {
            _ = self.attempt.host.pointee.set_progress?(self.attempt.handle, UInt64(clamping: current), total, $0)
        }
    }

    /// Adds `n` to the counter `kind` (`"inserts"`, `"errors"`, …): at most 64 kinds of at most 64 bytes; more are
    /// ignored. They stand in the outcome summary at every end, a crash included.
    public func count(
        _ kind: String, _ n: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) {
        self.attempt.speak(file, line)
        kind.withPawl { _ = self.attempt.host.pointee.count?(self.attempt.handle, $0, Int64(clamping: n)) }
    }
}
