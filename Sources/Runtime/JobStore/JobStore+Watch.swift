package import JobCore
import Postgres

extension JobStore {
    /// What this host's runs that have been running for a while do; what is not in it any more is forgotten. A few times a
    /// minute.
    package func notePulses(_ lease: HostLease, _ pulses: [RunPulse]) async throws(StoreError) {
        let pulses = pulses.sorted { $0.id < $1.id }
        _ = try await query(
            .pulseNote,
            [
                .int64(lease.id.rawValue), .int64(lease.epoch), .int64Array(pulses.map(\.id.rawValue)),
                .int64Array(pulses.map { Int64($0.attempt) }),
                .timestampArray(pulses.map(\.activity.progressedAt.micros)),
                .timestampArray(pulses.map(\.activity.busyAt.micros)), .nullableInt64Array(pulses.map(\.cpuMillis)),
                .nullableInt64Array(pulses.map(\.residentBytes)),
                .nullableInt64Array(pulses.map { $0.processes.map(Int64.init) }), .boolArray(pulses.map(\.isFrozen)),
                .timestampArray(pulses.map { $0.deadline?.micros }),
            ])
    }

    /// Runs that have been running for at least this long, longest first.
    package func watchedRuns(
        olderThan: Duration, queue: String? = nil, limit: Int = 1000
    ) async throws(StoreError) -> [WatchedRun] {
        let rows = try await query(.runWatch, Self.watching(olderThan, queue, limit))
        return try await decoding { try rows.map { try WatchedRun(RowReader($0)) } }
    }

    static func watching(_ age: Duration, _ queue: String?, _ limit: Int) -> [PGParameter] {
        [.int64(age.wholeMilliseconds), .text(orNull: queue), .int64(Int64(limit))]
    }

    /// What 95 of 100 runs of a job that succeeded in the last week took at most; nothing for jobs of which too few did.
    package func usualTimes(of jobs: Set<String>) async throws(StoreError) -> [String: Duration] {
        guard !jobs.isEmpty else { return [:] }
        let rows = try await query(.runUsual, [.textArray(jobs.sorted())])
        return try await decoding { () throws in
            var times: [String: Duration] = [:]
            for row in rows {
                let histogram = LatencyHistogram(packed: try row.bytesOrNil(1) ?? [])
                if histogram.count >= StuckRule.fewestRuns { times[try row.text(0)] = histogram.quantile(0.95) }
            }
            return times
        }
    }

    /// Runs that are stuck by a rule, worst first, then longest.
    package func stuckRuns(
        _ rule: StuckRule, severity: Severity? = nil, queue: String? = nil
    ) async throws(StoreError) -> [(run: WatchedRun, verdict: StuckVerdict)] {
        let runs = try await watchedRuns(olderThan: .zero, queue: queue)
        let usual = try await usualTimes(of: Set(runs.filter { $0.runningFor >= StuckRule.shortest }.map(\.job)))
        return runs.compactMap { run in
            guard let verdict = rule.verdict(run.stuck(p95: usual[run.job])),
                severity == nil || verdict.severity == severity
            else { return nil }
            return (run, verdict)
        }.sorted { ($1.verdict.severity, $1.run.runningFor) < ($0.verdict.severity, $0.run.runningFor) }
    }
}
