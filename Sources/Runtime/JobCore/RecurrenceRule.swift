/// A recurrence rule of iCalendar (RFC 5545, 3.3.10) with its start, and dates added and taken away.
///
/// Evaluated on the wall clock. The start counts only if the rule names it. With a frequency of hours, minutes or seconds the
/// rule follows elapsed time where clocks change.
package struct RecurrenceRule: Hashable, Sendable {
    package enum Frequency: String, CaseIterable, Sendable {
        case secondly, minutely, hourly, daily, weekly, monthly, yearly
    }

    package enum End: Hashable, Sendable {
        /// On the wall.
        case local(Int64)
        /// Seconds since the Unix epoch (`UNTIL` with `Z`).
        case universal(Int64)
    }

    struct WeekdayNumber: Hashable, Sendable {
        /// 0 Sunday to 6 Saturday.
        var weekday: Int
        /// 0: each; n: the n-th of the month or year; negative from its end.
        var number: Int
    }

    var frequency: Frequency
    var interval = 1
    package internal(set) var count: Int?
    package internal(set) var until: End?
    var seconds: [Int] = []
    var minutes: [Int] = []
    var hours: [Int] = []
    var weekdays: [WeekdayNumber] = []
    var monthDays: [Int] = []
    var yearDays: [Int] = []
    var weeks: [Int] = []
    var months: [Int] = []
    var positions: [Int] = []
    /// 0 Sunday to 6 Saturday.
    var weekStart = 1
    /// On the wall, as all the following.
    package internal(set) var start: Int64
    /// Rising, as those removed.
    package internal(set) var added: [Int64] = []
    package internal(set) var removed: [Int64] = []

    /// More are counted by `max_runs`: the n-th time of a rule is found by counting from its start.
    static let largestCount = 10_000
    /// Dates added and taken away, together.
    static let mostDates = 1000
    /// Times in one period: a month of them, or a year.
    static let largestPeriod = 100_000

    /// To begin a walk takes as long as so many looks.
    private static let walkSteps = 30

    init(frequency: Frequency, start: Int64) {
        self.frequency = frequency
        self.start = start
    }
}

extension RecurrenceRule: LocalTimes {
    package var followsRealTime: Bool {
        switch frequency {
        case .secondly, .minutely, .hourly: true
        case .daily, .weekly, .monthly, .yearly: false
        }
    }

    func first(atOrAfter local: Int64, steps: inout Int) -> Int64? {
        guard count == nil else {
            var (rule, counting) = (self, ScheduleSpec.mostSteps)
            rule.settleCount(&counting)
            return rule.first(atOrAfter: local, steps: &steps)
        }
        // One walk, past all exceptions.
        let addition = added[Self.place(of: local, in: added)...].first { !isRemoved($0) }
        // Offsets are less than 26 hours; the exact end of a universal one is looked at with the zone.
        let last: Int64 =
            switch until {
            case .local(let end): end
            case .universal(let end): end + 26 * 3600
            case nil: .max
            }
        let from = max(local, start)
        guard from <= last else { return addition }
        let clock = timeMask
        var walk = RecurrenceWalk(
            self, from: from, steps: clock == nil ? steps : steps - Self.walkSteps, listsTimes: clock == nil)
        defer { steps = walk.steps }
        if let clock {
            // Up to 86,400 times a day, none of which is written down.
            while let days = walk.nextDays() {
                for day in days {
                    let midnight = Int64(day) * 86_400
                    var second = clock.second(atOrAfter: Int(max(0, min(from - midnight, 86_400))))
                    while let present = second {
                        let time = midnight + Int64(present)
                        if time > last { return addition }
                        if let addition, addition <= time { return addition }
                        if !isRemoved(time) { return time }
                        second = clock.second(atOrAfter: present + 1)
                    }
                }
            }
            return addition
        }
        while let set = walk.next() {
            for time in set where time >= from {
                if time > last { return addition }
                if let addition, addition <= time { return addition }
                if !isRemoved(time) { return time }
            }
        }
        return addition
    }

    /// Puts in place of a number of times the last of them: found by counting from the start, once. What lies so far ahead
    /// that the steps do not reach it counts as never.
    mutating func settleCount(_ steps: inout Int) {
        guard let count else { return }
        var walk = RecurrenceWalk(self, from: start, steps: steps)
        var (last, counted) = (Int64.min, 0)
        while counted < count, let set = walk.next() {
            let times = set.filter { $0 >= start }.prefix(count - counted)
            counted += times.count
            last = times.last ?? last
        }
        self.count = nil
        until = .local(last)
        steps = walk.steps
    }

    /// Its times of day, where they are the same on each of its days and nothing is chosen among them.
    private var timeMask: TimeMask? {
        guard !followsRealTime, positions.isEmpty else { return nil }
        let start = CivilTime(secondsSinceEpoch: start)
        func mask(_ values: [Int], _ usual: Int) -> UInt64 {
            values.isEmpty ? 1 << usual : values.reduce(0) { $0 | 1 << $1 }
        }
        return TimeMask(
            hours: mask(hours, start.hour), minutes: mask(minutes, start.minute),
            seconds: mask(seconds, start.second))
    }

    private func isRemoved(_ time: Int64) -> Bool {
        let place = Self.place(of: time, in: removed)
        return place < removed.count && removed[place] == time
    }

    /// Index of the first that is not less, of rising ones.
    private static func place(of time: Int64, in times: [Int64]) -> Int {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
