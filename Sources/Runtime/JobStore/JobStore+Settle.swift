import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// Settles a batch. Results are in the order of `batch`; safe to repeat.
    package func settle(_ lease: HostLease, _ batch: [Settlement]) async throws(StoreError) -> [SettleResult] {
        try await settleAndClaim(lease, batch, claim: ClaimRequest(limit: 0)).settled
    }

    /// What became of a batch, in its order, and what was claimed with it.
    package struct Exchanged: Sendable {
        package var settled: [SettleResult] = []
        package var claimed: [ClaimedRun] = []
        /// What became of the requests that it stored, in their order; nil for unknown jobs.
        package var stored: [Enqueued?] = []
        /// Queues into which follow-up runs went that are due. Nobody was notified of them.
        package var filled: Set<String> = []
        /// Limited queues and jobs from which it could not claim, because another host was just claiming from them. Soon again.
        package var gatesElsewhere = 0
        /// Some settlements were only made behind the claim: places that they left may be taken by the next one.
        package var isLate = false
    }

    /// Settles and claims in one round trip and one commit. Results are in the order of `batch`.
    ///
    /// Throws `.unavailable` if the database is away: repeat the same batch later, whether or not it had been committed.
    /// An item that the database refuses for what is in it is settled without its result and details, so that no item can
    /// hold up the others or stay unsettled.
    package func settleAndClaim(
        _ lease: HostLease, _ batch: [Settlement], claim request: ClaimRequest
    ) async throws(StoreError) -> Exchanged {
        let checked = try await checkingFollowUps(batch)
        do throws(PostgresError) {
            var answer = try await repeatingDeadlocks { () async throws(PostgresError) in
                try await self.exchange(lease, checked, request)
            }
            for (index, item) in batch.enumerated() {
                answer.settled[index] = answer.settled[index].inView(of: item, checked[index])
            }
            return answer
        } catch {
            guard !error.isTransient, error.kind == .server, !batch.isEmpty else { throw StoreError(error) }
            logger.warning("a batch was refused; settling one by one", metadata: ["error": "\(error)"])
        }
        var answer = Exchanged(settled: [])
        for (item, candidate) in zip(batch, checked) {
            let alone = try await settleAlone(lease, candidate)
            answer.settled += alone.settled.map { $0.inView(of: item, candidate) }
            answer.filled.formUnion(alone.filled)
        }
        return answer
    }

    /// Whether `storeAndClaim` would make one exchange with a connection that is there.
    package var canStoreAndClaim: Bool {
        delivery.connection != nil && !lanes.isSweepDue(isBusy: isBusy, now: LoopInstant.now.nanoseconds)
    }

    /// Stores requests that may begin at once and claims, in one commit. What it stored and did not claim waits in its lane like any
    /// other. If one of the requests is refused, or a change of rules takes its time (`StoreError.isLockTaken`), nothing was stored and
    /// nothing claimed.
    package func storeAndClaim(
        _ lease: HostLease, _ runs: [NewRun], claim request: ClaimRequest
    ) async throws(StoreError) -> Exchanged {
        do throws(PostgresError) {
            var answer = try await repeatingDeadlocks { () async throws(PostgresError) in
                try await self.exchange(lease, [], request, storing: runs)
            }
            let claimed = Set(answer.claimed.map(\.id))
            for (index, run) in answer.stored.enumerated() {
                if let run, claimed.contains(run.id) { answer.stored[index]?.isClaimed = true }
            }
            return answer
        } catch {
            throw StoreError(error)
        }
    }

    /// Whoever lost a deadlock has changed nothing.
    private func repeatingDeadlocks<T>(
        _ body: @LoopActor () async throws(PostgresError) -> T
    ) async throws(PostgresError) -> T {
        var tries = Self.deadlockTries
        while true {
            do throws(PostgresError) {
                return try await body()
            } catch {
                tries -= 1
                guard error.sqlState == .deadlockDetected, tries > 0 else { throw error }
            }
        }
    }

    private func settleAlone(_ lease: HostLease, _ item: Settlement) async throws(StoreError) -> Exchanged {
        var last: PostgresError?
        for candidate in item.lesserForms {
            if let last { logger.debug("settled in a lesser form", metadata: ["error": "\(last)"]) }
            do throws(PostgresError) {
                var answer = try await exchange(lease, [candidate], ClaimRequest(limit: 0))
                answer.settled[0] = answer.settled[0].inView(of: item, candidate)
                return answer
            } catch {
                if error.isTransient || error.kind != .server { throw StoreError(error) }
                last = error
            }
        }
        let reason = last.map(\.description) ?? ""
        logger.error("a settlement was refused", metadata: ["run": "\(item.report.runID)", "error": "\(reason)"])
        return Exchanged(settled: [try await endUnsettleable(lease, item, reason)])
    }

    /// Nothing of the outcome can be stored: its run must not stay `running` for that.
    private func endUnsettleable(
        _ lease: HostLease, _ item: Settlement, _ reason: String
    ) async throws(StoreError) -> SettleResult {
        do throws(PostgresError) {
            let rows = try await delivery.query(
                .runUnsettleable,
                [
                    .int64(lease.id.rawValue), .int64(lease.epoch), .int64(item.report.runID.rawValue),
                    .int32(Int32(clamping: item.report.attempt)), .text(reason.storable),
                ])
            return rows.isEmpty ? .fenced : .refused(reason)
        } catch {
            if error.isTransient || error.kind != .server { throw StoreError(error) }
            logger.critical(
                "a run stays running: not even its end could be written",
                metadata: ["run": "\(item.report.runID)", "error": "\(error)"])
            return .refused(reason)
        }
    }

    /// One transaction: what the claim rests on, the settlements, the index of their log lines, new requests, the claim.
    private func exchange(
        _ lease: HostLease, _ batch: [Settlement], _ request: ClaimRequest, storing: [NewRun] = []
    ) async throws(PostgresError) -> Exchanged {
        let wantsRuns = request.limit > 0
        if wantsRuns {
            noteReach(request)
            try await sweepLanes(isBusy: isBusy)
        }
        for run in storing { if let lane = forecast.lane(of: run) { lanes.expects(lane) } }
        let choice = wantsRuns ? choose(request) : LaneChoice()
        let isClaiming = !choice.readings.isEmpty
        let settling = SettleSteps(lease, batch)
        let gates = gateSteps(choice, isUrgent: !storing.isEmpty)
        let head = gates + (settling.locks.map { [$0] } ?? [])
        var steps = head + settling.steps
        let settleCount = steps.count
        let tallies = logTallies.take(batch.map(\.report))
        if !tallies.isEmpty { steps.append((.logIndexAdd, LogTallies.parameters(tallies))) }
        if !storing.isEmpty { steps.append(Self.enqueueStep(storing)) }
        if isClaiming { steps.append(claimStep(lease, request, choice)) }

        var done = Exchanged()
        if !steps.isEmpty {
            if isClaiming { lanes.claimStarted() }
            let answers: [PGRows]
            do throws(PostgresError) {
                answers = try await delivery.transaction(steps)
            } catch {
                if isClaiming { lanes.claimFailed() }
                logTallies.putBack(tallies)
                throw error
            }
            lastExchange = .now
            var isClaimOpen = isClaiming
            do {
                if !storing.isEmpty {
                    let rows = answers[answers.count - (isClaiming ? 2 : 1)]
                    done.stored = try noteEnqueued(rows, count: storing.count)
                    learnLanes(storing, done.stored)
                }
                if isClaiming {
                    let rows = answers[answers.count - 1]
                    done.claimed = try self.claimed(rows, exhausted: rows.count < request.limit ? choice.open : [])
                    isClaimOpen = false
                    if gates.count > 1 { done.gatesElsewhere = Int(try answers[1][0].int64(0)) }
                }
                var applied: Set<Int64> = []
                for (step, rows) in zip(steps, answers).prefix(settleCount).dropFirst(head.count) {
                    try noteSettled(rows, &applied)
                    if step.0.name == PGStatement.runFollowUp.name {
                        for row in rows { done.filled.insert(try row.text(1)) }
                    }
                }
                let first = applied.count
                done.settled = try await results(lease, batch, &applied)
                done.isLate = applied.count > first
            } catch {
                if isClaimOpen { lanes.claimFailed() }
                var fault = Self.postgresError(error)
                fault.mayHaveCommitted = true
                throw fault
            }
        }
        // A host that finds nothing looks properly once before it says so.
        if wantsRuns && done.claimed.isEmpty && storing.isEmpty
            && lanes.isSweepDue(isBusy: true, now: LoopInstant.now.nanoseconds)
        {
            lanes.forget()
            let again = try await exchange(lease, [], request)
            done.claimed = again.claimed
            done.gatesElsewhere = again.gatesElsewhere
        }
        return done
    }

    /// A host that can take other runs than before looks again at those that it passed over.
    private func noteReach(_ request: ClaimRequest) {
        guard request.jobs != lastReach?.jobs || request.queues != lastReach?.queues else { return }
        if lastReach != nil { lanes.forget() }
        lastReach = request
    }

    /// Claims follow closely on each other.
    private var isBusy: Bool { LoopInstant.now - lastExchange < .milliseconds(50) }

    /// Rows of the settle statements: the run's id, and its lane if it went back to a queue.
    private func noteSettled(_ rows: PGRows, _ applied: inout Set<Int64>) throws(PGDecodingError) {
        let hasLane = rows.columns.count > 1
        for row in rows {
            applied.insert(try row.int64(0))
            if hasLane { lanes.entered(try Self.lane(row, from: 1, job: 4), at: try row.int64(3)) }
        }
    }

    /// Whoever is not in the answer is fenced, or was settled before, or its row was being changed at that moment (say, by
    /// `noteStarted`): then once more.
    private func results(
        _ lease: HostLease, _ batch: [Settlement], _ applied: inout Set<Int64>, tries: Int = 5
    ) async throws -> [SettleResult] {
        let missing = batch.filter { !applied.contains($0.report.runID.rawValue) }
        var done: Set<Int64> = []
        if !missing.isEmpty {
            var held: Set<Int64> = []
            let rows = try await delivery.query(
                .runSettled,
                [
                    .int64(lease.id.rawValue), .int64(lease.epoch), .int64Array(missing.map(\.report.runID.rawValue)),
                    .int64Array(missing.map { Int64($0.report.attempt) }),
                    .textArray(missing.map(\.report.outcome.rawValue)),
                ])
            for row in rows {
                let id = try row.int64(0)
                if try row.bool(1) { done.insert(id) } else { held.insert(id) }
            }
            let again = missing.filter { held.contains($0.report.runID.rawValue) }
            if !again.isEmpty && tries > 0 {
                let settling = SettleSteps(lease, again)
                let locks = settling.locks.map { [$0] } ?? []
                for rows in try await delivery.transaction(locks + settling.steps).dropFirst(locks.count) {
                    try noteSettled(rows, &applied)
                }
                return try await results(lease, batch, &applied, tries: tries - 1)
            }
            // Still this attempt's, and still not settled: the caller keeps it and tries again.
            if !again.isEmpty { throw PostgresError(kind: .unavailable, message: "rows were busy at every try") }
        }
        return batch.map { item in
            let id = item.report.runID.rawValue
            return applied.contains(id) ? .applied : done.contains(id) ? .alreadyDone : .fenced
        }
    }
}

extension SettleResult {
    /// What is said to whoever brought `item`, of which `form` was settled.
    fileprivate func inView(of item: Settlement, _ form: Settlement) -> SettleResult {
        guard item.asksForRuns, !form.asksForRuns else { return self }
        switch self {
        case .applied, .alreadyDone: return .followUpsRefused
        case .followUpsRefused, .fenced, .refused: return self
        }
    }
}

extension Settlement {
    /// Itself, and what may still be stored of it when the database refuses it.
    fileprivate var lesserForms: [Settlement] {
        guard asksForRuns else { return [self, stripped] }
        let refused = refusingFollowUps("the database refuses one of its \(report.followUps.count) follow-up runs")
        return [self, refused, stripped, refused.stripped]
    }

    /// Without all that a handler may have put into it in a form that the database refuses.
    fileprivate var stripped: Settlement {
        var copy = self
        copy.report.result = .none
        copy.report.progress = Progress()
        copy.report.crash = nil
        copy.report.ladder = []
        copy.report.outputHead = ""
        copy.report.outputTail = ""
        copy.report.samples = []
        copy.report.leaks = LeakReport()
        copy.report.diagnosis = nil
        copy.report.lastLines = []
        copy.report.error?.detailsJSON = nil
        copy.report.sentence += " (Its result and details could not be stored.)"
        return copy
    }
}
