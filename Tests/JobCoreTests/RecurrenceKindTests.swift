import JobCore
import Testing

private func time(_ text: String) -> WallTime {
    guard let time = WallTime(rfc3339: text) else { preconditionFailure("not a time: \(text)") }
    return time
}

/// A zone with one change of clocks.
private struct OneChange: ZoneRules {
    let at: Int64
    let before: Int
    let after: Int
    func offset(at seconds: Int64) -> Int { seconds < at ? before : after }
}

private let start = time("2026-01-01T00:00:00Z")

private func read(_ kind: String, _ spec: String) throws -> ScheduleSpec {
    try ScheduleSpec(kind: kind, spec: try JSONValue(parsing: spec), now: start, zone: UTCRules())
}

private func firings(
    _ spec: ScheduleSpec, after: WallTime = start, count: Int, zone: some ZoneRules = UTCRules(),
    rule: ClockChangeRule = ClockChangeRule()
) -> [String] {
    var result: [String] = []
    var last = after
    while result.count < count, let next = spec.next(after: last, zone: zone, rule: rule) {
        #expect(next > last)
        result.append(String(next.rfc3339.prefix(19)))
        last = next
    }
    return result
}

/// The kinds beside plain cron. Longer lists stand in `Tests/schedules`, compared with other programs.
@Suite struct RecurrenceKindTests {
    @Test(arguments: [
        ("0 0 L * *", ["2026-01-31", "2026-02-28"]), ("0 0 L-2 * *", ["2026-01-29", "2026-02-26"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        (
            "0 0 1W * *",
            ["2026-02-02", "2026-03-02", "2026-04-01", "2026-05-01", "2026-06-01", "2026-07-01", "2026-08-03"]
        ),
        ("0 0 31W * *", ["2026-01-30", "2026-03-31", "2026-05-29"]),  // Sunday the 31st of May: the Friday before.
        ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16"]), ("0 0 * * FRI#2", ["2026-01-09", "2026-02-13"]),
        ("0 0 * * 5#5", ["2026-01-30", "2026-05-29"]), ("0 0 * * SUNL", ["2026-01-25", "2026-02-22"]),
        ("0 0 * * 7#1,1L", ["2026-01-04", "2026-01-26", "2026-02-01"]), ("0 0 1,L 2 *", ["2026-02-01", "2026-02-28"]),
    ])
    func cronDays(_ text: String, _ expected: [String]) throws {
        let spec = ScheduleSpec.cron(try CronExpression(text))
        #expect(firings(spec, count: expected.count).map { String($0.prefix(10)) } == expected)
    }

    @Test(arguments: [
        "0 0 L/2 * *", "0 0 W * *", "0 0 32W * *", "0 0 L-31 * *", "0 0 * * L", "0 0 * * 5#6", "0 0 * * #1",
        "0 0 * * 5#", "0 0 LL * *", "0 0 ? * *",
    ])
    func badCronDays(_ text: String) {
        #expect(throws: FieldFault.self) { try CronExpression(text) }
    }

    @Test func dialectsAreNamed() throws {
        let seconds = try read("cron", "{\"expression\":\"*/20 59 23 * * *\",\"dialect\":\"seconds\"}")
        #expect(firings(seconds, count: 3) == ["2026-01-01T23:59:00", "2026-01-01T23:59:20", "2026-01-01T23:59:40"])
        // Quartz counts its weekdays from 1, and knows a step without a range.
        let quartz = try read("cron", "{\"expression\":\"0 0/30 8 ? * 2\",\"dialect\":\"quartz\"}")
        #expect(firings(quartz, count: 2) == ["2026-01-05T08:00:00", "2026-01-05T08:30:00"])
        #expect(throws: FieldFault.self) { try CronExpression("0 0 8 1 * MON", dialect: .quartz) }
        #expect(throws: FieldFault.self) { try CronExpression("0 8 * * *", dialect: .seconds) }
        #expect(throws: FieldFault.self) { try CronExpression("0 0 8 * * *") }
        for spec in [seconds, quartz] { #expect(try read("cron", spec.json) == spec) }
    }

    @Test(arguments: [
        (
            "{\"weekdays\":[\"mon\",\"fri\"],\"every_weeks\":2,\"from\":\"2026-01-08\",\"time\":\"08:00\"}",
            ["2026-01-05", "2026-01-09", "2026-01-19", "2026-01-23"]
        ),
        ("{\"last_day\":true,\"time\":\"08:00\"}", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("{\"last_workday\":true,\"time\":\"08:00\"}", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("{\"nth_weekday\":{\"nth\":2,\"weekday\":\"tue\"},\"time\":\"08:00\"}", ["2026-01-13", "2026-02-10"]),
        ("{\"nth_weekday\":{\"nth\":\"last\",\"weekday\":\"tue\"},\"time\":\"08:00\"}", ["2026-01-27", "2026-02-24"]),
        ("{\"nth_weekday\":{\"nth\":5,\"weekday\":\"fri\"},\"time\":\"08:00\"}", ["2026-01-30", "2026-05-29"]),
        (
            "{\"day_of_month\":30,\"every_months\":3,\"from\":\"2025-11-01\",\"time\":\"08:00\"}",
            ["2026-02-28", "2026-05-30", "2026-08-30"]
        ),
    ])
    func calendarDays(_ text: String, _ expected: [String]) throws {
        let spec = try read("calendar", text)
        #expect(firings(spec, count: expected.count).map { String($0.prefix(10)) } == expected)
        #expect(try read("calendar", spec.json) == spec)
    }

    @Test func severalTimesOfDay() throws {
        let spec = try read("calendar", "{\"every_days\":1,\"times\":[\"17:30\",\"09:00\",\"17:30:00\"]}")
        #expect(firings(spec, count: 3) == ["2026-01-01T09:00:00", "2026-01-01T17:30:00", "2026-01-02T09:00:00"])
        #expect(try read("calendar", spec.json) == spec)
    }

    /// As `systemd-analyze calendar` of systemd 252 answers.
    @Test(arguments: [
        ("*-*~1..3", ["2026-01-29T00:00:00", "2026-01-30T00:00:00", "2026-01-31T00:00:00", "2026-02-26T00:00:00"]),
        ("*-02~03", ["2026-02-26T00:00:00", "2027-02-26T00:00:00", "2028-02-27T00:00:00"]),
        ("Mon *-05~07/1 02:0/30", ["2026-05-25T02:00:00", "2026-05-25T02:30:00", "2027-05-31T02:00:00"]),
        ("*:0/20", ["2026-01-01T00:20:00", "2026-01-01T00:40:00", "2026-01-01T01:00:00"]),
        ("Mon-Fri 10:00", ["2026-01-01T10:00:00", "2026-01-02T10:00:00", "2026-01-05T10:00:00"]),
        ("Sat,Sun", ["2026-01-03T00:00:00", "2026-01-04T00:00:00", "2026-01-10T00:00:00"]),
        ("*-*~28/7", ["2026-01-04T00:00:00", "2026-01-11T00:00:00", "2026-01-18T00:00:00"]),
        ("05-3 12:00", ["2026-05-03T12:00:00", "2027-05-03T12:00:00"]),
        ("1..5/2:00", ["2026-01-01T01:00:00", "2026-01-01T03:00:00", "2026-01-01T05:00:00"]),
        ("2026..2030-1-1", ["2027-01-01T00:00:00", "2028-01-01T00:00:00"]),
        ("Wed..Sat,Tue 27-10-15 1:2:3", ["2027-10-15T01:02:03"]), ("quarterly", ["2026-04-01T00:00:00"]),
        ("2026-01-01T00:00:01", ["2026-01-01T00:00:01"]), ("*:*:0/15", ["2026-01-01T00:00:15"]),
        ("@1767229323", ["2026-01-01T01:02:03"]),
    ])
    func calendarEvents(_ text: String, _ expected: [String]) throws {
        let spec = try read("oncalendar", "{\"expression\":\"\(text)\"}")
        #expect(firings(spec, count: expected.count) == expected)
        #expect(try read("oncalendar", spec.json) == spec)
    }

    @Test(arguments: [
        "", "*-*~3..1", "Fri..Mon 10:00", "*/2-*-*", "*-*~30", "*-*-31/5", "5..3:00", "25:00", "10:60",
        "10:00:00.5", "Foo 10:00", "2026-13-01", "1 2 3 4", "10", "*-*-0", "10:00/0",
    ])
    func badCalendarEvents(_ text: String) {
        #expect(throws: FieldFault.self) { try OnCalendar(text) }
    }

    @Test func aCalendarEventMayNameItsZone() throws {
        #expect(try OnCalendar("Mon..Fri 10:00 Europe/Berlin").zone == "Europe/Berlin")
        #expect(try OnCalendar("daily UTC").zone == "UTC")
        #expect(try OnCalendar("Sat,Sun").zone == nil)
    }

    /// Examples of RFC 5545, 3.8.5.3, begun in 2026.
    @Test(arguments: [
        ("FREQ=DAILY;COUNT=3", ["2026-01-02T09:00:00", "2026-01-03T09:00:00"]),
        ("FREQ=MONTHLY;BYDAY=1FR;COUNT=2", ["2026-01-02T09:00:00", "2026-02-06T09:00:00"]),
        (
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU",
            ["2026-01-04T09:00:00", "2026-01-25T09:00:00", "2026-03-01T09:00:00"]
        ),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", ["2026-01-29T09:00:00", "2026-02-26T09:00:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-01-30T09:00:00", "2026-02-27T09:00:00"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", ["2026-05-11T09:00:00", "2027-05-17T09:00:00"]),
        ("FREQ=YEARLY;BYDAY=20MO", ["2026-05-18T09:00:00", "2027-05-17T09:00:00"]),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            ["2026-11-03T09:00:00", "2030-11-05T09:00:00"]
        ),
        ("FREQ=HOURLY;INTERVAL=3;UNTIL=20260101T170000", ["2026-01-01T12:00:00", "2026-01-01T15:00:00"]),
        ("FREQ=MINUTELY;INTERVAL=90;BYHOUR=9,10,11", ["2026-01-01T10:30:00", "2026-01-02T09:00:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", ["2026-01-11T09:00:00", "2026-01-13T09:00:00"]),
        ("FREQ=YEARLY;BYYEARDAY=1,-1", ["2026-12-31T09:00:00", "2027-01-01T09:00:00"]),
    ])
    func recurrenceRules(_ text: String, _ expected: [String]) throws {
        let spec = try read("rrule", "{\"rule\":\"\(text)\",\"dtstart\":\"2026-01-01T09:00:00\"}")
        let begun = time("2026-01-01T09:00:00Z")
        #expect(firings(spec, after: begun, count: expected.count) == expected)
        #expect(try read("rrule", spec.json) == spec)
    }

    @Test func recurrenceRulesEnd() throws {
        let spec = try read("rrule", "{\"rule\":\"FREQ=DAILY;COUNT=3\",\"dtstart\":\"2026-01-01T09:00:00\"}")
        #expect(firings(spec, count: 9).count == 3)
        let lines =
            "DTSTART:20260101T090000\\nRRULE:FREQ=DAILY;UNTIL=20260104T090000Z\\nEXDATE:20260102T090000\\n"
            + "RDATE:20260103T120000"
        #expect(
            firings(try read("rrule", "{\"rule\":\"\(lines)\"}"), count: 9)
                == ["2026-01-01T09:00:00", "2026-01-03T09:00:00", "2026-01-03T12:00:00", "2026-01-04T09:00:00"])
    }

    @Test(arguments: [
        "", "FREQ=NEVER", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=1;UNTIL=20270101", "FREQ=DAILY;X=1",
        "FREQ=DAILY;BYHOUR=24", "FREQ=WEEKLY;BYMONTHDAY=1", "FREQ=DAILY;BYWEEKNO=1", "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYSETPOS=1", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;UNTIL=tomorrow", "BYDAY=MO",
    ])
    func badRecurrenceRules(_ text: String) {
        #expect(throws: FieldFault.self) { try RecurrenceRule(text, start: 0, zone: UTCRules()) }
    }

    @Test func eventsHaveNoTimes() throws {
        let after = try read("after", "{\"job\":\"load\",\"on\":[\"succeeded\",\"failed\"],\"delay_ms\":5000}")
        let atStart = try read("event", "{\"event\":\"host_start\"}")
        for spec in [after, atStart] {
            #expect(spec.isEvent && spec.next(after: start, zone: UTCRules()) == nil)
            #expect(try read(spec.kind, spec.json) == spec)
        }
        #expect(throws: FieldFault.self) { try read("after", "{\"job\":\"load\",\"on\":[\"running\"]}") }
        #expect(throws: FieldFault.self) { try read("event", "{\"event\":\"full_moon\"}") }
    }

    // MARK: Changes of clocks

    private static let gap = OneChange(at: time("2026-03-29T01:00:00Z").seconds, before: 3600, after: 7200)
    private static let fold = OneChange(at: time("2026-10-25T01:00:00Z").seconds, before: 7200, after: 3600)

    @Test(arguments: [
        "cron {\"expression\":\"30 2 * * *\"}", "calendar {\"every_days\":1,\"time\":\"02:30\"}",
        "oncalendar {\"expression\":\"02:30\"}", "rrule {\"rule\":\"FREQ=DAILY\",\"dtstart\":\"2026-01-01T02:30:00\"}",
    ])
    func rulesForGapAndFold(_ text: String) throws {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        let spec = try read(parts[0], parts[1])
        let spring = time("2026-03-28T12:00:00Z")
        #expect(
            firings(spec, after: spring, count: 2, zone: Self.gap) == ["2026-03-29T01:00:00", "2026-03-30T00:30:00"])
        #expect(
            firings(spec, after: spring, count: 1, zone: Self.gap, rule: .init(gap: .skip)) == ["2026-03-30T00:30:00"])
        let autumn = time("2026-10-24T12:00:00Z")
        let next = "2026-10-26T01:30:00"
        #expect(firings(spec, after: autumn, count: 2, zone: Self.fold) == ["2026-10-25T00:30:00", next])
        #expect(
            firings(spec, after: autumn, count: 2, zone: Self.fold, rule: .init(fold: .last))
                == ["2026-10-25T01:30:00", next])
        #expect(
            firings(spec, after: autumn, count: 3, zone: Self.fold, rule: .init(fold: .both))
                == ["2026-10-25T00:30:00", "2026-10-25T01:30:00", next])
    }

    @Test(arguments: [
        "cron {\"expression\":\"*/30 2 * * *\"}", "oncalendar {\"expression\":\"02:0/30\"}",
        "rrule {\"rule\":\"FREQ=MINUTELY;INTERVAL=30;BYHOUR=2\",\"dtstart\":\"2026-01-01T02:00:00\"}",
    ])
    func rhythmsFollowElapsedTime(_ text: String) throws {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        let spec = try read(parts[0], parts[1])
        #expect(
            firings(spec, after: time("2026-03-28T12:00:00Z"), count: 1, zone: Self.gap) == ["2026-03-30T00:00:00"])
        #expect(
            firings(spec, after: time("2026-10-24T12:00:00Z"), count: 5, zone: Self.fold)
                == [
                    "2026-10-25T00:00:00", "2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00",
                    "2026-10-26T01:00:00",
                ])
    }

    @Test func onceOnTheWall() throws {
        let lost = try read("once", "{\"local\":\"2026-03-29T02:30:00\"}")
        #expect(firings(lost, count: 2, zone: Self.gap) == ["2026-03-29T01:00:00"])
        #expect(firings(lost, count: 1, zone: Self.gap, rule: .init(gap: .skip)) == [])
        let twice = try read("once", "{\"local\":\"2026-10-25T02:30\"}")
        #expect(firings(twice, count: 2, zone: Self.fold, rule: .init(fold: .both)) == ["2026-10-25T00:30:00"])
        #expect(firings(twice, count: 2, zone: Self.fold, rule: .init(fold: .last)) == ["2026-10-25T01:30:00"])
        #expect(try read("once", twice.json) == twice)
    }

    /// Its time is measured on the built program, see `Tests/schedules`.
    @Test(arguments: [
        "cron {\"expression\":\"0 0 30 2 *\"}", "cron {\"expression\":\"* * 31 2,4,6,9,11 *\"}",
        "oncalendar {\"expression\":\"*-02-30\"}", "oncalendar {\"expression\":\"2001-*-*\"}",
        "oncalendar {\"expression\":\"Mon 2027-01-01\"}", "rrule {\"rule\":\"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"}",
        "rrule {\"rule\":\"FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\"}",
        "rrule {\"rule\":\"FREQ=SECONDLY;INTERVAL=60;BYSECOND=7\",\"dtstart\":\"2026-01-01T00:00:00\"}",
        "rrule {\"rule\":\"FREQ=DAILY;BYMONTHDAY=31;BYMONTH=4\"}",
    ])
    func neverIsAnAnswer(_ text: String) throws {
        let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
        #expect(try read(parts[0], parts[1]).next(after: start, zone: Self.gap) == nil)
    }
}
