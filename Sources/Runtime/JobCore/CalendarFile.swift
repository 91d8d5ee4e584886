/// A file of RFC 5545 as we write it: events without alarms, lines folded, zones by their IANA names (without VTIMEZONE: what reads
/// such files today knows the names).
package struct CalendarFile: Sendable {
    package static let mediaType = "text/calendar; charset=utf-8"

    private var lines: [String]

    /// - Parameter name: shown by calendar programs.
    package init(name: String) {
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Pawl//Pawl//EN", "X-WR-CALNAME:" + Self.escaped(name)]
    }

    /// Says something of the file as a whole, which calendar programs show as its description.
    package mutating func describe(_ text: String) { lines.append("X-WR-CALDESC:" + Self.escaped(text)) }

    /// The days and stretches of a calendar.
    package init(name: String, calendar: DateCalendar, stamp: WallTime) {
        self.init(name: name)
        for (number, range) in calendar.days.enumerated() {
            add(
                uid: "\(name)-day-\(number)", summary: name, stamp: stamp,
                [
                    "DTSTART;VALUE=DATE:" + Self.date(range.lowerBound),
                    "DTEND;VALUE=DATE:" + Self.date(range.upperBound + 1),
                ])
        }
        for (number, range) in calendar.intervals.enumerated() {
            add(
                uid: "\(name)-interval-\(number)", summary: name, stamp: stamp,
                ["DTSTART:\(Self.universal(range.lowerBound))", "DTEND:\(Self.universal(range.upperBound))"])
        }
        for (number, range) in calendar.localIntervals.enumerated() {
            add(
                uid: "\(name)-local-\(number)", summary: name, stamp: stamp,
                [
                    "DTSTART:\(ICalendarTime.text(range.lowerBound))", "DTEND:\(ICalendarTime.text(range.upperBound))",
                ])
        }
    }

    /// - Parameters:
    ///   - uid: tells the event from others, for as long as it is the same.
    ///   - times: lines with `DTSTART` and what belongs to it.
    package mutating func add(
        uid: String, summary: String, description: String? = nil, stamp: WallTime, _ times: [String]
    ) {
        lines += ["BEGIN:VEVENT", "UID:" + Self.escaped(uid) + "@pawl", "DTSTAMP:" + Self.universal(stamp)]
        lines += times
        lines.append("SUMMARY:" + Self.escaped(summary))
        if let description { lines.append("DESCRIPTION:" + Self.escaped(description)) }
        lines += ["TRANSP:OPAQUE", "END:VEVENT"]
    }

    /// Lines for times that no rule says.
    package static func times(_ times: [WallTime]) -> [String] {
        guard let first = times.first else { return [] }
        let rest = times.dropFirst().map(universal).joined(separator: ",")
        return ["DTSTART:" + universal(first)] + (rest.isEmpty ? [] : ["RDATE:" + rest])
    }

    package var text: String {
        (lines + ["END:VCALENDAR"]).map(Self.folded).joined()
    }

    private static func universal(_ time: WallTime) -> String { ICalendarTime.text(time.seconds) + "Z" }

    private static func date(_ days: Int) -> String {
        String(ICalendarTime.text(Int64(days) * 86_400).prefix(8))
    }

    /// By scalars: a character may be a semicolon with an accent. Controls have no place in a text of iCalendar.
    private static func escaped(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var isAfterReturn = false
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", ";", ",": out.append(contentsOf: ["\\", scalar])
            case "\n": if !isAfterReturn { out.append(contentsOf: ["\\", "n"]) }
            case "\r": out.append(contentsOf: ["\\", "n"])
            case "\t": out.append(scalar)
            default: if scalar.value >= 0x20, scalar.value != 0x7F { out.append(scalar) }
            }
            isAfterReturn = scalar == "\r"
        }
        return String(out)
    }

    /// No line is longer than 75 bytes; what follows begins with a blank. No character is cut.
    private static func folded(_ line: String) -> String {
        var result = ""
        var length = 0
        for character in line.unicodeScalars {
            let size = String(character).utf8.count
            if length + size > 75 {
                result += "\r\n "
                length = 1
            }
            result.unicodeScalars.append(character)
            length += size
        }
        return result + "\r\n"
    }
}
