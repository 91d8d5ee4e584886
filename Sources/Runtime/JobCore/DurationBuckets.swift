/// How many times were at most as long as each of a few bounds: a histogram as Prometheus keeps them, for `/metrics`.
///
/// Coarse and cheap, beside `LatencyHistogram`, which answers for any span and quantile from the database: recording is one
/// search of a short list, and the memory does not grow.
package struct DurationBuckets: Sendable, Equatable {
    /// Upper bounds in seconds, ascending; one more bucket is unbounded. From a pooled run to one that takes a day.
    package static let bounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400,
    ]
    private static let boundsMicros = bounds.map { Int64($0 * 1e6) }

    private var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// How many were recorded.
    package private(set) var count: UInt64 = 0
    /// Of all that were recorded.
    package private(set) var sum: Duration = .zero

    package init() {}

    /// Counts one time; one below zero (clocks differ) as zero.
    package mutating func record(_ time: Duration) {
        let time = max(time, .zero)
        let micros = time.wholeMicroseconds
        let index = Self.boundsMicros.firstIndex { micros <= $0 } ?? Self.boundsMicros.count
        self.counts[index] += 1
        self.count += 1
        self.sum += time
    }

    /// How many were at most as long as each of `bounds`; the unbounded last bucket is `count`.
    package var cumulativeCounts: [UInt64] {
        var seen: UInt64 = 0
        return self.counts.dropLast().map { count in
            seen += count
            return seen
        }
    }
}
