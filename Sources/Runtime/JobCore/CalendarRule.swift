/// Days by the calendar at times of day: every n days, on weekdays, every n months on a day.
package struct CalendarRule: Hashable, Sendable {
    package enum Days: Hashable, Sendable {
        /// Counted from a date (days since 1970-01-01).
        case every(Int, from: Int)
        /// 0 Sunday to 6 Saturday, not empty.
        case weekdays(Set<Int>)
        /// The same in every n-th week, weeks beginning on Monday; the week of `from` is the first.
        case weeks(Int, from: Int, weekdays: Set<Int>)
        /// 1 to 31; a shorter month fires on its last day.
        case dayOfMonth(Int)
        /// In every n-th month, the month of `from` being the first.
        case months(Int, from: Int, MonthDay)
    }

    /// One day of a month.
    package enum MonthDay: Hashable, Sendable {
        /// 1 to 31; a shorter month fires on its last day.
        case day(Int)
        case last
        /// The n-th Sunday (0) to Saturday (6), 1 to 5; a month without a fifth does not fire. −1: the last.
        case weekday(nth: Int, Int)
        /// The last Monday-to-Friday day.
        case lastWorkday
    }

    package var days: Days
    /// Seconds after midnight on the wall, rising, not empty.
    package var secondsOfDay: [Int]

    package init(days: Days, secondsOfDay: [Int]) {
        self.days = days
        self.secondsOfDay = Array(Set(secondsOfDay)).sorted()
    }

    package init(days: Days, secondOfDay: Int) { self.init(days: days, secondsOfDay: [secondOfDay]) }

    /// Longer distances are mistakes.
    static let longestStep = 3660
}

extension CalendarRule: DayTimes {
    package var followsRealTime: Bool { false }

    func second(atOrAfter second: Int) -> Int? { secondsOfDay.first { $0 >= second } }

    func day(atOrAfter day: Int) -> Int? {
        switch days {
        case .every(let step, let from):
            guard day > from else { return from }
            return from + (day - from + step - 1) / step * step
        case .weekdays(let set):
            return Self.weekday(atOrAfter: day, in: set)
        case .weeks(let step, let from, let set):
            let first = Self.monday(of: from)
            var day = max(day, first)
            // This week's rest, if it counts; else from the next week that does.
            let week = (Self.monday(of: day) - first) / 7
            if week % step == 0, let found = Self.weekday(atOrAfter: day, in: set), found < Self.monday(of: day) + 7 {
                return found
            }
            day = first + (week / step + 1) * step * 7
            return Self.weekday(atOrAfter: day, in: set)
        case .dayOfMonth(let number):
            return Self.day(atOrAfter: day, everyMonths: 1, from: 0, .day(number))
        case .months(let step, let from, let choice):
            return Self.day(atOrAfter: day, everyMonths: step, from: from, choice)
        }
    }

    private static func monday(of day: Int) -> Int { day - (CivilTime.weekday(daysSinceEpoch: day) + 6) % 7 }

    private static func weekday(atOrAfter day: Int, in set: Set<Int>) -> Int? {
        (day..<day + 7).first { set.contains(CivilTime.weekday(daysSinceEpoch: $0)) }
    }

    private static func day(atOrAfter day: Int, everyMonths step: Int, from: Int, _ choice: MonthDay) -> Int? {
        func month(_ day: Int) -> Int {
            let date = CivilTime.date(daysSinceEpoch: day)
            return date.year * 12 + date.month - 1
        }
        let first = month(from)
        let passed = max(0, month(day) - first)
        var number = first + (passed + step - 1) / step * step
        // A fifth Friday comes several times a year in every month, but with some steps only after years.
        for _ in 0..<500 {
            if let found = choice.day(month: number % 12 + 1, of: number / 12), found >= day { return found }
            number += step
        }
        return nil
    }
}

extension CalendarRule.MonthDay {
    /// Days since 1970-01-01; nil if the month has no such day.
    func day(month: Int, of year: Int) -> Int? {
        let length = CivilTime.daysInMonth(month, of: year)
        let first = CivilTime.days(year: year, month: month, day: 1)
        switch self {
        case .day(let number): return first + min(number, length) - 1
        case .last: return first + length - 1
        case .weekday(nth: -1, let weekday):
            let last = first + length - 1
            return last - (CivilTime.weekday(daysSinceEpoch: last) - weekday + 7) % 7
        case .weekday(let nth, let weekday):
            let number = (weekday - CivilTime.weekday(daysSinceEpoch: first) + 7) % 7 + (nth - 1) * 7
            return number < length ? first + number : nil
        case .lastWorkday:
            let last = first + length - 1
            switch CivilTime.weekday(daysSinceEpoch: last) {
            case 0: return last - 2
            case 6: return last - 1
            default: return last
            }
        }
    }
}
