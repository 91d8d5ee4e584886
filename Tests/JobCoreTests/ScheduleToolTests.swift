import Glibc
import JobCore
import Testing

private func time(_ text: String) -> WallTime {
    guard let time = WallTime(rfc3339: text) else { preconditionFailure("not a time: \(text)") }
    return time
}

/// As installed; nil without tzdata.
private func zone(_ name: String) -> (any ZoneRules)? {
    guard let file = fopen("/usr/share/zoneinfo/\(name)", "rb") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return TimeZoneFile(Array(bytes.prefix(count)))
}

private let start = time("2026-01-01T00:00:00Z")

private func spec(_ text: String, _ dialect: CronExpression.Dialect? = nil) throws -> ScheduleSpec {
    let members = JSONValue.object(try ScheduleText.members(text, dialect: dialect))
    return try ScheduleSpec(
        kind: members["kind"]?.text ?? "", spec: members["spec"] ?? .null, now: start, zone: UTCRules())
}

/// What stands around the times: previews, crontabs, calendars, exports.
@Suite struct ScheduleToolTests {
    @Test(arguments: [
        ("30 2 * * *", "At 02:30 every day"), ("0 9,17 * * MON-FRI", "At 09:00 and 17:00 on Monday to Friday"),
        ("*/15 8-18 1,15 * FRI", "Every 15 minutes of hours 8 to 18 on days 1 and 15 of the month and on Friday"),
        ("5 * * * *", "At minute 5 of every hour"), ("* * * * *", "Every minute"),
        ("0 0 L * *", "At 00:00 on the last day of the month"),
        ("0 0 * * FRIL", "At 00:00 on the last Friday of the month"),
        ("0 0 1 1-3,12 *", "At 00:00 on day 1 of the month in January to March and December"),
        ("Mon..Fri *-*~07/1 18:00", "At 18:00 on day 7 to 1 from the end of the month if it is Monday to Friday"),
        ("90m", "Every 90 minutes, counted from 2026-01-01 01:30"), ("2027-03-28T02:30", "Once at 2027-03-28 02:30"),
        ("@reboot", "When a host has started"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "Every month on the last Friday at 00:00, 3 times, from 2026-01-01 00:00"),
    ])
    func sentences(_ text: String, _ expected: String) throws {
        #expect(ScheduleSentence.of(try spec(text), zone: UTCRules()) == expected)
    }

    @Test func sentencesOfTheCalendar() throws {
        for (text, expected) in [
            ("{\"every_days\":1,\"time\":\"02:30\"}", "At 02:30 every day"),
            (
                "{\"nth_weekday\":{\"nth\":2,\"weekday\":\"tue\"},\"time\":\"02:30\"}",
                "At 02:30 on the second Tuesday of the month"
            ),
            (
                "{\"weekdays\":[\"sat\",\"sun\"],\"every_weeks\":2,\"from\":\"2026-01-01\",\"times\":[\"08:00\",\"20:00\"]}",
                "At 08:00 and 20:00 on Saturday and Sunday every 2 weeks from the week of 2026-01-01"
            ),
        ] {
            let spec = try ScheduleSpec(
                kind: "calendar", spec: JSONValue(parsing: text), now: start, zone: UTCRules())
            #expect(ScheduleSentence.of(spec, zone: UTCRules()) == expected)
        }
    }

    // MARK: Preview

    private func preview(_ question: String) -> JSONValue {
        PreviewRequest.answer(line: question, now: start) { $0 == "UTC" ? UTCRules() : zone($0) }
    }

    private func codes(_ answer: JSONValue) -> [String] {
        (answer["warnings"]?.elements ?? []).compactMap { $0["code"]?.text }
    }

    @Test func aPreviewOfTheNightsOfTheClocks() throws {
        let question = "\"kind\":\"cron\",\"expression\":\"30 2 * * *\",\"timezone\":\"Europe/Berlin\""
        let answer = preview("{\(question),\"from\":\"2027-03-27T12:00:00Z\",\"count\":2}")
        let first = try #require(answer["runs"]?.elements?.first)
        #expect(first["local"]?.text == "2027-03-28T03:00:00+02:00")
        #expect(first["note"]?.text == "shifted: 02:30 does not exist on this day")
        #expect(codes(answer) == ["shifted", "repeated", "shifted"])
        #expect(answer["warnings"]?.elements?[1]["at"]?.text == "2027-10-31T01:00:00.000000Z")
        let skipping = preview("{\(question),\"from\":\"2027-03-27T12:00:00Z\",\"count\":1,\"dst\":{\"gap\":\"skip\"}}")
        #expect(skipping["runs"]?.elements?.first?["local"]?.text == "2027-03-29T02:30:00+02:00")
        #expect(codes(skipping).first == "skipped")
        let both = preview("{\(question),\"from\":\"2027-10-30T12:00:00Z\",\"count\":2,\"dst\":{\"fold\":\"both\"}}")
        #expect(
            both["runs"]?.elements?.compactMap { $0["note"]?.text } == [
                "the clocks show this time twice: the first", "the clocks show this time twice: the second",
            ])
    }

    @Test(arguments: [
        ("\"kind\":\"cron\",\"expression\":\"0 0 30 2 *\"", ["never_fires"]),
        ("\"kind\":\"cron\",\"expression\":\"0 0 13 * FRI\"", ["days_by_or"]),
        ("\"kind\":\"interval\",\"interval_ms\":60000,\"p95_ms\":61000", ["too_often"]),
        ("\"kind\":\"interval\",\"interval_ms\":60000,\"p95_ms\":60000", []),
        (
            "\"kind\":\"oncalendar\",\"expression\":\"2027-01-01\",\"ends_at\":\"2026-12-31T00:00:00Z\"",
            ["outside_of_end"]
        ),
        ("\"kind\":\"oncalendar\",\"expression\":\"Sat,Sun\",\"business_days\":true", ["excluded"]),
        ("\"kind\":\"event\",\"spec\":{\"event\":\"host_start\"}", []),
    ])
    func warnings(_ question: String, _ expected: [String]) {
        #expect(codes(preview("{\(question)}")) == expected)
    }

    @Test(arguments: [
        ("\"kind\":\"cron\",\"expression\":\"0 0 * * *\",\"timezone\":\"EST\"", "/timezone", "zone_abbreviation"),
        ("\"kind\":\"cron\",\"expression\":\"0 0 * * *\",\"timezone\":\"Mars/Base\"", "/timezone", "unknown_zone"),
        ("\"kind\":\"cron\",\"expression\":\"0 0 0 * * *\"", "/expression", "cron_fields"),
        ("\"kind\":\"rrule\",\"spec\":{\"rule\":\"FREQ=x\"}", "/spec/rule", "rrule_syntax"),
        ("\"kind\":\"cron\",\"expression\":\"0 0 * * *\",\"dst\":{\"gap\":\"jump\"}", "/dst/gap", "unknown_value"),
        ("\"kind\":\"cron\",\"expresion\":\"0 0 * * *\"", "/expresion", "unknown_field"),
        ("\"kind\":\"oncalendar\",\"expression\":\"daily Asia/Tokyo\",\"timezone\":\"UTC\"", "/timezone", "exclusive"),
    ])
    func previewsRefuse(_ question: String, _ pointer: String, _ code: String) {
        let error = preview("{\(question)}")["error"]
        #expect(error?["pointer"]?.text == pointer && error?["code"]?.text == code)
    }

    // MARK: Texts

    @Test(arguments: [
        ("30 2 * * *", "cron"), ("@daily", "cron"), ("@reboot", "event"), ("Mon..Fri 10:00", "oncalendar"),
        ("weekly", "oncalendar"), ("FREQ=DAILY", "rrule"), ("RRULE:FREQ=DAILY", "rrule"), ("90m", "interval"),
        ("every 6h", "interval"), ("2027-01-01T08:00:00Z", "once"), ("2027-01-01 08:00", "once"),
        ("2027-*-01 08:00", "oncalendar"),
    ])
    func aTextSaysItsKind(_ text: String, _ kind: String) throws {
        #expect(try spec(text).kind == kind)
    }

    @Test func sixFieldsNeedADialect() throws {
        #expect(throws: FieldFault.self) { try spec("0 30 2 * * *") }
        #expect(try spec("0 30 2 * * *", .seconds).kind == "cron")
    }

    // MARK: Crontabs

    @Test func aCrontab() throws {
        let text = """
            # The nightly load.
            # It takes an hour.
            MAILTO = "ops@example.com"
            30 2 * * * /opt/load --day %d

            CRON_TZ=America/New_York
            # Not of the next line:

            @hourly poll   now
            @reboot  warm-up
            0 0 * * 8 broken
            0 0 * *
            CRON_TZ=EST
            15 4 1 * MON  last
            """
        let crontab = try Crontab(text, timezone: "Europe/Berlin", isZone: { $0.contains("/") })
        #expect(crontab.entries.map(\.line) == [4, 9, 10, 14])
        #expect(crontab.problems.map(\.line) == [11, 12, 13])
        let first = crontab.entries[0]
        // An assignment stands between them: the comment is of the schedule all the same.
        #expect(first.description == "The nightly load.\nIt takes an hour." && first.timezone == "Europe/Berlin")
        #expect(first.command == "/opt/load --day %d" && first.environment == ["MAILTO": "ops@example.com"])
        #expect(crontab.entries[1].description.isEmpty && crontab.entries[1].timezone == "America/New_York")
        #expect(crontab.entries[1].command == "poll   now" && crontab.entries[2].spec.kind == "event")
        let system = try Crontab("5 4 * * * root  clean\n* * * * * alone", hasUser: true, isZone: { _ in true })
        #expect(system.entries.map(\.user) == ["root"] && system.entries[0].command == "clean")
        #expect(system.problems.map(\.line) == [2])
    }

    /// Each entry repeats its environment, and is answered whole.
    @Test func aCrontabHasLimits() throws {
        func read(_ lines: [String]) throws -> Crontab {
            try Crontab(lines.joined(separator: "\n"), isZone: { _ in true })
        }
        let entry = "* * * * * x"
        #expect(try read(Array(repeating: entry, count: 2000)).entries.count == 2000)
        #expect(try read((0..<100).map { "V\($0)=1" } + [entry]).entries[0].environment.count == 100)
        #expect(try read(Array(repeating: "A=" + String(repeating: "x", count: 8191), count: 9)).problems.isEmpty)
        for (lines, detail) in [
            (Array(repeating: entry, count: 2001), "2000"), (Array(repeating: "wrong", count: 2001), "2000"),
            ((0...100).map { "V\($0)=1" }, "100"), (["A=" + String(repeating: "x", count: 8192)], "8192"),
        ] {
            let fault = try #require(throws: FieldFault.self) { try read(lines) }
            #expect(fault.code == "crontab_too_large" && fault.detail.contains(detail))
        }
    }

    @Test(arguments: [
        ("30 2 * * 1-5", "30 2 * * 1-5"), ("@daily", "@daily"), ("@reboot", "@reboot"), ("15m", "*/15 * * * *"),
        ("0 0 L * *", nil), ("FREQ=DAILY", nil), ("7m", nil), ("daily", nil),
    ])
    func toACrontab(_ text: String, _ expected: String?) throws {
        let spec = try spec(text)
        if let expected {
            #expect(try spec.crontabTimes(ClockChangeRule()) == expected)
        } else {
            #expect(throws: FieldFault.self) { try spec.crontabTimes(ClockChangeRule()) }
        }
    }

    /// What is exported is the same schedule.
    @Test(arguments: [
        "{\"every_days\":3,\"from\":\"2026-01-02\",\"time\":\"09:30\"}",
        "{\"weekdays\":[\"mon\",\"thu\"],\"every_weeks\":2,\"from\":\"2026-01-07\",\"time\":\"09:30\"}",
        "{\"day_of_month\":31,\"times\":[\"09:30\",\"21:30\"]}",
        "{\"last_workday\":true,\"times\":[\"09:30\",\"21:30\"]}",
        "{\"nth_weekday\":{\"nth\":\"last\",\"weekday\":\"fri\"},\"every_months\":2,\"from\":\"2026-02-15\",\"time\":\"09:30\"}",
    ])
    func toICalendarAndBack(_ text: String) throws {
        let spec = try ScheduleSpec(kind: "calendar", spec: JSONValue(parsing: text), now: start, zone: UTCRules())
        let lines = try spec.icalendarLines(zone: "UTC", rules: UTCRules()).joined(separator: "\n")
        let back = ScheduleSpec.recurrence(try RecurrenceRule(lines, start: 0, zone: UTCRules()))
        var after = start
        for _ in 0..<40 {
            let next = try #require(spec.next(after: after, zone: UTCRules()))
            #expect(back.next(after: after, zone: UTCRules()) == next)
            after = next
        }
    }

    // MARK: Calendars

    @Test func holidaysFromAFile() throws {
        let text = """
            BEGIN:VCALENDAR
            VERSION:2.0
            BEGIN:VEVENT
            SUMMARY:Christmas: two
              days
            DTSTART;VALUE=DATE:20261225
            DTEND;VALUE=DATE:20261227
            END:VEVENT
            BEGIN:VEVENT
            DTSTART;VALUE=DATE:20260101
            RRULE:FREQ=YEARLY
            EXDATE;VALUE=DATE:20280101
            END:VEVENT
            BEGIN:VEVENT
            DTSTART;TZID="Europe/Berlin":20260601T220000
            DURATION:PT2H30M
            END:VEVENT
            BEGIN:VEVENT
            STATUS:CANCELLED
            DTSTART;VALUE=DATE:20260701
            END:VEVENT
            END:VCALENDAR
            """
        let calendar = try DateCalendar(
            icalendar: text, until: time("2030-01-01T00:00:00Z"), zone: { $0 == "Europe/Berlin" ? zone($0) : nil })
        for (at, isIn) in [
            ("2026-12-25T00:00:00Z", true), ("2026-12-26T23:59:59Z", true), ("2026-12-27T00:00:00Z", false),
            ("2027-01-01T12:00:00Z", true), ("2028-01-01T12:00:00Z", false), ("2029-01-01T12:00:00Z", true),
            ("2026-06-01T20:00:00Z", true), ("2026-06-01T22:29:59Z", true), ("2026-06-01T22:30:00Z", false),
            ("2026-06-01T19:59:59Z", false), ("2026-07-01T12:00:00Z", false),
        ] {
            #expect(calendar.covers(time(at), zone: UTCRules()) == isIn, "\(at)")
        }
        // Days are those of the schedule's zone.
        let berlin = try #require(zone("Europe/Berlin"))
        let isCovered = calendar.covers(time("2026-12-24T23:30:00Z"), zone: berlin)
        #expect(isCovered)
        #expect(try DateCalendar(calendar.json) == calendar)
    }

    @Test(arguments: [
        "", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=Mars:20260101T000000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VEVENT\nEND:VCALENDAR", "hello",
    ])
    func brokenFiles(_ text: String) {
        #expect(throws: FieldFault.self) { try DateCalendar(icalendar: text, until: start, zone: { _ in nil }) }
    }

    @Test(arguments: [
        "{\"dates\":[\"2026-13-01\"]}", "{\"dates\":[\"2026-01-02/2026-01-01\"]}", "{\"dates\":\"2026-01-01\"}",
        "{\"intervals\":[{\"from\":\"2026-01-01T00:00:00Z\",\"to\":\"2026-01-01T01:00\"}]}", "{\"intervals\":[{}]}",
        "[]",
    ])
    func brokenCalendars(_ text: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(throws: FieldFault.self) { try DateCalendar(value) }
    }

    @Test func optionsAreStoredComplete() throws {
        let text = """
            {"dst":{"gap":"skip","fold":"both"},"catch_up":{"policy":"all","window_ms":3600000,"cap":5},"overlap":"queue_one",
            "jitter_ms":5000,"every_nth":2,"business_days":true,"calendars":["de"],"blackouts":{"dates":["2026-12-24/2026-12-26"]}}
            """
        let options = try ScheduleOptions(try JSONValue(parsing: text))
        #expect(options.clocks == ClockChangeRule(gap: .skip, fold: .both) && options.missed.cap == 5)
        #expect(options.overlap == .queueOne && options.everyNth == 2 && options.businessDays)
        #expect(try ScheduleOptions(.object(options.members)) == options)
        #expect(try ScheduleOptions(.object([])) == ScheduleOptions())
        #expect(try ScheduleOptions(.object(ScheduleOptions().members)) == ScheduleOptions())
    }
}
