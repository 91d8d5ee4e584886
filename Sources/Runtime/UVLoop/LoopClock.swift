internal import Glibc

/// Waiting on the bound loop's timers. `Task.sleep` is not for us: it goes through Swift's global executor.
package enum LoopClock {
    /// Returns after `duration` or a little later, never earlier (some 50 µs on an idle loop); at once for
    /// zero and less. Throws when the task is cancelled, before or meanwhile. Any thread.
    package static func sleep(for duration: Duration) async throws(CancellationError) {
        try await sleep(until: .now.advanced(by: duration))
    }

    /// As `sleep(for:)`, up to a point in time.
    package static func sleep(until deadline: LoopInstant) async throws(CancellationError) {
        let sleeper = Sleeper(loop: LoopActor.loop, deadline: deadline)
        let cancelled = await withTaskCancellationHandler {
            // Unsafe only in that nobody checks for us that it resumes once; `finish` does.
            await withUnsafeContinuation { sleeper.begin($0) }
        } onCancel: {
            sleeper.cancel()
        }
        if cancelled { throw CancellationError() }
    }

    /// Runs `body` and cancels it when it has not returned after `duration`; then throws `LoopError` with ETIMEDOUT
    /// once `body` has ended. A body that ends by itself wins, also when it is late.
    @LoopActor
    package static func withTimeout<T: Sendable>(
        _ duration: Duration, _ operation: String, _ body: @escaping @LoopActor @Sendable () async throws -> T
    ) async throws -> T {
        let task = loopTask(body)
        var expired = false
        let timer = LoopTimer()
        timer.start(after: duration) {
            expired = true
            task.cancel()
        }
        defer { timer.stop() }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            if expired { throw LoopError(ETIMEDOUT, operation) }
            throw error
        }
    }
}

/// One sleeping task.
// Sendable by hand: everything mutable is touched on the loop's thread only.
private final class Sleeper: @unchecked Sendable {
    private enum State {
        case new
        case waiting(UnsafeContinuation<Bool, Never>, TimerEntry)
        /// Cancelled before it began, or over.
        case finished
    }

    private let loop: UVLoop
    private let deadline: LoopInstant
    private var state = State.new

    init(loop: UVLoop, deadline: LoopInstant) {
        self.loop = loop
        self.deadline = deadline
    }

    func begin(_ continuation: UnsafeContinuation<Bool, Never>) {
        onLoop {
            guard case .new = self.state else {
                continuation.resume(returning: true)
                return
            }
            let entry = self.loop.schedule(at: self.deadline) { self.finish(cancelled: false) }
            self.state = .waiting(continuation, entry)
        }
    }

    func cancel() { onLoop { self.finish(cancelled: true) } }

    private func finish(cancelled: Bool) {
        let previous = state
        state = .finished
        guard case .waiting(let continuation, let entry) = previous else { return }
        loop.cancel(entry)
        continuation.resume(returning: cancelled)
    }

    private func onLoop(_ work: @escaping @Sendable () -> Void) {
        if loop.isOnLoop { work() } else { loop.execute(work) }
    }
}
