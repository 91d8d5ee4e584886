/// What one field of a cron expression may hold.
struct CronField {
    let name: String
    let range: ClosedRange<Int>
    var names: [String] = []
    /// Value of the first name.
    var firstName = 0

    static let second = CronField(name: "second", range: 0...59)
    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let dayOfMonth = CronField(name: "day of month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], firstName: 1)
    static let weekday = CronField(name: "day of week", range: 0...7, names: dayNames)
    static let quartzWeekday = CronField(name: "day of week", range: 1...7, names: dayNames, firstName: 1)
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// A bit for each value.
    func parse(_ text: String, _ isQuartz: Bool) throws(FieldFault) -> UInt64 {
        var mask: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            mask |= try item(String(part), isQuartz)
        }
        return mask
    }

    /// `*`, `n`, `a-b`, each of `*` and `a-b` with an optional `/step`; in Quartz also `n/step`.
    func item(_ text: String, _ isQuartz: Bool) throws(FieldFault) -> UInt64 {
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
            span = range == 0...7 ? 0...6 : range
        } else {
            let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
            guard ends.count <= 2 else { throw fault("cron_syntax", "\(text) is no range") }
            let low = try value(ends[0])
            if ends.count == 2 {
                var high = try value(ends[1])
                if high == 0 && low > 0 && range == 0...7 { high = 7 }
                guard low <= high else { throw fault("cron_out_of_range", "range \(text) runs backward") }
                span = low...high
            } else if halves.count == 1 {
                return 1 << low
            } else {
                guard isQuartz else { throw fault("cron_syntax", "a step needs a range or *: \(text)") }
                span = low...range.upperBound
            }
        }
        // A step may be as large as one likes; `stride` would overflow near the largest integer.
        return stride(from: span.lowerBound, through: span.upperBound, by: min(step, 64)).reduce(0) { $0 | 1 << $1 }
    }

    func value(_ text: String) throws(FieldFault) -> Int {
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
    static func plainNumber(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    func fault(_ code: String, _ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: code, detail: "\(name): \(detail)")
    }
}

/// The day-of-month field: days, and days that depend on the month.
struct CronMonthDays: Hashable, Sendable {
    /// Bit n: day n.
    var days: UInt64 = 0
    /// Bit n: n days before the last day (`L`, `L-n`).
    var beforeLast: UInt64 = 0
    /// Bit n: the Monday-to-Friday day nearest to day n, in the same month (`nW`).
    var nearest: UInt64 = 0
    /// The last Monday-to-Friday day (`LW`).
    var lastWorkday = false

    init(_ text: String, _ isQuartz: Bool) throws(FieldFault) {
        let field = CronField.dayOfMonth
        for part in text.split(separator: ",", omittingEmptySubsequences: false).map({ $0.uppercased() }) {
            if part == "?" && isQuartz && text == "?" {
                days |= try field.item("*", isQuartz)
            } else if part == "L" {
                beforeLast |= 1
            } else if part == "LW" {
                lastWorkday = true
            } else if part.hasPrefix("L-") {
                guard let number = CronField.plainNumber(String(part.dropFirst(2))), (1...30).contains(number) else {
                    throw field.fault("cron_out_of_range", "\(part) is no day before the last: L-1 to L-30")
                }
                beforeLast |= 1 << number
            } else if part.hasSuffix("W") {
                nearest |= 1 << (try field.value(String(part.dropLast())))
            } else {
                days |= try field.item(part, isQuartz)
            }
        }
    }

    func contains(day: Int, month: Int, year: Int, daysSinceEpoch: Int) -> Bool {
        if days >> day & 1 == 1 { return true }
        guard beforeLast != 0 || nearest != 0 || lastWorkday else { return false }
        let length = CivilTime.daysInMonth(month, of: year)
        if beforeLast >> (length - day) & 1 == 1 { return true }
        let weekday = CivilTime.weekday(daysSinceEpoch: daysSinceEpoch)
        guard (1...5).contains(weekday) else { return false }
        if lastWorkday, day == length || weekday == 5 && day >= length - 2 { return true }
        guard nearest != 0 else { return false }
        if nearest >> day & 1 == 1 { return true }
        // A Monday stands in for the Sunday before it, or for a Saturday that is the first; a Friday for the Saturday after
        // it, or for a Sunday that is the last.
        if weekday == 1 { return day > 1 && nearest >> (day - 1) & 1 == 1 || day == 3 && nearest >> 1 & 1 == 1 }
        if weekday == 5 {
            return day < length && nearest >> (day + 1) & 1 == 1
                || day == length - 2 && nearest >> length & 1 == 1
        }
        return false
    }
}

/// The day-of-week field: weekdays, the n-th of them in a month, and the last.
struct CronWeekdays: Hashable, Sendable {
    /// Bit n: weekday n, 0 Sunday to 6.
    var days: UInt64 = 0
    /// Bit (n − 1) × 7 + weekday: the n-th of the month; the sixth row: the last.
    var numbered: UInt64 = 0

    init(_ text: String, _ isQuartz: Bool) throws(FieldFault) {
        let field = isQuartz ? CronField.quartzWeekday : CronField.weekday
        for part in text.split(separator: ",", omittingEmptySubsequences: false).map({ $0.uppercased() }) {
            func weekday(_ text: some StringProtocol) throws(FieldFault) -> Int {
                (try field.value(String(text)) + 7 - field.firstName) % 7
            }
            if part == "?" && isQuartz && text == "?" {
                days = 0x7F
            } else if let mark = part.firstIndex(of: "#") {
                guard let number = CronField.plainNumber(String(part[part.index(after: mark)...])),
                    (1...5).contains(number)
                else { throw field.fault("cron_out_of_range", "\(part) is no n-th weekday: #1 to #5") }
                numbered |= 1 << ((number - 1) * 7 + (try weekday(part[..<mark])))
            } else if part == "L" {
                guard isQuartz else {
                    throw field.fault(
                        "cron_syntax", "L alone is no weekday here: write SAT, or FRIL for the last Friday")
                }
                days |= 1 << 6
            } else if part.hasSuffix("L") {
                numbered |= 1 << (35 + (try weekday(part.dropLast())))
            } else {
                let mask = try field.item(part, isQuartz)
                days |= isQuartz ? mask >> 1 : (mask | mask >> 7) & 0x7F
            }
        }
    }

    func contains(_ weekday: Int, day: Int, of length: Int) -> Bool {
        if days >> weekday & 1 == 1 { return true }
        guard numbered != 0 else { return false }
        return numbered >> ((day - 1) / 7 * 7 + weekday) & 1 == 1
            || day + 7 > length && numbered >> (35 + weekday) & 1 == 1
    }
}
