import UVLoop

/// Callers that wait for a connection to come.
@LoopActor
final class ConnectionWaiters {
    private enum Outcome { case woken, expired, cancelled }

    private struct Waiter {
        let continuation: CheckedContinuation<Outcome, Never>
        let timer: LoopTimer
    }

    private var waiting: [UInt64: Waiter] = [:]
    private var lastID: UInt64 = 0

    /// Returns true when woken, false at the deadline. Throws `.cancelled`.
    func wait(until deadline: LoopInstant) async throws(PostgresError) -> Bool {
        guard deadline > .now else { return false }
        lastID += 1
        let id = lastID
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let timer = LoopTimer()
                waiting[id] = Waiter(continuation: continuation, timer: timer)
                timer.start(after: deadline - .now) { [weak self] in self?.end(id, .expired) }
            }
        } onCancel: {
            LoopActor.loop.execute { LoopActor.assumeIsolated { self.end(id, .cancelled) } }
        }
        if outcome == .cancelled { throw .cancelledByCaller }
        return outcome == .woken
    }

    func wakeAll() {
        for id in waiting.keys.sorted() { end(id, .woken) }
    }

    private func end(_ id: UInt64, _ outcome: Outcome) {
        guard let waiter = waiting.removeValue(forKey: id) else { return }
        waiter.timer.stop()
        waiter.continuation.resume(returning: outcome)
    }
}
