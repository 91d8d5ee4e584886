extension RecurrenceRule {
    /// Reads `FREQ=…;…`, with or without `RRULE:` before it, or lines of iCalendar: `DTSTART`, `RRULE`, `RDATE`, `EXDATE`.
    /// - Parameters:
    ///   - start: on the wall, for a text without `DTSTART`.
    ///   - zone: in which times with `Z` are put on the wall.
    ///   - zoneName: its name, which a `TZID` must be.
    package init(
        _ text: String, start: Int64, zone: some ZoneRules, zoneName: String? = nil
    ) throws(FieldFault) {
        var given: Int64?
        var rule: String?
        var added: [Int64] = []
        var removed: [Int64] = []
        for line in text.split(whereSeparator: \.isNewline).map({ $0.trimmed }) where !line.isEmpty {
            let name = line.prefix { $0 != ":" && $0 != ";" && $0 != "=" }.uppercased()
            let content = ICalendarLine(line)
            let value = content?.value
            if ["DTSTART", "RDATE", "EXDATE", "RRULE"].contains(name), let content {
                try Self.check(content, zoneName)
            }
            switch name {
            case "DTSTART": given = try ICalendarTime.local(value ?? "", zone, "DTSTART")
            case "RDATE": added += try ICalendarTime.locals(value ?? "", zone, "RDATE")
            case "EXDATE": removed += try ICalendarTime.locals(value ?? "", zone, "EXDATE")
            case "RRULE", "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST",
                // A rule may begin with any of its parts.
                _ where name.hasPrefix("BY"):
                guard rule == nil else { throw Self.fault("rrule_syntax", "more than one rule") }
                rule = name == "RRULE" ? value ?? "" : line
            default: throw Self.fault("rrule_syntax", "\(name) is no part of a rule")
            }
        }
        guard let rule else { throw Self.fault("rrule_syntax", "there is no FREQ") }
        try self.init(parts: rule, start: given ?? start, zone)
        self.added = Array(Set(added)).sorted()
        self.removed = Array(Set(removed)).sorted()
        try checkDates("")
    }

    /// A zone of its own would be lost: there is one for all times of a schedule.
    private static func check(_ line: ICalendarLine, _ zoneName: String?) throws(FieldFault) {
        for (name, value) in line.parameters.sorted(by: { $0.key < $1.key }) {
            if name == "VALUE", line.name != "RRULE" { continue }
            guard name == "TZID", line.name != "RRULE" else {
                throw fault("rrule_syntax", "\(line.name) takes no parameter \(name)")
            }
            guard value == zoneName else {
                let given = zoneName.map { ", which is \($0)," } ?? ""
                throw fault(
                    "rrule_syntax",
                    "\(line.name) is in the zone \(value): set the schedule's timezone\(given) to it")
            }
        }
    }

    /// What is taken can be read back: text and lists together.
    func checkDates(_ pointer: String) throws(FieldFault) {
        guard added.count + removed.count > Self.mostDates else { return }
        throw FieldFault(
            pointer: pointer, code: "rrule_too_large",
            detail: "recurrence rule: RDATE and EXDATE name more than \(Self.mostDates) times together")
    }

    private init(parts text: String, start: Int64, _ zone: some ZoneRules) throws(FieldFault) {
        var values: [String: String] = [:]
        for part in text.split(separator: ";") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[1].isEmpty else {
                throw Self.fault("rrule_syntax", "\(part) is no name=value")
            }
            let name = halves[0].uppercased()
            guard values.updateValue(halves[1].uppercased(), forKey: name) == nil else {
                throw Self.fault("rrule_syntax", "\(name) stands twice")
            }
        }
        guard let frequency = values.removeValue(forKey: "FREQ").flatMap({ Frequency(rawValue: $0.lowercased()) })
        else {
            throw Self.fault(
                "rrule_syntax",
                "FREQ must be one of " + Frequency.allCases.map { $0.rawValue.uppercased() }.joined(separator: ", "))
        }
        self.init(frequency: frequency, start: start)
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "INTERVAL": interval = try Self.number(value, 1...100_000, name)
            case "COUNT": count = try Self.number(value, 1...Self.largestCount, name)
            case "UNTIL": until = try ICalendarTime.end(value, "UNTIL")
            case "BYSECOND": seconds = try Self.list(value, 0...59, name, isSigned: false)
            case "BYMINUTE": minutes = try Self.list(value, 0...59, name, isSigned: false)
            case "BYHOUR": hours = try Self.list(value, 0...23, name, isSigned: false)
            case "BYDAY": weekdays = try Self.weekdays(value)
            case "BYMONTHDAY": monthDays = try Self.list(value, 1...31, name, isSigned: true)
            case "BYYEARDAY": yearDays = try Self.list(value, 1...366, name, isSigned: true)
            case "BYWEEKNO": weeks = try Self.list(value, 1...53, name, isSigned: true)
            case "BYMONTH": months = try Self.list(value, 1...12, name, isSigned: false)
            case "BYSETPOS": positions = try Self.list(value, 1...366, name, isSigned: true)
            case "WKST": weekStart = try Self.weekday(value)
            default: throw Self.fault("rrule_syntax", "\(name) is no part of a rule")
            }
        }
        try check()
    }

    /// What RFC 5545 rules out.
    private func check() throws(FieldFault) {
        if count != nil && until != nil { throw Self.fault("rrule_syntax", "COUNT and UNTIL exclude each other") }
        if !weeks.isEmpty && frequency != .yearly { throw Self.fault("rrule_syntax", "BYWEEKNO needs FREQ=YEARLY") }
        if !yearDays.isEmpty && [.daily, .weekly, .monthly].contains(frequency) {
            throw Self.fault("rrule_syntax", "BYYEARDAY does not go with FREQ=\(frequency.rawValue.uppercased())")
        }
        if !monthDays.isEmpty && frequency == .weekly {
            throw Self.fault("rrule_syntax", "BYMONTHDAY does not go with FREQ=WEEKLY")
        }
        if weekdays.contains(where: { $0.number != 0 }), frequency != .monthly && frequency != .yearly || !weeks.isEmpty
        {
            throw Self.fault("rrule_syntax", "a numbered BYDAY needs FREQ=MONTHLY or YEARLY, without BYWEEKNO")
        }
        if !positions.isEmpty, [seconds, minutes, hours, monthDays, yearDays, weeks, months].allSatisfy(\.isEmpty),
            weekdays.isEmpty
        {
            throw Self.fault("rrule_syntax", "BYSETPOS needs another BY part")
        }
        guard mostDays * mostTimesOfDay <= Self.largestPeriod else {
            throw Self.fault(
                "rrule_too_large",
                "it may name \(mostDays * mostTimesOfDay) times in one period, more than \(Self.largestPeriod)")
        }
    }

    /// Of one of its periods.
    private var mostDays: Int {
        func orOne(_ list: [Int]) -> Int { max(list.count, 1) }
        let each = weekdays.contains { $0.number == 0 }
        switch frequency {
        case .secondly, .minutely, .hourly, .daily: return 1
        case .weekly: return max(Set(weekdays.map(\.weekday)).count, 1)
        case .monthly:
            if monthDays.isEmpty { return each ? 31 : min(orOne(weekdays.map(\.number)), 31) }
            return min(monthDays.count, 31)
        case .yearly:
            let number = months.isEmpty ? 12 : months.count
            let isBare = weeks.isEmpty && yearDays.isEmpty && monthDays.isEmpty && weekdays.isEmpty
            var most = isBare ? orOne(months) : min(number * 31, 366)
            if !monthDays.isEmpty { most = min(most, number * monthDays.count) }
            if !yearDays.isEmpty { most = min(most, yearDays.count) }
            if !weeks.isEmpty { most = min(most, weeks.count * 7) }
            if !weekdays.isEmpty, !each { most = min(most, weekdays.count * (months.isEmpty ? 1 : months.count)) }
            return most
        }
    }

    private var mostTimesOfDay: Int {
        let (second, minute, hour) = (max(seconds.count, 1), max(minutes.count, 1), max(hours.count, 1))
        return switch frequency {
        case .secondly: 1
        case .minutely: second
        case .hourly: second * minute
        default: second * minute * hour
        }
    }

    /// More than there are different values for is a mistake.
    private static func parts(_ text: String, _ name: String) throws(FieldFault) -> [Substring] {
        let parts = text.split(separator: ",", maxSplits: 1000, omittingEmptySubsequences: false)
        guard parts.count <= 1000 else { throw fault("rrule_too_large", "\(name) has more than 1000 values") }
        return parts
    }

    private static func number(_ text: String, _ range: ClosedRange<Int>, _ name: String) throws(FieldFault) -> Int {
        guard let number = CronField.plainNumber(text), range.contains(number) else {
            throw fault("rrule_out_of_range", "\(name) must be \(range.lowerBound) to \(range.upperBound), not \(text)")
        }
        return number
    }

    private static func list(
        _ text: String, _ range: ClosedRange<Int>, _ name: String, isSigned: Bool
    ) throws(FieldFault) -> [Int] {
        var numbers: Set<Int> = []
        for part in try parts(text, name) {
            let negative = isSigned && part.hasPrefix("-")
            let digits = negative || isSigned && part.hasPrefix("+") ? part.dropFirst() : part
            let number = try number(String(digits), range, name)
            numbers.insert(negative ? -number : number)
        }
        return numbers.sorted()
    }

    private static let weekdayNames = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]

    private static func weekday(_ text: some StringProtocol) throws(FieldFault) -> Int {
        guard let day = weekdayNames.firstIndex(of: String(text)) else {
            throw fault("rrule_syntax", "\(text) is no weekday: \(weekdayNames.joined(separator: ", "))")
        }
        return day
    }

    private static func weekdays(_ text: String) throws(FieldFault) -> [WeekdayNumber] {
        var result: [WeekdayNumber] = []
        for part in try parts(text, "BYDAY") {
            var number = 0
            if part.utf8.count > 2 {
                let sign = part.hasPrefix("-") ? -1 : 1
                let digits = part.dropLast(2).drop { $0 == "-" || $0 == "+" }
                number = try Self.number(String(digits), 1...53, "BYDAY") * sign
            }
            let day = WeekdayNumber(weekday: try weekday(part.suffix(2)), number: number)
            if !result.contains(day) { result.append(day) }
        }
        return result
    }

    static func fault(_ code: String, _ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: code, detail: "recurrence rule: \(detail)")
    }

    /// `FREQ=…` with its parts in the order of RFC 5545.
    package var text: String {
        var parts = ["FREQ=" + frequency.rawValue.uppercased()]
        func add(_ name: String, _ values: [Int]) {
            if !values.isEmpty { parts.append("\(name)=" + values.map(String.init).joined(separator: ",")) }
        }
        switch until {
        case .local(let end): parts.append("UNTIL=" + ICalendarTime.text(end))
        case .universal(let end): parts.append("UNTIL=" + ICalendarTime.text(end) + "Z")
        case nil: break
        }
        if let count { parts.append("COUNT=\(count)") }
        if interval > 1 { parts.append("INTERVAL=\(interval)") }
        add("BYSECOND", seconds)
        add("BYMINUTE", minutes)
        add("BYHOUR", hours)
        if !weekdays.isEmpty {
            let days = weekdays.map { ($0.number == 0 ? "" : String($0.number)) + Self.weekdayNames[$0.weekday] }
            parts.append("BYDAY=" + days.joined(separator: ","))
        }
        add("BYMONTHDAY", monthDays)
        add("BYYEARDAY", yearDays)
        add("BYWEEKNO", weeks)
        add("BYMONTH", months)
        add("BYSETPOS", positions)
        if weekStart != 1 { parts.append("WKST=" + Self.weekdayNames[weekStart]) }
        return parts.joined(separator: ";")
    }
}

/// Dates and times as iCalendar writes them: `20261121`, `20261121T023000`, `20261121T013000Z`.
enum ICalendarTime {
    /// - Returns: on the wall, or universal if it ends with `Z`; a date alone is its midnight.
    static func parse(_ text: some StringProtocol) -> (seconds: Int64, isUniversal: Bool, isDate: Bool)? {
        var reader = DigitReader(Array(text.utf8))
        guard let year = reader.number(4), let month = reader.number(2), let day = reader.number(2), year >= 1,
            (1...12).contains(month), day >= 1, day <= CivilTime.daysInMonth(month, of: year)
        else { return nil }
        var time = CivilTime(year: year, month: month, day: day)
        if reader.isAtEnd { return (time.secondsSinceEpoch, false, true) }
        guard reader.skip("T") || reader.skip("t"), let hour = reader.number(2), let minute = reader.number(2),
            let second = reader.number(2), hour < 24, minute < 60, second <= 60
        else { return nil }
        (time.hour, time.minute, time.second) = (hour, minute, second)
        let isUniversal = reader.skip("Z") || reader.skip("z")
        return reader.isAtEnd ? (time.secondsSinceEpoch, isUniversal, false) : nil
    }

    static func local(_ text: some StringProtocol, _ zone: some ZoneRules, _ name: String) throws(FieldFault) -> Int64 {
        guard let time = parse(text) else {
            throw RecurrenceRule.fault("rrule_bad_time", "\(name): \(text) is no time such as 20261121T023000")
        }
        let local = time.isUniversal ? time.seconds + Int64(zone.offset(at: time.seconds)) : time.seconds
        guard CivilText.local(CivilText.local(local)) == local else {
            throw RecurrenceRule.fault("rrule_bad_time", "\(name): \(text) is beyond the years 1 to 9999 there")
        }
        return local
    }

    static func locals(_ text: String, _ zone: some ZoneRules, _ name: String) throws(FieldFault) -> [Int64] {
        var result: [Int64] = []
        for part in text.split(separator: ",") { result.append(try local(part, zone, name)) }
        return result
    }

    /// A date alone lasts to its end.
    static func end(_ text: String, _ name: String) throws(FieldFault) -> RecurrenceRule.End {
        guard let time = parse(text) else {
            throw RecurrenceRule.fault("rrule_bad_time", "\(name): \(text) is no time such as 20261121T023000Z")
        }
        if time.isUniversal { return .universal(time.seconds) }
        return .local(time.isDate ? time.seconds + 86_399 : time.seconds)
    }

    /// `20261121T023000`.
    static func text(_ seconds: Int64) -> String {
        CivilText.local(seconds).filter { $0 != "-" && $0 != ":" }
    }
}

extension StringProtocol {
    /// Without white space at its ends.
    var trimmed: String {
        let front = drop(while: \.isWhitespace)
        guard let last = front.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(front[...last])
    }
}
