/// Days by the calendar at a time of day: every n days, on weekdays, or on a day of the month.
package struct CalendarRule: Hashable, Sendable {
    package enum Days: Hashable, Sendable {
        /// Counted from a date (days since 1970-01-01).
        case every(Int, from: Int)
        /// 0 Sunday to 6 Saturday, not empty.
        case weekdays(Set<Int>)
        /// 1 to 31; a shorter month fires on its last day.
        case dayOfMonth(Int)
    }

    package var days: Days
    /// Seconds after midnight on the wall.
    package var secondOfDay: Int

    package init(days: Days, secondOfDay: Int) {
        self.days = days
        self.secondOfDay = secondOfDay
    }

    static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    /// Longer distances are mistakes.
    static let longestStep = 3660

    private func matches(_ daysSinceEpoch: Int) -> Bool {
        switch days {
        case .every(let step, let from):
            return daysSinceEpoch >= from && (daysSinceEpoch - from) % step == 0
        case .weekdays(let set):
            return set.contains(CivilTime.weekday(daysSinceEpoch: daysSinceEpoch))
        case .dayOfMonth(let day):
            let date = CivilTime.date(daysSinceEpoch: daysSinceEpoch)
            return date.day == min(day, CivilTime.daysInMonth(date.month, of: date.year))
        }
    }

    /// The first time strictly later than `after`, in seconds since the Unix epoch; nil only near the end of time. A time in
    /// a gap fires at the first valid time after it, one that comes twice fires the first time.
    package func next(after: Int64, zone: some ZoneRules) -> Int64? {
        var first = zone.local(at: after).daysSinceEpoch - 1
        if case .every(_, let from) = days { first = max(first, from) }
        for day in first...first + Self.longestStep + 2 where matches(day) {
            let local = CivilTime(secondsSinceEpoch: Int64(day) * 86_400 + Int64(secondOfDay))
            let chosen = zone.resolve(local).chosen
            if chosen > after { return chosen }
        }
        return nil
    }
}

// MARK: - JSON: {every_days, from?} | {weekdays: ["mon", …]} | {day_of_month}, each with time "HH:MM[:SS]"

extension CalendarRule {
    /// - Parameter today: where `every_days` counts from if `from` is missing, in days since 1970-01-01.
    init(_ value: JSONValue, today: Int) throws(FieldFault) {
        try value.onlyMembers("every_days", "from", "weekdays", "day_of_month", "time")
        guard let time = value["time"]?.text, let second = Self.secondOfDay(time) else {
            throw FieldFault(pointer: "/time", code: "bad_time", detail: "must be a time of day, HH:MM or HH:MM:SS")
        }
        secondOfDay = second
        let given = ["every_days", "weekdays", "day_of_month"].filter { value[$0] != nil }
        guard given.count == 1 else {
            throw FieldFault(
                pointer: "", code: "required", detail: "give exactly one of every_days, weekdays and day_of_month")
        }
        if let step = value["every_days"] {
            var from = today
            if let text = value["from"] {
                guard let date = text.text.flatMap(Self.date) else {
                    throw FieldFault(pointer: "/from", code: "bad_date", detail: "must be a date, YYYY-MM-DD")
                }
                from = date
            }
            days = .every(try step.integer(in: 1...Int64(Self.longestStep), at: "/every_days"), from: from)
        } else if let list = value["weekdays"] {
            days = .weekdays(try Self.weekdays(list))
        } else if let day = value["day_of_month"] {
            days = .dayOfMonth(try day.integer(in: 1...31, at: "/day_of_month"))
        } else {
            preconditionFailure("one of three was given")
        }
    }

    private static func weekdays(_ value: JSONValue) throws(FieldFault) -> Set<Int> {
        guard let elements = value.elements, !elements.isEmpty else {
            throw FieldFault(
                pointer: "/weekdays", code: "required", detail: "must be a list of days, \"mon\" to \"sun\"")
        }
        var days: Set<Int> = []
        for (index, element) in elements.enumerated() {
            // Full names begin with the short ones.
            let name = element.text.map { String($0.lowercased().prefix(3)) }
            guard let day = name.flatMap({ weekdayNames.firstIndex(of: $0) }) ?? number(element) else {
                throw FieldFault(
                    pointer: "/weekdays/\(index)", code: "unknown_value", detail: "must be a day, \"mon\" to \"sun\"")
            }
            days.insert(day)
        }
        return days
    }

    /// 0 or 7 Sunday, 1 Monday, as in cron.
    private static func number(_ value: JSONValue) -> Int? {
        guard let number = value.integer, (0...7).contains(number) else { return nil }
        return Int(number % 7)
    }

    private static func secondOfDay(_ text: String) -> Int? {
        var reader = DigitReader(Array(text.utf8))
        guard let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), hour < 24, minute < 60
        else {
            return nil
        }
        var second = 0
        if reader.skip(":") {
            guard let number = reader.number(2), number < 60 else { return nil }
            second = number
        }
        return reader.isAtEnd ? hour * 3600 + minute * 60 + second : nil
    }

    private static func date(_ text: String) -> Int? {
        WallTime(rfc3339: text + "T00:00:00Z").map { Int(CivilTime.floorDiv($0.seconds, 86_400)) }
    }

    var json: JSONValue {
        var members: [JSONMember] = []
        switch days {
        case .every(let step, let from):
            members.append(JSONMember("every_days", .number(String(step))))
            let date = WallTime(micros: Int64(from) * 86_400_000_000).rfc3339.prefix(10)
            members.append(JSONMember("from", .string(String(date))))
        case .weekdays(let set):
            members.append(JSONMember("weekdays", .array(set.sorted().map { .string(Self.weekdayNames[$0]) })))
        case .dayOfMonth(let day):
            members.append(JSONMember("day_of_month", .number(String(day))))
        }
        let local = CivilTime(secondsSinceEpoch: Int64(secondOfDay))
        let parts = [local.hour, local.minute, local.second].map { $0 < 10 ? "0\($0)" : "\($0)" }
        members.append(JSONMember("time", .string(parts.joined(separator: ":"))))
        return .object(members)
    }
}

extension JSONValue {
    /// Refuses what is no object or has other members.
    func onlyMembers(_ known: String...) throws(FieldFault) {
        guard case .object(let members) = self else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "must be an object")
        }
        for member in members where !known.contains(member.key) {
            throw FieldFault(pointer: "/" + member.key, code: "unknown_field", detail: "unknown field \(member.key)")
        }
    }

    func integer(in range: ClosedRange<Int64>, at pointer: String) throws(FieldFault) -> Int {
        guard let number = integer, range.contains(number) else {
            throw FieldFault(
                pointer: pointer, code: "out_of_range",
                detail: "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(number)
    }
}
