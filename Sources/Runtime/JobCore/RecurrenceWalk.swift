/// Goes through the periods of a recurrence rule: years, months, … seconds, by its frequency and interval.
///
/// It gives up after a bounded number of looks at days and times, some milliseconds' worth: a rule that names 30 February is
/// told from one that fires every 28 years by looking four centuries ahead.
struct RecurrenceWalk {
    private let rule: RecurrenceRule
    private let days: RecurrenceDays
    private let timesOfDay: [Int]
    private let base: Int64
    private var index: Int64
    private var isOver = false
    /// How many looks are left.
    private(set) var steps: Int

    /// - Parameters:
    ///   - from: the first set that is given holds this time, or is later.
    ///   - steps: looks that it may take.
    ///   - listsTimes: false: only `nextDays` is asked, for rules of days and longer.
    init(_ rule: RecurrenceRule, from: Int64, steps: Int, listsTimes: Bool = true) {
        self.rule = rule
        days = RecurrenceDays(rule)
        let unit = Self.unit(rule.frequency)
        let start = CivilTime(secondsSinceEpoch: rule.start)
        let now = CivilTime(secondsSinceEpoch: from)
        let interval = Int64(rule.interval)
        timesOfDay = listsTimes ? Self.times(rule, start) : []
        self.steps = steps
        let periods: Int64
        switch rule.frequency {
        case .yearly:
            base = Int64(start.year)
            periods = Int64(now.year) - base
        case .monthly:
            base = Int64(start.year * 12 + start.month - 1)
            periods = Int64(now.year * 12 + now.month - 1) - base
        case .weekly:
            let day = start.daysSinceEpoch
            let first = day - (CivilTime.weekday(daysSinceEpoch: day) - rule.weekStart + 7) % 7
            base = Int64(first)
            periods = CivilTime.floorDiv(Int64(now.daysSinceEpoch - first), 7)
        case .daily, .hourly, .minutely, .secondly:
            base = CivilTime.floorDiv(rule.start, unit)
            periods = CivilTime.floorDiv(from, unit) - base
        }
        if rule.followsRealTime, !Self.meetsItsTimes(rule, base * unit, interval * unit) { isOver = true }
        // The period that holds `from`, or the first one later that counts.
        index = max(0, CivilTime.floorDiv(periods + interval - 1, interval))
    }

    /// Whether periods so far apart ever begin at a time of day that the rule takes: every 120 minutes from 00:00 never are at
    /// seven o'clock.
    private static func meetsItsTimes(_ rule: RecurrenceRule, _ base: Int64, _ step: Int64) -> Bool {
        var (left, right) = (Int(step), 86_400)
        while right != 0 { (left, right) = (right, left % right) }
        let first = Int(base - CivilTime.floorDiv(base, 86_400) * 86_400) % left
        return stride(from: first, to: 86_400, by: left).contains { second in
            (rule.hours.isEmpty || rule.hours.contains(second / 3600))
                && (rule.frequency == .hourly || rule.minutes.isEmpty || rule.minutes.contains(second / 60 % 60))
                && (rule.frequency != .secondly || rule.seconds.isEmpty || rule.seconds.contains(second % 60))
        }
    }

    private static let lastDay = Int(ScheduleSpec.lastSecond / 86_400)

    private static func unit(_ frequency: RecurrenceRule.Frequency) -> Int64 {
        switch frequency {
        case .secondly: 1
        case .minutely: 60
        case .hourly: 3600
        case .daily, .weekly, .monthly, .yearly: 86_400
        }
    }

    /// Times of day of the days that match, in seconds after midnight, rising; for hourly rules within their hour, for
    /// minutely ones within their minute.
    private static func times(_ rule: RecurrenceRule, _ start: CivilTime) -> [Int] {
        let seconds = rule.seconds.isEmpty ? [start.second] : rule.seconds
        let minutes = rule.minutes.isEmpty ? [start.minute] : rule.minutes
        let hours = rule.hours.isEmpty ? [start.hour] : rule.hours
        switch rule.frequency {
        case .secondly: return [0]
        case .minutely: return seconds.sorted()
        case .hourly: return minutes.flatMap { minute in seconds.map { minute * 60 + $0 } }.sorted()
        default:
            return hours.flatMap { hour in minutes.flatMap { minute in seconds.map { hour * 3600 + minute * 60 + $0 } }
            }
            .sorted()
        }
    }

    /// The times of the next period that has some, rising; nil if none is found.
    mutating func next() -> [Int64]? {
        while steps > 0, !isOver {
            let set = rule.followsRealTime ? timesOfShortPeriod() : timesOfLongPeriod()
            if let set, !set.isEmpty { return set }
            if set == nil { return nil }
        }
        return nil
    }

    // MARK: Days and longer

    /// The days of the next period that has some, rising; nil if none is found.
    mutating func nextDays() -> [Int]? {
        while steps > 0 {
            guard let days = daysOfPeriod() else { return nil }
            if !days.isEmpty { return days }
        }
        return nil
    }

    /// Nil beyond the last year.
    private mutating func timesOfLongPeriod() -> [Int64]? {
        guard let matching = daysOfPeriod() else { return nil }
        guard !matching.isEmpty else { return [] }
        // Many times are made in the time of one look.
        steps -= matching.count * timesOfDay.count / 8
        return choose(matching.flatMap { day in timesOfDay.map { Int64(day) * 86_400 + Int64($0) } })
    }

    /// Nil beyond the last year.
    private mutating func daysOfPeriod() -> [Int]? {
        let number = base + index * Int64(rule.interval)
        index += 1
        var matching: [Int] = []
        switch rule.frequency {
        case .yearly:
            guard number <= 9999 else { return nil }
            steps -= 1
            for month in 1...12 where days.takes(month: month) {
                collect(month, Int(number), &matching)
            }
        case .monthly:
            guard number < 10_000 * 12 else { return nil }
            steps -= 1
            let month = Int(number % 12) + 1
            if rule.months.isEmpty || rule.months.contains(month) { collect(month, Int(number / 12), &matching) }
        case .weekly:
            let first = Int(base) + (Int(index) - 1) * rule.interval * 7
            guard first <= Self.lastDay else { return nil }
            collect(first..<first + 7, &matching)
        default:
            guard number <= Self.lastDay else { return nil }
            collect(Int(number)..<Int(number) + 1, &matching)
        }
        return matching
    }

    private mutating func collect(_ month: Int, _ year: Int, _ matching: inout [Int]) {
        let first = CivilTime.days(year: year, month: month, day: 1)
        collect(first..<first + CivilTime.daysInMonth(month, of: year), &matching)
    }

    private mutating func collect(_ range: Range<Int>, _ matching: inout [Int]) {
        steps -= range.count
        for day in range where days.contains(day) { matching.append(day) }
    }

    private mutating func choose(_ times: [Int64]) -> [Int64] {
        if rule.positions.isEmpty { return times }
        steps -= rule.positions.count / 4
        let chosen = rule.positions.compactMap { position -> Int64? in
            let index = position > 0 ? position - 1 : times.count + position
            return times.indices.contains(index) ? times[index] : nil
        }
        return Array(Set(chosen)).sorted()
    }

    // MARK: Hours and shorter

    private mutating func timesOfShortPeriod() -> [Int64]? {
        let unit = Self.unit(rule.frequency)
        let period = (base + index * Int64(rule.interval)) * unit
        let day = Int(CivilTime.floorDiv(period, 86_400))
        guard day <= Self.lastDay else { return nil }
        steps -= 1
        guard days.contains(day) else {
            var next = day + 1
            while steps > 0, next <= Self.lastDay, !days.contains(next) {
                next += 1
                steps -= 1
            }
            skip(to: Int64(next) * 86_400)
            return []
        }
        let second = Int(period - Int64(day) * 86_400)
        if !rule.hours.isEmpty, !rule.hours.contains(second / 3600) {
            let next = rule.hours.filter { $0 > second / 3600 }.min()
            skip(to: Int64(day) * 86_400 + Int64(next ?? 24) * 3600)
            return []
        }
        if unit < 3600, !rule.minutes.isEmpty, !rule.minutes.contains(second / 60 % 60) {
            let next = rule.minutes.filter { $0 > second / 60 % 60 }.min()
            skip(to: Int64(day) * 86_400 + Int64(second / 3600 * 3600 + (next ?? 60) * 60))
            return []
        }
        if unit == 1, !rule.seconds.isEmpty, !rule.seconds.contains(second % 60) {
            let next = rule.seconds.filter { $0 > second % 60 }.min()
            skip(to: Int64(day) * 86_400 + Int64(second / 60 * 60 + (next ?? 60)))
            return []
        }
        index += 1
        steps -= timesOfDay.count / 8
        return choose(timesOfDay.map { period + Int64($0) })
    }

    /// To the first period that begins at `local` or later.
    private mutating func skip(to local: Int64) {
        let step = Int64(rule.interval) * Self.unit(rule.frequency)
        let distance = local - base * Self.unit(rule.frequency)
        index = max(index + 1, CivilTime.floorDiv(distance + step - 1, step))
    }
}

/// Which days a recurrence rule takes.
struct RecurrenceDays {
    private let frequency: RecurrenceRule.Frequency
    private let weekStart: Int
    private let months: NumberSet
    private let monthDays: NumberSet
    private let yearDays: NumberSet
    private let weeks: NumberSet
    private let hasWeekdays: Bool
    /// By weekday: 0 for each of them, n for the n-th.
    private let weekdays: [NumberSet]

    /// With what its start says where the rule says nothing.
    init(_ rule: RecurrenceRule) {
        frequency = rule.frequency
        weekStart = rule.weekStart
        let start = CivilTime(secondsSinceEpoch: rule.start)
        var (months, monthDays, weekdays) = (rule.months, rule.monthDays, rule.weekdays)
        if rule.weeks.isEmpty, rule.yearDays.isEmpty, monthDays.isEmpty, weekdays.isEmpty {
            switch rule.frequency {
            case .yearly:
                if months.isEmpty { months = [start.month] }
                monthDays = [start.day]
            case .monthly: monthDays = [start.day]
            case .weekly: weekdays = [.init(weekday: start.weekday, number: 0)]
            default: break
            }
        }
        self.months = NumberSet(months)
        self.monthDays = NumberSet(monthDays)
        yearDays = NumberSet(rule.yearDays)
        weeks = NumberSet(rule.weeks)
        hasWeekdays = !weekdays.isEmpty
        self.weekdays = (0..<7).map { day in NumberSet(weekdays.filter { $0.weekday == day }.map(\.number)) }
    }

    func takes(month: Int) -> Bool { months.isEmpty || months.contains(month) }

    func contains(_ day: Int) -> Bool {
        let date = CivilTime.date(daysSinceEpoch: day)
        if !months.isEmpty, !months.contains(date.month) { return false }
        let length = CivilTime.daysInMonth(date.month, of: date.year)
        if !monthDays.isEmpty, !monthDays.contains(date.day), !monthDays.contains(date.day - length - 1) {
            return false
        }
        if hasWeekdays, !isWeekday(day, date, length) { return false }
        if !yearDays.isEmpty {
            let number = day - CivilTime.days(year: date.year, month: 1, day: 1) + 1
            let days = CivilTime.isLeap(date.year) ? 366 : 365
            if !yearDays.contains(number), !yearDays.contains(number - days - 1) { return false }
        }
        return weeks.isEmpty || isInWeeks(day, date.year)
    }

    private func isWeekday(_ day: Int, _ date: (year: Int, month: Int, day: Int), _ length: Int) -> Bool {
        let wanted = weekdays[CivilTime.weekday(daysSinceEpoch: day)]
        guard !wanted.isEmpty else { return false }
        if wanted.contains(0) { return true }
        if frequency == .monthly || !months.isEmpty {
            return wanted.contains((date.day - 1) / 7 + 1) || wanted.contains(-((length - date.day) / 7 + 1))
        }
        let passed = day - CivilTime.days(year: date.year, month: 1, day: 1)
        let rest = (CivilTime.isLeap(date.year) ? 365 : 364) - passed
        return wanted.contains(passed / 7 + 1) || wanted.contains(-(rest / 7 + 1))
    }

    /// Weeks begin on the rule's day; the first of a year has at least four days in it.
    private func isInWeeks(_ day: Int, _ year: Int) -> Bool {
        var year = year
        var first = firstWeek(of: year)
        if day < first {
            year -= 1
            first = firstWeek(of: year)
        } else if day >= firstWeek(of: year + 1) {
            year += 1
            first = firstWeek(of: year)
        }
        let number = (day - first) / 7 + 1
        let length = (firstWeek(of: year + 1) - first) / 7
        return weeks.contains(number) || weeks.contains(number - length - 1)
    }

    private func firstWeek(of year: Int) -> Int {
        let fourth = CivilTime.days(year: year, month: 1, day: 4)
        return fourth - (CivilTime.weekday(daysSinceEpoch: fourth) - weekStart + 7) % 7
    }
}

/// Numbers from -366 to 366: looked up at once, however many they are.
private struct NumberSet {
    private var flags: [Bool] = []

    init(_ numbers: [Int]) {
        guard !numbers.isEmpty else { return }
        flags = Array(repeating: false, count: 2 * 366 + 1)
        for number in numbers { flags[number + 366] = true }
    }

    var isEmpty: Bool { flags.isEmpty }

    func contains(_ number: Int) -> Bool { flags.indices.contains(number + 366) && flags[number + 366] }
}
