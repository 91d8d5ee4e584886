import Glibc
import UVLoop

enum Readiness: Sendable { case ready, timedOut, cancelled }

/// Waits once for a descriptor with a watcher of its own, which is closed when this returns.
@LoopActor
func descriptorIsReady(
    _ fd: Int32, _ events: FDWatcher.Events, by deadline: LoopInstant
) async throws(PostgresError) -> Readiness {
    let watcher: FDWatcher
    do {
        watcher = try FDWatcher(fd: fd)
    } catch {
        throw PostgresError(kind: .connection, message: error.description)
    }
    defer { watcher.close() }
    let wait = ReadinessWait()
    return await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            wait.begin(continuation)
            // A socket in error is ready too: PQconnectPoll finds out.
            watcher.start(events) { _ in wait.end(.ready) }
            wait.timer.start(after: deadline - .now) {
                // Timers come before descriptors: after a long turn of the loop both are due, and the peer is not to blame.
                wait.end(isReadyNow(fd, events) ? .ready : .timedOut)
            }
        }
    } onCancel: {
        LoopActor.loop.execute { LoopActor.assumeIsolated { wait.end(.cancelled) } }
    }
}

private func isReadyNow(_ fd: Int32, _ events: FDWatcher.Events) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(events == .readable ? POLLIN : POLLOUT), revents: 0)
    return poll(&entry, 1, 0) > 0
}

/// One continuation that several events race for; the first wins.
@LoopActor
private final class ReadinessWait {
    let timer = LoopTimer()
    private var continuation: CheckedContinuation<Readiness, Never>?

    func begin(_ continuation: CheckedContinuation<Readiness, Never>) { self.continuation = continuation }

    func end(_ readiness: Readiness) {
        timer.stop()
        continuation?.resume(returning: readiness)
        continuation = nil
    }
}
