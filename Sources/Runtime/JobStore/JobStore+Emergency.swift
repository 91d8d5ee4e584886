package import JobCore
import Logging
import Postgres

/// What everybody must stop doing. It stands in the database, so a restart keeps it; claims and schedules look at it in their own
/// statements, so that nothing slips through a host that has not heard of it yet.
extension JobStore {
    /// Looks; what this host knows of it is in `emergency` afterwards.
    /// - Returns: whether claims may go on that could not before.
    @discardableResult
    package func lookForEmergency() async throws(StoreError) -> Bool {
        let look = emergencyLooks.begin()
        let found = try await decoding {
            Emergency(
                try await self.pool.query(.emergencyList).compactMap { row in
                    var reader = RowReader(row)
                    // A later version of the program may know more of them.
                    guard let mode = try reader.wordOrNil(EmergencyMode.self) else { return nil }
                    return Emergency.Order(
                        mode: mode, since: try reader.time(), actor: try reader.textOrNil(), reason: try reader.text())
                })
        }
        // Somebody who looked later may have seen what was declared meanwhile.
        return emergencyLooks.takes(look) && note(found)
    }

    /// What this host knows of it; before its first look, what the database says.
    package func order(_ mode: EmergencyMode) async throws(StoreError) -> Emergency.Order? {
        if !emergencyLooks.hasTaken { try await lookForEmergency() }
        return emergency[mode]
    }

    private func note(_ found: Emergency) -> Bool {
        let isOver = emergency.haltsClaims && !found.haltsClaims
        emergency = found
        // Its lanes looked empty meanwhile.
        if isOver { lanes.woken(queue: "*") }
        return isOver
    }

    /// From the moment this returns no claim begins (`pause_queues`, `terminate_all`), no schedule fires, and each host refuses
    /// new runs within a second or so. `terminate_all` has also asked for the end of everything that runs, in the same
    /// transaction: there is no claim that it has not seen.
    /// - Returns: whether it was not so before, and the runs whose end was asked for now.
    package func declare(
        _ mode: EmergencyMode, reason: String, actor: String?
    ) async throws(StoreError) -> (isNew: Bool, ended: [(id: RunID, attempt: Int)]) {
        let parameters: [PGParameter] = [.text(mode.rawValue), .text(orNull: actor), .text(reason.storable)]
        let (isNew, ended) = try await changingRules { connection -> (Bool, [(id: RunID, attempt: Int)]) in
            let isNew = try await !connection.query(.emergencyOn, parameters).isEmpty
            var ended: [(id: RunID, attempt: Int)] = []
            if mode == .terminateAll {
                let rows = try await connection.query(
                    .emergencyEndRuns, [.text(orNull: actor), .text(reason.storable)])
                ended = try rows.map { (id: RunID(try $0.int64(0)), attempt: Int(try $0.int64(1))) }
            }
            if isNew || !ended.isEmpty {
                _ = try await connection.query(
                    .auditNote,
                    Self.auditNote(
                        actor, "emergency.on", mode.rawValue,
                        "{\"reason\":\(JSONText.quoted(reason)),\"runs\":\(ended.count)}"))
            }
            return (isNew, ended)
        }
        try await lookForEmergency()
        if mode == .stopScheduling { try await awaitFirings() }
        return (isNew, ended)
    }

    /// Waits for firings that began before the order was there. One that takes longer than firings take, because its host was stopped in
    /// the middle, is rolled back.
    private func awaitFirings() async throws(StoreError) {
        let steps: [(PGStatement, [PGParameter])] = [(.rulesPatience, []), (.scheduleQuiet, [])]
        do {
            _ = try await transaction(steps)
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            logger.warning("a firing holds up the end of scheduling; it is rolled back")
            _ = try await query(.scheduleFree)
            _ = try await transaction(steps)
        }
    }

    /// Hosts look for work at once.
    /// - Returns: those of `modes` that stood.
    package func lift(
        _ modes: Set<EmergencyMode>, reason: String?, actor: String?
    ) async throws(StoreError) -> [EmergencyMode] {
        let lifted = try await withTransaction { connection -> [EmergencyMode] in
            let rows = try await connection.query(.emergencyOff, [.textArray(modes.map(\.rawValue).sorted())])
            let lifted = try rows.compactMap { EmergencyMode(rawValue: try $0.text(0)) }.sorted()
            for mode in lifted {
                _ = try await connection.query(
                    .auditNote,
                    Self.auditNote(
                        actor, "emergency.off", mode.rawValue,
                        "{\"reason\":\(reason.map(JSONText.quoted) ?? "null")}"))
            }
            return lifted
        }
        try await lookForEmergency()
        return lifted
    }
}
