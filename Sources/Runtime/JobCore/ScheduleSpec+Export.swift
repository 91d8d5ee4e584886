/// A schedule as other programs write it, where they can say it.
extension ScheduleSpec {
    /// Five fields or a macro for crontab(5).
    ///
    /// Refused is what a crontab cannot say: seconds, `L`, `W` and `#`, other kinds than those below, and another rule for
    /// changes of clocks than Debian's (shift, first).
    package func crontabTimes(_ rule: ClockChangeRule) throws(FieldFault) -> String {
        switch self {
        case .event(let event) where event.delay == .zero: return "@reboot"
        case .cron(let cron):
            guard cron.dialect == .vixie else {
                throw Self.inexpressible("a crontab has no field for seconds (dialect \(cron.dialect.rawValue))")
            }
            if cron.hasRelativeDays {
                throw Self.inexpressible("crontab(5) knows neither L, W nor #: \(cron.text)")
            }
            try Self.checkRule(rule, cron.followsRealTime)
            return cron.text
        case .calendar(let calendar):
            guard Set(calendar.secondsOfDay.map { $0 % 3600 }).count == 1, calendar.secondsOfDay[0] % 60 == 0 else {
                throw Self.inexpressible("its times of day are not one minute of some hours: a line for each is needed")
            }
            try Self.checkRule(rule, false)
            let minute = calendar.secondsOfDay[0] / 60 % 60
            let hours = calendar.secondsOfDay.map { String($0 / 3600) }.joined(separator: ",")
            return "\(minute) \(hours) " + (try Self.crontabDays(calendar.days))
        case .interval(let every, let anchor):
            let seconds = every.wholeMilliseconds / 1000
            let start = CivilTime(secondsSinceEpoch: anchor.seconds)
            guard every.wholeMilliseconds % 60_000 == 0, start.second == 0, anchor.micros % 1_000_000 == 0 else {
                break
            }
            if seconds < 3600, 3600 % seconds == 0, start.minute % Int(seconds / 60) == 0 {
                return seconds == 60 ? "* * * * *" : "*/\(seconds / 60) * * * *"
            }
            if seconds == 3600 { return "\(start.minute) * * * *" }
        default: break
        }
        throw Self.inexpressible("a crontab cannot say this (kind \(kind))")
    }

    private static func crontabDays(_ days: CalendarRule.Days) throws(FieldFault) -> String {
        switch days {
        case .every(1, _): return "* * *"
        case .weekdays(let set): return "* * " + set.sorted().map(String.init).joined(separator: ",")
        case .dayOfMonth(let day) where day <= 28: return "\(day) * *"
        default: throw inexpressible("a crontab cannot say such days of the calendar")
        }
    }

    private static func checkRule(_ rule: ClockChangeRule, _ followsRealTime: Bool) throws(FieldFault) {
        if !followsRealTime, rule != ClockChangeRule() {
            throw inexpressible("cron shifts out of a gap and takes the first of a fold; this schedule does not")
        }
    }

    /// `DTSTART` and `RRULE` lines of iCalendar with the zone's name, for a `VEVENT`.
    package func icalendarLines(zone name: String, rules: some ZoneRules) throws(FieldFault) -> [String] {
        let head = name == "UTC" ? "" : ";TZID=\(name)"
        let tail = name == "UTC" ? "Z" : ""
        func times(_ list: [Int64]) -> String { list.map { ICalendarTime.text($0) + tail }.joined(separator: ",") }
        switch self {
        case .once(let at): return ["DTSTART:\(ICalendarTime.text(at.seconds))Z"]
        case .onceLocal(let local): return ["DTSTART\(head):\(ICalendarTime.text(local))\(tail)"]
        case .recurrence(let rule):
            var lines = ["DTSTART\(head):\(ICalendarTime.text(rule.start))\(tail)", "RRULE:" + rule.text]
            if !rule.added.isEmpty { lines.append("RDATE\(head):" + times(rule.added)) }
            if !rule.removed.isEmpty { lines.append("EXDATE\(head):" + times(rule.removed)) }
            return lines
        case .calendar(let calendar):
            let (rule, from) = try Self.rule(calendar)
            guard let start = calendar.first(atOrAfter: from) else { break }
            return ["DTSTART\(head):\(ICalendarTime.text(start))\(tail)", "RRULE:" + rule]
        case .interval(let every, let anchor) where every.wholeMilliseconds % 1000 == 0:
            return [
                "DTSTART:\(ICalendarTime.text(anchor.seconds))Z",
                "RRULE:FREQ=SECONDLY;INTERVAL=\(every.wholeMilliseconds / 1000)",
            ]
        default: break
        }
        throw Self.inexpressible("iCalendar cannot say this (kind \(kind)); its next times can be exported one by one")
    }

    private static func rule(_ calendar: CalendarRule) throws(FieldFault) -> (String, from: Int64) {
        let names = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]
        func list(_ set: Set<Int>) -> String { set.sorted().map { names[$0] }.joined(separator: ",") }
        let seconds = calendar.secondsOfDay
        var time = ""
        if seconds.count > 1 {
            guard Set(seconds.map { $0 % 3600 }).count == 1 else {
                throw inexpressible("its times of day are not one minute of some hours")
            }
            time = ";BYHOUR=" + seconds.map { String($0 / 3600) }.joined(separator: ",")
        }
        switch calendar.days {
        case .every(let step, let from): return ("FREQ=DAILY;INTERVAL=\(step)\(time)", Int64(from) * 86_400)
        case .weekdays(let set): return ("FREQ=WEEKLY;BYDAY=\(list(set))\(time)", 0)
        case .weeks(let step, let from, let set):
            return ("FREQ=WEEKLY;INTERVAL=\(step);BYDAY=\(list(set))\(time)", Int64(from - 6) * 86_400)
        case .dayOfMonth(let day): return ("FREQ=MONTHLY;\(clamped(day, seconds.count))\(time)", 0)
        case .months(let step, let from, let day):
            let part =
                switch day {
                case .day(let number): clamped(number, seconds.count)
                case .last: "BYMONTHDAY=-1"
                case .lastWorkday: "BYDAY=MO,TU,WE,TH,FR" + last(seconds.count)
                case .weekday(let nth, let weekday): "BYDAY=\(nth)\(names[weekday])"
                }
            let date = CivilTime.date(daysSinceEpoch: from)
            return (
                "FREQ=MONTHLY;INTERVAL=\(step);\(part)\(time)",
                Int64(CivilTime.days(year: date.year, month: date.month, day: 1)) * 86_400
            )
        }
    }

    /// A day that shorter months have as their last.
    private static func clamped(_ day: Int, _ times: Int) -> String {
        if day <= 28 { return "BYMONTHDAY=\(day)" }
        return "BYMONTHDAY=" + (28...day).map(String.init).joined(separator: ",") + last(times)
    }

    /// All times of the last day, where a rule counts times rather than days.
    private static func last(_ times: Int) -> String {
        ";BYSETPOS=" + (1...times).reversed().map { "-\($0)" }.joined(separator: ",")
    }

    private static func inexpressible(_ detail: String) -> FieldFault {
        FieldFault(pointer: "/spec", code: "not_expressible", detail: detail)
    }
}

extension CronExpression {
    /// `L`, `W` or `#` among its days.
    var hasRelativeDays: Bool {
        monthDays.beforeLast != 0 || monthDays.nearest != 0 || monthDays.lastWorkday || weekdays.numbered != 0
    }
}
