import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// A host begins. In one transaction its epoch grows, which fences an earlier life on the same data directory, and the
    /// attempts of that life go back to their queues as lost.
    package func registerHost(_ host: HostRegistration) async throws(StoreError) -> HostRegistered {
        heartbeats.reset()
        lanes.forget()
        return try await withTransaction { connection in
            let row = try await connection.query(
                .hostRegister,
                [
                    .text(host.dataDirectoryID), .text(host.hostname.storable), .int32(host.pid), .text(host.version),
                    .text(orNull: host.gitSHA), .int32(Int32(clamping: host.slots)), .json(host.capabilities),
                    .int64(max(liveness.heartbeat.wholeMilliseconds, 1)),
                ])[0]
            let lease = HostLease(id: HostID(try row.int64(0)), epoch: try row.int64(1))
            _ = try await connection.query(.sleepClear, [.int64(lease.id.rawValue)])
            try await Self.endHoldings(connection, lease.id, upTo: lease.epoch - 1, "restarted")
            let taken = try await Self.takeBack(
                connection, lease.id, upTo: lease.epoch - 1, "Its host began anew; the run went back to its queue.")
            return HostRegistered(lease: lease, requeued: taken.requeued, ended: taken.ended)
        }
    }

    /// Writes a heartbeat; every 10 s. Over the connection that listens: no page and no enqueue is before it there, and that
    /// this connection lives is proven by the way.
    /// - Returns: false: this host is fenced; it must end its children and stop, or register again.
    package func heartbeat(_ lease: HostLease) async throws(StoreError) -> Bool {
        let rows: PGRows
        do throws(PostgresError) {
            rows = try await listening.query(.hostHeartbeat, [.int64(lease.id.rawValue), .int64(lease.epoch)])
        } catch {
            throw StoreError(error)
        }
        guard !rows.isEmpty else {
            heartbeats.reset()
            return false
        }
        heartbeats.succeeded(at: LoopInstant.now.nanoseconds)
        return true
    }

    /// Those of the last 30 days, present ones first.
    package func hosts() async throws(StoreError) -> [HostRow] {
        try await decoding {
            try await self.pool.query(.hostList).map { row in
                var reader = RowReader(row)
                return HostRow(
                    id: HostID(try reader.int64()), epoch: try reader.int64(), dataDirectoryID: try reader.text(),
                    hostname: try reader.text(), pid: try reader.int32(), version: try reader.text(),
                    gitSHA: try reader.textOrNil(), slots: try reader.int(), capabilities: try reader.text(),
                    state: try reader.word(HostState.self), startedAt: try reader.time(),
                    heartbeatAt: try reader.time(), stoppedAt: try reader.timeOrNil(),
                    liveness: LivenessTimes(heartbeat: try reader.millisecondsOrNil() ?? .seconds(10)))
            }
        }
    }

    /// Fences hosts that are silent (30 s, 60 s while stopping) and sends their attempts back to their queues, if this host's
    /// own heartbeats are unbroken for 30 s. A host that is fenced itself finds nobody.
    package func sweepSilentHosts(_ lease: HostLease) async throws(StoreError) -> HostSweep {
        let unbroken = heartbeats.unbroken(now: LoopInstant.now.nanoseconds)
        guard unbroken >= liveness.silence else {
            return HostSweep(isEntitled: false, silent: [], requeued: 0, ended: 0)
        }
        let sweep = try await withTransaction { connection in
            var sweep = HostSweep(isEntitled: true, silent: [], requeued: 0, ended: 0)
            let judge: [PGParameter] = [
                .int64(lease.id.rawValue), .int64(lease.epoch), .int64(unbroken.wholeMilliseconds),
            ]
            for row in try await connection.query(.hostSweep, judge) {
                let host = HostID(try row.int64(0))
                _ = try await connection.query(.sleepClear, [.int64(host.rawValue)])
                try await Self.endHoldings(connection, host, upTo: try row.int64(1), "silent")
                let taken = try await Self.takeBack(
                    connection, host, upTo: try row.int64(1), "Its host fell silent; the run went back to its queue.")
                sweep.silent.append(host)
                sweep.requeued += taken.requeued
                sweep.ended += taken.ended
            }
            for row in try await connection.query(.hostStaleEpochs) {
                let taken = try await Self.takeBack(
                    connection, HostID(try row.int64(0)), upTo: try row.int64(1),
                    "It was claimed in an earlier life of its host; the run went back to its queue.")
                sweep.requeued += taken.requeued
                sweep.ended += taken.ended
            }
            return sweep
        }
        if sweep.requeued > 0 { lanes.forget() }
        return sweep
    }

    /// It takes no more runs; it has 60 s without a heartbeat now.
    package func hostStopping(_ lease: HostLease) async throws(StoreError) { try await enter(lease, .stopping) }

    /// The last word of a host: attempts it still holds go back to their queues as lost, and it is `stopped`.
    package func hostStopped(_ lease: HostLease) async throws(StoreError) {
        try await withTransaction { connection in
            _ = try await Self.takeBack(
                connection, lease.id, upTo: lease.epoch, "Its host stopped; the run went back to its queue.")
            _ = try await connection.query(.sleepClear, [.int64(lease.id.rawValue)])
            try await Self.endHoldings(connection, lease.id, upTo: lease.epoch, "stopped")
            _ = try await connection.query(
                .hostState, [.int64(lease.id.rawValue), .int64(lease.epoch), .text(HostState.stopped.rawValue)])
        }
    }

    private func enter(_ lease: HostLease, _ state: HostState) async throws(StoreError) {
        let rows = try await query(
            .hostState, [.int64(lease.id.rawValue), .int64(lease.epoch), .text(state.rawValue)])
        if rows.isEmpty {
            throw .conflict(code: "fenced", detail: "another host took this one's place", currentState: nil)
        }
    }

    /// What only one host may do is free again, in the caller's transaction.
    private static func endHoldings(
        _ connection: PostgresConnection, _ host: HostID, upTo epoch: Int64, _ reason: String
    ) async throws {
        _ = try await connection.query(.holdingEnd, [.int64(host.rawValue), .int64(epoch), .text(reason)])
    }

    /// Takes attempts from a host, in the caller's transaction.
    private static func takeBack(
        _ connection: PostgresConnection, _ host: HostID, upTo epoch: Int64, _ sentence: String
    ) async throws -> (requeued: Int, ended: Int) {
        let rows = try await connection.query(
            .runTakeBack,
            [.int64(host.rawValue), .int64(epoch), .int64(Int64(RetryDecision.lostBound)), .text(sentence)])
        // Their runs are queued again, and their places under limits are free: every host looks.
        if !rows.isEmpty { _ = try await connection.query(.rulesWake, [.textArray(["*"])]) }
        let requeued = try rows.count { try !$0.isNull(0) }
        return (requeued, rows.count - requeued)
    }
}
