import JobCore
import Testing

/// A handler names times of its own (snooze, not before): no value of it may trap.
@Suite struct WallTimeLimitTests {
    @Test(arguments: [Int64.min, Int64.min + 1, -1_000_001, -1, 0, 1, Int64.max - 1, Int64.max] as [Int64])
    func everyTimeHasAText(micros: Int64) {
        let text = WallTime(micros: micros).rfc3339
        #expect(text.hasSuffix("Z"))
        let fraction = ((micros % 1_000_000) + 1_000_000) % 1_000_000
        #expect(text.contains("." + String(repeating: "0", count: 6 - "\(fraction)".count) + "\(fraction)"))
    }
}
