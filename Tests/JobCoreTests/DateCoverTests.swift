import Testing

@testable import JobCore

/// The same answers as from the list, whatever overlaps in it.
@Suite struct DateCoverTests {
    private struct Dice {
        var state: UInt64
        mutating func roll(_ range: Range<Int>) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Int((state >> 33) % UInt64(range.count))
        }
    }

    @Test(arguments: 1...40)
    func asTheListSays(_ seed: Int) {
        var dice = Dice(state: UInt64(seed))
        var calendar = DateCalendar()
        for _ in 0..<dice.roll(0..<12) {
            let day = dice.roll(0..<60)
            calendar.days.append(day...(day + dice.roll(0..<5)))
        }
        for _ in 0..<dice.roll(0..<12) {
            let start = WallTime(micros: Int64(dice.roll(0..<60 * 24)) * 3_600_000_000)
            calendar.intervals.append(start..<start.advanced(by: .seconds(dice.roll(0..<40) * 1800)))
        }
        for _ in 0..<dice.roll(0..<12) {
            let start = Int64(dice.roll(0..<60 * 24)) * 3600
            calendar.localIntervals.append(start..<(start + Int64(dice.roll(0..<40)) * 1800))
        }
        let cover = DateCover(calendar)
        for half in -10..<64 * 48 {
            for micros in [-1, 0, 1] as [Int64] {
                let at = WallTime(micros: Int64(half) * 1_800_000_000 + micros)
                #expect(cover.covers(at, zone: UTCRules()) == calendar.covers(at, zone: UTCRules()))
            }
        }
    }

    /// Twenty thousand entries, asked for each of twenty thousand times: by the list, minutes.
    @Test func manyEntriesCostLittle() throws {
        let calendar = DateCalendar(
            days: (0..<10_000).map { $0 * 2...$0 * 2 },
            intervals: (0..<10_000).map { WallTime(micros: Int64($0) * 10)..<WallTime(micros: Int64($0) * 10 + 5) })
        var options = ScheduleOptions()
        options.blackouts = calendar
        options.missed = MissedPolicy(.all, cap: 10_000)
        let table = Timetable(
            spec: .interval(every: .seconds(86_400), anchor: WallTime(micros: 0)), zone: UTCRules(), options: options)
        let state = FiringPlan.State(schedule: 1, next: WallTime(micros: 86_400_000_000))
        let clock = ContinuousClock()
        var fired = 0
        let spent = clock.measure {
            fired = FiringPlan(table, state, now: WallTime(micros: 20_000 * 86_400_000_000)).fired
        }
        // The cap, and the one that is on time.
        #expect(fired == 10_001)
        #expect(spent < .seconds(30))
    }
}
