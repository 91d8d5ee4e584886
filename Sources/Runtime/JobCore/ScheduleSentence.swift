/// Schedules in English words, for lists and previews: "At 02:30 on Monday to Friday".
package struct ScheduleSentence {
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    private static let months = [
        "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November",
        "December",
    ]
    private static let ordinals = ["", "first", "second", "third", "fourth", "fifth"]

    package static func of(_ spec: ScheduleSpec, zone: some ZoneRules) -> String {
        switch spec {
        case .once(let at): "Once at " + moment(zone.local(at: at.seconds).secondsSinceEpoch)
        case .onceLocal(let local): "Once at " + moment(local)
        case .interval(let every, let anchor):
            "Every \(span(every)), counted from " + moment(zone.local(at: anchor.seconds).secondsSinceEpoch)
        case .cron(let cron): sentence(cron)
        case .calendar(let rule): sentence(rule)
        case .onCalendar(let event): sentence(event)
        case .recurrence(let rule): sentence(rule)
        case .after(let after):
            (after.delay > .zero ? "\(length(after.delay)) after" : "After")
                + " a run of \(after.job) has " + list(after.outcomes.map(word), "or")
        case .event(let event):
            event.delay > .zero ? "\(length(event.delay)) after a host has started" : "When a host has started"
        }
    }

    private static func word(_ state: RunState) -> String {
        state == .cancelled ? "been cancelled" : state.rawValue
    }

    // MARK: Kinds

    private static func sentence(_ cron: CronExpression) -> String {
        var parts = [times(cron.times)]
        let date = monthDays(cron)
        let weekday = cron.weekdayIsStar && cron.weekdays.days == 0x7F ? nil : weekdays(cron.weekdays)
        switch (date, weekday) {
        case (let date?, let weekday?):
            parts.append(cron.combinesDaysByOr ? "on \(date) and on \(weekday)" : "on \(date) if it is \(weekday)")
        case (let date?, nil): parts.append("on \(date)")
        case (nil, let weekday?): parts.append("on \(weekday)")
        case (nil, nil): break
        }
        if let months = monthNames(cron.months) { parts.append("in \(months)") }
        if date == nil, weekday == nil, cron.times.values(limit: 4) != nil { parts.append("every day") }
        return parts.joined(separator: " ")
    }

    private static func monthDays(_ cron: CronExpression) -> String? {
        if cron.dayOfMonthIsStar && cron.monthDays.days == 0xFFFF_FFFE { return nil }
        let field = cron.monthDays
        var names: [String] = []
        let plain = bits(field.days)
        if !plain.isEmpty { names.append((plain.count == 1 ? "day " : "days ") + ranges(plain)) }
        for number in bits(field.beforeLast) {
            names.append(number == 0 ? "the last day" : "the \(count(number, "day")) before the last")
        }
        for number in bits(field.nearest) { names.append("the weekday nearest to day \(number)") }
        if field.lastWorkday { names.append("the last weekday") }
        return list(names) + " of the month"
    }

    private static func weekdays(_ field: CronWeekdays) -> String {
        var names: [String] = []
        if field.days != 0 { names.append(weekdays(field.days)) }
        for bit in bits(field.numbered) {
            let ordinal = bit >= 35 ? "last" : ordinals[bit / 7 + 1]
            names.append("the \(ordinal) \(days[bit % 7]) of the month")
        }
        return list(names)
    }

    private static func sentence(_ rule: CalendarRule) -> String {
        let at = "At " + list(rule.secondsOfDay.map(clock))
        switch rule.days {
        case .every(1, _): return at + " every day"
        case .every(let step, let from): return at + " every \(step) days from \(CivilText.date(from))"
        case .weekdays(let set): return at + " on " + weekdays(mask(set))
        case .weeks(let step, let from, let set):
            return at + " on \(weekdays(mask(set))) every \(step) weeks from the week of \(CivilText.date(from))"
        case .dayOfMonth(let day): return at + " on \(monthDay(.day(day))) of the month"
        case .months(let step, let from, let day):
            let every = step == 1 ? "of the month" : "every \(step) months from \(CivilText.date(from).prefix(7))"
            return at + " on \(monthDay(day)) \(every)"
        }
    }

    private static func monthDay(_ day: CalendarRule.MonthDay) -> String {
        switch day {
        case .day(let number): number > 28 ? "day \(number), or the last," : "day \(number)"
        case .last: "the last day"
        case .lastWorkday: "the last Monday-to-Friday day"
        case .weekday(let nth, let weekday): "the \(nth < 0 ? "last" : ordinals[nth]) \(days[weekday])"
        }
    }

    private static func sentence(_ event: OnCalendar) -> String {
        var parts = [times(event.times)]
        if !event.days.isEmpty {
            let numbers = event.days.map { item -> String in
                let stop = item.stop.map(String.init) ?? (event.countsFromEnd ? "1" : "31")
                let every = item.step > 1 ? " in steps of \(item.step)" : ""
                return item.step == 0 ? String(item.start) : "\(item.start) to \(stop)" + every
            }
            parts.append("on day " + list(numbers) + (event.countsFromEnd ? " from the end" : "") + " of the month")
        }
        if event.weekdays != 0x7F {
            parts.append((event.days.isEmpty ? "on " : "if it is ") + weekdays(event.weekdays))
        }
        if let months = monthNames(OnCalendar.mask(event.months, 1...12)) { parts.append("in \(months)") }
        if !event.years.isEmpty {
            parts.append("of " + list(event.years.map { $0.step == 0 ? "\($0.start)" : "\($0.start) and on" }))
        }
        return parts.joined(separator: " ")
    }

    private static func sentence(_ rule: RecurrenceRule) -> String {
        let units = ["second", "minute", "hour", "day", "week", "month", "year"]
        let unit = units[RecurrenceRule.Frequency.allCases.firstIndex(of: rule.frequency) ?? 0]
        var text = rule.interval == 1 ? "Every \(unit)" : "Every \(rule.interval) \(unit)s"
        func add(_ before: String, _ numbers: [Int]) {
            if !numbers.isEmpty { text += " \(before) " + list(numbers.map(String.init)) }
        }
        if !rule.months.isEmpty { text += " in " + list(rule.months.map { months[$0] }) }
        add("in week", rule.weeks)
        add("on day of the year", rule.yearDays)
        add("on day of the month", rule.monthDays)
        if !rule.weekdays.isEmpty {
            text +=
                " on "
                + list(
                    rule.weekdays.map { day in
                        switch day.number {
                        case 0: return days[day.weekday]
                        case -1: return "the last " + days[day.weekday]
                        case 1...5: return "the \(ordinals[day.number]) \(days[day.weekday])"
                        default: return "\(days[day.weekday]) number \(day.number)"
                        }
                    })
        }
        add("in hour", rule.frequency == .hourly || rule.followsRealTime ? rule.hours : [])
        add("at minute", rule.followsRealTime ? rule.minutes : [])
        add("at second", rule.followsRealTime ? rule.seconds : [])
        if !rule.followsRealTime {
            let start = CivilTime(secondsSinceEpoch: rule.start)
            let mask = TimeMask(
                hours: mask(Set(rule.hours.isEmpty ? [start.hour] : rule.hours)),
                minutes: mask(Set(rule.minutes.isEmpty ? [start.minute] : rule.minutes)),
                seconds: mask(Set(rule.seconds.isEmpty ? [start.second] : rule.seconds)))
            let words = times(mask)
            text += " " + words.prefix(1).lowercased() + words.dropFirst()
        }
        add("of which only number", rule.positions)
        if let count = rule.count { text += ", " + (count == 1 ? "once" : "\(count) times") }
        switch rule.until {
        case .local(let end): text += ", until " + moment(end)
        case .universal(let end): text += ", until \(moment(end)) UTC"
        case nil: break
        }
        return text + ", from " + moment(rule.start)
    }

    // MARK: Parts

    private static func times(_ mask: TimeMask) -> String {
        if let values = mask.values(limit: 4) { return "At " + list(values.map(clock)) }
        let (hours, minutes, seconds) = (bits(mask.hours), bits(mask.minutes), bits(mask.seconds))
        var parts: [String] = []
        if seconds != [0] { parts.append(steps(seconds, 60, "second")) }
        if seconds == [0] || minutes.count < 60 { parts.append(steps(minutes, 60, "minute")) }
        if hours.count < 24 {
            parts.append(
                hours.count == 1 ? "of hour \(hours[0])" : "of " + steps(hours, 24, "hour").replacing("at ", with: ""))
        } else if parts.last?.hasPrefix("at ") == true {
            parts.append("of every hour")
        }
        let text = parts.joined(separator: " ")
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    /// `every minute`, `every 5 minutes`, `at minutes 5 and 7`.
    private static func steps(_ values: [Int], _ size: Int, _ unit: String) -> String {
        if values.count == size { return "every \(unit)" }
        if values.count > 2 {
            let step = values[1] - values[0]
            let isEven = zip(values, values.dropFirst()).allSatisfy { $1 - $0 == step }
            if isEven, step > 1, values[0] < step, values[values.count - 1] + step >= size {
                return "every \(step) \(unit)s" + (values[0] == 0 ? "" : " from \(unit) \(values[0])")
            }
        }
        return values.count == 1 ? "at \(unit) \(values[0])" : "at \(unit)s " + ranges(values)
    }

    private static func weekdays(_ mask: UInt64) -> String {
        // Weeks begin on Monday in lists, and so that Monday to Sunday is a range.
        let numbers = (1...7).filter { mask >> ($0 % 7) & 1 == 1 }
        if numbers == Array(1...5) { return "Monday to Friday" }
        return list(
            runs(numbers).flatMap { run -> [String] in
                run.count > 2
                    ? ["\(days[run.lowerBound % 7]) to \(days[run.upperBound % 7])"] : run.map { days[$0 % 7] }
            })
    }

    private static func monthNames(_ mask: UInt64) -> String? {
        let numbers = bits(mask).filter { (1...12).contains($0) }
        if numbers.count == 12 { return nil }
        return list(
            runs(numbers).flatMap { run -> [String] in
                run.count > 2 ? ["\(months[run.lowerBound]) to \(months[run.upperBound])"] : run.map { months[$0] }
            })
    }

    private static func ranges(_ values: [Int]) -> String {
        list(
            runs(values).flatMap { run -> [String] in
                run.count > 2 ? ["\(run.lowerBound) to \(run.upperBound)"] : run.map(String.init)
            })
    }

    private static func runs(_ values: [Int]) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for value in values {
            if let last = result.last, last.upperBound + 1 == value {
                result[result.count - 1] = last.lowerBound...value
            } else {
                result.append(value...value)
            }
        }
        return result
    }

    private static func bits(_ mask: UInt64) -> [Int] { (0..<64).filter { mask >> $0 & 1 == 1 } }
    private static func mask(_ set: Set<Int>) -> UInt64 { set.reduce(0) { $0 | 1 << $1 } }
    private static func count(_ number: Int, _ unit: String) -> String {
        number == 1 ? "1 \(unit)" : "\(number) \(unit)s"
    }

    /// `02:30`, with seconds if there are some.
    static func clock(_ second: Int) -> String {
        let text = CivilText.time(second)
        return second % 60 == 0 ? String(text.dropLast(3)) : text
    }

    /// `2026-11-21 02:30`.
    static func moment(_ local: Int64) -> String {
        let text = CivilText.local(local)
        return text.prefix(10) + " " + (text.hasSuffix(":00") ? text.dropFirst(11).dropLast(3) : text.dropFirst(11))
    }

    static func span(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        for (size, unit) in [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second")]
            as [(Int64, String)]
        where milliseconds % size == 0 {
            let number = Int(milliseconds / size)
            return number == 1 ? unit : "\(number) \(unit)s"
        }
        return "\(milliseconds) milliseconds"
    }

    /// A span as a length: `1 minute`, where `span` says `minute`.
    static func length(_ duration: Duration) -> String {
        let text = span(duration)
        return text.first?.isNumber == true ? text : "1 " + text
    }

    static func list(_ words: [String], _ last: String = "and") -> String {
        guard let end = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " \(last) " + end
    }
}
