import Glibc
import Synchronization

/// Runs `body` on a thread of its own, as a child runs a handler: it may block.
func onThread<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
    await withCheckedContinuation { continuation in
        let work = Unmanaged.passRetained(Box { continuation.resume(returning: body()) })
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<Box>.fromOpaque(context!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        precondition(result == 0, "pthread_create failed")
        pthread_detach(thread)
    }
}

private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// The kernel's number of the calling thread.
var threadID: UInt { UInt(bitPattern: pthread_self().hashValue) }
