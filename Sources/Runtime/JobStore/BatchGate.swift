import UVLoop

/// Lets two batches at a time have a connection to themselves, so that one of the pool is left for everybody else.
@LoopActor
final class BatchGate {
    private var free = 2
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func pass<T: Sendable>(
        _ body: @LoopActor () async throws(StoreError) -> T
    ) async throws(StoreError) -> T {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
        defer {
            if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
        }
        return try await body()
    }
}
