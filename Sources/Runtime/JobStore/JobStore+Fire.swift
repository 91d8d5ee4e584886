package import JobCore
import Logging
import Postgres
import UVLoop

/// Fires what is due: the runs of its times and events, and rows for times that make none, which say why (`FiringPlan`).
extension JobStore {
    /// So many schedules in one transaction.
    private static let fireBatch = 500
    /// The same where each may have many events.
    private static let eventBatch = 50
    /// Where a run is put that must not start before somebody lets it.
    nonisolated static let farAway = WallTime(micros: 253_370_764_800 * 1_000_000)

    /// Any number of hosts may do so at once: a planned time fires once.
    /// - Parameters:
    ///   - limit: at most so many schedules now.
    ///   - term: the term as leader under which it fires; if that is over, nothing is fired. Nil: whoever comes.
    ///   - slice: after so long nothing further is begun, of times and of events each, so that whoever calls can do something else
    ///     in between. Nil: all that is due.
    /// - Returns: the firings, and when the next schedule is due (in the past if `limit` or `slice` was reached).
    package func fireDue(
        limit: Int = 100_000, term: Int64? = nil, slice: Duration? = nil
    ) async throws(StoreError) -> (fired: [Firing], nextDue: WallTime?) {
        // Nobody has to look for what may not fire; who has not heard of it finds nothing.
        if emergency[.stopScheduling] != nil { return ([], nil) }
        // Mostly nothing is due, which one look tells.
        let before = try await nextDue()
        guard let due = before.next, due <= before.now else { return ([], before.next) }
        let times = try await fireAll(.scheduleTakeDue, limit, term, slice)
        let events = try await fireAll(.scheduleTakeEvents, limit, term, slice)
        return (times + events, try await nextDue().next)
    }

    private func nextDue() async throws(StoreError) -> (next: WallTime?, now: WallTime) {
        let rows = try await query(.scheduleNext)
        return try await decoding {
            (try rows[0].microsOrNil(0).map { WallTime(micros: $0) }, WallTime(micros: try rows[0].micros(1)))
        }
    }

    private func fireAll(
        _ due: PGStatement, _ limit: Int, _ term: Int64?, _ slice: Duration?
    ) async throws(StoreError) -> [Firing] {
        var fired: [Firing] = []
        var left = limit
        let began = LoopInstant.now
        let batch = due == .scheduleTakeEvents ? Self.eventBatch : Self.fireBatch
        while left > 0 {
            // So many go one by one: the fault of one must not hold up the others.
            let alone = firingAlone[due.name] ?? 0
            let size = alone > 0 ? 1 : min(left, batch)
            do throws(StoreError) {
                let step = try await withTransaction { connection in
                    try await FiringBatch(self, connection, term).fire(due, limit: size)
                }
                noteLanes(step.fired.map(\.run))
                fired += step.fired
                left -= max(1, step.taken)
                firingAlone[due.name] = step.mayHaveMore ? max(0, alone - 1) : 0
                if !step.mayHaveMore { break }
            } catch {
                guard error.mayBeOfOne else { throw error }
                if size > 1 {
                    firingAlone[due.name] = size
                } else {
                    try await postpone(underFire.map { ($0, "\(error)") })
                    firingAlone[due.name] = max(0, alone - 1)
                }
            }
            if let slice, LoopInstant.now - began > slice { break }
        }
        return fired
    }

    private func postpone(_ broken: [(id: Int64, reason: String)]) async throws(StoreError) {
        for (id, reason) in broken {
            logger.warning("a schedule cannot fire", metadata: ["schedule": "\(id)", "reason": "\(reason)"])
        }
        _ = try await query(
            .scheduleBroken, [.int64Array(broken.map(\.id)), .textArray(broken.map { $0.reason.storable })])
    }

    /// A host of this epoch has started: schedules that wait for that fire once. Safe to repeat.
    package func hostStarted(_ lease: HostLease) async throws(StoreError) {
        _ = try await query(.scheduleHostStarted, [.int64(lease.id.rawValue), .int64(lease.epoch)])
    }

    /// Lets runs go that were kept back and whose turn has come: nothing else of their schedule goes, or their backfill has room.
    /// - Returns: how many are kept back still, and how many may go now.
    package func releaseTurns(term: Int64? = nil) async throws(StoreError) -> (waiting: Int, released: Int) {
        let rows = try await transaction([(.scheduleShare, []), (.scheduleRelease, [.int64(orNull: term)])])
        return try await decoding { (Int(try rows[1][0].int64(0)), Int(try rows[1][0].int64(1))) }
    }

    // MARK: Leader

    /// Keeps the right to fire, or takes it: nobody has it, or who has it was not heard of for `limit`.
    /// - Returns: the term, which grows with each change; nil: another host fires.
    package func lead(_ lease: HostLease, limit: Duration) async throws(StoreError) -> Int64? {
        let host: [PGParameter] = [.int64(lease.id.rawValue), .int64(lease.epoch)]
        let rows = try await transaction([
            (.scheduleLeadEnd, host + [.int64(limit.wholeMilliseconds)]), (.scheduleLead, host),
        ])
        return try await decoding { try rows[1].first?.int64(0) }
    }

    /// Another host may fire at once.
    package func resign(term: Int64) async throws(StoreError) { _ = try await query(.scheduleResign, [.int64(term)]) }
}

extension ScheduleRow {
    /// Without its runs that are going.
    var firingState: FiringPlan.State {
        var state = FiringPlan.State(schedule: id, next: nextAt)
        state.ordinal = ordinal
        state.runCount = runCount
        state.maxRuns = input.maxRuns
        state.isPaused = pausedAt != nil
        state.pausedUntil = pausedUntil
        state.skipNext = skipNext
        state.skipUntil = skipUntil
        return state
    }

    /// The run of a planned time.
    func run(_ planned: WallTime, startsAt: WallTime, isKeptBack: Bool) -> NewRun {
        var run = input.request
        run.scheduleID = id
        run.plannedAt = planned
        if startsAt > planned { run.runAt = startsAt }
        if isKeptBack { run.runAt = JobStore.farAway }
        return run
    }
}
