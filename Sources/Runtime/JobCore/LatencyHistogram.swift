/// How many times fell into which of 312 buckets, so that quantiles of any number of such histograms together can be told
/// without the times themselves.
///
/// The scheme is that of HdrHistogram (Gil Tene, <http://hdrhistogram.org>): *log-linear*, 8 equal buckets for each power of
/// two of microseconds, single microseconds below 16. A quantile is the middle of the bucket that it is in, which is at most
/// 1/16 (6.25 %) away from the time itself. Times of 2⁴¹ µs (25 days) and more are in the last bucket with those of 24.
/// `pawl.latency_bucket` is the same scheme in SQL.
package struct LatencyHistogram: Sendable, Hashable {
    package static let bucketCount = 312
    /// 2³ buckets for each power of two.
    private static let precision = 3
    /// In a packed element the bucket's number has the lowest bits, the count the others.
    private static let packedBits = 9
    private static let packedSize = 8

    /// Ascending, each once, none without a count.
    private var entries: [Entry] = []

    private struct Entry: Sendable, Hashable {
        var bucket: Int
        var count: Int64
    }

    package init() {}

    /// Reads what Postgres keeps: for each bucket eight bytes, the highest first: a count times 512 plus the bucket's number.
    /// Buckets may come in any order and more than once, so one packed histogram behind the other is the sum of both. What is
    /// no count or no bucket is passed over.
    package init(packed: [UInt8]) { add(packed: packed) }

    /// Adds what `init(packed:)` reads.
    package mutating func add(packed: [UInt8]) {
        guard packed.count >= Self.packedSize else { return }
        var counts = dense
        for start in stride(from: 0, through: packed.count - Self.packedSize, by: Self.packedSize) {
            var element: UInt64 = 0
            for index in start..<start + Self.packedSize { element = element << 8 | UInt64(packed[index]) }
            let bucket = Int(element & (1 << Self.packedBits - 1))
            let count = Int64(bitPattern: element) >> Self.packedBits
            if bucket < Self.bucketCount, count > 0 { counts[bucket] = Self.sum(counts[bucket], count) }
        }
        keep(counts)
    }

    /// As `init(packed:)` reads it, each bucket once, ascending.
    package var packed: [UInt8] {
        entries.flatMap { entry in
            let element = UInt64(bitPattern: entry.count << Self.packedBits | Int64(entry.bucket))
            return (0..<Self.packedSize).map { UInt8(truncatingIfNeeded: element >> UInt64(8 * (7 - $0))) }
        }
    }

    /// All buckets, in order.
    private var dense: [Int64] {
        var counts = [Int64](repeating: 0, count: Self.bucketCount)
        for entry in entries { counts[entry.bucket] = entry.count }
        return counts
    }

    private mutating func keep(_ counts: [Int64]) {
        entries = counts.enumerated().filter { $0.element > 0 }.map { Entry(bucket: $0.offset, count: $0.element) }
    }

    /// Counts one time; one below zero (clocks differ) as zero.
    package mutating func record(_ time: Duration) {
        var one = LatencyHistogram()
        one.entries = [Entry(bucket: Self.bucket(of: time), count: 1)]
        merge(one)
    }

    /// Adds all that the other one counted.
    package mutating func merge(_ other: LatencyHistogram) {
        guard !other.isEmpty else { return }
        guard !isEmpty else { return self = other }
        var counts = dense
        for entry in other.entries { counts[entry.bucket] = Self.sum(counts[entry.bucket], entry.count) }
        keep(counts)
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// How many times were counted.
    package var count: Int64 { entries.reduce(0) { Self.sum($0, $1.count) } }

    /// The time that this share of all times does not exceed, within 6.25 %; nil if there are none.
    /// - Parameter share: 0 to 1; what is outside counts as the nearest of them.
    package func quantile(_ share: Double) -> Duration? {
        let all = count
        guard all > 0 else { return nil }
        // The smallest rank that covers the share: of four times, one half is the second.
        let rank = min(max(1, Int64((share * Double(all)).rounded(.up))), all)
        var seen: Int64 = 0
        for entry in entries {
            seen = Self.sum(seen, entry.count)
            if seen >= rank { return Self.middle(ofBucket: entry.bucket) }
        }
        preconditionFailure("ranks go up to the count")
    }

    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        // Stops where a packed element stops.
        min(a.addingReportingOverflow(b).overflow ? .max : a + b, .max >> packedBits)
    }
}

// MARK: - Buckets

extension LatencyHistogram {
    /// 0 to 311.
    package static func bucket(of time: Duration) -> Int {
        let micros = time.wholeMicroseconds
        guard micros >= 1 << precision else { return max(0, Int(micros)) }
        let exponent = Int64.bitWidth - 1 - micros.leadingZeroBitCount
        let shift = exponent - precision
        return min(shift << precision + Int(micros >> Int64(shift)), bucketCount - 1)
    }

    /// The shortest time in a bucket, in microseconds.
    package static func lowerBound(ofBucket bucket: Int) -> Int64 {
        precondition((0..<bucketCount).contains(bucket), "no such bucket")
        guard bucket >= 1 << precision else { return Int64(bucket) }
        let shift = bucket >> precision - 1
        return Int64(bucket - shift << precision) << Int64(shift)
    }

    private static func middle(ofBucket bucket: Int) -> Duration {
        let low = lowerBound(ofBucket: bucket)
        guard bucket >= 1 << precision else { return .microseconds(low) }
        let width: Int64 = 1 << Int64(bucket >> precision - 1)
        return .nanoseconds(low * 1000 + (width - 1) * 500)
    }
}
