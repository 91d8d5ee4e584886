package import JobCore
import Postgres

extension JobStore {
    /// Asks for a run's end: one that waits is `cancelled` at once; the host of one that runs is told.
    /// - Parameters:
    ///   - grace: how long the handler may take to end by itself; nil: the run's limits.
    ///   - actor: who wants it, for the record.
    package func requestCancel(
        _ id: RunID, reason: String?, grace: Duration? = nil, actor: String? = nil
    ) async throws(StoreError) -> CancelAnswer {
        try await requestEnd(id, .cancel, reason, grace, actor)
    }

    /// As `requestCancel`, but by force: the host cancels and terminates at once, and kills after `grace`.
    package func requestTerminate(
        _ id: RunID, reason: String?, grace: Duration? = nil, actor: String? = nil
    ) async throws(StoreError) -> CancelAnswer {
        try await requestEnd(id, .terminate, reason, grace, actor)
    }

    private func requestEnd(
        _ id: RunID, _ action: HostSignal.Action, _ reason: String?, _ grace: Duration?, _ actor: String?
    ) async throws(StoreError) -> CancelAnswer {
        let number = PGParameter.int64(id.rawValue)
        let ask: [PGParameter] = [
            number, .text(orNull: reason), .milliseconds(orNull: grace), .text(action.rawValue), .text(orNull: actor),
        ]
        // Between two looks it may have moved from one table to the other; a few times in a row is unheard of.
        for _ in 0..<5 {
            let answers = try await transaction([
                (.runCancelWaiting, [number, .text(orNull: reason)]), (.runCancelRunning, ask), (.runState, [number]),
            ])
            let answer = try await decoding { () throws -> CancelAnswer? in
                if try answers[0][0].bool(0) { return .cancelled }
                if let row = answers[1].first {
                    return .requested(
                        host: HostID(try row.int64(0)), attempt: Int(try row.int64(1)), isRepeated: try row.bool(2))
                }
                guard let row = answers[2].first else { throw StoreError.notFound(what: "run", id: id.description) }
                var reader = RowReader(row)
                let state = try reader.word(RunState.self)
                return state.isTerminal ? .alreadyFinished(state) : nil
            }
            if let answer { return answer }
        }
        throw .conflict(
            code: "run_is_moving", detail: "the run changes its state all the time; ask again", currentState: nil)
    }

    /// Orders for this host's attempts that may have been missed: all that were asked for and are not settled.
    package func pendingSignals(_ lease: HostLease) async throws(StoreError) -> [HostSignal] {
        try await decoding {
            try await self.pool.query(.runSignals, [.int64(lease.id.rawValue), .int64(lease.epoch)]).map { row in
                var reader = RowReader(row)
                let id = try reader.run()
                let attempt = try reader.int()
                let isForced = try reader.bool()
                return HostSignal(
                    action: isForced ? .terminate : .cancel, runID: id, attempt: attempt,
                    grace: try reader.millisecondsOrNil())
            }
        }
    }
}
