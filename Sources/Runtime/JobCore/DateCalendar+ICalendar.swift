extension DateCalendar {
    /// Reads the events of an iCalendar file (RFC 5545): whole days, and times with their zone. Events that recur are written
    /// out up to `until`; 5,000 times or more are a fault. Everything but VEVENT is passed over.
    /// - Parameters:
    ///   - until: how far recurring events are written out.
    ///   - zone: rules by the name in `TZID`; nil for an unknown one, which is a fault.
    package init(
        icalendar text: String, until: WallTime, zone: (String) -> (any ZoneRules)?
    ) throws(FieldFault) {
        self.init()
        var event: [ICalendarLine]?
        var number = 0
        var isCalendar = false
        for content in ICalendarLine.unfold(text) {
            number += 1
            guard let line = ICalendarLine(content) else {
                throw Self.fault("line \(number) is none of iCalendar: \(content.prefix(60))")
            }
            switch (line.name, line.value.uppercased()) {
            case ("BEGIN", "VCALENDAR"): isCalendar = true
            case ("BEGIN", "VEVENT"): event = []
            case ("END", "VEVENT"):
                guard let lines = event else { throw Self.fault("an event ends that has not begun") }
                try add(lines, until: until, zone: zone)
                event = nil
            default: event?.append(line)
            }
        }
        guard isCalendar, event == nil else { throw Self.fault("it is no whole calendar") }
    }

    private mutating func add(
        _ lines: [ICalendarLine], until: WallTime, zone: (String) -> (any ZoneRules)?
    ) throws(FieldFault) {
        func one(_ name: String) -> ICalendarLine? { lines.first { $0.name == name } }
        if one("STATUS")?.value.uppercased() == "CANCELLED" || one("TRANSP")?.value.uppercased() == "TRANSPARENT" {
            return
        }
        guard let begin = one("DTSTART"), let start = ICalendarTime.parse(begin.value) else {
            throw Self.fault("an event has no DTSTART that is a time")
        }
        var rules: any ZoneRules = UTCRules()
        let name = begin.parameters["TZID"]
        if let name {
            guard let known = zone(name) else { throw Self.fault("there is no time zone \(name)") }
            rules = known
        }
        var length: Int64 = start.isDate ? 86_400 : 0
        if let end = one("DTEND").flatMap({ ICalendarTime.parse($0.value) }) {
            length = end.seconds - start.seconds
        } else if let given = one("DURATION") {
            guard let seconds = ICalendarTime.duration(given.value) else {
                throw Self.fault("\(given.value) is no duration")
            }
            length = seconds
        }
        guard length > 0 else { throw Self.fault("an event at \(begin.value) ends before it has begun") }
        var starts = [start.seconds]
        if let rule = one("RRULE") {
            var recurrence = try RecurrenceRule(rule.value, start: start.seconds, zone: rules)
            for line in lines where line.name == "EXDATE" || line.name == "RDATE" {
                let times = try ICalendarTime.locals(line.value, rules, line.name)
                if line.name == "EXDATE" {
                    recurrence.removed = (recurrence.removed + times).sorted()
                } else {
                    recurrence.added = (recurrence.added + times).sorted()
                }
            }
            starts = recurrence.times(until: until.seconds)
            guard starts.count < RecurrenceRule.mostWritten else {
                // Some of its days would not count, and nobody would know which.
                throw Self.fault(
                    "an event at \(begin.value) comes \(RecurrenceRule.mostWritten) times or more; say a nearer end")
            }
        }
        for start in starts where !begin.value.isEmpty {
            let end = start + length
            if begin.isDate {
                let first = Int(CivilTime.floorDiv(start, 86_400))
                days.append(first...max(first, Int(CivilTime.floorDiv(end - 1, 86_400))))
            } else if name != nil || begin.value.uppercased().hasSuffix("Z") {
                let from = rules.resolve(CivilTime(secondsSinceEpoch: start)).chosen
                intervals.append(WallTime(micros: from * 1_000_000)..<WallTime(micros: (from + length) * 1_000_000))
            } else {
                localIntervals.append(start..<end)
            }
        }
    }

    private static func fault(_ detail: String) -> FieldFault {
        FieldFault(pointer: "", code: "bad_icalendar", detail: "the calendar cannot be read: \(detail)")
    }
}

extension RecurrenceRule {
    /// More are not written out.
    fileprivate static let mostWritten = 5000

    /// All times up to `end`, on the wall.
    fileprivate func times(until end: Int64) -> [Int64] {
        var result: [Int64] = []
        var from = start
        var (rule, steps) = (self, 10 * ScheduleSpec.mostSteps)
        rule.settleCount(&steps)
        while result.count < Self.mostWritten, steps > 0, let time = rule.first(atOrAfter: from, steps: &steps),
            time <= end
        {
            if case .universal(let last) = until, time > last { break }
            result.append(time)
            from = time + 1
        }
        return result
    }
}

/// `NAME;PARAMETER=value:value`.
struct ICalendarLine {
    var name: String
    var parameters: [String: String] = [:]
    var value: String

    init?(_ text: String) {
        // A colon within quotes belongs to a parameter.
        var isQuoted = false
        var cut: String.Index?
        for index in text.indices {
            if text[index] == "\"" { isQuoted.toggle() }
            if text[index] == ":" && !isQuoted {
                cut = index
                break
            }
        }
        guard let cut else { return nil }
        let head = text[..<cut].split(separator: ";", omittingEmptySubsequences: false)
        guard let name = head.first, !name.isEmpty else { return nil }
        self.name = name.uppercased()
        value = String(text[text.index(after: cut)...]).trimmed
        for parameter in head.dropFirst() {
            let halves = parameter.split(separator: "=", maxSplits: 1)
            if halves.count == 2 { parameters[halves[0].uppercased()] = halves[1].filter { $0 != "\"" } }
        }
    }

    var isDate: Bool { parameters["VALUE"]?.uppercased() == "DATE" || value.utf8.count == 8 }

    /// Long lines go on in the next one, behind a blank.
    static func unfold(_ text: String) -> [String] {
        var lines: [String] = []
        for line in text.split(whereSeparator: \.isNewline) {
            if let first = line.first, first == " " || first == "\t", !lines.isEmpty {
                lines[lines.count - 1] += line.dropFirst()
            } else if !line.allSatisfy(\.isWhitespace) {
                lines.append(String(line))
            }
        }
        return lines
    }
}

extension ICalendarTime {
    /// `P1D`, `PT1H30M`, `P2W` in seconds.
    static func duration(_ text: String) -> Int64? {
        guard text.uppercased().hasPrefix("P") else { return nil }
        var total: Int64 = 0
        var digits = ""
        for character in text.uppercased().dropFirst() {
            if character.isASCII, character.isNumber {
                digits.append(character)
                continue
            }
            if character == "T", digits.isEmpty { continue }
            let units: [Character: Int64] = ["W": 604_800, "D": 86_400, "H": 3600, "M": 60, "S": 1]
            guard let unit = units[character], digits.utf8.count <= 6, let number = Int64(digits) else { return nil }
            total += number * unit
            digits = ""
        }
        return digits.isEmpty && total > 0 ? total : nil
    }
}
