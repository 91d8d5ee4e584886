import JobCore
import Testing

@Suite struct ValueTests {
    @Test func runIDsAreNamesOfFixedWidth() {
        #expect(RunID(0).description == "run_0000000000000")
        #expect(RunID(.max).description == "run_7zzzzzzzzzzzz")
        for number: Int64 in [0, 1, 31, 32, 1023, 1 << 40, .max - 1, .max] {
            let name = RunID(number).description
            #expect(RunID(parsing: name)?.rawValue == number)
            #expect(RunID(parsing: name.uppercased().replacing("RUN_", with: "run_"))?.rawValue == number)
        }
        #expect(RunID(1) < RunID(2) && RunID(31).description < RunID(32).description)
        #expect(RunID(parsing: "run_00000000000oI")?.rawValue == 1)  // O is 0, I is 1.
        let bad = [
            "", "run_", "run_000000000000", "run_00000000000000", "job_0000000000000", "run_8000000000000",
            "run_000000000000u", "run_000000000000é", "run_00000000000-1", "run_ 000000000001", " run_000000000001",
        ]
        for text in bad { #expect(RunID(parsing: text) == nil, "\(text)") }
    }

    @Test func timesAreTextsAndBack() {
        let texts = [
            "1970-01-01T00:00:00.000000Z", "2026-11-21T02:30:59.123456Z", "2000-02-29T23:59:59.999999Z",
            "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.999999Z",
        ]
        for text in texts { #expect(WallTime(rfc3339: text)?.rfc3339 == text) }
        #expect(WallTime(rfc3339: "2026-01-01T01:30:00+01:30")?.rfc3339 == "2026-01-01T00:00:00.000000Z")
        #expect(WallTime(rfc3339: "2026-01-01T00:00:00.5-00:30")?.rfc3339 == "2026-01-01T00:30:00.500000Z")
        #expect(WallTime(rfc3339: "2026-01-01 00:00:00.1234567z")?.rfc3339 == "2026-01-01T00:00:00.123456Z")
        #expect(WallTime(rfc3339: "2016-12-31T23:59:60Z")?.rfc3339 == "2017-01-01T00:00:00.000000Z")
        let bad = [
            "", "2026-01-01", "2026-01-01T00:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00ZZ",
            "+026-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
        ]
        for text in bad { #expect(WallTime(rfc3339: text) == nil, "\(text)") }
        #expect(WallTime(micros: .max).advanced(by: .seconds(1)) == WallTime(micros: .max))
    }

    @Test func theCalendarIsTheCalendar() {
        var days = CivilTime.days(year: 1600, month: 1, day: 1)
        for year in 1600...2400 {
            for month in 1...12 {
                for day in 1...CivilTime.daysInMonth(month, of: year) {
                    let date = CivilTime.date(daysSinceEpoch: days)
                    if date != (year, month, day) { Issue.record("\(date) for \(year)-\(month)-\(day)") }
                    days += 1
                }
            }
        }
        #expect(days == CivilTime.days(year: 2401, month: 1, day: 1))
        #expect(CivilTime(year: 2026, month: 11, day: 21).weekday == 6)
        #expect(
            CivilTime(secondsSinceEpoch: -1)
                == CivilTime(year: 1969, month: 12, day: 31, hour: 23, minute: 59, second: 59))
    }

    @Test func progressReadsAsASentence() {
        #expect(
            Progress(stage: "Processing users", current: 1250, total: 5000).line == "Processing users (1,250 / 5,000)")
        #expect(Progress(stage: "Processing users", current: 1250, total: 5000).percent == 25)
        #expect(Progress(stage: "Scanning", current: 1250).line == "Scanning (1,250 processed)")
        #expect(Progress(stage: "Scanning", current: 1250).percent == nil)
        #expect(Progress(current: 9, total: 4).percent == 100)
        #expect(Progress(total: 0).percent == 100)
        var progress = Progress(stage: "a \"b\"", current: .max, total: 1, unit: "rows", message: "m")
        progress.count("z", 1)
        progress.count("a", .max)
        progress.count("a", 5)
        #expect(progress.counters == [.init(kind: "a", value: .max), .init(kind: "z", value: 1)])
        do {
            #expect(Progress(summary: try JSONValue(parsing: progress.summaryJSON)) == progress)
        } catch {
            Issue.record(error)
        }
        #expect(Progress().isEmpty && !progress.isEmpty)
    }

    @Test func backoffGrowsToItsCap() {
        let plain = BackoffPolicy(jitter: 0)
        #expect((1...4).map { plain.delay(afterAttempt: $0, random: 0) } == [5, 10, 20, 40].map { .seconds($0) })
        #expect(plain.delay(afterAttempt: 1_000_000, random: 0) == .seconds(3600))
        #expect(BackoffPolicy().delay(afterAttempt: 1, random: 0) == .seconds(4))
        #expect(BackoffPolicy().delay(afterAttempt: 1, random: 1) == .seconds(6))
        let linear = BackoffPolicy(kind: .linear, base: .seconds(2), jitter: 0)
        #expect(linear.delay(afterAttempt: 3, random: 0) == .seconds(6))
        #expect(linear.delay(afterAttempt: .max, random: 0) == .seconds(3600))
        let list = BackoffPolicy(kind: .list, jitter: 0, delays: [.seconds(1), .seconds(7)])
        #expect((0...3).map { list.delay(afterAttempt: $0, random: 0) } == [1, 1, 7, 7].map { .seconds($0) })
        #expect(BackoffPolicy(factor: 1, jitter: 0).delay(afterAttempt: .max, random: 0) == .seconds(5))
    }

    @Test(arguments: [
        ("{\"type\":\"none\"}", "/type"), ("{\"delay_ms\":-1}", "/delay_ms"), ("{\"delay_ms\":1.5}", "/delay_ms"),
        ("{\"jitter\":2}", "/jitter"), ("{\"type\":\"list\"}", "/delays_ms"),
        ("{\"type\":\"list\",\"delays_ms\":[1,\"x\"]}", "/delays_ms/1"),
        ("{\"x\":1}", "/x"), ("[]", ""),
    ])
    func badBackoffHasAPlace(_ text: String, _ pointer: String) throws {
        let value = try JSONValue(parsing: text)
        do throws(FieldFault) {
            _ = try BackoffPolicy(value)
            Issue.record("it was taken")
        } catch {
            #expect(error.pointer == pointer)
        }
    }

    @Test func settingsSurviveTheirJSON() throws {
        for policy in [
            BackoffPolicy(), BackoffPolicy(kind: .fixed, base: .milliseconds(1)),
            BackoffPolicy(kind: .linear, jitter: 0),
            BackoffPolicy(kind: .list, delays: [.seconds(1), .milliseconds(5)]),
        ] {
            #expect(try BackoffPolicy(JSONValue(parsing: policy.json)) == policy)
        }
        let limits = Limits(wall: .seconds(1), memoryBytes: 5, processes: 7, attempts: 2)
        #expect(try Limits(JSONValue(parsing: limits.json)) == limits)
        #expect(try Limits(JSONValue(parsing: "{\"wall_ms\":0,\"cpu_ms\":null}")) == Limits())
        #expect(limits.merging(over: Limits(wall: .seconds(9), cpu: .seconds(3))).cpu == .seconds(3))
        #expect(limits.merging(over: Limits(wall: .seconds(9))).resolved.wall == .seconds(1))
        #expect(Limits().resolved.attempts == 3 && Limits().resolved.memoryBytes == 1 << 30)
    }

    @Test func wholeUnitsRoundDownAndStopAtTheEnds() {
        #expect(Duration.nanoseconds(1_999_999).wholeMilliseconds == 1)
        #expect(Duration.nanoseconds(-1).wholeMicroseconds == -1)
        #expect(Duration.seconds(Int64.max).wholeMicroseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeMicroseconds == .min)
    }

    @Test func nearMatchesAreNear() {
        let names = ["csv.to_jsonl", "text.stats", "mischief.noop", "mischief.sleep"]
        #expect(NearMatches.find("csv.to_json", among: names) == ["csv.to_jsonl"])
        #expect(NearMatches.find("TEXT.STAT", among: names) == ["text.stats"])
        #expect(NearMatches.find("jsonl", among: names) == ["csv.to_jsonl"])
        #expect(NearMatches.find("mischief.nopo", among: names).first == "mischief.noop")
        #expect(NearMatches.find("something.else.entirely", among: names).isEmpty)
        #expect(NearMatches.find("", among: names).isEmpty)
    }
}
