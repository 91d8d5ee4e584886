/// A cron expression.
///
/// Lists, ranges, steps (`*/15`, `8-18/2`), English names of months and days, 7 for Sunday; `L`, `L-3`, `15W` and `LW` as day
/// of month, `5L`, `FRIL` and `FRI#2` as day of week; the macros `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`,
/// `@midnight`, `@hourly`. If neither day field begins with `*`, a day matches when either does (crontab(5), Paul Vixie's
/// rule); otherwise both must.
package struct CronExpression: Hashable, Sendable {
    /// Who else reads the expression so. There is no guessing: six fields mean different things to different programs.
    package enum Dialect: String, CaseIterable, Sendable {
        /// Five fields, as crontab(5) of Debian.
        case vixie
        /// The same with seconds in front.
        case seconds
        /// Six fields with seconds in front, days of the week from 1 (Sunday) to 7, `?` for the day field that does not
        /// matter, steps without a range (`0/15`).
        case quartz
    }

    /// As it was written, with single spaces.
    package let text: String
    package let dialect: Dialect
    // Bit n: value n matches.
    let times: TimeMask
    let months: UInt64
    let monthDays: CronMonthDays
    let weekdays: CronWeekdays
    let dayOfMonthIsStar: Bool
    let weekdayIsStar: Bool
    /// A field of the time of day begins with `*`: the schedule follows elapsed time rather than the clock on the wall.
    package let followsRealTime: Bool

    package init(_ expression: String, dialect: Dialect = .vixie) throws(FieldFault) {
        let words = expression.split(whereSeparator: \.isWhitespace).map(String.init)
        text = words.joined(separator: " ")
        self.dialect = dialect
        var fields = words
        if words.count == 1, let macro = words.first, macro.hasPrefix("@") {
            guard let meaning = Self.macros[macro.lowercased()] else {
                throw FieldFault(
                    pointer: "", code: "cron_unknown_macro",
                    detail: "unknown macro \(macro); known are " + Self.macros.keys.sorted().joined(separator: ", "))
            }
            fields = ["0"] + meaning.split(separator: " ").map(String.init)
        } else if dialect == .vixie {
            guard fields.count == 5 else { throw Self.fieldCount(fields.count) }
            fields.insert("0", at: 0)
        } else if fields.count != 6 {
            throw FieldFault(
                pointer: "", code: "cron_fields",
                detail: "in the dialect \(dialect) a cron expression has six fields "
                    + "(second minute hour day month weekday), this one has \(fields.count)")
        }
        if dialect == .quartz, !["*", "?"].contains(fields[3]), !["*", "?"].contains(fields[5]) {
            throw FieldFault(
                pointer: "", code: "cron_syntax",
                detail: "in the dialect quartz one of day of month and day of week must be ?")
        }
        let isQuartz = dialect == .quartz
        times = TimeMask(
            hours: try CronField.hour.parse(fields[2], isQuartz),
            minutes: try CronField.minute.parse(fields[1], isQuartz),
            seconds: try CronField.second.parse(fields[0], isQuartz))
        monthDays = try CronMonthDays(fields[3], isQuartz)
        months = try CronField.month.parse(fields[4], isQuartz)
        weekdays = try CronWeekdays(fields[5], isQuartz)
        followsRealTime = fields[0...2].contains { $0.hasPrefix("*") }
        dayOfMonthIsStar = fields[3].hasPrefix("*") || fields[3] == "?"
        weekdayIsStar = fields[5].hasPrefix("*") || fields[5] == "?"
    }

    private static func fieldCount(_ count: Int) -> FieldFault {
        var detail = "a cron expression has five fields (minute hour day month weekday), this one has \(count)"
        if count == 6 { detail += "; with seconds in front it is of the dialect seconds, or quartz" }
        return FieldFault(pointer: "", code: "cron_fields", detail: detail)
    }

    private static let macros = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    func matches(_ day: Int, year: Int, month: Int, dayOfMonth: Int) -> Bool {
        let byDate = monthDays.contains(day: dayOfMonth, month: month, year: year, daysSinceEpoch: day)
        let byWeekday = weekdays.contains(
            CivilTime.weekday(daysSinceEpoch: day), day: dayOfMonth, of: CivilTime.daysInMonth(month, of: year))
        return dayOfMonthIsStar || weekdayIsStar ? byDate && byWeekday : byDate || byWeekday
    }

    /// Both day fields say something, and either is enough: what surprises people most about cron.
    package var combinesDaysByOr: Bool { !dayOfMonthIsStar && !weekdayIsStar }
}

extension CronExpression: DayTimes {
    /// Days looked at before giving up: a 29 February on a given weekday can be 40 years away (around 2100).
    private static let horizonDays = 41 * 366

    func day(atOrAfter day: Int) -> Int? {
        var day = day
        let end = day + Self.horizonDays
        while day < end {
            let date = CivilTime.date(daysSinceEpoch: day)
            let length = CivilTime.daysInMonth(date.month, of: date.year)
            let last = day + length - date.day
            if months >> date.month & 1 == 1 {
                for candidate in day...last
                where matches(candidate, year: date.year, month: date.month, dayOfMonth: date.day + candidate - day) {
                    return candidate
                }
            }
            day = last + 1
        }
        return nil
    }

    func second(atOrAfter second: Int) -> Int? { times.second(atOrAfter: second) }
}
