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
    package internal(set) var added: [Int64] = []
    package internal(set) var removed: [Int64] = []

    /// More are counted by `max_runs`: the n-th time of a rule is found by counting from its start.
    static let largestCount = 10_000

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

    func first(atOrAfter local: Int64) -> Int64? {
        var from = local
        // As often as there are exceptions.
        while true {
            let candidates = [ruleFirst(atOrAfter: from), added.first { $0 >= from }].compactMap(\.self)
            guard let candidate = candidates.min() else { return nil }
            if !removed.contains(candidate) { return candidate }
            from = candidate + 1
        }
    }

    private func ruleFirst(atOrAfter local: Int64) -> Int64? {
        // Offsets are less than 26 hours; the exact end of a universal one is looked at with the zone.
        let last: Int64? =
            switch until {
            case .local(let end): end
            case .universal(let end): end + 26 * 3600
            case nil: nil
            }
        if let last, local > last { return nil }
        var walk = RecurrenceWalk(self, from: count == nil ? max(local, start) : start)
        var counted = 0
        while let set = walk.next() {
            for time in set where time >= start {
                if let last, time > last { return nil }
                if let count {
                    counted += 1
                    if counted > count { return nil }
                }
                if time >= local { return time }
            }
        }
        return nil
    }
}
