import HTTPTypes
import JobCore
import JobStore

/// What happened, in figures: from rollups, so that none of them counts runs.
extension Backend {
    var statsRoutes: [Route] {
        [
            Route(.get, "/api/v1/stats/summary", query: ["window_ms"]) { [self] in try await showStats($0) },
            Route(.get, "/api/v1/stats/series", query: ["queue", "job", "from", "to", "step_ms"]) { [self] in
                try await showSeries($0)
            },
            Route(.get, "/api/v1/jobs/{name}/stats", query: ["window_ms"]) { [self] in try await showJobStats($0) },
        ]
    }

    private static let day: Int64 = 86_400_000
    /// As long as hours are kept.
    private static let longestWindow = 400 * day
    /// More points than a chart can show.
    private static let longestSeries: Int64 = 1000
    /// Of a series without a step: the shortest of these that makes no more than `usualSeries` buckets.
    private static let usualSteps: [Int64] = [10, 60, 300, 900, 3600, 21_600, 86_400, 7 * 86_400]
    private static let usualSeries: Int64 = 120

    private func window(_ call: Call) throws(Problem) -> Int64 {
        try call.query.int("window_ms", in: 60_000...Self.longestWindow) ?? Self.day
    }

    private func showStats(_ call: Call) async throws -> Answer {
        let window = try self.window(call)
        let now = WallClock.now
        let stats = try await store.stats(since: now.advanced(by: .milliseconds(-window)))
        let queues = try await store.queues()
        let all = stats.all
        let byQueue = stats.byQueue
        var object = JSONObject()
        object.int("window_ms", window)
        object.time("since", stats.since)
        object.int("succeeded", all.succeeded)
        object.int("failed", all.failed)
        object.int("cancelled", all.cancelled)
        object.double("success_rate", StatsJSON.successRate(all))
        object.int("mean_run_time_ms", all.meanRun?.wholeMilliseconds)
        object.double("per_minute", StatsJSON.perMinute(stats))
        object.object("counts", CatalogJSON.counts(stats.counts))
        object.object("figures", StatsJSON.figures(all, of: stats))
        object.array(
            "queues",
            queues.map { queue in
                var item = CatalogJSON.queue(queue, now)
                item.object("figures", StatsJSON.figures(byQueue[queue.name] ?? RunFigures(), of: stats))
                return item.text
            })
        object.array("jobs", StatsJSON.named(stats.byJob, of: stats))
        object.time("as_of", now)
        return .json(object)
    }

    private func showJobStats(_ call: Call) async throws -> Answer {
        let window = try self.window(call)
        let job = try await store.job(call.parameter("name"))
        let now = WallClock.now
        let stats = try await store.stats(since: now.advanced(by: .milliseconds(-window)), job: job.name)
        var object = JSONObject()
        object.string("job", job.name)
        object.int("window_ms", window)
        object.time("since", stats.since)
        object.object("counts", CatalogJSON.counts(stats.counts))
        object.object("figures", StatsJSON.figures(stats.all, of: stats))
        object.array("queues", StatsJSON.named(stats.byQueue, of: stats))
        object.time("as_of", now)
        return .json(object)
    }

    private func showSeries(_ call: Call) async throws -> Answer {
        let now = WallClock.now
        let queue = try call.query.one("queue")
        let job = try call.query.one("job")
        let to = try call.query.time("to") ?? now
        let from = try call.query.time("from") ?? to.advanced(by: .seconds(-3600))
        guard from < to else { throw Problem.invalidParameter("from", "out_of_range", "must be before the end, `to`") }
        let span = (to - from).wholeMilliseconds / 1000
        let step: Int64
        if let given = try call.query.int("step_ms", in: 10_000...7 * Self.day) {
            guard given % 10_000 == 0, Self.day % given == 0 || given % Self.day == 0 else {
                throw Problem.invalidParameter(
                    "step_ms", "out_of_range", "must be a multiple of 10 s that divides a day, or whole days")
            }
            step = given / 1000
        } else {
            let readable = Self.usualSteps.filter { Self.isKept($0, from: from, now: now) }
            step = readable.first { span / $0 <= Self.usualSeries } ?? Self.usualSteps.last ?? 86_400
        }
        guard span / step < Self.longestSeries else {
            throw Problem.invalidParameter(
                "step_ms", "too_many",
                "makes more than \(Self.longestSeries) buckets from \(from) to \(to); take a longer one, or less time")
        }
        let series = try await store.series(from: from, to: to, stepSeconds: step, queue: queue, job: job)
        var object = JSONObject()
        object.string("queue", queue)
        object.string("job", job)
        object.time("from", series.buckets.first?.at ?? from)
        object.time("to", to)
        object.int("step_ms", step * 1000)
        object.array("items", series.buckets.map { StatsJSON.bucket($0, step: series.step).text })
        object.time("as_of", now)
        return .json(object)
    }

    /// Whether buckets of that length are still there for such a time.
    private static func isKept(_ step: Int64, from: WallTime, now: WallTime) -> Bool {
        RollupStep(dividing: step).map { now - from <= $0.kept } ?? false
    }

    /// The last five minutes of all queues, or of one.
    func recentStats(queue: String? = nil) async throws -> StatsSummary {
        try await store.stats(since: WallClock.now.advanced(by: .milliseconds(-StatsJSON.recentWindow)), queue: queue)
    }
}

enum StatsJSON {
    /// What lists of queues show.
    static let recentWindow: Int64 = 300_000

    /// In percent with two decimals; nil when nothing has ended. Cancelled runs are neither.
    static func successRate(_ figures: RunFigures) -> Double? {
        figures.successShare.map { ($0 * 10_000).rounded() / 100 }
    }

    /// Runs that ended, with two decimals.
    static func perMinute(_ stats: StatsSummary) -> Double {
        rate(stats.all.finished, per: .seconds(60), in: stats.until - stats.since)
    }

    /// - Parameter stats: whose span the rates are of.
    static func figures(_ figures: RunFigures, of stats: StatsSummary) -> JSONObject {
        Self.figures(figures, in: stats.until - stats.since)
    }

    static func figures(_ figures: RunFigures, in span: Duration) -> JSONObject {
        func perMinute(_ count: Int64) -> Double { rate(count, per: .seconds(60), in: span) }
        var object = JSONObject()
        object.int("queued", figures.entered[.queued] ?? 0)
        object.int("started", figures.entered[.running] ?? 0)
        object.int("succeeded", figures.succeeded)
        object.int("failed", figures.failed)
        object.int("cancelled", figures.cancelled)
        object.int("retried", figures.entered[.retrying] ?? 0)
        object.double("queued_per_minute", perMinute(figures.entered[.queued] ?? 0))
        object.double("per_minute", perMinute(figures.finished))
        object.double("success_rate", successRate(figures))
        object.double("failure_rate", figures.successShare.map { ((1 - $0) * 10_000).rounded() / 100 })
        object.object("wait", times(figures.wait, mean: figures.meanWait))
        object.object("run", times(figures.run, mean: figures.meanRun))
        return object
    }

    /// By name, the busiest first.
    static func named(_ figures: [String: RunFigures], of stats: StatsSummary) -> [String] {
        figures.sorted { ($1.value.finished, $0.key) < ($0.value.finished, $1.key) }.map { name, figures in
            var object = JSONObject()
            object.string("name", name)
            object.object("figures", Self.figures(figures, of: stats))
            return object.text
        }
    }

    static func bucket(_ bucket: StatsSeries.Bucket, step: Duration) -> JSONObject {
        var object = JSONObject()
        object.time("at", bucket.at)
        object.object("figures", bucket.figures.map { figures($0, in: step) })
        return object
    }

    static func recent(_ stats: StatsSummary, _ figures: RunFigures) -> JSONObject {
        var object = JSONObject()
        object.int("window_ms", recentWindow)
        object.time("since", stats.since)
        object.object("figures", Self.figures(figures, of: stats))
        return object
    }

    private static func times(_ histogram: LatencyHistogram, mean: Duration?) -> JSONObject {
        var object = JSONObject()
        object.int("count", histogram.count)
        object.double("mean_ms", mean.map(milliseconds))
        object.double("p50_ms", histogram.quantile(0.5).map(milliseconds))
        object.double("p95_ms", histogram.quantile(0.95).map(milliseconds))
        object.double("p99_ms", histogram.quantile(0.99).map(milliseconds))
        return object
    }

    /// With three decimals: a wait is often a fraction of one.
    private static func milliseconds(_ time: Duration) -> Double { Double(time.wholeMicroseconds) / 1000 }

    /// With two decimals; zero of a span that has only just begun.
    static func rate(_ count: Int64, per unit: Duration, in span: Duration) -> Double {
        guard span > .zero else { return 0 }
        return (Double(count) * (unit / span) * 100).rounded() / 100
    }
}
