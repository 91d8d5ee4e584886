/// A calendar event as systemd.time(7) writes it: `Mon..Fri *-*-* 02:30:00`, `*-02~01`, `weekly`, `daily Europe/Berlin`.
///
/// Fractions of a second are refused; everything else of systemd 252 is read as there.
package struct OnCalendar: Hashable, Sendable {
    /// One of a list: a value, a range, or a start with repetitions.
    struct Item: Hashable, Sendable {
        var start: Int
        /// Last value that may match; nil: the end of the field.
        var stop: Int?
        /// 0: `start` only.
        var step: Int
    }

    /// Empty: any.
    typealias Field = [Item]

    /// Bit n: weekday n, 0 Sunday; all: any.
    var weekdays: UInt64 = 0x7F
    var years: Field = []
    var months: Field = []
    var days: Field = []
    /// `~`: days are counted from the end of the month, 1 being the last.
    var countsFromEnd = false
    var hours: Field = [Item(start: 0, step: 0)]
    var minutes: Field = [Item(start: 0, step: 0)]
    var seconds: Field = [Item(start: 0, step: 0)]
    /// As it was written, with single spaces, without the zone.
    package private(set) var text: String
    /// The zone it ends with; `UTC` too.
    package private(set) var zone: String?
    let times: TimeMask

    package init(_ expression: String) throws(FieldFault) {
        var reader = OnCalendarReader(expression)
        try reader.read()
        text = reader.text
        zone = reader.zone
        weekdays = reader.weekdays
        (years, months, days, countsFromEnd) = (reader.years, reader.months, reader.days, reader.countsFromEnd)
        (hours, minutes, seconds) = (reader.hours, reader.minutes, reader.seconds)
        times = TimeMask(
            hours: Self.mask(hours, 0...23), minutes: Self.mask(minutes, 0...59), seconds: Self.mask(seconds, 0...59))
    }

    static let yearRange = 1970...2199

    static func mask(_ field: Field, _ range: ClosedRange<Int>) -> UInt64 {
        var mask: UInt64 = 0
        if field.isEmpty {
            for value in range { mask |= 1 << value }
        }
        for item in field {
            for value in item.values(to: range.upperBound) { mask |= 1 << value }
        }
        return mask
    }
}

extension OnCalendar.Item {
    func values(to end: Int) -> StrideThrough<Int> {
        stride(from: start, through: step == 0 ? start : min(stop ?? end, end), by: max(step, 1))
    }

    /// The first value at or after `value`.
    func first(atOrAfter value: Int, to end: Int) -> Int? {
        if value <= start { return start }
        guard step > 0 else { return nil }
        let found = start + (value - start + step - 1) / step * step
        return found <= min(stop ?? end, end) ? found : nil
    }
}

extension OnCalendar: DayTimes {
    /// `*` or a repetition in hours, minutes or seconds: a rhythm rather than a time of day.
    package var followsRealTime: Bool {
        [hours, minutes, seconds].contains { field in field.isEmpty || field.contains { $0.step > 0 && $0.stop == nil }
        }
    }

    func second(atOrAfter second: Int) -> Int? { times.second(atOrAfter: second) }

    func day(atOrAfter day: Int) -> Int? {
        var date = CivilTime.date(daysSinceEpoch: max(day, 0))
        let monthMask = Self.mask(months, 1...12)
        while date.year <= Self.yearRange.upperBound {
            guard let year = year(atOrAfter: date.year) else { return nil }
            if year > date.year { date = (year, 1, 1) }
            guard let month = TimeMask.bit(monthMask, from: date.month) else {
                date = (date.year + 1, 1, 1)
                continue
            }
            if month > date.month { date = (date.year, month, 1) }
            let mask = dayMask(month: month, of: year)
            let first = CivilTime.days(year: year, month: month, day: 1)
            var candidate = TimeMask.bit(mask, from: date.day)
            while let number = candidate {
                let found = first + number - 1
                if weekdays >> CivilTime.weekday(daysSinceEpoch: found) & 1 == 1 { return found }
                candidate = TimeMask.bit(mask, from: number + 1)
            }
            date = month == 12 ? (year + 1, 1, 1) : (year, month + 1, 1)
        }
        return nil
    }

    private func year(atOrAfter year: Int) -> Int? {
        if years.isEmpty { return year }
        return years.compactMap { $0.first(atOrAfter: year, to: Self.yearRange.upperBound) }.min()
    }

    /// The days of a month that its field allows, by their bits.
    private func dayMask(month: Int, of year: Int) -> UInt64 {
        let length = CivilTime.daysInMonth(month, of: year)
        let whole: UInt64 = (1 << (length + 1)) - 2
        guard countsFromEnd else { return Self.mask(days, 1...31) & whole }
        if days.isEmpty { return whole }
        var mask: UInt64 = 0
        for item in days {
            // Repetitions go forward from the day that is so far from the end: `~07/1` is the last seven days.
            var first = length + 1 - item.start
            var last = item.stop.map { length + 1 - $0 } ?? length
            if last < first, item.stop != nil { swap(&first, &last) }
            for day in stride(from: first, through: item.step == 0 ? first : last, by: max(item.step, 1)) where day >= 1
            {
                mask |= 1 << day
            }
        }
        return mask & whole
    }
}
