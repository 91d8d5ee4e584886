/// Whole units, rounded down, for tables and JSON, where a duration's unit stands in its name. All stop at the ends of
/// `Int64` (292,000 years in microseconds).
extension Duration {
    package var wholeMilliseconds: Int64 { inUnits(of: 1_000_000_000_000_000) }
    package var wholeMicroseconds: Int64 { inUnits(of: 1_000_000_000_000) }

    private func inUnits(of attoseconds: Int64) -> Int64 {
        let perSecond = 1_000_000_000_000_000_000 / attoseconds
        let (seconds, rest) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: perSecond)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = product.addingReportingOverflow(CivilTime.floorDiv(rest, attoseconds))
        return carry ? (seconds < 0 ? .min : .max) : sum
    }
}
