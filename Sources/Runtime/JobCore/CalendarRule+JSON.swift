// {every_days, from?} | {weekdays: ["mon", …], every_weeks?, from?} |
// {day_of_month | last_day | nth_weekday: {nth, weekday} | last_workday, every_months?, from?},
// each with time "HH:MM[:SS]" or times [...].

extension CalendarRule {
    static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// - Parameter today: where `every_…` counts from if `from` is missing, in days since 1970-01-01.
    init(_ value: JSONValue, today: Int) throws(FieldFault) {
        try value.onlyMembers(
            "every_days", "every_weeks", "every_months", "from", "weekdays", "day_of_month", "last_day", "nth_weekday",
            "last_workday", "time", "times")
        let seconds = try Self.times(value)
        let choices = ["every_days", "weekdays", "day_of_month", "last_day", "nth_weekday", "last_workday"]
        let given = choices.filter { value[$0] != nil }
        guard given.count == 1, let choice = given.first else {
            throw FieldFault(
                pointer: "", code: "required", detail: "give exactly one of " + choices.joined(separator: ", "))
        }
        if value["every_weeks"] != nil, choice != "weekdays" {
            throw FieldFault(pointer: "/every_weeks", code: "exclusive", detail: "goes with weekdays only")
        }
        if value["every_months"] != nil, choice == "weekdays" || choice == "every_days" {
            throw FieldFault(pointer: "/every_months", code: "exclusive", detail: "goes with a day of the month only")
        }
        let from = try Self.from(value, today: today)
        func step(_ name: String) throws(FieldFault) -> Int? {
            try value[name].map { value throws(FieldFault) in
                try value.integer(in: 1...Int64(Self.longestStep), at: "/" + name)
            }
        }
        switch choice {
        case "every_days":
            self.init(days: .every(try step("every_days") ?? 1, from: from), secondsOfDay: seconds)
        case "weekdays":
            let set = try Self.weekdays(value["weekdays"] ?? .null)
            let weeks = try step("every_weeks")
            self.init(
                days: weeks.map { .weeks($0, from: from, weekdays: set) } ?? .weekdays(set), secondsOfDay: seconds)
        default:
            let day = try Self.monthDay(choice, value[choice] ?? .null)
            let months = try step("every_months")
            if months == nil, case .day(let number) = day {
                self.init(days: .dayOfMonth(number), secondsOfDay: seconds)
            } else {
                self.init(days: .months(months ?? 1, from: months == nil ? 0 : from, day), secondsOfDay: seconds)
            }
        }
    }

    private static func from(_ value: JSONValue, today: Int) throws(FieldFault) -> Int {
        guard let given = value["from"] else { return today }
        guard let date = given.text.flatMap(CivilText.date) else {
            throw FieldFault(pointer: "/from", code: "bad_date", detail: "must be a date, YYYY-MM-DD")
        }
        return date
    }

    private static func times(_ value: JSONValue) throws(FieldFault) -> [Int] {
        guard let list = value["times"] else {
            guard let time = value["time"]?.text, let second = CivilText.secondOfDay(time) else {
                throw FieldFault(pointer: "/time", code: "bad_time", detail: "must be a time of day, HH:MM or HH:MM:SS")
            }
            return [second]
        }
        guard value["time"] == nil, let elements = list.elements, (1...1440).contains(elements.count) else {
            throw FieldFault(pointer: "/times", code: "bad_time", detail: "must be a list of times, in place of time")
        }
        var seconds: [Int] = []
        for (index, element) in elements.enumerated() {
            guard let second = element.text.flatMap(CivilText.secondOfDay) else {
                throw FieldFault(
                    pointer: "/times/\(index)", code: "bad_time", detail: "must be a time of day, HH:MM or HH:MM:SS")
            }
            seconds.append(second)
        }
        return seconds
    }

    private static func monthDay(_ choice: String, _ value: JSONValue) throws(FieldFault) -> MonthDay {
        switch choice {
        case "day_of_month": return .day(try value.integer(in: 1...31, at: "/day_of_month"))
        case "nth_weekday":
            do throws(FieldFault) { try value.onlyMembers("nth", "weekday") } catch {
                throw error.under("/nth_weekday")
            }
            guard let weekday = value["weekday"].flatMap(weekday) else {
                throw FieldFault(
                    pointer: "/nth_weekday/weekday", code: "unknown_value", detail: "must be a day, \"mon\" to \"sun\"")
            }
            if value["nth"]?.text == "last" { return .weekday(nth: -1, weekday) }
            guard let nth = value["nth"]?.integer, (1...5).contains(nth) || nth == -1 else {
                throw FieldFault(
                    pointer: "/nth_weekday/nth", code: "out_of_range", detail: "must be 1 to 5, or \"last\"")
            }
            return .weekday(nth: Int(nth), weekday)
        default:
            guard value == .boolean(true) else {
                throw FieldFault(pointer: "/" + choice, code: "unknown_value", detail: "must be true, if given")
            }
            return choice == "last_day" ? .last : .lastWorkday
        }
    }

    private static func weekdays(_ value: JSONValue) throws(FieldFault) -> Set<Int> {
        guard let elements = value.elements, !elements.isEmpty else {
            throw FieldFault(
                pointer: "/weekdays", code: "required", detail: "must be a list of days, \"mon\" to \"sun\"")
        }
        var days: Set<Int> = []
        for (index, element) in elements.enumerated() {
            guard let day = weekday(element) else {
                throw FieldFault(
                    pointer: "/weekdays/\(index)", code: "unknown_value", detail: "must be a day, \"mon\" to \"sun\"")
            }
            days.insert(day)
        }
        return days
    }

    /// A name, or 0 or 7 Sunday, 1 Monday, as in cron.
    private static func weekday(_ value: JSONValue) -> Int? {
        // Full names begin with the short ones.
        if let name = value.text { return weekdayNames.firstIndex(of: String(name.lowercased().prefix(3))) }
        guard let number = value.integer, (0...7).contains(number) else { return nil }
        return Int(number % 7)
    }

    var json: JSONValue {
        var members: [JSONMember] = []
        func number(_ name: String, _ value: Int) { members.append(JSONMember(name, .number(String(value)))) }
        func days(_ set: Set<Int>) {
            members.append(JSONMember("weekdays", .array(set.sorted().map { .string(Self.weekdayNames[$0]) })))
        }
        func origin(_ day: Int) { members.append(JSONMember("from", .string(CivilText.date(day)))) }
        switch self.days {
        case .every(let step, let from):
            number("every_days", step)
            origin(from)
        case .weekdays(let set): days(set)
        case .weeks(let step, let from, let set):
            days(set)
            number("every_weeks", step)
            origin(from)
        case .dayOfMonth(let day): number("day_of_month", day)
        case .months(let step, let from, let choice):
            switch choice {
            case .day(let day): number("day_of_month", day)
            case .last: members.append(JSONMember("last_day", .boolean(true)))
            case .lastWorkday: members.append(JSONMember("last_workday", .boolean(true)))
            case .weekday(let nth, let weekday):
                members.append(
                    JSONMember(
                        "nth_weekday",
                        .object([
                            JSONMember("nth", nth < 0 ? .string("last") : .number(String(nth))),
                            JSONMember("weekday", .string(Self.weekdayNames[weekday])),
                        ])))
            }
            if step > 1 || from != 0 {
                number("every_months", step)
                origin(from)
            }
        }
        if secondsOfDay.count == 1 {
            members.append(JSONMember("time", .string(CivilText.time(secondsOfDay[0]))))
        } else {
            members.append(JSONMember("times", .array(secondsOfDay.map { .string(CivilText.time($0)) })))
        }
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
