import JobCore
import UVLoop

/// Single requests that came while those before them were being committed: they go together, in one statement and one commit.
///
/// Without a timer: a request to an idle host is written at once; of a busy host as many at a time as have come meanwhile. Each
/// has an outcome of its own.
@LoopActor
final class EnqueueFlusher {
    /// What became of a request: nil if its job is unknown, or its idempotency key known.
    typealias Outcome = Result<Enqueued?, StoreError>

    private struct Waiting {
        let run: NewRun
        let continuation: CheckedContinuation<Outcome, Never>
    }

    /// From here on more rows in one statement gain nothing.
    private static let most = 1000

    private var waiting: [Waiting] = []
    private var isFlushing = false
    /// Writes requests whose idempotency keys differ; answers in their order.
    private let write: @LoopActor ([NewRun]) async -> [Outcome]

    init(write: @escaping @LoopActor ([NewRun]) async -> [Outcome]) { self.write = write }

    /// Waits until the request is committed, or refused.
    func take(_ run: NewRun) async -> Outcome {
        await withCheckedContinuation { continuation in
            waiting.append(Waiting(run: run, continuation: continuation))
            guard !isFlushing else { return }
            isFlushing = true
            loopTask { await self.flush() }
        }
    }

    private func flush() async {
        while !waiting.isEmpty {
            let batch = nextBatch()
            let outcomes = await write(batch.map(\.run))
            precondition(outcomes.count == batch.count, "a request without an outcome")
            for (item, outcome) in zip(batch, outcomes) { item.continuation.resume(returning: outcome) }
        }
        isFlushing = false
    }

    /// The oldest, one of each idempotency key: the others learn from it what became of theirs.
    private func nextBatch() -> [Waiting] {
        guard waiting.contains(where: { $0.run.idempotencyKey != nil }) else {
            let batch = Array(waiting.prefix(Self.most))
            waiting.removeFirst(batch.count)
            return batch
        }
        var batch: [Waiting] = []
        var rest: [Waiting] = []
        var keys: Set<String> = []
        for item in waiting {
            let isFirst = item.run.idempotencyKey.map { keys.insert($0).inserted } ?? true
            if isFirst, batch.count < Self.most { batch.append(item) } else { rest.append(item) }
        }
        waiting = rest
        return batch
    }
}
