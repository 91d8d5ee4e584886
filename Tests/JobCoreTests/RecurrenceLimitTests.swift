import JobCore
import Testing

private func time(_ text: String) -> WallTime {
    guard let time = WallTime(rfc3339: text) else { preconditionFailure("not a time: \(text)") }
    return time
}

/// Berlin's offsets of one spring.
private struct OneChange: ZoneRules {
    let at: Int64
    func offset(at seconds: Int64) -> Int { seconds < at ? 3600 : 7200 }
}

private let start = time("2026-01-01T00:00:00Z")
private let spring = OneChange(at: time("2026-03-29T01:00:00Z").seconds)

private func read(_ kind: String, _ spec: String, zoneName: String? = nil) throws -> ScheduleSpec {
    try ScheduleSpec(
        kind: kind, spec: try JSONValue(parsing: spec), now: start, zone: UTCRules(), zoneName: zoneName)
}

private func rule(_ text: String, dtstart: String = "2026-01-01T00:00:00") throws -> ScheduleSpec {
    try read("rrule", "{\"rule\":\"\(text)\",\"dtstart\":\"\(dtstart)\"}")
}

private func numbers(_ range: Range<Int>) -> String { range.map(String.init).joined(separator: ",") }

/// What a schedule may ask for costs a bounded number of steps, and no time of it lies beyond the last year.
@Suite struct RecurrenceLimitTests {
    // MARK: The last year

    @Test(arguments: [
        "FREQ=DAILY;INTERVAL=100000;BYMONTH=2;BYMONTHDAY=29", "FREQ=WEEKLY;INTERVAL=100000;BYMONTH=2;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=99999;BYMONTHDAY=31", "FREQ=YEARLY;INTERVAL=8000",
        "FREQ=HOURLY;INTERVAL=100000;BYMONTH=2;BYMONTHDAY=29", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    ])
    func rulesEndWithTheLastYear(_ text: String) throws {
        let spec = try rule(text)
        var (after, count) = (start, 0)
        while count < 20_000, let next = spec.next(after: after, zone: spring) {
            #expect(next > after && next < time("9999-12-31T23:59:59.5Z"))
            (after, count) = (next, count + 1)
        }
        #expect(count < 20_000)
    }

    @Test func neverBeforeTheLastYear() throws {
        var steps = 1_000_000
        let spec = try rule("FREQ=DAILY;INTERVAL=100000;BYMONTH=2;BYMONTHDAY=29")
        let next = spec.next(after: start, zone: UTCRules(), rule: ClockChangeRule(), steps: &steps)
        #expect(next == nil && steps > 990_000)
    }

    @Test(arguments: [
        ("interval", "{\"every_ms\":316224000000,\"anchor\":\"9999-06-01T00:00:00Z\"}"),
        ("interval", "{\"every_ms\":316224000000,\"anchor\":\"0001-01-01T00:00:00Z\"}"),
        ("cron", "{\"expression\":\"* * * * *\"}"), ("calendar", "{\"every_days\":3660,\"time\":\"02:30\"}"),
        ("calendar", "{\"last_day\":true,\"every_months\":500,\"time\":\"02:30\"}"),
        ("rrule", "{\"rule\":\"FREQ=SECONDLY\"}"), ("rrule", "{\"rule\":\"FREQ=WEEKLY\"}"),
        ("oncalendar", "{\"expression\":\"minutely\"}"), ("once", "{\"local\":\"9999-12-31T23:59:59\"}"),
    ])
    func nothingBeyondTheLastYear(_ kind: String, _ text: String) throws {
        let spec = try read(kind, text)
        for micros in [Int64.min, time("9999-12-31T23:59:58Z").micros, 253_402_300_800_000_000, .max - 1, .max] {
            if let next = spec.next(after: WallTime(micros: micros), zone: spring) {
                #expect(next > WallTime(micros: micros) && next < time("9999-12-31T23:59:59.5Z"))
            }
        }
    }

    // MARK: Bounded steps

    @Test(arguments: [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=10000;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;COUNT=10000",
        "FREQ=SECONDLY;COUNT=10000;BYMONTH=12;BYMONTHDAY=31;BYHOUR=23",
        "FREQ=SECONDLY;BYMONTH=1;BYSETPOS=" + numbers(2..<367),
        "FREQ=DAILY;BYHOUR=" + numbers(0..<24) + ";BYMINUTE=" + numbers(0..<60) + ";BYSECOND=" + numbers(0..<60),
        "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=4;BYDAY="
            + (1..<54).map { "\($0)MO,-\($0)TU,\($0)WE" }.joined(separator: ","),
    ])
    func hostileRulesAnswerInBoundedSteps(_ text: String) throws {
        let spec = try read(
            "rrule",
            "{\"rule\":\"\(text)\",\"dtstart\":\"2026-01-01T00:00:00\",\"exdate\":["
                + (1...28).map { "\"2026-01-\($0 < 10 ? "0" : "")\($0)T00:00:00\"" }.joined(separator: ",") + "]}")
        for from in ["2026-01-01T00:00:00Z", "2026-03-28T12:00:00Z", "2036-01-01T00:00:00Z"] {
            var steps = 1_000_000
            _ = spec.next(after: time(from), zone: spring, rule: ClockChangeRule(gap: .skip), steps: &steps)
            // The count, the search, and the last period of each.
            #expect(steps > 1_000_000 - 230_000, "\(1_000_000 - steps) steps")
        }
    }

    /// A rule of 86,400 times a day does not write them down for each question.
    @Test func manyTimesADayCostAsMuchAsOne() throws {
        let clock = ";BYHOUR=" + numbers(0..<24) + ";BYMINUTE=" + numbers(0..<60) + ";BYSECOND="
        for (rule, span) in [
            (try rule("FREQ=DAILY" + clock + numbers(0..<60)), 1),
            (try rule("FREQ=WEEKLY;BYDAY=TH,FR" + clock + "0,30"), 30),
        ] {
            var (after, steps) = (time("2026-01-01T23:50:00Z"), 1_000_000)
            for _ in 0..<1000 {
                let next = rule.next(after: after, zone: UTCRules(), rule: ClockChangeRule(), steps: &steps)
                #expect(next == after.advanced(by: .seconds(span)))
                after = try #require(next)
            }
            #expect(steps > 1_000_000 - 200_000, "\(1_000_000 - steps) steps")
        }
    }

    @Test func exceptionsShareOneWalk() throws {
        let list = (0..<1000).map { second in
            "\"" + WallTime(micros: start.micros + Int64(second) * 1_000_000).rfc3339.prefix(19) + "\""
        }
        let spec = try read(
            "rrule",
            "{\"rule\":\"FREQ=SECONDLY\",\"dtstart\":\"2026-01-01T00:00:00\",\"exdate\":["
                + list.joined(separator: ",") + "]}")
        var steps = 100_000
        let next = spec.next(after: start, zone: UTCRules(), rule: ClockChangeRule(), steps: &steps)
        #expect(next == time("2026-01-01T00:16:40Z") && steps > 98_000)
    }

    @Test(arguments: [
        "FREQ=YEARLY;BYDAY=MO;BYHOUR=\(numbers(0..<24));BYMINUTE=\(numbers(0..<60));BYSECOND=0,10,20",
        "FREQ=MONTHLY;BYMONTHDAY=1,2;BYHOUR=\(numbers(0..<24));BYMINUTE=\(numbers(0..<60));BYSECOND=\(numbers(0..<60))",
        "FREQ=YEARLY;BYWEEKNO=53;BYHOUR=\(numbers(0..<24));BYMINUTE=\(numbers(0..<60));BYSECOND=\(numbers(0..<60))",
        "FREQ=DAILY;BYDAY=\(Array(repeating: "MO", count: 1001).joined(separator: ","))",
        "FREQ=DAILY;BYHOUR=\(Array(repeating: "1", count: 1001).joined(separator: ","))",
    ])
    func tooLargeRules(_ text: String) throws {
        let fault = try #require(throws: FieldFault.self) { try rule(text) }
        #expect(fault.code == "rrule_too_large" && fault.pointer == "/rule")
    }

    @Test func equalDaysAreOne() throws {
        let spec = try rule("FREQ=WEEKLY;BYDAY=MO,FR,MO,MO")
        #expect(spec.json.contains("BYDAY=MO,FR\"") || spec.json.contains("BYDAY=MO,FR;"))
        #expect(try read("rrule", spec.json) == spec)
    }

    /// What is taken can be read back.
    @Test func datesOfTextAndLists() throws {
        func dates(_ range: Range<Int>) -> [String] {
            range.map { String(WallTime(micros: start.micros + Int64($0) * 86_400_000_000).rfc3339.prefix(19)) }
        }
        func spec(_ text: Int, _ list: Int, _ removed: Int) throws -> ScheduleSpec {
            let compact = dates(0..<text).map { $0.filter { $0 != "-" && $0 != ":" } }.joined(separator: ",")
            func json(_ list: [String]) -> String { list.map { "\"\($0)\"" }.joined(separator: ",") }
            return try read(
                "rrule",
                "{\"rule\":\"RDATE:\(compact)\\nRRULE:FREQ=DAILY\",\"rdate\":[\(json(dates(text..<text + list)))],"
                    + "\"exdate\":[\(json(dates(0..<removed)))]}")
        }
        let most = try spec(300, 300, 400)
        #expect(try read("rrule", most.json) == most)
        #expect(throws: FieldFault.self) { try spec(300, 300, 401) }
        #expect(throws: FieldFault.self) { try spec(600, 600, 0) }
        #expect(throws: FieldFault.self) { try spec(1001, 0, 0) }
    }

    @Test func aCountEndsWhereItDid() throws {
        let spec = try rule("FREQ=MONTHLY;COUNT=4;BYMONTHDAY=31", dtstart: "2026-01-31T09:00:00")
        var found: [String] = []
        var after = start
        while let next = spec.next(after: after, zone: UTCRules()) {
            found.append(String(next.rfc3339.prefix(10)))
            after = next
        }
        #expect(found == ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"])
        #expect(try rule("FREQ=YEARLY;COUNT=1000").next(after: time("3000-06-01T00:00:00Z"), zone: UTCRules()) != nil)
    }

    @Test func aPreviewStopsAndSaysSo() throws {
        func preview(_ spec: ScheduleSpec, _ nth: Int) -> SchedulePreview {
            var options = ScheduleOptions()
            options.everyNth = nth
            return SchedulePreview(
                Timetable(spec: spec, zone: UTCRules(), options: options), zoneName: "UTC", from: start, count: 100)
        }
        let minutely = preview(.cron(try CronExpression("* * * * *")), 10_000)
        #expect(minutely.runs.count == 1 && minutely.warnings.map(\.code) == [.stopped])
        let rare = preview(.cron(try CronExpression("0 0 29 2 *")), 10_000)
        #expect(rare.runs.count == 1 && rare.warnings.map(\.code) == [])
        let counted = preview(try rule("FREQ=DAILY;COUNT=10000"), 99)
        #expect(counted.runs.count == 100 && counted.warnings.isEmpty)
    }

    @Test func aLongAbsenceIsCutShort() throws {
        let all = ";BYHOUR=" + numbers(0..<24) + ";BYMINUTE=" + numbers(0..<60) + ";BYSECOND=" + numbers(0..<60)
        let timetable = Timetable(spec: try rule("FREQ=DAILY" + all), zone: UTCRules())
        let now = time("2026-06-01T00:00:00.5Z")
        let plan = FiringPlan(timetable, FiringPlan.State(schedule: 1, next: start), now: now)
        #expect(plan.next == time("2026-06-01T00:00:01Z") && plan.ordinal < 70_000)
    }

    // MARK: Zones and ends

    @Test func aZoneOfItsOwn() throws {
        let text = "{\"rule\":\"DTSTART;TZID=Europe/Berlin:20260101T090000\\nRRULE:FREQ=DAILY\"}"
        for zone in [nil, "UTC", "Europe/Paris"] {
            let fault = try #require(throws: FieldFault.self) { try read("rrule", text, zoneName: zone) }
            #expect(fault.code == "rrule_syntax" && fault.detail.contains("timezone"))
        }
        let spec = try read("rrule", text, zoneName: "Europe/Berlin")
        #expect(try read("rrule", spec.json) == spec)
        for line in ["EXDATE;TZID=Asia/Tokyo:20260102T090000", "RDATE;X=1:20260102T090000"] {
            #expect(throws: FieldFault.self) {
                try read("rrule", "{\"rule\":\"\(line)\\nRRULE:FREQ=DAILY\"}", zoneName: "Europe/Berlin")
            }
        }
        #expect(throws: Never.self) {
            try read("rrule", "{\"rule\":\"DTSTART;VALUE=DATE:20260101\\nRRULE:FREQ=DAILY\"}")
        }
    }

    /// What is exported can be read again, in its zone and in no other.
    @Test func exportedAndReadAgain() throws {
        let text = "DTSTART:20260101T090000\nRRULE:FREQ=DAILY\nEXDATE:20260102T090000\nRDATE:20260103T120000"
        let rule = try RecurrenceRule(text, start: 0, zone: spring)
        let lines = try ScheduleSpec.recurrence(rule).icalendarLines(zone: "Europe/Berlin", rules: spring)
            .joined(separator: "\n")
        #expect(try RecurrenceRule(lines, start: 0, zone: spring, zoneName: "Europe/Berlin") == rule)
        #expect(throws: FieldFault.self) { try RecurrenceRule(lines, start: 0, zone: spring, zoneName: "UTC") }
        let universal = try ScheduleSpec.recurrence(rule).icalendarLines(zone: "UTC", rules: UTCRules())
        #expect(
            try RecurrenceRule(universal.joined(separator: "\n"), start: 0, zone: UTCRules(), zoneName: "UTC") == rule)
    }

    @Test func datesAddedAfterTheEndOfTheRule() throws {
        let text =
            "DTSTART:20260101T090000\\nRRULE:FREQ=DAILY;UNTIL=20260102T080000Z\\n"
            + "RDATE:20260102T180000,20270101T090000"
        let spec = try read("rrule", "{\"rule\":\"\(text)\"}")
        var (after, found) = (start, [String]())
        while let next = spec.next(after: after, zone: spring) {
            found.append(String(next.rfc3339.prefix(19)))
            after = next
        }
        #expect(
            found == ["2026-01-01T08:00:00", "2026-01-02T08:00:00", "2026-01-02T17:00:00", "2027-01-01T07:00:00"])
    }
}
