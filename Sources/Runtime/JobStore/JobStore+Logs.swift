package import JobCore
import Logging
import Postgres

extension JobStore {
    private static let copyLogs =
        "COPY pawl.run_log (run_id, seq, attempt, time, stream, level, stage, message, fields) FROM STDIN (FORMAT binary)"

    /// Writes lines by COPY, on a connection of its own.
    ///
    /// After a failure with `mayHaveCommitted` the same lines may be there already: repeat all the same, readers drop
    /// doubles (same run and seq). Fields that are no JSON are kept as a JSON string.
    package func appendLogs(_ lines: [LogInsert]) async throws(StoreError) {
        guard !lines.isEmpty else { return }
        do throws(PostgresError) {
            _ = try await copying.copyIn(Self.copyLogs, CopyWriter(lines).bytes)
        } catch {
            guard !error.isTransient, error.kind == .server else { throw StoreError(error) }
            // Somebody's fields are no JSON: look at each, which costs too much to do it always.
            logger.warning("log lines were refused; writing them with checked fields", metadata: ["error": "\(error)"])
            do throws(PostgresError) {
                _ = try await copying.copyIn(Self.copyLogs, CopyWriter(lines.map(\.checked)).bytes)
            } catch {
                throw StoreError(error)
            }
        }
        let full = logTallies.add(lines)
        guard !full.isEmpty else { return }
        do throws(StoreError) {
            _ = try await query(.logIndexAdd, LogTallies.parameters(full))
        } catch {
            // The lines are there; their count follows with the next page or the attempt's end.
            logTallies.putBack(full)
        }
    }

    /// Lines of a run in ascending order of `seq`.
    /// - Parameter query: `limit` is 1 to 10,000.
    package func logs(_ id: RunID, _ query: LogQuery) async throws(StoreError) -> [LogRow] {
        try await decoding {
            guard let created = try await self.pool.query(.runCreated, [.int64(id.rawValue)]).first else { return [] }
            // A day of grace for clocks that differ between hosts.
            let since = try created.micros(0) - 86_400_000_000
            let streams = query.streams.map { Int16($0.rawValue) }.sorted()
            let rows = try await self.pool.query(
                query.isTail ? .logTail : .logRead,
                [
                    .int64(id.rawValue), .timestamp(micros: since), .int64(query.afterSeq),
                    .int64(Int64(min(max(1, query.limit), 10_000))),
                    query.minLevel.map { .int16(Int16($0.rawValue)) } ?? .null,
                    streams.isEmpty ? .null : .int16Array(streams),
                    query.attempt.map { .int32(Int32(clamping: $0)) } ?? .null, .text(orNull: query.stage),
                ])
            let lines = try rows.map { try LogRow($0) }
            return query.isTail ? lines.reversed() : lines
        }
    }

    /// How many lines a run has by level, without counting rows. Complete once the run is over.
    package func logIndex(_ id: RunID) async throws(StoreError) -> LogIndex {
        try await decoding {
            var reader = RowReader(try await self.pool.query(.logIndexRead, [.int64(id.rawValue)])[0])
            return LogIndex(
                lines: try reader.int64(), debug: try reader.int64(), info: try reader.int64(),
                warning: try reader.int64(), error: try reader.int64())
        }
    }
}

extension LogRow {
    init(_ row: PGRow) throws(PGDecodingError) {
        var reader = RowReader(row)
        let seq = try reader.int64()
        let attempt = try reader.int()
        let time = try reader.time()
        let stream = LogStream(rawValue: try reader.int()) ?? .host
        let level = LogLevel(rawValue: try reader.int()) ?? .info
        self.init(
            seq: seq, attempt: attempt,
            line: LogLine(
                time: time, level: level, stream: stream, stage: try reader.textOrNil(), message: try reader.text(),
                fields: try reader.textOrNil()))
    }
}

extension LogInsert {
    /// With fields that are JSON for certain.
    fileprivate var checked: LogInsert {
        guard let fields = line.fields else { return self }
        do throws(JSONFault) {
            _ = try JSONText.check(fields)
            return self
        } catch {
            var copy = self
            copy.line.fields = JSONText.quoted(fields)
            return copy
        }
    }
}

/// Lines in the server's binary COPY format (PostgreSQL documentation, COPY, "Binary Format").
private struct CopyWriter {
    private(set) var bytes: [UInt8] = []

    init(_ lines: [LogInsert]) {
        bytes.reserveCapacity(32 + lines.reduce(0) { $0 + $1.line.message.utf8.count + 120 })
        bytes += Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]
        // No flags, no extension.
        append(Int32(0))
        append(Int32(0))
        for line in lines {
            append(Int16(9))
            field(line.runID.rawValue)
            field(line.seq)
            field(Int32(clamping: line.attempt))
            // Microseconds since 2000-01-01, the server's epoch.
            field(line.line.time.micros - 946_684_800_000_000)
            field(Int16(line.line.stream.rawValue))
            field(Int16(line.line.level.rawValue))
            field(line.line.stage)
            field(line.line.message)
            field(line.line.fields)
        }
        append(Int16(-1))
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }

    private mutating func field(_ value: some FixedWidthInteger) {
        append(Int32(value.bitWidth / 8))
        append(value)
    }

    private mutating func field(_ text: String?) {
        guard let text else { return append(Int32(-1)) }
        let storable = text.storable
        append(Int32(storable.utf8.count))
        bytes += storable.utf8
    }
}
