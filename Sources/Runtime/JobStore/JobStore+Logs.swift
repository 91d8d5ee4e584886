package import JobCore
import Logging
import Postgres

extension JobStore {
    /// Writes lines by COPY, on a connection of its own.
    ///
    /// After a failure with `mayHaveCommitted` the same lines may be there already: repeat them with `mayBeThere`, which writes
    /// only those that are not. Fields that are no JSON are kept as a JSON string.
    package func appendLogs(_ lines: [LogInsert], mayBeThere: Bool = false) async throws(StoreError) {
        guard !lines.isEmpty else { return }
        do throws(PostgresError) {
            try await write(lines, mayBeThere)
        } catch {
            guard !error.isTransient, error.kind == .server else { throw StoreError(error) }
            // Somebody's fields are no JSON: look at each, which costs too much to do it always.
            logger.warning("log lines were refused; writing them with checked fields", metadata: ["error": "\(error)"])
            do throws(PostgresError) {
                try await write(lines.map(\.checked), mayBeThere)
            } catch {
                throw StoreError(error)
            }
        }
        let full = logTallies.add(lines)
        guard !full.isEmpty else { return }
        do throws(PostgresError) {
            // On this connection: whoever waits for a reader's connection must not hold up the lines.
            _ = try await copying.query(.logIndexAdd, LogTallies.parameters(full))
        } catch {
            // The lines are there; their count follows with the next page or the attempt's end.
            logTallies.putBack(full)
        }
    }

    private func write(_ lines: [LogInsert], _ mayBeThere: Bool) async throws(PostgresError) {
        if mayBeThere {
            _ = try await copying.query(.logAdd, lines.parameters)
        } else {
            _ = try await copying.copyIn(LogCopy.sql, LogCopy(lines).bytes)
        }
    }

    /// How many lines a run has by level, the newest included. No rows are counted but those of the last page.
    package func logIndex(_ id: RunID) async throws(StoreError) -> LogIndex {
        try await decoding {
            guard let span = try await self.logSpan(id) else { return LogIndex() }
            let answers = try await self.pool.transaction([
                self.walkSettings,
                (.logIndexRead, [.int64(id.rawValue), .timestamp(micros: span.lowerBound.micros)]),
            ])
            var reader = RowReader(answers[1][0])
            return LogIndex(
                lines: try reader.int64(), debug: try reader.int64(), info: try reader.int64(),
                warning: try reader.int64(), error: try reader.int64())
        }
    }

    /// When lines of a run may have been written: a day of grace for clocks that differ between hosts. Nil: no such run.
    func logSpan(_ id: RunID) async throws -> Range<WallTime>? {
        let day = Duration.seconds(86_400)
        guard let row = try await pool.query(.runCreated, [.int64(id.rawValue)]).first else { return nil }
        var reader = RowReader(row)
        let created = try reader.time().advanced(by: .zero - day)
        let ended = try reader.timeOrNil()?.advanced(by: day)
        // The end of the years that the server's clock knows is far enough.
        return created..<max(created, ended ?? WallTime(micros: 4_102_444_800_000_000))
    }
}
