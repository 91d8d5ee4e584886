package import JobCore
import Postgres

extension JobStore {
    /// Crashes that wait for their frames' names: this host's, and those of hosts that have been gone for ten minutes.
    package func pendingCrashes(_ lease: HostLease, limit: Int = 16) async throws(StoreError) -> [PendingCrash] {
        try await decoding {
            try await self.pool.query(.crashPending, [.int64(lease.id.rawValue), .int64(Int64(limit))]).map { row in
                var reader = RowReader(row)
                return PendingCrash(
                    runID: try reader.run(), attempt: try reader.int(), job: try reader.text(),
                    handler: try reader.text(), plugin: try reader.textOrNil(), version: try reader.textOrNil(),
                    endedAt: try reader.time(), isOwn: try reader.bool(),
                    crash: AttemptDetail(try reader.jsonOrNil()).crash)
            }
        }
    }

    /// How many crashes of the last minute wait for their frames' names, on any host.
    /// - Parameter run: nil: of all runs.
    package func pendingCrashCount(
        of run: RunID? = nil, limit: Int = 1000
    ) async throws(StoreError) -> Int {
        try await decoding {
            let rows = try await self.pool.query(
                .crashPendingCount, [.int64(orNull: run?.rawValue), .int64(Int64(limit))])
            return Int(try rows[0].int64(0))
        }
    }

    /// Files a crash that waited: its report, and one more in its group. However often it is tried, and by whomever, it counts
    /// once.
    /// - Returns: whether this call did it.
    @discardableResult
    package func fileCrash(_ crash: PendingCrash, _ filing: CrashFiling) async throws(StoreError) -> Bool {
        let frames = JSONValue.array(filing.frames.map(\.jsonValue)).json
        let rows = try await query(
            .crashFile,
            [
                .int64(crash.runID.rawValue), .int32(Int32(clamping: crash.attempt)), .text(filing.fingerprint),
                .json(frames), .text(filing.title.storable), .text(crash.handler), .text(orNull: crash.plugin),
                .int32(orNull: crash.crash?.signal),
            ])
        return !rows.isEmpty
    }

    /// Forgets a crash whose attempt is gone.
    package func dropCrash(_ crash: PendingCrash) async throws(StoreError) {
        _ = try await query(.crashDrop, [.int64(crash.runID.rawValue), .int32(Int32(clamping: crash.attempt))])
    }

    /// Groups of equal crashes, the last seen first.
    /// - Parameter limit: 1 to 1000.
    package func errorGroups(
        limit: Int, after cursor: ErrorGroupCursor? = nil
    ) async throws(StoreError) -> [ErrorGroupRow] {
        try await groups([
            .time(orNull: cursor?.lastSeenAt), .text(orNull: cursor?.fingerprint),
            .int64(Int64(min(max(1, limit), 1000))),
            .null,
        ])
    }

    /// Nil if there is none of that fingerprint, or no more.
    package func errorGroup(_ fingerprint: String) async throws(StoreError) -> ErrorGroupRow? {
        try await groups([.null, .null, .int64(1), .text(fingerprint.storable)]).first
    }

    /// Nil: no crash, not filed yet, or its retention is over.
    package func crashReport(_ run: RunID, attempt: Int) async throws(StoreError) -> CrashReportRow? {
        try await reports(.crashReport, [.int64(run.rawValue), .int32(Int32(clamping: attempt))]).first
    }

    /// The newest crashes of a group.
    package func crashReports(_ fingerprint: String, limit: Int) async throws(StoreError) -> [CrashReportRow] {
        try await reports(
            .crashReportList, [.text(fingerprint.storable), .int64(Int64(min(max(1, limit), 1000)))])
    }

    private func groups(_ parameters: [PGParameter]) async throws(StoreError) -> [ErrorGroupRow] {
        try await decoding {
            try await self.pool.query(.errorGroupList, parameters).map { row in
                var reader = RowReader(row)
                return ErrorGroupRow(
                    fingerprint: try reader.text(), kind: try reader.text(), title: try reader.text(),
                    job: try reader.text(), handler: try reader.text(), plugin: try reader.textOrNil(),
                    signal: try reader.int32OrNil(), count: try reader.int64(), firstSeenAt: try reader.time(),
                    lastSeenAt: try reader.time(), firstVersion: try reader.textOrNil(),
                    lastVersion: try reader.textOrNil(), sampleRun: try reader.run(), sampleAttempt: try reader.int())
            }
        }
    }

    private func reports(
        _ statement: PGStatement, _ parameters: [PGParameter]
    ) async throws(StoreError) -> [CrashReportRow] {
        try await decoding {
            try await self.pool.query(statement, parameters).map { row in
                var reader = RowReader(row)
                return CrashReportRow(
                    runID: try reader.run(), attempt: try reader.int(), fingerprint: try reader.text(),
                    frames: (try reader.jsonOrNil()?.elements ?? []).map { StackFrame($0) },
                    createdAt: try reader.time())
            }
        }
    }
}
