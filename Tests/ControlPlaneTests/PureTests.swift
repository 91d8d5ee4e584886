import HTTPTypes
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane

/// What needs neither database nor loop.
@Suite struct PureTests {
    private let keys = Keys(adminToken: "pawl_one")

    @Test func base64URLRoundTrips() {
        for length in 0..<40 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 200) }
            #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
        }
        #expect(Base64URL.encode([0xFB, 0xFF]) == "-_8")
        for broken in ["A", "AB", "A=", "A+/A", "AAAAA"] { #expect(Base64URL.decode(broken) == nil, "\(broken)") }
    }

    @Test func cursorsBelongToTheirTokenAndFilter() throws {
        let cursor = RunCursor(beforeID: RunID(42))
        let text = Cursor.encode(cursor, filter: "a", keys: keys)
        #expect(try Cursor.decode(text, filter: "a", keys: keys) == cursor)
        // The same token after a restart.
        #expect(try Cursor.decode(text, filter: "a", keys: Keys(adminToken: "pawl_one")) == cursor)
        #expect(throws: Problem.self) { try Cursor.decode(text, filter: "b", keys: keys) }
        #expect(throws: Problem.self) { try Cursor.decode(text, filter: "a", keys: Keys(adminToken: "pawl_two")) }
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "x" ? "y" : "x")
            #expect(throws: Problem.self) { try Cursor.decode(changed, filter: "a", keys: keys) }
        }
    }

    @Test func queriesAreDecoded() throws {
        let query = try #require(Query(parsing: "a=1&b=x%20y+z&a=2&c&d=%C3%BC&=e"))
        #expect(query.all("a") == ["1", "2"])
        #expect(try query.one("b") == "x y z")
        #expect(try query.one("c") == "")
        #expect(try query.one("d") == "ü")
        #expect(throws: Problem.self) { try query.one("a") }
        for broken in ["a=%", "a=%4", "a=%zz", "a=%FF", "a=%00"] { #expect(Query(parsing: broken) == nil, "\(broken)") }
        let time = try #require(Query(parsing: "t=2026-11-21T02:00:00+01:00")).time("t")
        #expect(time == WallTime(rfc3339: "2026-11-21T01:00:00Z"))
    }

    @Test func objectsAreReadStrictly() throws {
        var reader = try ObjectReader("{\"name\":\"x\",\"nmae\":1,\"a/b~c\":2,\"x_own\":3,\"name\":\"y\"}")
        _ = reader.string("name")
        let problem = #expect(throws: Problem.self) { try reader.finish() }
        let places = problem?.fields.map(\.place)
        #expect(places == [.pointer("/name"), .pointer("/nmae"), .pointer("/a~1b~0c")])
        #expect(problem?.fields[1].detail.contains("did you mean name?") == true)
    }

    @Test func metricsFollowTheFormat() {
        let text = MetricText.render([
            MetricFamily(
                name: "pawl_x_total", help: "A \\ and\na line.", kind: .counter,
                samples: [MetricSample(3, [MetricLabel("q", "a\"b\\c\nd")]), MetricSample(0.25)]),
            MetricFamily(name: "pawl_empty", help: "Nothing.", kind: .gauge, samples: []),
            MetricFamily("pawl_inf", "Much.", .gauge, .infinity),
        ])
        #expect(
            text == """
                # HELP pawl_x_total A \\\\ and\\na line.
                # TYPE pawl_x_total counter
                pawl_x_total{q="a\\"b\\\\c\\nd"} 3
                pawl_x_total 0.25
                # HELP pawl_inf Much.
                # TYPE pawl_inf gauge
                pawl_inf +Inf

                """)
    }

    @Test func datesAreThoseOfHTTP() {
        var date = HTTPDate()
        #expect(date.text(at: WallTime(micros: 784_111_777_000_000)) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test func tagsCompareAsTheyShould() throws {
        let tag = EntityTag.of("body".utf8, revision: 7)
        #expect(EntityTag.matches("*", tag))
        #expect(EntityTag.matches("\"a\", W/\(tag)", tag))
        #expect(!EntityTag.matches("\"a\"", tag))
        var headers = HTTPFields()
        #expect(throws: Problem.self) { try EntityTag.revision(headers, isRequired: true) }
        #expect(try EntityTag.revision(headers, isRequired: false) == nil)
        headers[.ifMatch] = tag
        #expect(try EntityTag.revision(headers, isRequired: true) == 7)
        headers[.ifMatch] = "*"
        #expect(try EntityTag.revision(headers, isRequired: true) == nil)
        headers[.ifMatch] = "\"nonsense\""
        #expect(try EntityTag.revision(headers, isRequired: true) == -1)
        headers[.ifMatch] = "7"
        #expect(throws: Problem.self) { try EntityTag.revision(headers, isRequired: true) }
    }

    @Test func logsChooseTheirFormat() throws {
        #expect(try LogFormat(accept: nil, follows: false) == .json)
        #expect(try LogFormat(accept: "text/plain", follows: false) == .plain)
        #expect(try LogFormat(accept: "text/html, application/x-ndjson;q=0.9", follows: false) == .ndjson)
        #expect(try LogFormat(accept: "application/json", follows: true) == .ndjson)
        #expect(throws: Problem.self) { try LogFormat(accept: "image/png", follows: false) }
    }

    @Test func plainLinesCannotCommandATerminal() {
        let row = LogRow(
            seq: 1, attempt: 1,
            line: LogLine(
                time: WallTime(micros: 0), level: .warning, stream: .stdout, stage: "one", message: "a\u{1b}[31m\nb\tc")
        )
        #expect(LogJSON.plain(row) == "1970-01-01T00:00:00.000000Z WARNING [stdout] one: a\\u{1b}[31m\\nb\tc\n")
    }

    @Test func plansAreGoodOnceAndNotForEver() {
        var plans = PlanBook<Int>()
        let now = LoopInstant.now
        let name = plans.make(7, now: now)
        #expect(plans.take(name, now: now) == 7)
        #expect(plans.take(name, now: now) == nil)
        let late = plans.make(7, now: now)
        #expect(plans.take(late, now: now.advanced(by: .seconds(601))) == nil)
        let names = (0..<101).map { plans.make($0, now: now.advanced(by: .seconds(Int64($0)))) }
        #expect(plans.take(names[0], now: now) == nil && plans.take(names[1], now: now) == 1)
    }

    /// One more is nothing, a tenth or a hundred more is something.
    @Test func growthIsTold() {
        for (shown, now, grown) in [
            (0, 0, false), (0, 1, false), (0, 2, true), (10, 11, false), (10, 12, true), (20, 22, false),
            (20, 23, true),
            (100, 110, false), (100, 111, true), (5000, 5100, false), (5000, 5101, true), (10, 3, false),
        ] as [(Int64, Int64, Bool)] {
            #expect(Plans.hasGrown(from: shown, to: now) == grown, "\(shown) → \(now)")
        }
    }
}
