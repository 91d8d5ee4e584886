import Glibc
import JobCore
import Testing

/// A zone with one change of clocks: the offset is `before` up to `at`, then `after`.
private struct OneChange: ZoneRules {
    let at: Int64
    let before: Int
    let after: Int
    func offset(at seconds: Int64) -> Int { seconds < at ? before : after }
}

private func time(_ text: String) -> WallTime {
    guard let time = WallTime(rfc3339: text) else { preconditionFailure("not a time: \(text)") }
    return time
}

private func firings(_ spec: ScheduleSpec, after: String, count: Int, zone: some ZoneRules) -> [String] {
    var result: [String] = []
    var last = time(after)
    while result.count < count, let next = spec.next(after: last, zone: zone) {
        #expect(next > last)
        result.append(String(next.rfc3339.prefix(16)))
        last = next
    }
    return result
}

/// As installed; nil without tzdata.
private func zone(_ name: String) -> TimeZoneFile? {
    guard let file = fopen("/usr/share/zoneinfo/\(name)", "rb") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return TimeZoneFile(Array(bytes.prefix(count)))
}

@Suite struct ScheduleTests {
    private func cron(_ text: String) throws -> ScheduleSpec { .cron(try CronExpression(text)) }

    @Test(arguments: [
        ("0 3 * * *", ["2026-01-01T03:00", "2026-01-02T03:00"]),
        ("*/20 9-10 * * MON-FRI", ["2026-01-01T09:00", "2026-01-01T09:20", "2026-01-01T09:40", "2026-01-01T10:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("15,45 0 1 jan,Jul *", ["2026-01-01T00:15", "2026-01-01T00:45", "2026-07-01T00:15"]),
        ("0 12 13 * FRI", ["2026-01-02T12:00", "2026-01-09T12:00", "2026-01-13T12:00"]),  // Either day matches.
        ("0 12 */2 * MON", ["2026-01-05T12:00", "2026-01-19T12:00"]),  // One begins with *: both must.
        ("0 0 * * 7", ["2026-01-04T00:00"]),
        ("0 0 * * 5-7", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("0 0 * * FRI-SUN", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"]),
        ("@monthly", ["2026-02-01T00:00"]), ("@hourly", ["2026-01-01T01:00", "2026-01-01T02:00"]),
        ("59 23 31 12 *", ["2026-12-31T23:59"]), ("0 0 30 2 *", []),
    ])
    func cronInUTC(_ text: String, _ expected: [String]) throws {
        let count = max(1, expected.count)
        #expect(firings(try cron(text), after: "2026-01-01T00:00:00Z", count: count, zone: UTCRules()) == expected)
    }

    @Test(arguments: [
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
        "5-1 * * * *", "*/0 * * * *", "5/10 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "+1 * * * *",
        "1- * * * *",
        "@reboot", "* * * foo *", "1-2-3 * * * *", "*/ * * * *", "99999999999999999999 * * * *",
    ])
    func badCronIsRefused(_ text: String) {
        #expect(throws: FieldFault.self) { try CronExpression(text) }
    }

    /// Clocks go from 02:00 to 03:00 at 01:00 UTC (offset 1 h to 2 h).
    @Test func theGap() throws {
        let zone = OneChange(at: time("2026-03-29T01:00:00Z").seconds, before: 3600, after: 7200)
        let day = "2026-03-28T12:00:00Z"
        // 02:30 does not exist on the 29th: it fires at 03:00 local, 01:00 UTC.
        #expect(
            firings(try cron("30 2 * * *"), after: day, count: 3, zone: zone)
                == ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"])
        // Two that are skipped are one firing; one right after the gap is the same one.
        #expect(
            firings(try cron("0,30 2,3 * * *"), after: day, count: 3, zone: zone)
                == ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"])
        // Every half hour follows elapsed time.
        #expect(
            firings(try cron("*/30 * * * *"), after: "2026-03-29T00:15:00Z", count: 4, zone: zone)
                == ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30", "2026-03-29T02:00"])
        #expect(
            zone.resolve(CivilTime(year: 2026, month: 3, day: 29, hour: 2, minute: 30)) == .gap(firstValid: zone.at))
    }

    /// Clocks go from 03:00 back to 02:00 at 01:00 UTC.
    @Test func theFold() throws {
        let zone = OneChange(at: time("2026-10-25T01:00:00Z").seconds, before: 7200, after: 3600)
        // 02:30 comes twice: it fires the first time only.
        #expect(
            firings(try cron("30 2 * * *"), after: "2026-10-24T12:00:00Z", count: 2, zone: zone)
                == ["2026-10-25T00:30", "2026-10-26T01:30"])
        #expect(
            firings(try cron("30 * * * *"), after: "2026-10-24T23:45:00Z", count: 3, zone: zone)
                == ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"])
        // Asked in the middle of the repeated hour.
        #expect(
            firings(try cron("30 2 * * *"), after: "2026-10-25T01:10:00Z", count: 1, zone: zone) == ["2026-10-26T01:30"]
        )
        let wall = CivilTime(year: 2026, month: 10, day: 25, hour: 2, minute: 30)
        #expect(zone.resolve(wall) == .fold(first: zone.at - 1800, second: zone.at + 1800))
    }

    @Test func intervalsKeepTheirRhythm() {
        let spec = ScheduleSpec.interval(every: .seconds(90), anchor: time("2026-01-01T00:00:00Z"))
        #expect(
            firings(spec, after: "2025-12-31T00:00:00Z", count: 2, zone: UTCRules()) == [
                "2026-01-01T00:00", "2026-01-01T00:01",
            ])
        #expect(spec.next(after: time("2026-01-01T00:00:00Z"), zone: UTCRules()) == time("2026-01-01T00:01:30Z"))
        #expect(spec.next(after: time("2026-01-01T00:01:29.999999Z"), zone: UTCRules()) == time("2026-01-01T00:01:30Z"))
        let (latest, missed) = spec.latest(
            from: time("2026-01-01T00:00:00Z"), notAfter: time("2026-01-01T01:00:10Z"), zone: UTCRules())
        #expect(latest == time("2026-01-01T01:00:00Z") && missed == 40)
    }

    @Test func latestOfWhatWasMissed() throws {
        let (latest, missed) = try cron("0 * * * *").latest(
            from: time("2026-01-01T00:00:00Z"), notAfter: time("2026-01-02T00:30:00Z"), zone: UTCRules())
        #expect(latest == time("2026-01-02T00:00:00Z") && missed == 24)
        let once = ScheduleSpec.once(at: time("2026-01-01T00:00:00Z"))
        #expect(
            once.latest(from: time("2026-01-01T00:00:00Z"), notAfter: time("2027-01-01T00:00:00Z"), zone: UTCRules())
                .missed == 0)
        #expect(once.next(after: time("2026-01-01T00:00:00Z"), zone: UTCRules()) == nil)
    }

    @Test(arguments: [
        (
            "{\"every_days\":3,\"from\":\"2026-01-02\",\"time\":\"04:30\"}",
            ["2026-01-02T04:30", "2026-01-05T04:30", "2026-01-08T04:30"]
        ),
        (
            "{\"weekdays\":[\"mon\",\"Thursday\"],\"time\":\"00:00:00\"}",
            ["2026-01-05T00:00", "2026-01-08T00:00", "2026-01-12T00:00"]
        ),
        (
            "{\"day_of_month\":31,\"time\":\"23:59\"}",
            ["2026-01-31T23:59", "2026-02-28T23:59", "2026-03-31T23:59", "2026-04-30T23:59"]
        ),
        ("{\"weekdays\":[0,7],\"time\":\"12:00\"}", ["2026-01-04T12:00", "2026-01-11T12:00"]),
    ])
    func calendar(_ text: String, _ expected: [String]) throws {
        let spec = try ScheduleSpec(
            kind: "calendar", spec: JSONValue(parsing: text), now: time("2026-01-01T00:00:00Z"), zone: UTCRules())
        #expect(firings(spec, after: "2026-01-01T00:00:00Z", count: expected.count, zone: UTCRules()) == expected)
    }

    @Test(arguments: [
        ("once", "{}", "/at"), ("once", "{\"at\":\"tomorrow\"}", "/at"),
        ("interval", "{\"every_ms\":999}", "/every_ms"),
        ("interval", "{\"every_ms\":60000,\"x\":1}", "/x"), ("cron", "{\"expression\":\"0 25 * * *\"}", "/expression"),
        ("calendar", "{\"time\":\"04:30\"}", ""), ("calendar", "{\"every_days\":1}", "/time"),
        ("calendar", "{\"every_days\":1,\"time\":\"24:00\"}", "/time"),
        ("calendar", "{\"weekdays\":[],\"time\":\"04:00\"}", "/weekdays"),
        ("calendar", "{\"weekdays\":[\"mon\",\"xyz\"],\"time\":\"04:00\"}", "/weekdays/1"),
        ("calendar", "{\"day_of_month\":32,\"time\":\"04:00\"}", "/day_of_month"), ("weekly", "{}", ""),
        ("once", "[]", ""),
    ])
    func badSpecificationsHaveAPlace(_ kind: String, _ text: String, _ pointer: String) throws {
        let value = try JSONValue(parsing: text)
        do throws(FieldFault) {
            _ = try ScheduleSpec(kind: kind, spec: value, now: time("2026-01-01T00:00:00Z"), zone: UTCRules())
            Issue.record("it was taken")
        } catch {
            #expect(error.pointer == pointer)
        }
    }

    @Test func specificationsAreStoredComplete() throws {
        let now = time("2026-01-01T10:00:00.5Z")
        for (kind, text) in [
            ("interval", "{\"every_ms\":60000}"), ("calendar", "{\"every_days\":2,\"time\":\"01:00\"}"),
            ("cron", "{\"expression\":\" 0   0 * * * \"}"), ("once", "{\"at\":\"2026-02-01T00:00:00+01:00\"}"),
        ] {
            let spec = try ScheduleSpec(kind: kind, spec: JSONValue(parsing: text), now: now, zone: UTCRules())
            let later = try ScheduleSpec(
                kind: spec.kind, spec: JSONValue(parsing: spec.json), now: now.advanced(by: .seconds(99_999)),
                zone: UTCRules())
            #expect(later == spec)
        }
    }

    // MARK: Zone files

    @Test func berlin() throws {
        let berlin = try #require(zone("Europe/Berlin"), "needs the package tzdata")
        #expect(berlin.offset(at: time("2026-01-01T00:00:00Z").seconds) == 3600)
        #expect(berlin.offset(at: time("2026-03-29T00:59:59Z").seconds) == 3600)
        #expect(berlin.offset(at: time("2026-03-29T01:00:00Z").seconds) == 7200)
        #expect(berlin.offset(at: time("2026-10-25T00:59:59Z").seconds) == 7200)
        #expect(berlin.offset(at: time("2026-10-25T01:00:00Z").seconds) == 3600)
        // Beyond the table: by the rule at its end.
        #expect(berlin.offset(at: time("2090-07-01T00:00:00Z").seconds) == 7200)
        #expect(berlin.offset(at: time("2090-12-01T00:00:00Z").seconds) == 3600)
        #expect(
            firings(try cron("30 2 * * *"), after: "2099-03-28T12:00:00Z", count: 2, zone: berlin)
                == ["2099-03-29T01:00", "2099-03-30T00:30"])
    }

    @Test func zonesThatAreDifferent() throws {
        let sydney = try #require(zone("Australia/Sydney"))  // Summer spans the new year.
        #expect(sydney.offset(at: time("2080-01-01T00:00:00Z").seconds) == 11 * 3600)
        #expect(sydney.offset(at: time("2080-07-01T00:00:00Z").seconds) == 10 * 3600)
        let lordHowe = try #require(zone("Australia/Lord_Howe"))  // Half an hour of summer time.
        #expect(lordHowe.offset(at: time("2080-01-01T00:00:00Z").seconds) == 11 * 3600)
        #expect(lordHowe.offset(at: time("2080-07-01T00:00:00Z").seconds) == 37_800)
        let apia = try #require(zone("Pacific/Apia"))  // Left out 2011-12-30.
        let gone = CivilTime(year: 2011, month: 12, day: 30, hour: 12)
        #expect(apia.resolve(gone) == .gap(firstValid: time("2011-12-30T10:00:00Z").seconds))
        let nuuk = try #require(zone("America/Nuuk"))  // A rule with a negative time of day.
        #expect(nuuk.offset(at: time("2080-07-01T00:00:00Z").seconds) == -3600)
        let utc = try #require(zone("Etc/UTC"))
        #expect(utc.offset(at: 0) == 0)
    }

    @Test func damagedZoneFilesAreRefused() throws {
        #expect(TimeZoneFile([]) == nil)
        #expect(TimeZoneFile(Array("TZif2".utf8)) == nil)
        guard let file = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb") else { return }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        bytes = Array(bytes.prefix(fread(&bytes, 1, bytes.count, file)))
        for length in stride(from: 0, to: bytes.count - 1, by: 7) {
            #expect(TimeZoneFile(Array(bytes.prefix(length))) == nil)
        }
    }
}
