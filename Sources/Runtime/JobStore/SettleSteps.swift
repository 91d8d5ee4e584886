package import JobCore
import Postgres

/// A batch of settlements as statements, one for each kind, with one array element for each attempt.
struct SettleSteps {
    private(set) var steps: [(PGStatement, [PGParameter])] = []
    /// To go before the steps; its answer says nothing.
    private(set) var locks: (PGStatement, [PGParameter])?

    init(_ lease: HostLease, _ batch: [Settlement]) {
        var ended: [Settlement] = []
        var lost: [AttemptReport] = []
        var released: [AttemptReport] = []
        // In one order everywhere, so that two statements over the same runs do not wait for each other in a circle.
        for item in batch.sorted(by: { $0.report.runID < $1.report.runID }) {
            switch item.decision {
            case .finish, .finishUncounted, .retry, .redo, .snooze: ended.append(item)
            case .requeueLost: lost.append(item.report)
            case .release: released.append(item.report)
            }
        }
        let head: [PGParameter] = [.int64(lease.id.rawValue), .int64(lease.epoch)]
        let kinds = [ended.isEmpty, lost.isEmpty, released.isEmpty].count { !$0 }
        // One kind comes in its order by itself; of several, each would begin anew.
        if kinds > 1 {
            locks = (.runLock, head + [.int64Array(batch.map(\.report.runID.rawValue).sorted())])
        }
        if !ended.isEmpty { steps.append((.runSettle, head + Self.ended(ended))) }
        // A crash waits for its frames' names from the commit of its outcome on. Few batches have one, so it is a statement of
        // its own, which finds only what the one before it has settled.
        let crashed = ended.map(\.report).filter { $0.outcome == .crashed && $0.crash != nil }
        if !crashed.isEmpty { steps.append((.crashNote, head + Self.keys(crashed))) }
        let asking = ended.filter(\.asksForRuns).map(\.report)
        if !asking.isEmpty { steps.append((.runFollowUp, [.int64(lease.id.rawValue)] + Self.followUps(asking))) }
        if !lost.isEmpty { steps.append((.runSettleLost, head + Self.lost(lost))) }
        if !released.isEmpty { steps.append((.runRelease, head + Self.keys(released))) }
    }

    private static func keys(_ reports: [AttemptReport]) -> [PGParameter] {
        [.int64Array(reports.map(\.runID.rawValue)), .int64Array(reports.map { Int64($0.attempt) })]
    }

    /// Most of what an attempt may say most attempts do not say. `unnest` fills shorter arrays up with nulls, so a column that
    /// nobody has a value for is an empty one, which costs neither side anything.
    private static func column<T>(_ batch: [Settlement], _ value: (Settlement) -> T?) -> [T?] {
        let values = batch.map(value)
        return values.contains { $0 != nil } ? values : []
    }

    private static func ended(_ batch: [Settlement]) -> [PGParameter] {
        func numbers(_ value: (Settlement) -> Int32?) -> PGParameter {
            .nullableInt64Array(self.column(batch) { value($0).map(Int64.init) })
        }
        func usage(_ value: (Settlement) -> Int64) -> PGParameter { .int64Array(batch.map(value)) }
        func texts(_ value: (Settlement) -> String?) -> PGParameter { .textArray(self.column(batch, value)) }
        func progress(_ value: (Progress) -> UInt64?) -> PGParameter {
            .nullableInt64Array(self.column(batch) { value($0.report.progress).map { Int64(clamping: $0) } })
        }
        func json(_ value: (Settlement) -> String?) -> PGParameter { .jsonArray(self.column(batch, value)) }
        return [
            .int64Array(batch.map(\.report.runID.rawValue)), .int64Array(batch.map { Int64($0.report.attempt) }),
            texts(\.decision.state), .boolArray(batch.map(\.decision.counts)),
            .timestampArray(self.column(batch) { $0.decision.waitUntil?.micros }),
            texts(\.report.outcome.rawValue), texts { $0.report.reason?.rawValue },
            .timestampArray(batch.map { $0.report.started?.micros }), .timestampArray(batch.map(\.report.ended.micros)),
            numbers(\.report.exitCode), numbers(\.report.signal), numbers(\.report.pid), texts(\.report.version),
            texts { $0.report.error?.code.storable }, texts { $0.report.error?.message.storable },
            json { $0.report.error?.detailsJSON },
            usage(\.report.resources.userCPU.wholeMicroseconds), usage(\.report.resources.systemCPU.wholeMicroseconds),
            usage(\.report.resources.maxRSSBytes), usage(\.report.resources.minorFaults),
            usage(\.report.resources.majorFaults), usage(\.report.resources.blocksIn),
            usage(\.report.resources.blocksOut),
            usage(\.report.resources.voluntarySwitches), usage(\.report.resources.involuntarySwitches),
            progress { $0.isEmpty ? nil : $0.current }, progress(\.total),
            texts { $0.report.progress.stage?.storable },
            json(\.report.progress.summaryJSON),
            json { AttemptDetail($0.report).json },
            texts { $0.report.sentence.isEmpty ? nil : $0.report.sentence.storable },
            json(\.report.result.json), .bytesArray(self.column(batch, \.report.result.bytes)),
            texts { $0.report.result.mediaType?.storable }, texts(\.decision.avoided),
            .nullableInt64Array(self.column(batch) { $0.failedRetentionDays.map(Int64.init) }),
        ]
    }

    private static func followUps(_ reports: [AttemptReport]) -> [PGParameter] {
        let wanted = reports.flatMap { report in
            report.followUps.enumerated().map { (report: report, number: Int64($0.offset + 1), run: $0.element) }
        }
        func texts(_ value: (FollowUp) -> String?) -> PGParameter { .textArray(wanted.map { value($0.run)?.storable }) }
        func numbers(_ value: (FollowUp) -> Int64?) -> PGParameter { .nullableInt64Array(wanted.map { value($0.run) }) }
        return keys(wanted.map(\.report)) + [
            .timestampArray(wanted.map(\.report.ended.micros)), .int64Array(wanted.map(\.number)),
            texts(\.job), .jsonArray(wanted.map(\.run.args)), numbers { $0.delay?.wholeMilliseconds },
            numbers { $0.priority.map(Int64.init) }, numbers { $0.attempts.map(Int64.init) }, texts(\.queue),
            texts(\.title),
            texts { $0.labels.isEmpty ? nil : JSONText.object($0.labels.mapValues(\.storable)) },
        ]
    }

    private static func lost(_ reports: [AttemptReport]) -> [PGParameter] {
        keys(reports) + [
            .textArray(reports.map(\.outcome.rawValue)), .textArray(reports.map { $0.reason?.rawValue }),
            .timestampArray(reports.map { $0.started?.micros }), .timestampArray(reports.map(\.ended.micros)),
            .nullableInt64Array(reports.map { $0.pid.map(Int64.init) }), .textArray(reports.map(\.version)),
            .jsonArray(reports.map { AttemptDetail($0).json }),
            .textArray(reports.map { $0.sentence.isEmpty ? nil : $0.sentence.storable }),
            .boolArray(reports.map { !$0.wasHostShutdown }),
        ]
    }
}

extension Settlement.Decision {
    /// Where the run goes.
    fileprivate var state: String {
        switch self {
        case .finish(let state), .finishUncounted(let state):
            precondition(state.isTerminal, "a run ends in a terminal state")
            return state.rawValue
        case .retry, .redo: return RunState.retrying.rawValue
        case .snooze: return RunState.scheduled.rawValue
        case .requeueLost, .release: return RunState.queued.rawValue
        }
    }

    fileprivate var counts: Bool {
        switch self {
        case .finish, .retry: true
        case .finishUncounted, .redo, .snooze, .requeueLost, .release: false
        }
    }

    fileprivate var waitUntil: WallTime? {
        switch self {
        case .retry(let time), .redo(_, let time), .snooze(let time): time
        case .finish, .finishUncounted, .requeueLost, .release: nil
        }
    }
}

extension Settlement.Decision {
    /// The version that the run is kept from.
    fileprivate var avoided: String? {
        if case .redo(let version, _) = self { version } else { nil }
    }
}

extension RunResult {
    fileprivate var json: String? {
        if case .json(let text) = self { text } else { nil }
    }

    fileprivate var bytes: [UInt8]? {
        if case .bytes(let bytes, _) = self { bytes } else { nil }
    }

    fileprivate var mediaType: String? {
        if case .bytes(_, let mediaType) = self { mediaType } else { nil }
    }
}

extension Settlement.Decision {
    /// What `RetryDecision` decided, as a settlement.
    /// - Parameter version: what the attempt ran.
    package init(_ outcome: RetryDecision.Outcome, version: String?) {
        switch outcome {
        case .finish(let state, let counts): self = counts ? .finish(state) : .finishUncounted(state)
        case .retry(let time): self = .retry(at: time)
        case .requeueLost: self = .requeueLost
        case .redo(let time): self = .redo(avoiding: version, at: time)
        case .snooze(let time): self = .snooze(until: time)
        }
    }
}
