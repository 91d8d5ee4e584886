import ArgumentParser
import JobCore

/// `pawl stats`: how many runs ended how, how long they waited and how long they ran.
struct StatsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Show throughput, success rates, waits and run times.",
        discussion: """
            One line for each job, or for each queue with --by queue; the last is of all. WAIT is from due to started, RUN from \
            started to ended, of all attempts that ended. Quantiles are within 6.25 %.

            EXAMPLES
              pawl stats
              pawl stats --since 15m --by queue
              pawl stats csv.to_jsonl --since 7d
              pawl stats --series --since 6h --step 10m
            """)

    enum Grouping: String, ExpressibleByArgument, CaseIterable { case job, queue }

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "Only runs of this job.")
    var job: String?

    @Option(help: ArgumentHelp("How far back: 15m, 6h, 7d.", valueName: "duration"))
    var since = "24h"

    @Option(help: "One line for each job or queue.")
    var by = Grouping.job

    @Flag(help: "What happened when: one line for each step of time.")
    var series = false

    @Option(help: "With --series: only runs of this queue.")
    var queue: String?

    @Option(help: ArgumentHelp("With --series: how long a step is.", valueName: "duration"))
    var step: String?

    func validate() throws {
        guard let window = Format.parseDuration(since), window >= 60_000 else {
            throw ValidationError("--since is a duration of a minute or more, such as 15m, 6h or 7d.")
        }
        if let step, Format.parseDuration(step) == nil {
            throw ValidationError("--step is a duration such as 10s, 5m or 1h.")
        }
        if !series, queue != nil || step != nil { throw ValidationError("--queue and --step go with --series.") }
    }

    func execute(_ session: ClientSession) throws {
        guard let window = Format.parseDuration(since) else { return }
        if series { return try printSeries(session, window) }
        let query: [(String, String?)] = [("window_ms", String(window))]
        let answer = try session.get(
            job.map { "/api/v1/jobs/\(ClientSession.escape($0))/stats" } ?? "/api/v1/stats/summary", query)
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Self.table(by == .queue || job != nil ? "QUEUE" : "JOB")
        let items = answer[by == .queue || job != nil ? "queues" : "jobs"]?.elements ?? []
        for item in items where item["figures"]?.object != nil {
            table.rows.append([Table.Cell(item["name"]?.text ?? "")] + Self.cells(item["figures"]))
        }
        table.rows.append([Table.Cell(job ?? "all")] + Self.cells(answer["figures"]))
        table.print(to: session.terminal)
    }

    private func printSeries(_ session: ClientSession, _ window: Int64) throws {
        let from = WallTime(micros: wallMicroseconds() - window * 1000).rfc3339
        let query: [(String, String?)] = [
            ("from", from), ("queue", queue), ("job", job),
            ("step_ms", step.flatMap(Format.parseDuration).map { String($0) }),
        ]
        let answer = try session.get("/api/v1/stats/series", query)
        if session.wantsJSON { return session.printJSON(answer) }
        var table = Self.table("FROM")
        for item in answer["items"]?.elements ?? [] {
            let at = item["at"]?.text.map { String($0.prefix(19)) + "Z" } ?? ""
            let cells = item["figures"]?.present.map { Self.cells($0) }
            table.rows.append([Table.Cell(at)] + (cells ?? Self.unknown))
        }
        table.print(to: session.terminal)
    }

    private static let columns: [(title: String, importance: Int)] = [
        ("ENDED", 9), ("/MIN", 8), ("OK", 9), ("FAILED", 7), ("RETRIED", 4), ("WAIT p50", 6), ("WAIT p95", 7),
        ("WAIT p99", 5), ("RUN p50", 6), ("RUN p95", 7), ("RUN p99", 5),
    ]

    private static var unknown: [Table.Cell] { columns.map { _ in Table.Cell("?") } }

    private static func table(_ first: String) -> Table {
        let figures = columns.map { Table.Column(title: $0.title, importance: $0.importance, alignsRight: true) }
        return Table([Table.Column(title: first, importance: 10)] + figures)
    }

    private static func cells(_ figures: JSONValue?) -> [Table.Cell] {
        func count(_ name: String) -> Int64 { figures?[name]?.integer ?? 0 }
        let failed = count("failed")
        let rate = figures?["success_rate"]?.present?.double
        let perMinute = figures?["per_minute"]?.double ?? 0
        var cells: [Table.Cell] = []
        cells.append(Table.Cell(Format.count(count("succeeded") + failed + count("cancelled"))))
        cells.append(Table.Cell(Format.number(perMinute)))
        cells.append(Table.Cell(rate.map { Format.number($0) + "%" } ?? ""))
        cells.append(Table.Cell(Format.count(failed), failed > 0 ? .red : nil))
        cells.append(Table.Cell(Format.count(count("retried"))))
        for kind in ["wait", "run"] {
            for quantile in ["p50_ms", "p95_ms", "p99_ms"] {
                let time = figures?[kind]?[quantile]?.present?.double
                cells.append(Table.Cell(time.map { Format.fineSpan($0) } ?? ""))
            }
        }
        return cells
    }
}

extension Format {
    /// With one decimal, and without one where it says nothing: "7", "99.5".
    static func number(_ value: Double) -> String {
        let tenths = (value * 10).rounded()
        guard tenths.isFinite, abs(tenths) < 1e15 else { return "" }
        let whole = Int64(tenths)
        return whole % 10 == 0 ? count(whole / 10) : count(whole / 10) + ".\(abs(whole % 10))"
    }

    /// As `span`, with decimals below ten milliseconds: "0.35ms".
    static func fineSpan(_ milliseconds: Double) -> String {
        guard milliseconds < 10 else { return span(milliseconds: Int64(milliseconds.rounded())) }
        let hundredths = Int64((milliseconds * 100).rounded())
        return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)ms"
    }
}
