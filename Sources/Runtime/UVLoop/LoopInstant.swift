internal import Glibc

/// A point on CLOCK_MONOTONIC: never goes back, stands still while the machine sleeps, starts anew at boot.
package struct LoopInstant: Comparable, Hashable, Sendable, InstantProtocol {
    /// Nanoseconds since an arbitrary point, comparable between processes of one boot.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Reads the clock (no system call, about 20 ns). Any thread.
    package static var now: LoopInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return LoopInstant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Saturates at both ends, so `.now.advanced(by: .seconds(Int64.max))` means "never".
    package func advanced(by duration: Duration) -> LoopInstant {
        let delta = duration.clampedNanoseconds
        if delta >= 0 {
            let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(delta))
            return LoopInstant(nanoseconds: overflow ? .max : sum)
        }
        let back = delta.magnitude
        return LoopInstant(nanoseconds: back > nanoseconds ? 0 : nanoseconds - back)
    }

    package func duration(to other: LoopInstant) -> Duration { other - self }

    package static func < (left: LoopInstant, right: LoopInstant) -> Bool { left.nanoseconds < right.nanoseconds }

    package static func - (later: LoopInstant, earlier: LoopInstant) -> Duration {
        later >= earlier
            ? .nanoseconds(Int64(clamping: later.nanoseconds - earlier.nanoseconds))
            : .nanoseconds(-Int64(clamping: earlier.nanoseconds - later.nanoseconds))
    }

    package static func + (instant: LoopInstant, duration: Duration) -> LoopInstant { instant.advanced(by: duration) }
}

extension Duration {
    /// Whole nanoseconds, rounded up so that nothing that waits for them is early; limited to what an Int64 holds (292
    /// years).
    package var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (quotient, remainder) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (sum, overflowed) = scaled.addingReportingOverflow(quotient + (remainder > 0 ? 1 : 0))
        return overflowed ? (scaled < 0 ? .min : .max) : sum
    }
}
