package import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// A run, wherever it is kept; nil if there is none of that id, or no more.
    package func run(_ id: RunID) async throws(StoreError) -> RunRow? {
        try await decoding {
            // A run that changes tables in the middle of a statement is in its snapshot exactly once.
            try await self.pool.query(.runGet, [.int64(id.rawValue)]).first.map { try RunRow($0, withPayload: true) }
        }
    }

    /// A piece of the list of runs, newest id first: stable under inserts, nothing counted.
    ///
    /// A filter looks at the newest 100,000 runs below the cursor at most, in pieces, and at no more of them than it gets
    /// through in a moment; a page that may lack older ones says so.
    /// - Parameters:
    ///   - limit: 1 to 1000.
    ///   - withPayload: also args and result.
    package func runs(
        _ filter: RunFilter, limit: Int, cursor: RunCursor? = nil, withPayload: Bool = false
    ) async throws(StoreError) -> RunPage {
        let limit = min(max(1, limit), 1000)
        var page = RunPage(runs: [], next: nil, isTruncated: false)
        let began = LoopInstant.now
        let range = try await self.range(of: filter, below: cursor?.beforeID.rawValue ?? .max)
        let floor = range.floor
        var below = range.below
        guard filter.states != [.running] else {
            let rows = try await list(.runListRunning, filter, below, 100_000, limit + 1, withPayload, floor)
            try await take(rows, into: &page, limit, withPayload)
            return page
        }
        for window in Self.windows {
            let rows = try await list(.runList, filter, below, window, limit + 1 - page.runs.count, withPayload, floor)
            try await take(rows, into: &page, limit, withPayload)
            if page.next != nil { return page }
            guard let edge = try await decoding({ () throws in try rows.first?.int64OrNil("edge") }) else {
                return page
            }
            below = edge
            if LoopInstant.now - began > Self.listBudget { break }
        }
        page.next = RunCursor(beforeID: RunID(below))
        page.isTruncated = true
        return page
    }

    /// How many runs are looked at in one statement: few at first, for most filters find enough among them. 100,000 in all.
    private static let windows: [Int64] = [500, 9500, 20_000, 20_000, 25_000, 25_000]
    /// No further window is begun after this. One takes some 10 ms of processor time at most.
    private static let listBudget: Duration = .milliseconds(50)

    /// Above which id and below which the runs of a filter are: ids are drawn in the order of time, and marks say which was
    /// the newest when. One transaction may draw its ids up to five minutes after its runs' `created_at`.
    private func range(of filter: RunFilter, below: Int64) async throws(StoreError) -> (floor: Int64, below: Int64) {
        guard filter.createdAfter != nil || filter.createdBefore != nil else { return (0, below) }
        let times: [PGParameter] = [.time(orNull: filter.createdAfter), .time(orNull: filter.createdBefore)]
        return try await decoding {
            let row = try await self.reading([(.runMarkRange, times)])[0][0]
            let ceiling = try row.int64OrNil(1).map { $0 + 1 } ?? .max
            return (try row.int64OrNil(0) ?? 0, min(below, ceiling))
        }
    }

    private func list(
        _ statement: PGStatement, _ filter: RunFilter, _ below: Int64, _ window: Int64, _ limit: Int,
        _ withPayload: Bool, _ floor: Int64
    ) async throws(StoreError) -> PGRows {
        let parameters: [PGParameter] = [
            .textArray(filter.tables), .int64(below), .int64(window),
            .texts(orNull: Set(filter.states.map(\.rawValue))),
            .texts(orNull: filter.jobs), .texts(orNull: filter.queues), .text(orNull: filter.owner),
            .text(orNull: filter.organization),
            filter.labels.isEmpty ? .null : .jsonb(JSONText.object(filter.labels.mapValues(\.storable))),
            .time(orNull: filter.createdAfter), .time(orNull: filter.createdBefore), .int64(orNull: filter.scheduleID),
            .int64(orNull: filter.retryOf?.rawValue), .int64(Int64(limit)), .bool(withPayload), .int64(floor),
        ]
        return try await reading([(statement, parameters)])[0]
    }

    /// Adds what a window found, up to the limit; one more than that shows that there are more.
    private func take(
        _ rows: PGRows, into page: inout RunPage, _ limit: Int, _ withPayload: Bool
    ) async throws(StoreError) {
        var slice = LoopSlice()
        for row in rows {
            let run = try await decoding { () throws -> RunRow? in
                // A window without any has one row for its edge.
                guard try row.int64OrNil(1) != nil else { return nil }
                return try RunRow(row, withPayload: withPayload)
            }
            guard let run else { return }
            if page.runs.count == limit {
                page.next = page.runs.last.map { RunCursor(beforeID: $0.id) }
                return
            }
            page.runs.append(run)
            await slice.breathe()
        }
    }

    /// How many attempts of one run are read at once: of a run that snoozes for months there are thousands.
    package static let attemptLimit = 200

    /// In order of attempts, the live one last (as last written: look at the host for what it does now).
    /// - Parameter newest: no more than so many; the oldest are left out.
    package func attempts(_ id: RunID, newest: Int = attemptLimit) async throws(StoreError) -> [AttemptRow] {
        try await decoding {
            try await self.pool.query(.attemptList, [.int64(id.rawValue), .int64(Int64(newest))])
                .map { try AttemptRow($0, run: id) }.reversed()
        }
    }
}

extension RunFilter {
    /// Where its states are kept, as `pawl.run_all.kind`.
    var tables: [String] {
        let wanted = states.isEmpty ? Set(RunState.allCases) : states
        var tables: [String] = []
        if wanted.contains(.queued) || wanted.contains(.running) { tables.append("live") }
        if wanted.contains(where: \.isWaiting) { tables.append("waiting") }
        if wanted.contains(where: \.isTerminal) { tables.append("finished") }
        return tables
    }
}

extension RunRow {
    /// A row of `pawl.run_all`.
    init(_ row: PGRow, withPayload: Bool) throws(PGDecodingError) {
        var reader = RowReader(row)
        reader.skip()
        id = try reader.run()
        queue = try reader.text()
        priority = -(try reader.int32())
        state = try reader.word(RunState.self)
        runAt = try reader.time()
        job = try reader.text()
        args = try reader.textOrNil()
        maxAttempts = try reader.int()
        createdAt = try reader.time()
        retentionDays = try reader.int()
        trigger = try reader.text()
        backoff = try reader.backoffOrNil()
        timeout = try reader.millisecondsOrNil()
        title = try reader.textOrNil()
        description = try reader.textOrNil()
        labels = try reader.labels()
        owner = try reader.textOrNil()
        organization = try reader.textOrNil()
        retryOf = try reader.runOrNil()
        scheduleID = try reader.int64OrNil()
        plannedAt = try reader.timeOrNil()
        traceparent = try reader.textOrNil()
        attempt = try reader.int()
        attemptsUsed = try reader.int()
        lostCount = try reader.int()
        outcome = try reader.wordOrNil(AttemptOutcome.self)
        reason = try reader.wordOrNil(AttemptReason.self)
        error = try reader.errorOrNil()
        let processed = try reader.int64OrNil()
        let total = try reader.int64OrNil()
        let stage = try reader.textOrNil()
        progress =
            try reader.jsonOrNil().map(Progress.init(summary:))
            ?? Progress(
                stage: stage, current: UInt64(clamping: processed ?? 0), total: total.map { UInt64(clamping: $0) })
        hostID = try reader.hostOrNil()
        pid = try reader.int32OrNil()
        version = try reader.textOrNil()
        startedAt = try reader.timeOrNil()
        finishedAt = try reader.timeOrNil()
        cancelRequestedAt = try reader.timeOrNil()
        terminateRequestedAt = try reader.timeOrNil()
        cancelReason = try reader.textOrNil()
        let json = try reader.textOrNil()
        let bytes = try reader.bytesOrNil()
        let mediaType = try reader.textOrNil()
        if !withPayload {
            result = nil
        } else if let json {
            result = .json(json)
        } else if let bytes {
            result = .bytes(bytes, mediaType: mediaType ?? "application/octet-stream")
        } else {
            result = RunResult.none
        }
        expiresAt = try reader.timeOrNil()
    }
}

extension AttemptRow {
    init(_ row: PGRow, run: RunID) throws(PGDecodingError) {
        var reader = RowReader(row)
        runID = run
        attempt = try reader.int()
        outcome = try reader.wordOrNil(AttemptOutcome.self)
        reason = try reader.wordOrNil(AttemptReason.self)
        hostID = try reader.hostOrNil()
        hostEpoch = try reader.int64OrNil()
        pid = try reader.int32OrNil()
        version = try reader.textOrNil()
        claimedAt = try reader.timeOrNil()
        startedAt = try reader.timeOrNil()
        endedAt = try reader.timeOrNil()
        exitCode = try reader.int32OrNil()
        signal = try reader.int32OrNil()
        error = try reader.errorOrNil()
        resources = ResourceUsage(
            userCPU: .microseconds(try reader.int64()), systemCPU: .microseconds(try reader.int64()),
            maxRSSBytes: try reader.int64(), minorFaults: try reader.int64(), majorFaults: try reader.int64(),
            blocksIn: try reader.int64(), blocksOut: try reader.int64(), voluntarySwitches: try reader.int64(),
            involuntarySwitches: try reader.int64())
        progress = try reader.jsonOrNil().map(Progress.init(summary:)) ?? Progress()
        let detail = AttemptDetail(try reader.jsonOrNil())
        crash = detail.crash
        ladder = detail.ladder
        outputHead = detail.outputHead
        outputTail = detail.outputTail
        droppedLogLines = detail.droppedLogLines
        droppedOutputBytes = detail.droppedOutputBytes
        survivorsKilled = detail.survivorsKilled
        sentence = try reader.textOrNil() ?? ""
        mode = outcome == nil ? nil : detail.mode
        samples = detail.samples
        leaks = detail.leaks
        diagnosis = detail.diagnosis
        lastLines = detail.lastLines
    }
}
