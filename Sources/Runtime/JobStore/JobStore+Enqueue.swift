import JobCore
import Postgres
import UVLoop

extension JobStore {
    /// Takes one request. Throws `.notFound` with near matches for an unknown job, `.invalid` with a pointer into the
    /// request, `.invalidArgs` if they are not what the job takes, `.held` if another run has its unique key,
    /// `.conflict("idempotency_key_reused")` if the key was used for another request, and `.conflict("key_busy")` if an
    /// application's open transaction is taking the same key.
    package func enqueue(_ run: NewRun) async throws(StoreError) -> Enqueued {
        try Self.check(run)
        let isChecked = try await checkArgs(run)
        // The key's first user may still be rolled back, or its key may expire, between our two looks.
        for _ in 0..<3 {
            if var enqueued = try await takeAlone(run) {
                enqueued.isUnchecked = !isChecked
                return enqueued
            }
            guard let key = run.idempotencyKey, run.unique == nil else { break }
            if let known = try await replay(key, run.idempotencyFingerprint) { return known }
            if try await query(.jobList, [.text(run.job)]).isEmpty { break }
        }
        throw await unknownJob(run.job)
    }

    /// Nil if it was not taken: its job is unknown, or its idempotency key known.
    private func takeAlone(_ run: NewRun) async throws(StoreError) -> Enqueued? {
        guard run.unique == nil else { return try await put([run])[0].get() }
        return try await flusher.take(run).get()
    }

    /// Writes what the flusher has gathered. What the server refuses may be the fault of one: then each goes alone.
    func writeGathered(_ runs: [NewRun]) async -> [EnqueueFlusher.Outcome] {
        if runs.allSatisfy(\.mayBeginAtOnce), let stored = await storeWithClaim?(runs) {
            switch stored {
            case .success(let runs): return runs.map { .success($0) }
            case .failure(let error): return Array(repeating: .failure(error), count: runs.count)
            }
        }
        do throws(StoreError) {
            return try await insert(runs).map { .success($0) }
        } catch {
            guard runs.count > 1, error.mayBeOfOne else {
                return Array(repeating: .failure(error.namingBusyKey), count: runs.count)
            }
            let alone = runs.map { run in loopTask { await self.writeGathered([run])[0] } }
            var outcomes: [EnqueueFlusher.Outcome] = []
            for task in alone { outcomes.append(await task.value) }
            return outcomes
        }
    }

    /// How long a statement waits for whoever is taking the same key, in milliseconds. Others of this host may be behind it.
    private static let lockLimit = "1000"
    static var lockLimitStep: (PGStatement, [PGParameter]) { (.lockLimit, [.text(lockLimit)]) }

    /// One statement for all, none with a unique key; nil for what it did not take.
    func insert(_ runs: [NewRun]) async throws(StoreError) -> [Enqueued?] {
        var steps = [Self.enqueueStep(runs)]
        if runs.contains(where: { $0.idempotencyKey != nil }) { steps.insert(Self.lockLimitStep, at: 0) }
        let rows = try await transaction(steps)[steps.count - 1]
        return try await decoding {
            let results = try self.noteEnqueued(rows, count: runs.count)
            self.learnLanes(runs, results)
            return results
        }
    }

    /// Remembers where such requests go.
    func learnLanes(_ runs: [NewRun], _ results: [Enqueued?]) {
        for (run, enqueued) in zip(runs, results) {
            if let lane = enqueued?.lane { forecast.learn(run, went: lane) }
        }
    }

    /// One statement for all, those with unique keys; nil for an unknown job.
    func put(_ runs: [NewRun]) async throws(StoreError) -> [Result<Enqueued?, StoreError>] {
        do throws(StoreError) {
            let rows = try await transaction([Self.lockLimitStep, (.runPut, Self.uniqueParameters(runs))])[1]
            let results = try await decoding { try Self.put(rows, count: runs.count) }
            noteLanes(results.map(\.taken))
            return results
        } catch {
            throw error.namingBusyKey
        }
    }

    /// Reads the answer of `run_enqueue`, whose transaction is committed or as good as that, and remembers the lanes.
    func noteEnqueued(_ rows: PGRows, count: Int) throws(PGDecodingError) -> [Enqueued?] {
        let results = try Self.enqueued(rows, count: count)
        noteLanes(results)
        return results
    }

    /// Remembers the lanes of what has been committed. Not before: a claim would read on behind what it cannot see.
    func noteLanes(_ results: [Enqueued?]) {
        var last: (lane: Lane, position: Int64)?
        for case let enqueued? in results {
            guard let position = enqueued.position, let lane = enqueued.lane else { continue }
            // Whoever reads on before the first of a lane reads all of them.
            if let last, last.lane == lane, last.position <= position { continue }
            lanes.entered(lane, at: position)
            last = (lane, position)
        }
    }

    /// Reads the answer of `run_enqueue`.
    static func enqueued(_ rows: PGRows, count: Int) throws(PGDecodingError) -> [Enqueued?] {
        var results = [Enqueued?](repeating: nil, count: count)
        for row in rows {
            var reader = RowReader(row)
            let index = try reader.int() - 1
            results[index] = try Self.enqueued(id: reader.run(), .made, &reader)
        }
        return results
    }

    /// Reads the columns of a run that was made.
    private static func enqueued(
        id: RunID, _ manner: Enqueued.Manner, _ reader: inout RowReader
    ) throws(PGDecodingError) -> Enqueued {
        let queue = try reader.text()
        let rank = try reader.int32()
        let position = try reader.int64OrNil()
        let laneJob = try reader.text()
        let terms = Enqueued.Terms(
            runAt: try reader.time(), createdAt: try reader.time(), maxAttempts: try reader.int(),
            expiresAt: try reader.timeOrNil(), retentionDays: try reader.int())
        return Enqueued(
            id: id, state: position == nil ? .scheduled : .queued, queue: queue, priority: -rank, manner: manner,
            position: position, laneJob: laneJob, terms: terms)
    }

    /// Reads the answer of `run_put`.
    static func put(_ rows: PGRows, count: Int) throws(PGDecodingError) -> [Result<Enqueued?, StoreError>] {
        var results = [Result<Enqueued?, StoreError>](repeating: .success(nil), count: count)
        for row in rows {
            var reader = RowReader(row)
            let index = try reader.int() - 1
            let verdict = try reader.text()
            guard verdict != "no_job" else { continue }
            let id = try reader.run()
            let state = try reader.wordOrNil(RunState.self)
            switch verdict {
            case "conflict": results[index] = .failure(.held(by: id, state: state))
            case "key_reused": results[index] = .failure(.keyReused)
            case "existing", "known":
                // Retention may have taken the run before its key; then it is finished at any rate.
                results[index] = .success(
                    Enqueued(
                        id: id, state: state ?? .succeeded, queue: "", priority: 0,
                        manner: verdict == "known" ? .known : .existing))
            default:
                results[index] = .success(try enqueued(id: id, verdict == "replaced" ? .replaced : .made, &reader))
            }
        }
        return results
    }

    /// What is behind idempotency keys.
    struct KnownKey {
        var fingerprint: String?
        var run: Enqueued

        /// Throws if the key was used for another request.
        func enqueued(for asked: String?) throws(StoreError) -> Enqueued {
            if let fingerprint, let asked, asked != fingerprint { throw .keyReused }
            return run
        }
    }

    func known(_ keys: [String]) async throws(StoreError) -> [String: KnownKey] {
        let rows = try await query(.runKeyFind, [.textArray(keys)])
        return try await decoding { try Self.known(rows) }
    }

    /// The run that a key stands for, for a request that repeats another.
    func replay(_ key: String, _ fingerprint: String?) async throws(StoreError) -> Enqueued? {
        guard let found = try await known([key])[key] else { return nil }
        return try found.enqueued(for: fingerprint)
    }

    static func known(_ rows: PGRows) throws(PGDecodingError) -> [String: KnownKey] {
        var known: [String: KnownKey] = [:]
        for row in rows {
            var reader = RowReader(row)
            let key = try reader.text()
            let id = try reader.run()
            let fingerprint = try reader.textOrNil()
            // Retention may have taken the run before its key; then it is finished at any rate.
            let state = try reader.wordOrNil(RunState.self) ?? .succeeded
            let queue = try reader.textOrNil() ?? ""
            let rank = try reader.int32OrNil() ?? 0
            known[key] = KnownKey(
                fingerprint: fingerprint,
                run: Enqueued(id: id, state: state, queue: queue, priority: -rank, manner: .known))
        }
        return known
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
        if !run.isArgsChecked {
            do throws(JSONFault) {
                _ = try JSONText.check(run.args)
            } catch {
                throw .invalid(FieldFault(pointer: "/args", code: "invalid_json", detail: error.description))
            }
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
        if let unique = run.unique, unique.comparesArgs, let why = JSONText.comparisonFault(run.args) {
            throw .invalid(FieldFault(pointer: "/unique", code: "not_comparable", detail: "the args hold \(why)"))
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

extension Result where Success == Enqueued? {
    /// Nil for a failure too.
    var taken: Enqueued? {
        guard case .success(let enqueued) = self else { return nil }
        return enqueued
    }
}

extension StoreError {
    static var keyReused: StoreError {
        .conflict(
            code: "idempotency_key_reused", detail: "this idempotency key was used for another request",
            currentState: nil)
    }

    /// Whether one of several requests may be what the server refuses.
    var mayBeOfOne: Bool {
        switch self {
        case .database(let cause): cause.kind == .server
        case .unavailable(let cause): cause.sqlState == .lockNotAvailable
        default: false
        }
    }

    /// The same; if it waited too long for a key, that is what it says.
    var namingBusyKey: StoreError {
        switch self {
        case .database(let cause), .unavailable(let cause):
            guard cause.sqlState == .lockNotAvailable else { return self }
            return .conflict(
                code: "key_busy", detail: "a transaction that has not ended is taking the same key; try again later",
                currentState: nil)
        default: return self
        }
    }
}
