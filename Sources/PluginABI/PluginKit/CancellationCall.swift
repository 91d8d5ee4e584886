import Glibc
package import PluginABI
import Synchronization

/// The plugin's side of extension `pawl.cancel/1`: the host says when the attempt is cancelled, so that nobody has to wait
/// for it. A host that looks the extension up calls it; for any other there is ``CancellationWatcher``.
///
/// `struct { uint32_t struct_size, reserved0; void (*cancelled)(pawl_attempt *attempt); }`: called on the child's main
/// thread once `is_cancelled` answers 1, at any time; returns at once.
package enum CancellationCall {
    static let id = "pawl.cancel/1"

    /// Set in the zygote, inherited by children.
    private static let isExpected = Atomic<Bool>(false)
    /// The attempts whose handlers run, by the address of their handle; one in a child, several in a test.
    private static let running = Mutex<[UInt: Attempt]>([:])

    /// Whether the host will call. Then an attempt needs no thread that waits.
    static var willCome: Bool { self.isExpected.load(ordering: .relaxed) }

    static func expect() {
        self.isExpected.store(true, ordering: .relaxed)
    }

    /// Names the attempt that a call means, while `body` runs.
    static func reach<R>(_ attempt: Attempt, while body: () -> R) -> R {
        let key = UInt(bitPattern: attempt.handle)
        self.running.withLock { $0[key] = attempt }
        defer { self.running.withLock { $0[key] = nil } }
        return body()
    }

    /// What the host calls.
    package static func cancelled(_ handle: UnsafeMutablePointer<pawl_attempt>?) {
        // An attempt that has not begun yet asks by itself when it does.
        guard let attempt = self.running.withLock({ $0[UInt(bitPattern: handle)] }) else { return }
        // On a thread of its own: cancellation handlers are the author's code, and the main thread has to supervise.
        Detached.run { attempt.cancel() }
    }
}

/// A thread that nobody waits for.
package enum Detached {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` on a new thread, or here where the machine has none to give.
    package static func run(_ body: @escaping @Sendable () -> Void) {
        if !self.start(body) { body() }
    }

    /// Starts a thread; false where the machine has none to give.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, &attributes,
            { work in
                guard let work else { preconditionFailure("the thread was given its work") }
                Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        if result != 0 { work.release() }
        return result == 0
    }
}
