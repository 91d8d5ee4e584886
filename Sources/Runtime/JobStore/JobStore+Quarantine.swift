import JobCore
import Postgres

extension JobStore {
    /// What is not served, the newest first.
    package func quarantines() async throws(StoreError) -> [QuarantineRow] {
        try await decoding {
            try await self.pool.query(.quarantineList).map { row in
                var reader = RowReader(row)
                return QuarantineRow(
                    handler: try reader.text(), version: try reader.text(), since: try reader.time(),
                    until: try reader.time(), level: try reader.int(), crashes: try reader.int(),
                    attempts: try reader.int(), reason: try reader.text(), plugin: try reader.textOrNil(),
                    label: try reader.textOrNil(), isTried: try reader.bool())
            }
        }
    }

    /// Takes a version out of service for `pause` from now by the database's clock, or for longer if it is out already.
    package func recordQuarantine(_ row: QuarantineRow, pause: Duration) async throws(StoreError) {
        _ = try await transaction([
            (
                .quarantineRecord,
                [
                    .text(row.handler), .text(row.version), .timestamp(micros: row.since.micros),
                    .int64(pause.wholeMilliseconds), .int32(Int32(clamping: row.level)),
                    .int32(Int32(clamping: row.crashes)), .int32(Int32(clamping: row.attempts)),
                    .text(row.reason.storable),
                ]
            ),
            (
                .auditAdd,
                [.null, .text("quarantine.begin"), .text("\(row.handler)@\(row.version)".storable), .null]
            ),
        ])
    }

    /// Asks whether this host may try a version whose pause is over; one living host may at a time, until the version is
    /// recorded or cleared again.
    package func takeTrial(_ lease: HostLease, handler: String, version: String) async throws(StoreError) -> Bool {
        try await !query(
            .quarantineTrial,
            [.int64(lease.id.rawValue), .int64(lease.epoch), .text(handler), .text(version)]
        ).isEmpty
    }

    /// Gives the right to a trial back, unused. Nothing happens if this host does not have it.
    package func giveBackTrial(_ lease: HostLease, handler: String, version: String) async throws(StoreError) {
        _ = try await query(
            .quarantineGiveBack,
            [.int64(lease.id.rawValue), .int64(lease.epoch), .text(handler), .text(version)])
    }

    /// Serves a version again: a trial went well, or (with `actor`) somebody says so.
    /// - Returns: whether it was in quarantine.
    package func liftQuarantine(
        handler: String, version: String, actor: String? = nil
    ) async throws(StoreError) -> Bool {
        let target = "\(handler)@\(version)".storable
        return try await withTransaction { connection in
            let lifted = try await connection.query(
                .quarantineLift, [.text(handler.storable), .text(version.storable)])
            guard lifted.affectedRows > 0 else { return false }
            _ = try await connection.query(.auditNote, Self.auditNote(actor, "quarantine.lift", target))
            return true
        }
    }
}
