import JobCore
import Testing

/// Calendars to and from iCalendar, commands of crontabs, and how many runs schedules will make.
@Suite struct ScheduleFileTests {
    private let stamp = WallTime(micros: 1_767_225_600_000_000)

    @Test func calendarsReadBack() throws {
        let calendar = try DateCalendar(
            JSONValue(
                parsing: """
                    {"dates":["2026-12-25","2026-12-31/2027-01-01"],"intervals":[
                    {"from":"2026-05-01T08:00:00Z","to":"2026-05-01T10:30:00Z"},
                    {"from":"2026-06-01T22:00:00","to":"2026-06-02T04:00:00"}]}
                    """))
        let text = CalendarFile(name: "holidays, and more; \\ all", calendar: calendar, stamp: stamp).text
        let again = try DateCalendar(icalendar: text, until: stamp, zone: { _ in nil })
        #expect(again == calendar)
        #expect(text.contains("X-WR-CALNAME:holidays\\, and more\\; \\\\ all\r\n"))
        // An end of a line would begin another one, a control is none of a text's.
        let odd = CalendarFile(name: "a\r\nEND:VCALENDAR\nb\rc\u{7};\u{301}").text
        #expect(odd.contains("X-WR-CALNAME:a\\nEND:VCALENDAR\\nb\\nc\\;\u{301}\r\n"))
    }

    @Test func linesAreFolded() {
        var file = CalendarFile(name: "x")
        file.add(
            uid: "1", summary: String(repeating: "ä", count: 100), stamp: stamp, CalendarFile.times([stamp, stamp]))
        let lines = file.text.split(separator: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 75 })
        #expect(file.text.replacing("\r\n ", with: "").contains(String(repeating: "ä", count: 100)))
        #expect(file.text.contains("DTSTART:20260101T000000Z\r\nRDATE:20260101T000000Z\r\n"))
    }

    @Test(
        arguments: [
            ("echo a", "echo a", nil), ("date +\\%F", "date +%F", nil),
            ("mail me%Hello%there", "mail me", "Hello\nthere\n"), ("cat%a%", "cat", "a\n"), ("cat%%a", "cat", "\na\n"),
            ("cat%", "cat", ""), ("a\\b \\\\% x", "a\\b \\\\", " x\n"), ("tail\\", "tail\\", nil),
            ("cat%a\\%b", "cat", "a%b\n"), ("cat%a\\\\%b\\", "cat", "a\\%b\\\n"), ("a\\\\\\%", "a\\\\%", nil),
            ("e%\u{301}", "e", "\u{301}\n"),
        ] as [(String, String, String?)])
    func percentSigns(field: String, command: String, input: String?) {
        let read = CrontabCommand(field: field)
        #expect(read == CrontabCommand(command: command, input: input))
        #expect(CrontabCommand(field: read.field ?? "") == read)
    }

    @Test(
        arguments: [
            ("a\nb", nil), ("a\r\nb", nil), ("a\\%", nil), ("a\\", ""), ("cat", "no end"), ("cat", "a\r\nb\n"),
            ("cat", "\n"),
        ] as [(String, String?)])
    func someCommandsAreNoCrontabs(command: String, input: String?) {
        #expect(CrontabCommand(command: command, input: input).field == nil)
    }

    /// As it comes from other systems.
    @Test func linesMayEndWithACarriageReturn() throws {
        let crontab = try Crontab("# a\r\n@daily x%y\r\n\r\n0 0 * * 7 z\r\n", isZone: { _ in true })
        #expect(crontab.problems.isEmpty && crontab.entries.map(\.command) == ["x%y", "z"])
        #expect(crontab.entries.map(\.line) == [2, 4] && crontab.entries[0].description == "a")
    }

    /// A calendar of which some days do not count would be worse than none.
    @Test func whatRecursTooOftenIsAFault() {
        let event = ["DTSTART;VALUE=DATE:20000101", "RRULE:FREQ=DAILY"]
        let text = (["BEGIN:VCALENDAR", "BEGIN:VEVENT"] + event + ["END:VEVENT", "END:VCALENDAR"]).joined(
            separator: "\r\n")
        #expect(throws: FieldFault.self) { try DateCalendar(icalendar: text, until: stamp, zone: { _ in nil }) }
        let soon = WallTime(micros: 978_307_200_000_000)
        #expect(throws: Never.self) { try DateCalendar(icalendar: text, until: soon, zone: { _ in nil }) }
    }

    private func load(_ kind: String, _ spec: String, _ options: String = "{}", most: Int = .max) throws -> ScheduleLoad
    {
        let spec = try ScheduleSpec(
            kind: kind, spec: JSONValue(parsing: spec), now: stamp, zone: UTCRules())
        let timetable = Timetable(
            spec: spec, zone: UTCRules(), options: try ScheduleOptions(JSONValue(parsing: options)))
        var load = ScheduleLoad(from: stamp, bucket: 3600, count: 24)
        if let next = timetable.next(after: stamp.advanced(by: .seconds(-1))) {
            load.add(timetable, next: next, most: most)
        }
        return load
    }

    @Test func runsAreCountedByHour() throws {
        let cron = try load("cron", #"{"expression":"*/20 8-9 * * *"}"#)
        #expect(cron.counts == (0..<24).map { $0 == 8 || $0 == 9 ? 3 : 0 } && cron.isComplete)
        let second = try load("interval", #"{"every_ms":1000,"anchor":"2026-01-01T00:00:00Z"}"#)
        #expect(second.counts == Array(repeating: 3600, count: 24) && second.isComplete)
        let few = try load("interval", #"{"every_ms":1200000,"anchor":"2026-01-01T00:10:00Z"}"#, most: 4)
        #expect(few.counts.prefix(3) == [3, 1, 0])
        let nth = try load("cron", #"{"expression":"*/20 * * * *"}"#, #"{"every_nth":3}"#)
        #expect(nth.counts == Array(repeating: 1, count: 24))
        // The first of January 2026 is a Thursday.
        let weekend = try load("cron", #"{"expression":"0 * * * *"}"#, #"{"blackouts":{"dates":["2026-01-01"]}}"#)
        #expect(weekend.counts.allSatisfy { $0 == 0 })
    }

    /// By arithmetic as time by time.
    @Test func intervalsCountAlike() throws {
        for every in [1000, 7000, 61_000, 3_599_000, 3_600_000, 5_000_000, 100_000_000] {
            for anchor in ["2025-12-30T03:00:01Z", "2026-01-01T00:00:00Z", "2026-01-01T17:59:59Z"] {
                let spec = "{\"every_ms\":\(every),\"anchor\":\"\(anchor)\"}"
                let plain = try load("interval", spec)
                let walked = try load("interval", spec, #"{"blackouts":{"dates":["1999-01-01"]}}"#)
                if walked.isComplete { #expect(plain.counts == walked.counts, "\(spec)") }
                #expect(plain.isComplete)
            }
        }
    }
}
