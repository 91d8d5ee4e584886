package import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// What happened since a time, and where all runs are now. Reads rollups and counters, never runs.
    /// - Parameters:
    ///   - queue: nil for all.
    ///   - job: nil for all.
    package func stats(
        since: WallTime, queue: String? = nil, job: String? = nil
    ) async throws(StoreError) -> StatsSummary {
        let now = try await databaseTime()
        let span = RollupSpan(since: since, now: now)
        // Whoever writes may have a clock that is ahead of ours.
        let end = now.advanced(by: .seconds(86_400))
        let arguments: [PGParameter] = [
            .int64(span.fine.seconds), .timestamp(micros: span.from.micros), .timestamp(micros: span.turn.micros),
            .int64(span.coarse.seconds), .text(orNull: queue), .text(orNull: job), .timestamp(micros: end.micros),
        ]
        return try await decoding {
            let answers = try await self.reading([
                (.statsRead, arguments), (.statsTimes, arguments),
                (.counterRead, [.text(orNull: job), .text(orNull: queue)]),
            ])
            var slice = LoopSlice()
            var figures: [StatsSummary.Key: RunFigures] = [:]
            for row in answers[0] {
                var reader = RowReader(row)
                let key = StatsSummary.Key(queue: try reader.text(), job: try reader.text())
                try figures[key, default: RunFigures()].addSums(&reader)
                await slice.breathe()
            }
            for row in answers[1] {
                var reader = RowReader(row)
                let key = StatsSummary.Key(queue: try reader.text(), job: try reader.text())
                try figures[key, default: RunFigures()].addTimes(&reader)
                await slice.breathe()
            }
            return StatsSummary(since: span.from, until: now, figures: figures, counts: try Self.totals(answers[2]))
        }
    }

    /// What happened when, in buckets of `stepSeconds`, from the one that `from` is in to the one before `to`, and none that
    /// has not begun.
    /// - Parameter stepSeconds: a multiple of 10. Buckets begin at multiples of it since 1970.
    package func series(
        from: WallTime, to: WallTime, stepSeconds: Int64, queue: String? = nil, job: String? = nil
    ) async throws(StoreError) -> StatsSeries {
        guard let level = RollupStep(dividing: stepSeconds) else {
            throw .invalid(FieldFault(pointer: "/step_ms", code: "out_of_range", detail: "must be a multiple of 10 s"))
        }
        let now = try await databaseTime()
        let step = Duration.seconds(stepSeconds)
        let first = RollupStep.floor(from, seconds: stepSeconds)
        let end = min(to, RollupStep.floor(now, seconds: stepSeconds).advanced(by: step))
        guard first < end else { return StatsSeries(step: step, buckets: []) }
        let arguments: [PGParameter] =
            [
                .int64(level.seconds), .timestamp(micros: first.micros), .timestamp(micros: end.micros),
                .int64(stepSeconds),
            ] + Self.keys(queue: queue, job: job)
        return try await decoding {
            let answers = try await self.reading([(.statsSeries, arguments), (.statsSeriesTimes, arguments)])
            var slice = LoopSlice()
            var known: [WallTime: RunFigures] = [:]
            for row in answers[0] {
                var reader = RowReader(row)
                let at = try reader.time()
                // The row that says that there was a host counts nothing.
                if try row.text(1) == "up" {
                    known[at, default: RunFigures()].merge(RunFigures())
                } else {
                    try known[at, default: RunFigures()].addSums(&reader)
                }
                await slice.breathe()
            }
            for row in answers[1] {
                var reader = RowReader(row)
                let at = try reader.time()
                try known[at, default: RunFigures()].addTimes(&reader)
                await slice.breathe()
            }
            var series = StatsSeries(step: step, buckets: [])
            var at = first
            while at < end {
                series.buckets.append(StatsSeries.Bucket(at: at, figures: known[at]))
                at = at.advanced(by: step)
            }
            return series
        }
    }

    /// The range of queues and jobs whose rows are read. The sums over all stand under empty names.
    private static func keys(queue: String?, job: String?) -> [PGParameter] {
        if queue == nil, job == nil { return ["", "", "", ""].map { .text($0) } }
        // No name is empty, and none comes behind the last character.
        let any = (low: "\u{1}", high: "\u{10FFFF}")
        return [queue ?? any.low, queue ?? any.high, job ?? any.low, job ?? any.high].map { .text($0) }
    }
}

extension RunFigures {
    /// The columns state, n, wait_us, run_us.
    fileprivate mutating func addSums(_ reader: inout RowReader) throws(PGDecodingError) {
        entered[try reader.word(RunState.self), default: 0] += try reader.int64()
        waitMicros += try reader.int64()
        runMicros += try reader.int64()
    }

    /// The columns wait, run.
    fileprivate mutating func addTimes(_ reader: inout RowReader) throws(PGDecodingError) {
        if let packed = try reader.bytesOrNil() { wait.add(packed: packed) }
        if let packed = try reader.bytesOrNil() { run.add(packed: packed) }
    }
}
