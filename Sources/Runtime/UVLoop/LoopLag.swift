/// How late the loop's timers were: a histogram of the lateness, fine enough for a p99.
package struct LoopLag: Sendable, Equatable {
    /// Upper bounds of the buckets for export, in seconds; one more bucket is unbounded.
    package static let bounds: [Double] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]

    /// Width of a fine bucket, and how many there are; what is later than their end (2 s) goes into the last.
    private static let widthNanoseconds: UInt64 = 100_000
    private static let fineCount = 20_000

    private var fine: [UInt32]
    /// Number of measurements.
    package private(set) var count: UInt64 = 0
    /// Sum of all lateness.
    package private(set) var sum: Duration = .zero
    package private(set) var max: Duration = .zero

    package init() { fine = Array(repeating: 0, count: Self.fineCount) }

    /// Half of all measurements were at most this late, to 100 µs, rounded up.
    package var p50: Duration { quantile(0.5) }
    package var p99: Duration { quantile(0.99) }

    /// How many measurements were at most as late as each of `bounds`, ascending, as Prometheus wants its buckets; the
    /// unbounded last bucket is `count`.
    package var cumulativeCounts: [UInt64] {
        var counts: [UInt64] = []
        var sum: UInt64 = 0
        var index = 0
        for bound in Self.bounds {
            let end = Int((bound * 1e9 / Double(Self.widthNanoseconds)).rounded())
            while index < end {
                sum += UInt64(fine[index])
                index += 1
            }
            counts.append(sum)
        }
        return counts
    }

    package mutating func record(_ lateness: Duration) {
        let late = UInt64(Swift.max(lateness.clampedNanoseconds, 0))
        // A bucket holds what is late by more than its lower and at most its upper bound.
        let index = late == 0 ? 0 : Int((late - 1) / Self.widthNanoseconds)
        fine[Swift.min(index, Self.fineCount - 1)] += 1
        count += 1
        sum += lateness
        max = Swift.max(max, lateness)
    }

    /// The smallest upper bound of a fine bucket that at least `fraction` of the measurements do not exceed; never
    /// above `max`. Zero without measurements.
    package func quantile(_ fraction: Double) -> Duration {
        guard count > 0 else { return .zero }
        let rank = Swift.max(1, UInt64((Double(count) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for (index, number) in fine.enumerated() {
            seen += UInt64(number)
            if seen >= rank && index < Self.fineCount - 1 {
                return Swift.min(max, .nanoseconds((index + 1) * Int(Self.widthNanoseconds)))
            }
        }
        return max
    }
}

/// Measures the bound loop's lag: how late a timer of 10 ms fires, over and over. The kernel's own lateness counts,
/// some 50 µs.
@LoopActor
package final class LoopLagMeter {
    package static let interval: Duration = .milliseconds(10)

    /// Everything since the start or the last `reset()`.
    package private(set) var lag = LoopLag()
    private let timer = LoopTimer()

    package init() {}

    package func start() { arm() }
    package func stop() { timer.stop() }
    package func reset() { lag = LoopLag() }

    package var p50: Duration { lag.p50 }
    package var p99: Duration { lag.p99 }
    package var max: Duration { lag.max }

    private func arm() {
        let due = LoopInstant.now.advanced(by: Self.interval)
        timer.start(after: Self.interval) { [weak self] in
            guard let self else { return }
            self.lag.record(LoopInstant.now - due)
            self.arm()
        }
    }
}
