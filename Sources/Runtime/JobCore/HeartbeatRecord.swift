/// Whether this host may judge others: only after 30 s of heartbeats of its own without a gap. After an outage of the
/// database everybody's heartbeats are old, and nobody must declare everybody lost.
package struct HeartbeatRecord: Sendable {
    /// Nanoseconds. As long as the silence for which others are fenced.
    package static let probation: UInt64 = 30_000_000_000
    /// Heartbeats come every 10 s; a pause longer than this is a gap.
    package static let longestPause: UInt64 = 15_000_000_000

    private var unbrokenSince: UInt64?
    private var last: UInt64?

    package init() {}

    /// A heartbeat was written. Time is monotonic, in nanoseconds.
    package mutating func succeeded(at now: UInt64) {
        if let last, now < last + Self.longestPause, unbrokenSince != nil {
            self.last = now
            return
        }
        unbrokenSince = now
        last = now
    }

    /// This host was fenced, or begins anew.
    package mutating func reset() {
        unbrokenSince = nil
        last = nil
    }

    package func isEntitled(now: UInt64) -> Bool {
        guard let unbrokenSince, let last, now < last + Self.probation else { return false }
        return now >= unbrokenSince + Self.probation
    }
}
