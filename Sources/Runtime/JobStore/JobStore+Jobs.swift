import JobCore
import Postgres

extension JobStore {
    /// Makes or refreshes the jobs of a plugin's handlers, and what the jobs that were defined over them take from them.
    /// Settings that an operator made stay.
    package func registerHandlers(plugin: String, _ handlers: [JobUpsert]) async throws(StoreError) {
        guard !handlers.isEmpty else { return }
        let names: [PGParameter] = [.text(plugin.storable), .textArray(handlers.map(\.handler))]
        let declared: [PGParameter] = [
            .jsonArray(handlers.map(\.argsSchema)), .jsonArray(handlers.map(\.resultSchema)),
            .jsonArray(handlers.map(\.limits.json)),
            .nullableInt64Array(handlers.map { $0.limits.attempts.map(Int64.init) }),
            .jsonArray(handlers.map(\.execution.json)),
        ]
        let descriptions = PGParameter.textArray(handlers.map { $0.description?.storable })
        _ = try await transaction([
            (.jobRegister, names + [descriptions] + declared), (.jobFollow, names + declared),
        ])
        schemas.forget()
    }

    /// All jobs by name, with their last run and their counts.
    package func jobs() async throws(StoreError) -> [JobRow] { try await jobs(named: nil) }

    /// Throws `.notFound` with near matches.
    package func job(_ name: String) async throws(StoreError) -> JobRow {
        guard let job = try await jobs(named: name).first else { throw await unknownJob(name) }
        return job
    }

    private func jobs(named name: String?) async throws(StoreError) -> [JobRow] {
        try await decoding {
            let wanted = PGParameter.text(orNull: name)
            let answers = try await self.pool.transaction([(.jobList, [wanted]), (.counterRead, [wanted, .null])])
            let counters = Dictionary(grouping: try answers[1].map { try CounterRow($0) }, by: \.job)
            return try answers[0].map { try JobRow($0, counters) }
        }
    }

    // MARK: Queues

    /// All queues that are used or set, by name.
    package func queues() async throws(StoreError) -> [QueueRow] { try await queues(named: nil) }

    /// Throws `.notFound` with near matches.
    package func queue(_ name: String) async throws(StoreError) -> QueueRow {
        if let queue = try await queues(named: name).first { return queue }
        let all = try await queues().map(\.name)
        throw .notFound(what: "queue", id: name, nearMatches: NearMatches.find(name, among: all))
    }

    private func queues(named name: String?) async throws(StoreError) -> [QueueRow] {
        try await decoding {
            let wanted = PGParameter.text(orNull: name)
            let answers = try await self.pool.transaction([
                (.queueList, [wanted]), (.counterRead, [.null, wanted]), (.queueHeads, []), (.jobList, [.null]),
            ])
            var queues: [String: QueueRow] = [:]
            func queue(_ name: String) -> QueueRow {
                queues[name] ?? QueueRow(name: name, counts: [:])
            }
            for row in answers[3] {
                // The queues that jobs name exist before their first run.
                let of = try row.text(6)
                if name == nil || name == of { queues[of] = queue(of) }
            }
            for counter in try answers[1].map({ try CounterRow($0) }) {
                var row = queue(counter.queue)
                row.counts[counter.state, default: 0] += counter.n
                queues[counter.queue] = row
            }
            for row in answers[0] {
                var reader = RowReader(row)
                var queue = queue(try reader.text())
                let since = try reader.timeOrNil()
                let reason = try reader.textOrNil()
                queue.createdAt = try reader.time()
                queue.pause = try reader.pause(since, reason)
                queue.limits = ConcurrencyLimits(everywhere: try reader.intOrNil(), here: try reader.intOrNil())
                queue.revision = try reader.int64()
                queues[queue.name] = queue
            }
            for row in answers[2] {
                let of = try row.text(0)
                if queues[of] != nil { queues[of]?.oldestQueuedAt = WallTime(micros: try row.micros(1)) }
            }
            return queues.values.sorted { $0.name < $1.name }
        }
    }

    /// A paused queue takes runs and starts none; what runs goes on.
    /// - Returns: whether anything changed. A queue that does not exist yet is made.
    package func setPaused(
        queue: String, _ paused: Bool, reason: String? = nil, actor: String? = nil
    ) async throws(StoreError) -> Bool {
        paused
            ? try await pause(.queue(queue), reason: reason, actor: actor)
            : try await resume(.queue(queue), actor: actor)
    }
}

extension RowReader {
    /// Its end and whether it is a drain, behind since when and why.
    fileprivate mutating func pause(_ since: WallTime?, _ reason: String?) throws(PGDecodingError) -> Pause? {
        let until = try timeOrNil()
        let isDrain = try bool()
        return since.map { Pause(since: $0, reason: reason, until: until, isDrain: isDrain) }
    }
}

/// A sum of counters.
struct CounterRow {
    let queue: String
    let job: String
    let state: RunState
    let n: Int64
    let lastRun: RunID?
    let lastAt: WallTime?

    init(_ row: PGRow) throws(PGDecodingError) {
        var reader = RowReader(row)
        queue = try reader.text()
        job = try reader.text()
        state = try reader.word(RunState.self)
        n = try reader.int64()
        lastRun = try reader.runOrNil()
        lastAt = try reader.timeOrNil()
    }
}

extension JobRow {
    fileprivate init(_ row: PGRow, _ counters: [String: [CounterRow]]) throws(PGDecodingError) {
        var reader = RowReader(row)
        name = try reader.text()
        handler = try reader.text()
        plugin = try reader.textOrNil()
        description = try reader.textOrNil()
        argsSchema = try reader.textOrNil()
        resultSchema = try reader.textOrNil()
        queue = try reader.text()
        priority = try reader.int32()
        attempts = try reader.intOrNil()
        backoff = try reader.backoffOrNil()
        limits = try reader.limits()
        handlerLimits = try reader.limits()
        retentionDays = try reader.int()
        createdAt = try reader.time()
        updatedAt = try reader.time()
        revision = try reader.int64()
        execution = try reader.execution()
        handlerExecution = try reader.execution()
        failedRetentionDays = try reader.intOrNil()
        concurrency = ConcurrencyLimits(everywhere: try reader.intOrNil(), here: try reader.intOrNil())
        let pausedSince = try reader.timeOrNil()
        pause = try reader.pause(pausedSince, try reader.textOrNil())
        counts = [:]
        for counter in counters[name] ?? [] {
            counts[counter.state, default: 0] += counter.n
            guard counter.state.isTerminal, let at = counter.lastAt else { continue }
            if lastFinishedAt.map({ at > $0 }) ?? true {
                lastFinishedAt = at
                lastRunID = counter.lastRun
                lastState = counter.state
            }
        }
    }
}
