import Glibc
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(1))) struct LoopLagTests {
    @Test func quantilesAreUpperBoundsOfFineBuckets() {
        var lag = LoopLag()
        #expect(lag.p99 == .zero)
        for _ in 0..<98 { lag.record(.microseconds(150)) }
        lag.record(.milliseconds(3))
        lag.record(.milliseconds(7))
        #expect(lag.p50 == .microseconds(200))
        #expect(lag.p99 == .milliseconds(3))
        #expect(lag.quantile(1) == .milliseconds(7))
        #expect(lag.max == .milliseconds(7))
        #expect(lag.count == 100)
        #expect(lag.sum == .microseconds(98 * 150 + 10_000))
    }

    @Test func countsAreCumulativeAndBoundsInclusive() {
        var lag = LoopLag()
        for milliseconds in [0, 1, 2, 5, 6, 1000, 5000] { lag.record(.milliseconds(milliseconds)) }
        #expect(lag.cumulativeCounts == [2, 3, 4, 5, 5, 5, 5, 5, 5, 6])
        #expect(lag.count == 7)
        #expect(lag.cumulativeCounts.count == LoopLag.bounds.count)
        #expect(lag.p99 == .seconds(5))
    }

    @Test func aBlockedLoopIsSeen() async throws {
        try await LoopActor.test {
            let meter = LoopLagMeter()
            meter.start()
            while meter.lag.count < 3 { try await LoopClock.sleep(for: .milliseconds(5)) }
            let calm = meter.lag.count
            usleep(60_000)
            while meter.lag.count == calm { try await LoopClock.sleep(for: .milliseconds(1)) }
            #expect(meter.max >= .milliseconds(40))
            meter.reset()
            #expect(meter.max == .zero)
            meter.stop()
        }
    }
}
