import JobCore
import Postgres
import UVLoop

/// Exclusive queues and roles. Who may claim from such a queue is decided by its row in the claim itself; what is here only
/// takes and shows.
extension JobStore {
    /// Takes what is free; call it with each heartbeat, and when somebody has given something up.
    /// - Returns: all that only one host may do, with its holder. Nothing for a host that is fenced or stops: it takes nothing.
    package func takeHoldings(
        _ lease: HostLease, roles: [HostRole] = [.upkeep]
    ) async throws(StoreError) -> [Holding] {
        let taken = try await query(
            .holdingTake,
            [.int64(lease.id.rawValue), .int64(lease.epoch), .textArray(roles.map(\.rawValue))])
        try await decoding { () throws in
            // Its lanes looked empty while another host held it.
            for row in taken where try row.text(0) == "queue" { self.lanes.woken(queue: try row.text(1)) }
        }
        return try await holdings()
    }

    /// For a host that stops and claims no more: gives up its roles, and the exclusive queues of which it runs nothing any more.
    /// The rest goes with `hostStopped`.
    /// - Returns: all that only one host may do.
    package func releaseHoldings(_ lease: HostLease) async throws(StoreError) -> [Holding] {
        _ = try await query(.holdingRelease, [.int64(lease.id.rawValue), .int64(lease.epoch)])
        return try await holdings()
    }

    /// All exclusive queues, and the roles that somebody has.
    package func holdings() async throws(StoreError) -> [Holding] {
        try await decoding {
            try await self.pool.query(.holdingList).compactMap { row in
                var reader = RowReader(row)
                let kind = try reader.text()
                let name = try reader.text()
                let subject: Holding.Subject
                if kind == "queue" {
                    subject = .queue(name)
                } else if let role = HostRole(rawValue: name) {
                    subject = .role(role)
                } else {
                    return nil  // A later version of the program has more of them.
                }
                guard let host = try reader.int64OrNil(), let epoch = try reader.int64OrNil(),
                    let hostname = try reader.textOrNil(), let since = try reader.timeOrNil()
                else { return Holding(subject: subject) }
                return Holding(
                    subject: subject,
                    holder: Holding.Holder(host: HostID(host), epoch: epoch, hostname: hostname, since: since))
            }
        }
    }

    /// Says whether one host at a time serves a queue. What runs on other hosts goes on; the queue gets its holder when that
    /// has ended. A queue that does not exist yet is made.
    /// - Returns: whether anything changed.
    package func setExclusive(
        queue: String, _ isExclusive: Bool, actor: String? = nil
    ) async throws(StoreError) -> Bool {
        guard (1...120).contains(queue.utf8.count), !queue.utf8.contains(0) else {
            throw .invalid(FieldFault(pointer: "/queue", code: "out_of_range", detail: "must have 1 to 120 bytes"))
        }
        let changed = try await withTransaction { connection in
            guard !(try await connection.query(.queueExclusive, [.text(queue), .bool(isExclusive)])).isEmpty else {
                return false
            }
            _ = try await connection.query(
                .auditNote,
                Self.auditNote(
                    actor, "queue.exclusive", queue,
                    JSONValue.object([JSONMember("exclusive", .boolean(isExclusive))]).json))
            return true
        }
        if changed { lanes.woken(queue: queue) }
        return changed
    }
}
