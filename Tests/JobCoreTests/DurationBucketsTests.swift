import JobCore
import Testing

@Suite struct DurationBucketsTests {
    @Test func nothingRecorded() {
        let buckets = DurationBuckets()
        #expect(buckets.count == 0 && buckets.sum == .zero)
        #expect(buckets.cumulativeCounts == DurationBuckets.bounds.map { _ in 0 })
    }

    @Test func boundsAscend() {
        #expect(zip(DurationBuckets.bounds, DurationBuckets.bounds.dropFirst()).allSatisfy { $0 < $1 })
    }

    /// "At most": a time as long as a bound is below it, a microsecond more is not.
    @Test(arguments: DurationBuckets.bounds.indices)
    func boundsAreInclusive(_ index: Int) {
        let bound = Duration.microseconds(Int64(DurationBuckets.bounds[index] * 1e6))
        var buckets = DurationBuckets()
        buckets.record(bound)
        buckets.record(bound + .microseconds(1))
        let before = index > 0 ? buckets.cumulativeCounts[index - 1] : 0
        #expect(before == 0 && buckets.cumulativeCounts[index] == 1 && buckets.count == 2)
        #expect(buckets.sum == bound + bound + .microseconds(1))
    }

    @Test func extremes() {
        var buckets = DurationBuckets()
        buckets.record(.seconds(-5))
        buckets.record(.seconds(400_000))
        #expect(buckets.cumulativeCounts.first == 1 && buckets.cumulativeCounts.last == 1 && buckets.count == 2)
        #expect(buckets.sum == .seconds(400_000))
    }
}
