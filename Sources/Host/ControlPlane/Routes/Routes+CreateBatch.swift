import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// `POST /runs/batch`: many runs in one transaction.
extension Backend {
    func createBatch(_ call: Call) async throws -> Answer {
        try refuseWhileDraining()
        try await refuseInEmergency()
        guard let key = try IdempotencyKey.read(call.headers) else {
            throw Problem.invalidHeader(
                "Idempotency-Key", "required", "is needed here, so that a repeated batch is not made twice")
        }
        guard batchesUnderWay.insert(key).inserted else {
            var problem = Problem(.conflict, "in_progress", "The first request with this key is under way.")
            problem.isRetryable = true
            throw problem
        }
        defer { batchesUnderWay.remove(key) }
        let input = try await BatchInput.read(
            call.body, argsLimit: configuration.argsLimitBytes, traceparent: RunInput.traceparent(call))
        return try await create(input, key: key, fingerprint: IdempotencyKey.fingerprint(call))
    }

    private func create(_ input: BatchInput, key: String, fingerprint: String) async throws -> Answer {
        let good = input.faults.isEmpty ? nil : input.runs.indices.filter { input.faults[$0] == nil }
        let batch = RunBatch(
            good.map { $0.map { input.runs[$0] } } ?? input.runs, isWhole: input.mode == .allOrNothing, key: key,
            fingerprint: fingerprint)
        let outcome: BatchOutcome
        do throws(StoreError) {
            outcome = try await store.enqueue(batch) { Self.report($0, input, good).stored }
        } catch {
            throw Self.unanswered(error, hasKey: true)
        }
        switch outcome {
        case .refused(let refusals): throw Self.problem(refusals)
        case .known(let answer):
            return await BatchReport(stored: answer).answer(input.runs, isReplay: true)
                .with(.idempotencyReplayed, "true")
        case .taken(let results):
            wake(results)
            return await Self.report(results, input, good).answer(input.runs)
        }
    }

    /// Tells the host's dispatcher once for each lane.
    private func wake(_ results: [Result<Enqueued, StoreError>]) {
        var last: Enqueued?
        var lanes: Set<[String]> = []
        for case .success(let enqueued) in results where enqueued.isNew && enqueued.state == .queued {
            if let last, last.queue == enqueued.queue, last.priority == enqueued.priority { continue }
            last = enqueued
            if lanes.insert([enqueued.queue, String(enqueued.priority)]).inserted { wake(enqueued) }
        }
    }

    /// - Parameter good: the places of the items that the store was given; nil: all.
    private static func report(
        _ results: [Result<Enqueued, StoreError>], _ input: BatchInput, _ good: [Int]?
    ) -> BatchReport {
        var report = BatchReport()
        var next = 0
        for index in input.runs.indices {
            if let faults = input.faults[index] {
                report.refuse(.invalid(faults), input.runs[index])
                continue
            }
            switch results[next] {
            case .success(let enqueued): report.add(enqueued)
            case .failure(let error): report.refuse(problem(error, at: index), input.runs[index])
            }
            next += 1
        }
        return report
    }

    /// A refusal with its place in the batch.
    private static func problem(_ error: StoreError, at index: Int) -> Problem {
        var problem = Problem(error, under: "/items/\(index)")
        if problem.fields.isEmpty {
            let member =
                switch error {
                case .notFound: "job"
                case .held: "unique"
                case .conflict: "idempotency_key"
                default: ""
                }
            let code = problem.status == .notFound ? "not_found" : problem.code
            problem.fields = [
                .init(.pointer("/items/\(index)" + (member.isEmpty ? "" : "/" + member)), code, problem.detail)
            ]
        }
        return problem
    }

    /// What is wrong with a batch that is all or nothing: the first refusal's words, and the places of all.
    private static func problem(_ refusals: [(index: Int, error: StoreError)]) -> Problem {
        let problems = refusals.map { problem($0.error, at: $0.index) }
        var first = problems[0]
        first.fields = problems.flatMap(\.fields)
        if problems.count > 1 { first.detail += " \(problems.count) items are refused; nothing was stored." }
        return first
    }
}
