/// Reads the syntax of systemd.time(7).
struct OnCalendarReader {
    var weekdays: UInt64 = 0x7F
    var years: OnCalendar.Field = []
    var months: OnCalendar.Field = []
    var days: OnCalendar.Field = []
    var countsFromEnd = false
    var hours: OnCalendar.Field = [.init(start: 0, step: 0)]
    var minutes: OnCalendar.Field = [.init(start: 0, step: 0)]
    var seconds: OnCalendar.Field = [.init(start: 0, step: 0)]
    private(set) var text: String
    private(set) var zone: String?

    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    private static let longNames = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    private static let shorthands = [
        "minutely": "*-*-* *:*:00", "hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00",
        "weekly": "Mon *-*-* 00:00:00",
        "monthly": "*-*-01 00:00:00", "quarterly": "*-01,04,07,10-01 00:00:00", "yearly": "*-01-01 00:00:00",
        "annually": "*-01-01 00:00:00", "anually": "*-01-01 00:00:00", "semiannually": "*-01,07-01 00:00:00",
        "semi-annually": "*-01,07-01 00:00:00", "biannually": "*-01,07-01 00:00:00",
        "bi-annually": "*-01,07-01 00:00:00",
    ]

    init(_ expression: String) {
        text = expression.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    mutating func read() throws(FieldFault) {
        var words = text.split(separator: " ").map(String.init)
        // The zone is the last word, if that is no part of a date or time.
        if words.count > 1, let last = words.last, isZone(last) {
            zone = last
            words.removeLast()
            text = words.joined(separator: " ")
        }
        guard let first = words.first else { throw fault("is empty") }
        if words.count == 1, let meaning = Self.shorthands[first.lowercased()] {
            words = meaning.split(separator: " ").map(String.init)
        }
        if words[0].first?.isLetter == true {
            weekdays = try readWeekdays(words.removeFirst())
        }
        if words.count == 1, let split = words[0].firstIndex(of: "T") {
            words = [String(words[0][..<split]), String(words[0][words[0].index(after: split)...])]
        }
        switch words.count {
        case 0: break
        case 1 where words[0].contains(":"): try readTime(words[0])
        case 1: try readDate(words[0])
        case 2:
            try readDate(words[0])
            try readTime(words[1])
        default: throw fault("has more than weekday, date, time and zone")
        }
    }

    /// Letters, and no weekday or shorthand.
    private func isZone(_ word: String) -> Bool {
        guard word.first?.isLetter == true, !word.contains(":"), !word.contains(".") else { return false }
        let lower = word.lowercased()
        return Self.shorthands[lower] == nil
            && !lower.split(whereSeparator: { $0 == "," || $0 == "-" }).allSatisfy {
                Self.dayNames.contains(String($0)) || Self.longNames.contains(String($0))
            }
    }

    private func readWeekdays(_ word: String) throws(FieldFault) -> UInt64 {
        func day(_ name: some StringProtocol) throws(FieldFault) -> Int {
            let lower = name.lowercased()
            guard let day = Self.dayNames.firstIndex(of: lower) ?? Self.longNames.firstIndex(of: lower) else {
                throw fault("\(name) is no weekday")
            }
            return day
        }
        var mask: UInt64 = 0
        for part in word.split(separator: ",") {
            // `-` is the older sign of a range.
            let ends = part.contains(".") ? part.split(separator: ".") : part.split(separator: "-")
            guard ends.count <= 2, let low = ends.first, let high = ends.last else {
                throw fault("\(part) is no range")
            }
            // Weeks begin on Monday here.
            let from = (try day(low) + 6) % 7
            let to = (try day(high) + 6) % 7
            guard from <= to else { throw fault("\(part) runs backward; weeks begin on Monday") }
            for day in from...to { mask |= 1 << ((day + 1) % 7) }
        }
        return mask
    }

    // MARK: Dates and times

    private mutating func readDate(_ word: String) throws(FieldFault) {
        if word.hasPrefix("@") {
            guard let instant = CronField.plainNumber(String(word.dropFirst())), instant < 7_258_118_400 else {
                throw fault("\(word) are no seconds since 1970")
            }
            let time = CivilTime(secondsSinceEpoch: Int64(instant))
            (years, months, days) = (one(time.year), one(time.month), one(time.day))
            (hours, minutes, seconds) = (one(time.hour), one(time.minute), one(time.second))
            zone = "UTC"
            return
        }
        guard let cut = word.lastIndex(where: { $0 == "-" || $0 == "~" }) else { throw fault("\(word) is no date") }
        countsFromEnd = word[cut] == "~"
        let front = word[..<cut].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard front.count <= 2 else { throw fault("\(word) is no date") }
        if front.count == 2 {
            years = try field(front[0], "year", OnCalendar.yearRange, isYear: true)
        }
        months = try field(front[front.count - 1], "month", 1...12)
        days = try field(String(word[word.index(after: cut)...]), "day", 1...31, fromEnd: countsFromEnd)
    }

    private func one(_ value: Int) -> OnCalendar.Field { [.init(start: value, step: 0)] }

    private mutating func readTime(_ word: String) throws(FieldFault) {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 || parts.count == 3 else { throw fault("\(word) is no time of day") }
        hours = try field(parts[0], "hour", 0...23)
        minutes = try field(parts[1], "minute", 0...59)
        if parts.count == 3 {
            // The manual's "every second" is `*:*:*`; there, `.` would begin a fraction.
            let text = parts[2]
            if text.replacing("..", with: "").contains(".") {
                throw fault("fractions of a second are not supported: \(text)")
            }
            seconds = try field(text, "second", 0...59)
        }
    }

    private func field(
        _ text: String, _ name: String, _ range: ClosedRange<Int>, fromEnd: Bool = false, isYear: Bool = false
    ) throws(FieldFault) -> OnCalendar.Field {
        if text == "*" { return [] }
        var items: OnCalendar.Field = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            items.append(try item(String(part), name, range, fromEnd: fromEnd, isYear: isYear))
        }
        return items
    }

    private func item(
        _ text: String, _ name: String, _ range: ClosedRange<Int>, fromEnd: Bool, isYear: Bool
    ) throws(FieldFault) -> OnCalendar.Item {
        // Dates more than 28 days from the end would be missing in some months: systemd refuses them.
        let last = fromEnd ? range.upperBound - 3 : range.upperBound
        func number(_ text: some StringProtocol) throws(FieldFault) -> Int {
            guard text.utf8.count <= 4, var value = CronField.plainNumber(String(text)), !text.isEmpty else {
                throw fault("\(name): \(text.isEmpty ? "a value is missing" : "\(text) is no number")")
            }
            if isYear, value < 100 { value += value < 70 ? 2000 : 1900 }
            guard (range.lowerBound...last).contains(value) else {
                throw FieldFault(
                    pointer: "", code: "oncalendar_out_of_range",
                    detail: "\(name): \(value) is outside \(range.lowerBound)..\(last)")
            }
            return value
        }
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let ends = halves[0].split(separator: ".", omittingEmptySubsequences: false)
        guard ends.count == 1 || ends.count == 3 && ends[1].isEmpty else { throw fault("\(name): \(text) is no range") }
        let start = try number(ends[0])
        var stop: Int?
        if ends.count == 3 { stop = try number(ends[2]) }
        var step = stop == nil ? 0 : 1
        if halves.count == 2 {
            guard let given = CronField.plainNumber(String(halves[1])), given >= 1, given <= range.upperBound else {
                throw fault("\(name): \(halves[1]) is no repetition")
            }
            step = given
        }
        if let stop, stop <= start {
            if stop == start { return .init(start: start, step: 0) }
            throw FieldFault(
                pointer: "", code: "oncalendar_out_of_range", detail: "\(name): range \(text) runs backward")
        }
        if stop == nil, step > 0, fromEnd ? start - step < range.lowerBound : start + step > last {
            throw fault("\(name): \(text) has no repetition within the field")
        }
        return .init(start: start, stop: stop, step: step)
    }

    private func fault(_ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: "oncalendar_syntax", detail: "not a calendar event of systemd.time(7): \(detail)")
    }
}
