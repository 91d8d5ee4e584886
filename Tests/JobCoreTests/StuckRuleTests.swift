import JobCore
import Testing

@Suite struct StuckRuleTests {
    /// S3's tiers: low 10 to 30 min, medium to 60, high to 2 h, critical beyond. Lower bounds belong to the tier.
    @Test func tiersByTime() {
        let minutes: [(Int, Severity?)] = [
            (0, nil), (9, nil), (10, .low), (29, .low), (30, .medium), (59, .medium), (60, .high), (119, .high),
            (120, .critical), (100_000, .critical),
        ]
        for (minute, severity) in minutes {
            let facts = StuckFacts(runningFor: .seconds(minute * 60), timeout: .seconds(10_000_000))
            let verdict = StuckRule().verdict(facts)
            #expect(verdict?.severity == severity, "\(minute) min")
            #expect(verdict?.evidence ?? [] == (severity.map { [.runsLong($0)] } ?? []))
        }
        #expect(StuckTimes.standard.severity(of: .seconds(600) - .milliseconds(1)) == nil)
    }

    @Test func slowerThanUsual() {
        let rule = StuckRule()
        func severity(_ seconds: Double, p95: Double?) -> Severity? {
            rule.verdict(
                StuckFacts(
                    runningFor: .milliseconds(Int64(seconds * 1000)),
                    p95: p95.map { .milliseconds(Int64($0 * 1000)) }))?.severity
        }
        let rows: [(Double, Double?, Severity?)] = [
            // 3 times is usual, more is not; each doubling is one worse.
            (30, 10, nil), (31, 10, .low), (60, 10, .low), (61, 10, .medium), (120, 10, .medium), (121, 10, .high),
            (240, 10, .high), (241, 10, .critical), (599, 1, .critical),
            // Too short to matter, or nothing to compare with.
            (29, 0.001, nil), (30, 0.001, .critical), (599, nil, nil), (599, 0, nil), (599, 300, nil),
            // The worse of time and slowness.
            (700, 300, .low), (700, 30, .high), (8000, 3000, .critical),
        ]
        for (seconds, p95, expected) in rows {
            // The last row is past the usual timeout of an hour, and as bad as it gets already.
            #expect(severity(seconds, p95: p95) == expected, "\(seconds) s of \(p95 ?? -1) s")
        }
        let verdict = rule.verdict(StuckFacts(runningFor: .seconds(40), p95: .seconds(10)))
        #expect(verdict?.evidence == [.slowerThanUsual(times: 4, p95: .seconds(10))])
        #expect(StuckRule(slowFactor: 5).verdict(StuckFacts(runningFor: .seconds(40), p95: .seconds(10))) == nil)
    }

    /// All of what is known, enumerated: frozen runs are never idle, one kind of idleness alone changes no severity, and
    /// everything that counts is in the evidence.
    @Test func idleness() {
        let idle = Duration.seconds(600)
        let rule = StuckRule()
        for quiet in [nil, idle - .seconds(1), idle, idle * 2] as [Duration?] {
            for lazy in [nil, idle - .seconds(1), idle, idle * 2] as [Duration?] {
                for isFrozen in [false, true] {
                    for (minutes, own) in [(5, nil), (20, Severity.low), (45, .medium), (180, .critical)] {
                        let verdict = rule.verdict(
                            StuckFacts(
                                runningFor: .seconds(minutes * 60), timeout: .seconds(1_000_000),
                                withoutProgress: quiet, withoutCPU: lazy, isFrozen: isFrozen))
                        let isQuiet = !isFrozen && (quiet ?? .zero) >= idle
                        let isLazy = !isFrozen && (lazy ?? .zero) >= idle
                        #expect(verdict?.severity == (isQuiet && isLazy ? own?.worse : own))
                        let kinds = verdict?.evidence.map(\.kind) ?? []
                        #expect(kinds.contains("no_progress") == (isQuiet && own != nil))
                        #expect(kinds.contains("no_cpu") == (isLazy && own != nil))
                    }
                }
            }
        }
    }

    @Test func whatElseSpeaksAgainstARun() {
        let rule = StuckRule()
        let late = rule.verdict(StuckFacts(runningFor: .seconds(100), timeout: .seconds(60)))
        #expect(late == StuckVerdict(severity: .medium, evidence: [.pastTimeout(.seconds(60))]))
        #expect(rule.verdict(StuckFacts(runningFor: .seconds(85), timeout: .seconds(60))) == nil)
        // Its clocks stand still.
        #expect(rule.verdict(StuckFacts(runningFor: .seconds(100), timeout: .seconds(60), isFrozen: true)) == nil)
        let worse = rule.verdict(StuckFacts(runningFor: .seconds(700), timeout: .seconds(60)))
        #expect(worse?.severity == .medium && worse?.evidence.count == 2)
        let silent = rule.verdict(StuckFacts(runningFor: .seconds(1), isHostSilent: true))
        #expect(silent == StuckVerdict(severity: .medium, evidence: [.hostSilent]))
        #expect(Severity.critical.worse == .critical && Severity.low < .medium && Severity.high < .critical)
    }
}
