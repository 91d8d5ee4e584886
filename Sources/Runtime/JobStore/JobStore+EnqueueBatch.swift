import JobCore
import Postgres
import UVLoop

/// Several requests in one transaction.
package struct RunBatch: Sendable {
    package var runs: [NewRun]
    /// All or nothing: one request that is refused refuses all.
    package var isWhole: Bool
    /// For 24 hours, a second batch with the same key is the first one.
    package var key: String?
    /// What the request was; see `NewRun.idempotencyFingerprint`.
    package var fingerprint: String?

    package init(_ runs: [NewRun], isWhole: Bool, key: String? = nil, fingerprint: String? = nil) {
        self.runs = runs
        self.isWhole = isWhole
        self.key = key
        self.fingerprint = fingerprint
    }
}

/// What became of a batch.
package enum BatchOutcome: Sendable {
    /// In the order of the requests; failures only if the batch is not all or nothing.
    case taken([Result<Enqueued, StoreError>])
    /// Nothing was stored, because of these.
    case refused([(index: Int, error: StoreError)])
    /// Its key was known: what `answer` gave the first time.
    case known(answer: String)
}

extension JobStore {
    /// Rows of one statement. More gain nothing, and would hold the loop for longer while they are encoded.
    private static let chunk = 1000
    /// Refusals of an all-or-nothing batch that are told.
    private nonisolated static let mostRefusals = 100

    /// Takes each request that is good. See `enqueue(_:answer:)`.
    package func enqueue(batch: [NewRun]) async throws(StoreError) -> [Result<Enqueued, StoreError>] {
        guard case .taken(let results) = try await enqueue(RunBatch(batch, isWhole: false), answer: { _ in "" }) else {
            preconditionFailure("only a batch with a key is known, only a whole one refused")
        }
        return results
    }

    /// Takes a batch in one transaction. Each request that is refused says why: `.notFound`, `.invalid`, `.invalidArgs`,
    /// `.held`, `.conflict`.
    ///
    /// Throws `.conflict("idempotency_key_reused")` if the key belongs to another batch, and `.conflict("key_busy")` if an open
    /// transaction of somebody is taking a key of this batch.
    /// - Parameter answer: what to keep for those who repeat the request, a JSON text; committed with the runs.
    package func enqueue(
        _ batch: RunBatch, answer: @LoopActor ([Result<Enqueued, StoreError>]) -> String
    ) async throws(StoreError) -> BatchOutcome {
        var plan = try await judged(batch)
        if batch.isWhole, !plan.refusals.isEmpty { return .refused(plan.refusals) }
        do throws(StoreError) {
            let outcome = try await batchGate.pass { () async throws(StoreError) in
                try await self.withTransaction { connection in
                    try await self.take(batch, &plan, on: connection, answer)
                }
            }
            if case .taken(let results) = outcome {
                noteLanes(
                    results.map { result in
                        guard case .success(let enqueued) = result else { return nil }
                        return enqueued
                    })
            }
            return outcome
        } catch {
            if plan.isRolledBack { return .refused(plan.refusals) }
            throw error.namingBusyKey
        }
    }

    /// What is known of a batch before the database is asked, and then what it said.
    private struct BatchPlan {
        var results: [Result<Enqueued, StoreError>?]
        var unchecked: Set<Int> = []
        /// The first request with the same idempotency key as this one.
        var twins: [Int: Int] = [:]

        /// With what the database said; nil before.
        var final: [Result<Enqueued, StoreError>?]?
        /// It is all or nothing, and nothing it is.
        var isRolledBack = false

        var refusals: [(index: Int, error: StoreError)] {
            var refusals: [(index: Int, error: StoreError)] = []
            for (index, result) in (final ?? results).enumerated() {
                guard case .failure(let error)? = result else { continue }
                refusals.append((index, error))
                if refusals.count == JobStore.mostRefusals { break }
            }
            return refusals
        }
    }

    private func judged(_ batch: RunBatch) async throws(StoreError) -> BatchPlan {
        let runs = batch.runs
        var plan = BatchPlan(results: Array(repeating: nil, count: runs.count))
        var slice = LoopSlice()
        var keys: [String: Int] = [:]
        for (index, run) in runs.enumerated() {
            do throws(StoreError) {
                try Self.check(run)
                if let key = run.idempotencyKey {
                    if let first = keys[key] {
                        guard runs[first].idempotencyFingerprint == run.idempotencyFingerprint else {
                            throw .keyReused
                        }
                        plan.twins[index] = first
                    } else {
                        keys[key] = index
                    }
                }
            } catch {
                plan.results[index] = .failure(error)
            }
            if index & 63 == 63 { await slice.breathe() }
        }
        let verdicts = try await judgeArgs(runs)
        for (index, faults) in verdicts.faults where plan.results[index] == nil {
            plan.results[index] = .failure(.invalidArgs(faults))
        }
        plan.unchecked = verdicts.unchecked
        var unknown: [String: StoreError] = [:]
        for name in verdicts.unknown { unknown[name] = await unknownJob(name) }
        if !unknown.isEmpty {
            for (index, run) in runs.enumerated() where plan.results[index] == nil {
                if let error = unknown[run.job] { plan.results[index] = .failure(error) }
            }
        }
        return plan
    }

    private func take(
        _ batch: RunBatch, _ plan: inout BatchPlan, on connection: PostgresConnection,
        _ answer: @LoopActor ([Result<Enqueued, StoreError>]) -> String
    ) async throws -> BatchOutcome {
        // A transaction that lost a deadlock begins again.
        var results = plan.results
        let runs = batch.runs
        if batch.key != nil || runs.contains(where: { $0.idempotencyKey != nil || $0.unique != nil }) {
            _ = try await connection.transaction([Self.lockLimitStep])
        }
        if let key = batch.key, let known = try await knownBatch(key, batch.fingerprint, connection) {
            return .known(answer: known)
        }
        var plain: [Int] = []
        var unique: [Int] = []
        plain.reserveCapacity(runs.count)
        for (index, run) in runs.enumerated() where results[index] == nil && plan.twins[index] == nil {
            if run.unique == nil { plain.append(index) } else { unique.append(index) }
        }
        for chunk in plain.chunks(of: Self.chunk) {
            // Usually all of them are there, and nothing has to be copied.
            let part = plain.count == runs.count ? runs[chunk.indices] : chunk.map { runs[$0] }[...]
            let rows = try await connection.query(.runEnqueue, Self.parameters(part))
            for (index, taken) in zip(chunk, try Self.enqueued(rows, count: part.count)) {
                if let taken { results[index] = .success(taken) }
            }
        }
        for chunk in unique.chunks(of: Self.chunk) {
            let part = chunk.map { runs[$0] }
            let rows = try await connection.query(.runPut, Self.uniqueParameters(part))
            for (index, result) in zip(chunk, try Self.put(rows, count: part.count)) {
                switch result {
                case .success(let taken): if let taken { results[index] = .success(taken) }
                case .failure(let error): results[index] = .failure(error)
                }
            }
        }
        try await fill(&results, runs, plan.twins, connection)
        for index in plan.unchecked {
            guard case .success(var enqueued)? = results[index] else { continue }
            enqueued.isUnchecked = true
            results[index] = .success(enqueued)
        }
        plan.final = results
        if batch.isWhole, !plan.refusals.isEmpty {
            plan.isRolledBack = true
            throw StoreError.conflict(code: "batch_refused", detail: "an item was refused", currentState: nil)
        }
        let whole = results.map { result in
            guard let result else { preconditionFailure("an item without an answer") }
            return result
        }
        if let key = batch.key {
            _ = try await connection.query(.batchKeyAnswer, [.text(key), .json(answer(whole))])
        }
        return .taken(whole)
    }

    /// Nil: the key is this batch's now.
    private func knownBatch(
        _ key: String, _ fingerprint: String?, _ connection: PostgresConnection
    ) async throws -> String? {
        for _ in 0..<3 {
            let taken = try await connection.query(.batchKeyTake, [.text(key), .text(orNull: fingerprint)])
            if !taken.isEmpty { return nil }
            guard let row = try await connection.query(.batchKeyFind, [.text(key)]).first else { continue }
            if let before = try row.textOrNil(0), let fingerprint, before != fingerprint { throw StoreError.keyReused }
            return try row.textOrNil(1) ?? "[]"
        }
        throw PostgresError(kind: .unavailable, message: "a batch's key came and went")
    }

    /// Answers of requests that were not taken: those with a known key, those like another one of the batch, and those whose job
    /// was removed just now.
    private func fill(
        _ results: inout [Result<Enqueued, StoreError>?], _ runs: [NewRun], _ twins: [Int: Int],
        _ connection: PostgresConnection
    ) async throws {
        let missing = results.indices.filter { results[$0] == nil && twins[$0] == nil }
        if !missing.isEmpty {
            let keys = missing.compactMap { runs[$0].idempotencyKey }
            let found = keys.isEmpty ? [:] : try Self.known(await connection.query(.runKeyFind, [.textArray(keys)]))
            for index in missing {
                do throws(StoreError) {
                    guard let known = runs[index].idempotencyKey.flatMap({ found[$0] }) else {
                        throw .notFound(what: "job", id: runs[index].job)
                    }
                    results[index] = .success(try known.enqueued(for: runs[index].idempotencyFingerprint))
                } catch {
                    results[index] = .failure(error)
                }
            }
        }
        for (index, first) in twins where results[index] == nil {
            results[index] = results[first]
            if case .success(var enqueued)? = results[first] {
                enqueued.manner = .known
                results[index] = .success(enqueued)
            }
        }
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}
