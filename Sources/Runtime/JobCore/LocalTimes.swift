/// A set of times on a wall clock, whatever the zone: what is left of a recurring schedule when its zone is taken away.
///
/// Times are in seconds from 1970-01-01 00:00 on the same wall.
protocol LocalTimes {
    /// The first time in the set at or after `local`; nil if there is none.
    /// - Parameter steps: how many looks it may take to find out; those that it took are taken off.
    func first(atOrAfter local: Int64, steps: inout Int) -> Int64?
    /// The schedule means a rhythm ("every ten minutes") rather than times of day: it follows elapsed time. Nothing is moved
    /// out of a gap, and an hour that comes twice fires twice, whatever the rule for changes of clocks says.
    var followsRealTime: Bool { get }
}

/// What becomes of local times that a change of clocks skips, or shows twice.
package struct ClockChangeRule: Hashable, Sendable {
    package enum Gap: String, CaseIterable, Sendable {
        /// At the first valid time after the gap.
        case shift
        /// Not on that day.
        case skip
    }

    package enum Fold: String, CaseIterable, Sendable {
        case first, last, both
    }

    package var gap: Gap
    package var fold: Fold

    package init(gap: Gap = .shift, fold: Fold = .first) {
        self.gap = gap
        self.fold = fold
    }
}

extension LocalTimes {
    func first(atOrAfter local: Int64) -> Int64? {
        var steps = ScheduleSpec.mostSteps
        return first(atOrAfter: local, steps: &steps)
    }

    /// The first point in time later than `after` that the set and the rule choose, in seconds since the Unix epoch.
    ///
    /// Walks from one change of clocks to the next. Within a span of equal offsets local and universal time differ by a
    /// constant; only its ends need thought.
    func next(after: Int64, zone: some ZoneRules, rule: ClockChangeRule, steps: inout Int) -> Int64? {
        // Beyond it no local time before a change can come again after it: offsets differ by less than 52 hours.
        let threeDays: Int64 = 3 * 86_400
        var from = after + 1
        // Each round ends a span or jumps to the next local time; 41 years have fewer than this.
        for _ in 0..<4000 {
            let span = zone.span(at: from)
            let offset = Int64(span.offset)
            var lower = from + offset
            var upper = span.end == .max ? Int64.max : span.end + offset
            if !followsRealTime {
                let before = span.start == .min ? offset : Int64(zone.offset(at: span.start - 1))
                if from == span.start, before < offset, rule.gap == .shift,
                    let skipped = first(atOrAfter: from + before, steps: &steps), skipped < from + offset
                {
                    return from
                }
                if before > offset, rule.fold == .first { lower = max(lower, span.start + before) }
                if span.end != .max, rule.fold == .last {
                    upper = min(upper, span.end + min(offset, Int64(zone.offset(at: span.end))))
                }
            }
            let candidate = first(atOrAfter: lower, steps: &steps)
            if let candidate, candidate < upper { return candidate - offset }
            guard span.end != .max else { return nil }
            guard span.end - from > threeDays else {
                from = span.end
                continue
            }
            guard let candidate else { return nil }
            from = max(span.end, candidate - threeDays)
        }
        return nil
    }
}

/// Times of day on chosen days.
protocol DayTimes: LocalTimes {
    /// The first day of the set at or after `day`, in days since 1970-01-01; nil if there is none within reach.
    func day(atOrAfter day: Int) -> Int?
    /// The first time of day at or after `second`, in seconds after midnight on the wall.
    func second(atOrAfter second: Int) -> Int?
}

extension DayTimes {
    func first(atOrAfter local: Int64, steps: inout Int) -> Int64? {
        let today = Int(CivilTime.floorDiv(local, 86_400))
        steps -= 1
        guard let day = day(atOrAfter: today) else { return nil }
        // Days are looked at by the month.
        steps -= (day - today) / 30
        if day == today {
            if let second = second(atOrAfter: Int(local - Int64(today) * 86_400)) {
                return Int64(today) * 86_400 + Int64(second)
            }
            return self.day(atOrAfter: today + 1).flatMap(midnightOf)
        }
        return midnightOf(day)
    }

    private func midnightOf(_ day: Int) -> Int64? { second(atOrAfter: 0).map { Int64(day) * 86_400 + Int64($0) } }
}

/// Hours, minutes and seconds as bit sets: bit n is value n.
struct TimeMask: Hashable, Sendable {
    var hours: UInt64
    var minutes: UInt64
    var seconds: UInt64

    func second(atOrAfter second: Int) -> Int? {
        let hour = second / 3600
        guard hour < 24 else { return nil }
        let minute = second / 60 % 60
        if hours >> hour & 1 == 1 {
            if minutes >> minute & 1 == 1, let found = Self.bit(seconds, from: second % 60) {
                return hour * 3600 + minute * 60 + found
            }
            if let found = Self.bit(minutes, from: minute + 1) {
                return hour * 3600 + found * 60 + seconds.trailingZeroBitCount
            }
        }
        guard let next = Self.bit(hours, from: hour + 1) else { return nil }
        return next * 3600 + minutes.trailingZeroBitCount * 60 + seconds.trailingZeroBitCount
    }

    /// The lowest set bit at or above `from`.
    static func bit(_ mask: UInt64, from: Int) -> Int? {
        guard from < 64 else { return nil }
        let rest = mask >> from
        return rest == 0 ? nil : from + rest.trailingZeroBitCount
    }

    /// How many times a day it names.
    var count: Int { hours.nonzeroBitCount * minutes.nonzeroBitCount * seconds.nonzeroBitCount }

    /// Its values, if there are no more than `limit`: seconds after midnight.
    func values(limit: Int) -> [Int]? {
        guard count <= limit else { return nil }
        var result: [Int] = []
        var next = second(atOrAfter: 0)
        while let value = next {
            result.append(value)
            next = second(atOrAfter: value + 1)
        }
        return result
    }
}
