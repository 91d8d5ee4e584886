/// How a version is tried before it serves: on a share of the runs or on the first few, and when it has failed.
package struct CanaryPolicy: Sendable, Hashable {
    /// Its share of the runs, 1 to 100; nil: all, until `runs` of them have begun.
    package var percent: Int?
    /// It is judged when so many of its runs have ended; nil: at `limit`.
    package var runs: Int?
    /// It is not judged by its share of crashes before so many of its runs have ended: at 5 % crashes, 20 runs see none in 36 % of
    /// all trials.
    package var minimumRuns: Int
    /// It is rolled back when a larger share of its runs crashes, in percent.
    package var crashPercentBound: Double
    /// It is judged after this time at the latest.
    package var limit: Duration

    package static let defaultMinimumRuns = 20
    package static let defaultCrashPercentBound = 1.0
    package static let defaultLimit = Duration.seconds(3600)

    /// - Precondition: `percent` in 1...100, `runs` and `minimumRuns` at least 1, if they are given; `limit` positive.
    package init(
        percent: Int? = nil, runs: Int? = nil, minimumRuns: Int = Self.defaultMinimumRuns,
        crashPercentBound: Double = Self.defaultCrashPercentBound, limit: Duration = Self.defaultLimit
    ) {
        precondition(percent.map { (1...100).contains($0) } ?? true, "a share of \(percent ?? 0) percent")
        precondition(runs.map { $0 >= 1 } ?? true && minimumRuns >= 1, "a trial without runs")
        self.percent = percent
        self.runs = runs
        self.minimumRuns = minimumRuns
        self.crashPercentBound = crashPercentBound
        self.limit = limit
    }

    /// `{"percent": 10, "runs": 200, "minimum_runs": 20, "crash_percent_bound": 1, "limit_ms": 3600000}`, without what is nil.
    package var json: String {
        var members: [JSONMember] = []
        if let percent { members.append(JSONMember("percent", .number("\(percent)"))) }
        if let runs { members.append(JSONMember("runs", .number("\(runs)"))) }
        members.append(JSONMember("minimum_runs", .number("\(self.minimumRuns)")))
        members.append(JSONMember("crash_percent_bound", .number("\(self.crashPercentBound)")))
        members.append(JSONMember("limit_ms", .number("\(self.limit.wholeMilliseconds)")))
        return JSONValue.object(members).json
    }

    /// Reads what `json` writes; what is missing or out of range gets its default.
    package init(json value: JSONValue) {
        func number(_ key: String, in range: ClosedRange<Int>) -> Int? {
            value[key]?.integer.flatMap { Int(exactly: $0) }.flatMap { range.contains($0) ? $0 : nil }
        }
        let bound = value["crash_percent_bound"]?.double ?? Self.defaultCrashPercentBound
        self.init(
            percent: number("percent", in: 1...100), runs: number("runs", in: 1...1_000_000),
            minimumRuns: number("minimum_runs", in: 1...1_000_000) ?? Self.defaultMinimumRuns,
            crashPercentBound: (0...100).contains(bound) ? bound : Self.defaultCrashPercentBound,
            limit: number("limit_ms", in: 1...2_592_000_000).map { .milliseconds($0) } ?? Self.defaultLimit)
    }
}
