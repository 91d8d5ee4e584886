/// One line of text that says when, of whatever kind: `30 2 * * *`, `@daily`, `Mon..Fri 10:00`, `FREQ=WEEKLY`, `90m`,
/// `2027-01-01T08:00`. Each text has one meaning; none is tried after another.
package enum ScheduleText {
    /// Kind and specification, as members of a schedule.
    /// - Parameter dialect: of a cron expression, if there are six fields.
    package static func members(
        _ text: String, dialect: CronExpression.Dialect? = nil
    ) throws(FieldFault) -> [JSONMember] {
        let text = text.trimmed
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let first = words.first else {
            throw FieldFault(
                pointer: "", code: "required", detail: "say when: a cron expression, a calendar event, a rule")
        }
        let upper = text.uppercased()
        if ["FREQ=", "RRULE:", "RRULE;", "DTSTART"].contains(where: { upper.hasPrefix($0) }) {
            return pair("rrule", [JSONMember("rule", .string(text))])
        }
        if upper == "@REBOOT" { return pair("event", [JSONMember("event", .string("host_start"))]) }
        if dialect == nil {
            if let time = WallTime(rfc3339: text) { return pair("once", [JSONMember("at", .string(time.rfc3339))]) }
            if let local = CivilText.local(text) {
                return pair("once", [JSONMember("local", .string(CivilText.local(local)))])
            }
            let span =
                words.count == 2 && first.lowercased() == "every" ? String(words[1]) : words.count == 1 ? text : ""
            if let milliseconds = milliseconds(span) {
                return pair("interval", [JSONMember("every_ms", .number(String(milliseconds)))])
            }
        }
        let isMacro = words.count == 1 && first.hasPrefix("@") && first.dropFirst().first?.isLetter == true
        // A calendar event has four words at most.
        guard dialect != nil || isMacro || words.count >= 5 else {
            return pair("oncalendar", [JSONMember("expression", .string(text))])
        }
        var spec = [JSONMember("expression", .string(words.joined(separator: " ")))]
        if let dialect, dialect != .vixie { spec.append(JSONMember("dialect", .string(dialect.rawValue))) }
        return pair("cron", spec)
    }

    private static func pair(_ kind: String, _ spec: [JSONMember]) -> [JSONMember] {
        [JSONMember("kind", .string(kind)), JSONMember("spec", .object(spec))]
    }

    /// `90s`, `10m`, `6h`, `2d`.
    private static func milliseconds(_ text: String) -> Int64? {
        for (suffix, scale) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
            as [(String, Int64)]
        where text.hasSuffix(suffix) {
            let digits = String(text.dropLast(suffix.count))
            if !digits.isEmpty, digits.utf8.count <= 9, let number = CronField.plainNumber(digits) {
                return Int64(number) * scale
            }
        }
        return nil
    }
}
