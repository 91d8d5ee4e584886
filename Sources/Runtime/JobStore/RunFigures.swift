package import JobCore

/// What happened to runs in a span of time. Figures of several queues, jobs or spans add up.
package struct RunFigures: Sendable, Hashable {
    /// How many times a run entered a state: `queued` is what came to the queue, `running` what was started, `retrying` what
    /// failed and goes on. A run that is retried enters some of them more than once.
    package var entered: [RunState: Int64] = [:]
    /// Of the attempts that ended, in whole: from due to started, and from started to ended, in microseconds.
    package var waitMicros: Int64 = 0
    package var runMicros: Int64 = 0
    /// The same times one by one.
    package var wait = LatencyHistogram()
    package var run = LatencyHistogram()

    package init() {}

    package mutating func merge(_ other: RunFigures) {
        entered.merge(other.entered) { $0 + $1 }
        waitMicros += other.waitMicros
        runMicros += other.runMicros
        wait.merge(other.wait)
        run.merge(other.run)
    }

    package var succeeded: Int64 { entered[.succeeded] ?? 0 }
    package var failed: Int64 { entered[.failed] ?? 0 }
    package var cancelled: Int64 { entered[.cancelled] ?? 0 }
    /// Runs that reached a terminal state.
    package var finished: Int64 { succeeded + failed + cancelled }

    /// 0 to 1; nil when nothing has ended. Cancelled runs are neither.
    package var successShare: Double? {
        succeeded + failed == 0 ? nil : Double(succeeded) / Double(succeeded + failed)
    }

    /// Nil if no attempt has ended that had started.
    package var meanWait: Duration? { wait.isEmpty ? nil : .microseconds(waitMicros / wait.count) }

    /// Nil if nothing has ended. What was counted before there were histograms counts by the run.
    package var meanRun: Duration? {
        let count = run.isEmpty ? finished : run.count
        return count == 0 ? nil : .microseconds(runMicros / count)
    }
}

/// What happened in a span up to now, by queue and job, and where all runs are.
package struct StatsSummary: Sendable {
    package struct Key: Sendable, Hashable {
        package var queue: String
        package var job: String
    }

    /// The beginning: at most a minute (of spans over two days: an hour) before the one asked for.
    package var since: WallTime
    package var until: WallTime
    package var figures: [Key: RunFigures]
    /// Runs by state now.
    package var counts: [RunState: Int64]

    /// Of all queues and jobs.
    package var all: RunFigures { figures.values.reduce(into: RunFigures()) { $0.merge($1) } }
    package var byQueue: [String: RunFigures] { sums(by: \.queue) }
    package var byJob: [String: RunFigures] { sums(by: \.job) }

    private func sums(by part: KeyPath<Key, String>) -> [String: RunFigures] {
        figures.reduce(into: [:]) { $0[$1.key[keyPath: part], default: RunFigures()].merge($1.value) }
    }
}

/// What happened when.
package struct StatsSeries: Sendable {
    package struct Bucket: Sendable {
        package var at: WallTime
        /// Nil: no host was there, or it is not kept any more. Nobody knows; that is not nothing.
        package var figures: RunFigures?
    }

    package var step: Duration
    /// In order of time, without gaps.
    package var buckets: [Bucket]
}
