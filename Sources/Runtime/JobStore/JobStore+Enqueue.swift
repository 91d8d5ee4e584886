import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// Takes one request. Throws `.notFound` with near matches for an unknown job, `.invalid` with a pointer into the
    /// request, `.invalidArgs` if they are not what the job takes, `.conflict("idempotency_key_reused")` if the key was used for another request.
    package func enqueue(_ run: NewRun) async throws(StoreError) -> Enqueued {
        try Self.check(run)
        let isChecked = try await checkArgs(run)
        // The key's first user may still be rolled back, or its key may expire, between our two looks.
        for _ in 0..<3 {
            let taken = try await insert([run])
            if var enqueued = taken[0] {
                enqueued.isUnchecked = !isChecked
                return enqueued
            }
            if let key = run.idempotencyKey, let known = try await replay(key, run.idempotencyFingerprint) {
                return known
            }
            if run.idempotencyKey == nil { break }
            if try await query(.jobList, [.text(run.job)]).isEmpty { break }
        }
        throw await unknownJob(run.job)
    }

    /// Takes what it can in one transaction; each item that is refused says why (`.notFound`, `.invalid`,
    /// `.invalidArgs`).
    /// Idempotency keys are for single requests: an item with one is `.invalid`.
    package func enqueue(batch: [NewRun]) async throws(StoreError) -> [Result<Enqueued, StoreError>] {
        var results = [Result<Enqueued, StoreError>?](repeating: nil, count: batch.count)
        var good: [Int] = []
        for (index, run) in batch.enumerated() {
            do throws(StoreError) {
                try Self.check(run)
                if run.idempotencyKey != nil {
                    throw .invalid(
                        FieldFault(
                            pointer: "/idempotency_key", code: "not_in_batch", detail: "a batch has one key for all"))
                }
                good.append(index)
            } catch {
                results[index] = .failure(error)
            }
        }
        var unchecked: Set<Int> = []
        if !good.isEmpty {
            let verdicts = try await judgeArgs(good.map { batch[$0] })
            for (position, list) in verdicts.faults { results[good[position]] = .failure(.invalidArgs(list)) }
            for position in verdicts.unchecked { unchecked.insert(good[position]) }
            good = good.enumerated().filter { verdicts.faults[$0.offset] == nil }.map(\.element)
        }
        let taken = good.isEmpty ? [] : try await insert(good.map { batch[$0] })
        var unknown: [String: StoreError] = [:]
        for (position, index) in good.enumerated() {
            if var enqueued = taken[position] {
                enqueued.isUnchecked = unchecked.contains(index)
                results[index] = .success(enqueued)
                continue
            }
            let job = batch[index].job
            if unknown[job] == nil { unknown[job] = await unknownJob(job) }
            results[index] = unknown[job].map { .failure($0) }
        }
        return results.map { result in
            guard let result else { preconditionFailure("an item without an answer") }
            return result
        }
    }

    /// One statement for all; nil for what it did not take.
    func insert(_ runs: [NewRun]) async throws(StoreError) -> [Enqueued?] {
        try await decoding {
            try self.noteEnqueued(try await self.pool.query(.runEnqueue, Self.parameters(runs)), count: runs.count)
        }
    }

    /// Reads the answer of `run_enqueue` and remembers the lanes.
    func noteEnqueued(_ rows: PGRows, count: Int) throws(PGDecodingError) -> [Enqueued?] {
        var results = [Enqueued?](repeating: nil, count: count)
        for row in rows {
            var reader = RowReader(row)
            let index = try reader.int() - 1
            let id = try reader.run()
            let queue = try reader.text()
            let rank = try reader.int32()
            let position = try reader.int64OrNil()
            let lane = Lane(queue: queue, rank: rank, job: try reader.text())
            if let position { lanes.entered(lane, at: position) }
            results[index] = Enqueued(
                id: id, state: position == nil ? .scheduled : .queued, queue: queue, priority: -rank,
                isReplay: false)
        }
        return results
    }

    static func parameters(_ runs: [NewRun]) -> [PGParameter] {
        func texts(_ value: (NewRun) -> String?) -> PGParameter { .textArray(runs.map { value($0)?.storable }) }
        func numbers(_ value: (NewRun) -> Int64?) -> PGParameter { .nullableInt64Array(runs.map(value)) }
        return [
            texts(\.job), .jsonArray(runs.map(\.args)), texts(\.queue), numbers { $0.priority.map(Int64.init) },
            .timestampArray(runs.map { $0.runAt?.micros }), numbers { $0.delay?.wholeMilliseconds },
            numbers { $0.attempts.map(Int64.init) }, .jsonArray(runs.map { $0.backoff?.json }),
            numbers { $0.timeout?.wholeMilliseconds }, texts(\.title), texts(\.description),
            texts { $0.labels.isEmpty ? nil : JSONText.object($0.labels.mapValues(\.storable)) }, texts(\.owner),
            texts(\.organization), numbers { $0.retryOf?.rawValue }, numbers(\.scheduleID),
            .timestampArray(runs.map { $0.plannedAt?.micros }), texts(\.trigger), texts(\.traceparent),
            texts(\.idempotencyKey), texts(\.idempotencyFingerprint), numbers { $0.queueTime?.wholeMilliseconds },
        ]
    }

    func replay(_ key: String, _ fingerprint: String?) async throws(StoreError) -> Enqueued? {
        let found = try await decoding { () throws -> (fingerprint: String?, run: Enqueued)? in
            guard let row = try await self.pool.query(.runKeyFind, [.text(key)]).first else { return nil }
            var reader = RowReader(row)
            let id = try reader.run()
            let fingerprint = try reader.textOrNil()
            // Retention may have taken the run before its key; then it is finished at any rate.
            let state = try reader.wordOrNil(RunState.self) ?? .succeeded
            let queue = try reader.textOrNil() ?? ""
            let rank = try reader.int32OrNil() ?? 0
            return (fingerprint, Enqueued(id: id, state: state, queue: queue, priority: -rank, isReplay: true))
        }
        guard let found else { return nil }
        if let fingerprint, let before = found.fingerprint, before != fingerprint {
            throw .conflict(
                code: "idempotency_key_reused", detail: "this idempotency key was used for another request",
                currentState: nil)
        }
        return found.run
    }

    func unknownJob(_ name: String) async -> StoreError {
        do throws(StoreError) {
            return .notFound(
                what: "job", id: name, nearMatches: NearMatches.find(name, among: try await allJobs()))
        } catch {
            return error
        }
    }

    /// Names of all jobs.
    func allJobs() async throws(StoreError) -> [String] {
        lookups += 1
        return try await query(.jobNames).compactMap { row in
            do throws(PGDecodingError) { return try row.text(0) } catch { return nil }
        }
    }
}

// MARK: - What the database would refuse, said with a pointer

extension JobStore {
    private static let priorities: ClosedRange<Int32> = -1_000_000...1_000_000

    static func check(_ run: NewRun) throws(StoreError) {
        try check(text: run.job, "/job", bytes: 1...200)
        try check(text: run.queue, "/queue", bytes: 1...120)
        try check(text: run.title, "/title", bytes: 0...1000)
        try check(text: run.description, "/description", bytes: 0...10_000)
        try check(text: run.owner, "/owner", bytes: 0...200)
        try check(text: run.organization, "/organization", bytes: 0...200)
        try check(text: run.idempotencyKey, "/idempotency_key", bytes: 1...255)
        do throws(JSONFault) {
            _ = try JSONText.check(run.args)
        } catch {
            throw .invalid(FieldFault(pointer: "/args", code: "invalid_json", detail: error.description))
        }
        if let priority = run.priority, !priorities.contains(priority) {
            throw outOfRange("/priority", "must be \(priorities.lowerBound) to \(priorities.upperBound)")
        }
        if let attempts = run.attempts, !(1...1000).contains(attempts) {
            throw outOfRange("/attempts", "must be 1 to 1000")
        }
        if let delay = run.delay, delay < .zero || delay > longestDelay {
            throw outOfRange("/delay_ms", "must be 0 to \(longestDelay.wholeMilliseconds), which is a hundred years")
        }
        if let timeout = run.timeout, timeout < .milliseconds(1) {
            throw outOfRange("/timeout_ms", "must be 1 or more")
        }
        if let queueTime = run.queueTime, queueTime < .milliseconds(1) {
            throw outOfRange("/queue_ms", "must be 1 or more")
        }
        if run.runAt != nil && run.delay != nil {
            throw .invalid(
                FieldFault(pointer: "/delay_ms", code: "exclusive", detail: "give run_at or delay_ms, not both"))
        }
        if run.labels.count > 64 { throw outOfRange("/labels", "at most 64 labels") }
        for (key, value) in run.labels where key.utf8.count > 120 || value.utf8.count > 1000 || key.isEmpty {
            throw outOfRange("/labels/\(key)", "a label has a name of 1 to 120 bytes and a value of at most 1000")
        }
        if run.labels.keys.contains(where: { $0.utf8.contains(0) }) {
            throw .invalid(
                FieldFault(
                    pointer: "/labels", code: "bad_character", detail: "a label's name must not hold U+0000"))
        }
    }

    /// Anything longer is a mistake, and far longer ones do not fit the database's times.
    private static let longestDelay = Duration.seconds(36_525 * 86_400)

    private static func check(text: String?, _ pointer: String, bytes: ClosedRange<Int>) throws(StoreError) {
        guard let text else { return }
        guard bytes.contains(text.utf8.count) else {
            throw outOfRange(pointer, "must have \(bytes.lowerBound) to \(bytes.upperBound) bytes")
        }
        if text.utf8.contains(0) {
            throw .invalid(FieldFault(pointer: pointer, code: "bad_character", detail: "must not hold U+0000"))
        }
    }

    private static func outOfRange(_ pointer: String, _ detail: String) -> StoreError {
        .invalid(FieldFault(pointer: pointer, code: "out_of_range", detail: detail))
    }
}
