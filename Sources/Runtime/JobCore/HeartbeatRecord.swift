/// Whether this host may judge others: only after as long as their silence of heartbeats of its own without a gap. After an
/// outage of the database everybody's heartbeats are old, and nobody must declare everybody lost.
package struct HeartbeatRecord: Sendable {
    private let times: LivenessTimes
    /// Nanoseconds of the monotonic clock.
    private var unbrokenSince: UInt64?
    private var last: UInt64?

    package init(_ times: LivenessTimes = .standard) { self.times = times }

    /// A heartbeat was written. Time is monotonic, in nanoseconds.
    package mutating func succeeded(at now: UInt64) {
        if let last, now < last + Self.nanoseconds(times.longestPause), unbrokenSince != nil {
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

    /// For how long the heartbeats have been without a gap; zero if there is one now.
    package func unbroken(now: UInt64) -> Duration {
        guard let unbrokenSince, let last, now >= last, now < last + Self.nanoseconds(times.longestPause) else {
            return .zero
        }
        return .nanoseconds(Int64(now - unbrokenSince))
    }

    package func isEntitled(now: UInt64) -> Bool { unbroken(now: now) >= times.silence }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        let parts = duration.components
        return UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000)
    }
}
