/// A five-field cron expression: minute, hour, day of month, month, day of week.
///
/// Lists, ranges, steps (`*/15`, `8-18/2`) and English names of months and days; 7 is Sunday too; the macros `@yearly`,
/// `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`. If neither day field begins with `*`, a day
/// matches when either does (crontab(5), Paul Vixie's rule); otherwise both must.
package struct CronExpression: Hashable, Sendable {
    /// As it was written, with single spaces.
    package let text: String
    // Bit n: value n matches.
    let minutes: UInt64
    let hours: UInt64
    let daysOfMonth: UInt64
    let months: UInt64
    let weekdays: UInt64
    private let dayOfMonthIsStar: Bool
    private let weekdayIsStar: Bool
    /// The hour field begins with `*`: the schedule follows elapsed time rather than the clock on the wall.
    let hourIsStar: Bool

    package init(_ expression: String) throws(FieldFault) {
        let words = expression.split(whereSeparator: \.isWhitespace).map(String.init)
        text = words.joined(separator: " ")
        let fields: [String]
        if words.count == 1, let macro = words.first, macro.hasPrefix("@") {
            guard let meaning = Self.macros[macro.lowercased()] else {
                throw FieldFault(
                    pointer: "", code: "cron_unknown_macro",
                    detail: "unknown macro \(macro); known are " + Self.macros.keys.sorted().joined(separator: ", "))
            }
            fields = meaning.split(separator: " ").map(String.init)
        } else {
            fields = words
        }
        guard fields.count == 5 else {
            throw FieldFault(
                pointer: "", code: "cron_fields",
                detail:
                    "a cron expression has five fields (minute hour day month weekday), this one has \(fields.count)")
        }
        minutes = try CronField.minute.parse(fields[0])
        hours = try CronField.hour.parse(fields[1])
        daysOfMonth = try CronField.dayOfMonth.parse(fields[2])
        months = try CronField.month.parse(fields[3])
        let days = try CronField.weekday.parse(fields[4])
        weekdays = (days | (days >> 7 & 1)) & 0x7F
        hourIsStar = fields[1].hasPrefix("*")
        dayOfMonthIsStar = fields[2].hasPrefix("*")
        weekdayIsStar = fields[4].hasPrefix("*")
    }

    private static let macros = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    func matches(year: Int, month: Int, day: Int) -> Bool {
        guard months >> month & 1 == 1 else { return false }
        let byDate = daysOfMonth >> day & 1 == 1
        let weekday = CivilTime.weekday(daysSinceEpoch: CivilTime.days(year: year, month: month, day: day))
        let byWeekday = weekdays >> weekday & 1 == 1
        return dayOfMonthIsStar || weekdayIsStar ? byDate && byWeekday : byDate || byWeekday
    }
}

/// What one field may hold.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    var names: [String] = []
    /// Value of the first name.
    var firstName = 0

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let dayOfMonth = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], firstName: 1)
    static let weekday = CronField(
        name: "day of week", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    func parse(_ text: String) throws(FieldFault) -> UInt64 {
        var mask: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            mask |= try item(String(part))
        }
        return mask
    }

    /// `*`, `n`, `a-b`, each of `*` and `a-b` with an optional `/step`.
    private func item(_ text: String) throws(FieldFault) -> UInt64 {
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var step = 1
        if halves.count == 2 {
            guard let number = Self.plainNumber(halves[1]), number >= 1 else {
                throw fault("cron_syntax", "\(halves[1]) is no step")
            }
            step = number
        }
        let span: ClosedRange<Int>
        if halves[0] == "*" {
            // As a list of days, 0-7 would name Sunday twice.
            span = name == "day of week" ? 0...6 : range
        } else {
            let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
            guard ends.count <= 2 else { throw fault("cron_syntax", "\(text) is no range") }
            let low = try value(ends[0])
            guard ends.count == 2 else {
                guard halves.count == 1 else {
                    throw fault("cron_syntax", "a step needs a range or *: \(text)")
                }
                return 1 << low
            }
            var high = try value(ends[1])
            if high == 0 && low > 0 && name == "day of week" { high = 7 }
            guard low <= high else { throw fault("cron_out_of_range", "range \(text) runs backward") }
            span = low...high
        }
        return stride(from: span.lowerBound, through: span.upperBound, by: step).reduce(0) { $0 | 1 << $1 }
    }

    private func value(_ text: String) throws(FieldFault) -> Int {
        if let index = names.firstIndex(of: text.lowercased()) { return index + firstName }
        guard let number = Self.plainNumber(text) else {
            throw fault("cron_syntax", text.isEmpty ? "a value is missing" : "\(text) is no value")
        }
        guard range.contains(number) else {
            throw fault("cron_out_of_range", "\(number) is outside \(range.lowerBound)-\(range.upperBound)")
        }
        return number
    }

    /// Digits only: `Int` would take signs.
    private static func plainNumber(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    private func fault(_ code: String, _ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: code, detail: "\(name): \(detail)")
    }
}
