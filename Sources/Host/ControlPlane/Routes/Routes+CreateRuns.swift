import HTTPTypes
import JobCore
import JobStore
import UVLoop

extension Backend {
    var creatingRoutes: [Route] {
        [
            Route(.post, "/api/v1/runs", body: .json) { [self] in try await createRun($0) },
            Route(.post, "/api/v1/runs/batch", body: .batch) { [self] in try await createRuns($0) },
        ]
    }

    private func createRun(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        var reader = try ObjectReader(body: call.body)
        var run = RunInput.read(&reader, argsLimit: configuration.argsLimitBytes)
        try reader.finish()
        run.idempotencyKey = try IdempotencyKey.read(call.headers)
        if run.idempotencyKey != nil { run.idempotencyFingerprint = IdempotencyKey.fingerprint(call) }
        run.traceparent = RunInput.traceparent(call)
        let enqueued = try await enqueue(run)
        return try await created(enqueued, job: run.job, call)
    }

    /// Enqueues and tells the host's dispatcher.
    func enqueue(_ run: NewRun) async throws -> Enqueued {
        let enqueued: Enqueued
        do throws(StoreError) {
            enqueued = try await store.enqueue(run)
        } catch {
            throw Self.unanswered(error, hasKey: run.idempotencyKey != nil)
        }
        wake(enqueued)
        return enqueued
    }

    func wake(_ enqueued: Enqueued) {
        guard !enqueued.isReplay, enqueued.state == .queued else { return }
        host.enqueued(queue: enqueued.queue, rank: -Int(enqueued.priority))
    }

    /// The answer to a request that made a run, or found the one it had made before.
    func created(_ enqueued: Enqueued, job: String, _ call: Call) async throws -> Answer {
        let preference = Preference(call.headers)
        var status: HTTPResponse.Status = enqueued.isReplay ? .ok : .created
        var answer: Answer
        // A key may outlive its run: retention is short for some.
        var isGone = false
        if enqueued.isReplay { isGone = try await store.run(enqueued.id) == nil }
        if isGone || (preference.isMinimal && preference.wait == nil) {
            var object = JSONObject()
            object.string("id", enqueued.id.description)
            object.string("number", String(enqueued.id.rawValue))
            object.string("job", job)
            object.string("state", enqueued.state.rawValue)
            object.string("queue", enqueued.queue)
            object.int("priority", enqueued.priority)
            if enqueued.isUnchecked { object.bool("args_unchecked", true) }
            answer = .json(object, status)
        } else {
            let run: RunRow
            if let seconds = preference.wait {
                run = try await waitForEnd(of: enqueued.id, seconds: seconds, call)
                if !run.state.isTerminal { status = .accepted }
            } else {
                run = try await existingRun(enqueued.id)
            }
            var object = RunJSON.object(run, live: host.live(runID: run.id), parts: [.args, .result])
            if enqueued.isUnchecked { object.bool("args_unchecked", true) }
            answer = .json(object, status)
        }
        answer.headers[.location] = "/api/v1/runs/\(enqueued.id)"
        if enqueued.isReplay { answer.headers[.idempotencyReplayed] = "true" }
        if let applied = preference.applied { answer.headers[.preferenceApplied] = applied }
        return answer
    }

    /// A commit whose answer was lost may have happened: says how to be sure.
    static func unanswered(_ error: StoreError, hasKey: Bool) -> any Error {
        guard error.isTransient else { return error }
        var problem = Problem(error)
        problem.detail +=
            hasKey
            ? " Repeating the request with the same Idempotency-Key makes no second run."
            : " With an Idempotency-Key the request could be repeated without the risk of a second run."
        return problem
    }

    // MARK: Batches

    static let batchLimit = 10_000

    private func createRuns(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        guard let key = try IdempotencyKey.read(call.headers) else {
            throw Problem.invalidHeader(
                "Idempotency-Key", "required", "is needed here, so that a repeated batch is not made twice")
        }
        let fingerprint = IdempotencyKey.fingerprint(call)
        if let known = try batches.begin(key, fingerprint) {
            return known.with(.idempotencyReplayed, "true")
        }
        do {
            let answer = try await createRuns(of: call)
            batches.finish(key, answer)
            return answer
        } catch {
            batches.forget(key)
            throw error
        }
    }

    private func createRuns(of call: Call) async throws -> Answer {
        var body = try ObjectReader(body: call.body)
        body.require("items")
        let list = body.raw("items")
        let texts = list.flatMap { JSONSlices.elements(of: $0) } ?? []
        if let list, !list.hasPrefix("[") {
            body.fault("items", "wrong_type", "must be a list")
        } else if list != nil, !(1...Self.batchLimit).contains(texts.count) {
            body.fault("items", "out_of_range", "must be a list of 1 to \(Self.batchLimit) runs")
        }
        try body.finish()
        var runs: [NewRun] = []
        runs.reserveCapacity(texts.count)
        var faults: [FieldFault] = []
        let traceparent = RunInput.traceparent(call)
        for (index, text) in texts.enumerated() {
            var reader = try ObjectReader(text, under: "/items/\(index)")
            var run = RunInput.read(&reader, argsLimit: configuration.argsLimitBytes)
            reader.noteUnknown()
            run.traceparent = traceparent
            runs.append(run)
            faults += reader.faults
            // The first hundred tell enough.
            if faults.count >= 100 { break }
            await Self.giveWay(index)
        }
        if !faults.isEmpty { throw Problem.invalid(faults) }
        // Unknown jobs are found before anything is written, so that the batch is stored whole or not at all.
        for name in Set(runs.map(\.job)).sorted() {
            do throws(StoreError) {
                _ = try await store.job(name)
            } catch {
                var problem = Problem(error)
                guard problem.status == .notFound else { throw problem }
                let index = runs.firstIndex { $0.job == name } ?? 0
                problem.fields = [.init(.pointer("/items/\(index)/job"), "not_found", problem.detail)]
                throw problem
            }
        }
        let results: [Result<Enqueued, StoreError>]
        do throws(StoreError) {
            results = try await store.enqueue(batch: runs)
        } catch {
            throw Self.unanswered(error, hasKey: false)
        }
        return await batchAnswer(runs, results)
    }

    /// A long batch must not hold the loop.
    private static func giveWay(_ index: Int) async {
        if index % 100 == 99 { await Task.yield() }
    }

    private func batchAnswer(_ runs: [NewRun], _ results: [Result<Enqueued, StoreError>]) async -> Answer {
        var items: [String] = []
        items.reserveCapacity(results.count)
        var refused = 0
        var lanes: Set<[String]> = []
        for (index, result) in results.enumerated() {
            var object = JSONObject()
            switch result {
            case .success(let enqueued):
                object.string("id", enqueued.id.description)
                object.string("job", runs[index].job)
                object.string("state", enqueued.state.rawValue)
                if enqueued.isUnchecked { object.bool("args_unchecked", true) }
                if enqueued.state == .queued, lanes.insert([enqueued.queue, String(enqueued.priority)]).inserted {
                    wake(enqueued)
                }
            case .failure(let error):
                refused += 1
                let problem = Problem(error, under: "/items/\(index)")
                object.raw("id", "null")
                object.string("job", runs[index].job)
                object.int("status", problem.status.code)
                object.string("code", problem.code)
                object.string("detail", problem.detail)
                if !problem.fields.isEmpty { object.array("errors", problem.fields.map(\.json)) }
            }
            items.append(object.text)
            await Self.giveWay(index)
        }
        var object = JSONObject()
        object.array("items", items)
        object.int("count", results.count - refused)
        object.int("refused", refused)
        return .json(object, refused == 0 ? .created : HTTPResponse.Status(code: 207, reasonPhrase: "Multi-Status"))
    }
}

/// Batches that this host has made, by their keys, so that a client which lost the answer can repeat the request. Not kept over
/// a restart: the store has no place for the key of a batch.
struct BatchMemory {
    private struct Entry {
        var fingerprint: String
        /// Nil while it is being made.
        var answer: Answer?
        var since: LoopInstant
    }

    private static let life = Duration.seconds(24 * 3600)
    /// Each answer of a full batch has about a megabyte.
    private let limit: Int

    private var entries: [String: Entry] = [:]

    init(limit: Int = 16) { self.limit = limit }

    /// - Returns: what was answered before.
    mutating func begin(_ key: String, _ fingerprint: String, now: LoopInstant = .now) throws(Problem) -> Answer? {
        entries = entries.filter { now - $0.value.since < Self.life }
        if let entry = entries[key] {
            guard entry.fingerprint == fingerprint else {
                throw Problem(
                    .unprocessableContent, "idempotency_key_reused", "The key was used for another request.",
                    fields: [.init(.header("Idempotency-Key"), "reused", "belongs to another request")])
            }
            guard let answer = entry.answer else {
                var problem = Problem(.conflict, "in_progress", "The first request with this key is under way.")
                problem.isRetryable = true
                throw problem
            }
            return answer
        }
        if entries.count >= limit,
            let oldest = entries.filter({ $0.value.answer != nil }).min(by: { $0.value.since < $1.value.since })
        {
            entries[oldest.key] = nil
        }
        entries[key] = Entry(fingerprint: fingerprint, answer: nil, since: now)
        return nil
    }

    mutating func finish(_ key: String, _ answer: Answer) {
        var answer = answer
        answer.status = .ok
        entries[key]?.answer = answer
    }

    mutating func forget(_ key: String) { entries[key] = nil }
}
