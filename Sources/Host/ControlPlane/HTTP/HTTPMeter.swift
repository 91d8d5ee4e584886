import UVLoop

/// Counts answers and their times by route.
struct HTTPMeter {
    private struct Key: Hashable {
        var route: String
        var method: String
        var code: Int
    }

    private struct Times {
        var buckets = [Int](repeating: 0, count: HTTPMeter.bounds.count)
        var count = 0
        var seconds = 0.0
    }

    private static let bounds: [Double] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10]

    private var answers: [Key: Int] = [:]
    private var times: [String: Times] = [:]

    /// - Parameter route: the pattern, never the path: labels are few.
    mutating func note(route: String, method: String, code: Int, duration: Duration) {
        answers[Key(route: route, method: method, code: code), default: 0] += 1
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        var times = self.times[route] ?? Times()
        times.count += 1
        times.seconds += seconds
        for (index, bound) in Self.bounds.enumerated() where seconds <= bound { times.buckets[index] += 1 }
        self.times[route] = times
    }

    var families: [MetricFamily] {
        let requests = answers.sorted {
            ($0.key.route, $0.key.method, $0.key.code) < ($1.key.route, $1.key.method, $1.key.code)
        }
        .map { key, count in
            MetricSample(
                Double(count),
                [
                    MetricLabel("route", key.route), MetricLabel("method", key.method),
                    MetricLabel("code", String(key.code)),
                ])
        }
        var samples: [MetricSample] = []
        for (route, times) in times.sorted(by: { $0.key < $1.key }) {
            let label = MetricLabel("route", route)
            for (bound, count) in zip(Self.bounds, times.buckets) {
                samples.append(
                    MetricSample(Double(count), [label, MetricLabel("le", String(bound))], suffix: "_bucket"))
            }
            samples.append(MetricSample(Double(times.count), [label, MetricLabel("le", "+Inf")], suffix: "_bucket"))
            samples.append(MetricSample(times.seconds, [label], suffix: "_sum"))
            samples.append(MetricSample(Double(times.count), [label], suffix: "_count"))
        }
        return [
            MetricFamily(
                name: "pawl_http_requests_total", help: "Answered requests by route, method and status code.",
                kind: .counter, samples: requests),
            MetricFamily(
                name: "pawl_http_request_seconds",
                help: "Time from the request's head to the answer's; of streams, to their beginning.", kind: .histogram,
                samples: samples),
        ]
    }
}
