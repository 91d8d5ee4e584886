import JobCore
import Testing

@Suite struct LatencyHistogramTests {
    private static func histogram(_ micros: some Sequence<Int64>) -> LatencyHistogram {
        var histogram = LatencyHistogram()
        for time in micros { histogram.record(.microseconds(time)) }
        return histogram
    }

    private static func random(_ count: Int, _ generator: inout some RandomNumberGenerator) -> [Int64] {
        (0..<count).map { _ in
            let bits = Int64.random(in: 0..<41, using: &generator)
            return Int64.random(in: 0..<(1 << bits), using: &generator)
        }
    }

    @Test func bucketsFollowEachOtherWithoutGaps() {
        for bucket in 0..<LatencyHistogram.bucketCount {
            let low = LatencyHistogram.lowerBound(ofBucket: bucket)
            #expect(LatencyHistogram.bucket(of: .microseconds(low)) == bucket)
            if bucket > 0 { #expect(LatencyHistogram.bucket(of: .microseconds(low - 1)) == bucket - 1) }
        }
        #expect(LatencyHistogram.lowerBound(ofBucket: 0) == 0)
    }

    @Test func whatIsOutsideIsInTheFirstAndTheLast() {
        #expect(LatencyHistogram.bucket(of: .microseconds(-1)) == 0)
        #expect(LatencyHistogram.bucket(of: .seconds(-1_000_000)) == 0)
        #expect(LatencyHistogram.bucket(of: .seconds(Int64.max / 2)) == LatencyHistogram.bucketCount - 1)
        #expect(LatencyHistogram.bucket(of: .nanoseconds(999)) == 0)
    }

    /// Every microsecond up to a fiftieth of a second, and the ends of all buckets.
    @Test func noTimeIsFartherThanASixteenthFromItsBucket() {
        func check(_ micros: Int64) -> Bool {
            guard let middle = Self.histogram([micros]).quantile(0.5) else { return false }
            let error = Double(middle.components.attoseconds) / 1e12 + Double(middle.components.seconds) * 1e6
            return abs(error - Double(micros)) <= Double(micros) / 16
        }
        #expect((0..<20_000).allSatisfy(check))
        for bucket in 1..<LatencyHistogram.bucketCount {
            let low = LatencyHistogram.lowerBound(ofBucket: bucket)
            #expect(check(low) && check(low - 1), "\(low)")
        }
    }

    @Test func aQuantileIsWithinASixteenthOfTheExactOne() throws {
        var generator = SystemRandomNumberGenerator()
        for count in [1, 2, 3, 4, 10, 99, 100, 101, 5000] {
            let times = Self.random(count, &generator).sorted()
            let histogram = Self.histogram(times)
            #expect(histogram.count == Int64(count))
            for share in [0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0] {
                let rank = max(1, Int((share * Double(count)).rounded(.up)))
                let exact = Double(times[rank - 1])
                let told =
                    Double(try #require(histogram.quantile(share)).components.seconds) * 1e6
                    + Double(try #require(histogram.quantile(share)).components.attoseconds) / 1e12
                #expect(abs(told - exact) <= exact / 16, "\(share) of \(count): \(told), not \(exact)")
            }
        }
    }

    @Test func mergedIsAsIfAllHadBeenCountedInOne() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let parts = (0..<3).map { _ in Self.random(Int.random(in: 0..<200, using: &generator), &generator) }
            let histograms = parts.map(Self.histogram)
            var left = histograms[0]
            left.merge(histograms[1])
            left.merge(histograms[2])
            var right = histograms[2]
            right.merge(histograms[0])
            right.merge(histograms[1])
            let whole = Self.histogram(parts.joined())
            #expect(left == whole && right == whole)
        }
    }

    /// As Postgres' int8send.
    private static func bytes(_ elements: Int64...) -> [UInt8] {
        elements.flatMap { element in (0..<8).map { UInt8(truncatingIfNeeded: element >> Int64(8 * (7 - $0))) } }
    }

    @Test func packedIsReadBackInAnyOrderAndInPieces() {
        var generator = SystemRandomNumberGenerator()
        let histogram = Self.histogram(Self.random(1000, &generator))
        #expect(LatencyHistogram(packed: histogram.packed) == histogram)
        #expect(LatencyHistogram(packed: histogram.packed + histogram.packed).count == 2000)
        let odd = LatencyHistogram(packed: Self.bytes(3 << 9 | 7, 1 << 9 | 2, 4 << 9 | 7))
        #expect(odd.packed == Self.bytes(1 << 9 | 2, 7 << 9 | 7))
    }

    @Test func whatIsNoElementIsPassedOver() {
        let odd = LatencyHistogram(packed: Self.bytes(5, 0, -1, 1 << 9 | 400, Int64.min, 2 << 9 | 1) + [1, 2, 3])
        #expect(odd.packed == Self.bytes(2 << 9 | 1))
        // No overflow, whatever somebody writes into the table.
        let many = LatencyHistogram(packed: Self.bytes(.max - 511 + 300, .max - 511 + 300, .max - 511 + 299))
        #expect(many.count > 0 && many.quantile(1) != nil)
    }

    @Test func anEmptyOneHasNoQuantiles() {
        #expect(
            LatencyHistogram().quantile(0.5) == nil && LatencyHistogram().isEmpty && LatencyHistogram().packed == [])
    }
}

@Suite struct RollupStepTests {
    /// Whatever the span: its buckets cover each moment from `from` to now once, and begin less than one short bucket early.
    @Test func aSpanIsCoveredOnce() {
        let base: Int64 = 1_790_000_000
        let ages: [Int64] = [
            0, 1, 9, 10, 11, 59, 60, 61, 599, 3599, 3600, 3601, 7200, 86_399, 172_799, 172_800, 172_801, 700_000,
            34_000_000,
        ]
        for offset in [Int64(0), 1, 7, 29, 60, 3599, 40_000] {
            for age in ages {
                let now = WallTime(micros: (base + offset) * 1_000_000 + 123)
                let since = WallTime(micros: now.micros - age * 1_000_000)
                let span = RollupSpan(since: since, now: now)
                #expect(span.from <= since && since - span.from < span.fine.length)
                #expect(span.fine.start(of: span.from) == span.from && span.fine.start(of: span.turn) == span.turn)
                #expect(span.coarse.start(of: span.turn) == span.turn)
                #expect(span.turn >= span.from && span.turn - span.from < span.coarse.length)
                #expect(now - since <= span.fine.kept)
            }
        }
    }

    @Test func aStepIsMadeOfTheLongestThatDividesIt() {
        #expect(RollupStep(dividing: 10) == .tenSeconds)
        #expect(RollupStep(dividing: 30) == .tenSeconds)
        #expect(RollupStep(dividing: 300) == .minute)
        #expect(RollupStep(dividing: 7200) == .hour)
        #expect(RollupStep(dividing: 86_400) == .day)
        #expect(RollupStep(dividing: 5) == nil && RollupStep(dividing: 15) == nil && RollupStep(dividing: 0) == nil)
    }
}
