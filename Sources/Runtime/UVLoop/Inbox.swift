internal import Glibc

/// What other threads hand to the loop. Under the lock of `LockedInbox`.
struct Inbox: ~Copyable {
    var queue = JobQueue(capacity: 64)
    /// A wake-up is on its way and will see everything pushed until then.
    var isWaking = false
    var isClosed = false
}

/// An inbox and its lock: a pthread mutex, because the thread sanitizer does not understand Synchronization's `Mutex`.
// Sendable by hand: `inbox` is touched under the lock only.
final class LockedInbox: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var inbox = Inbox()

    init() {
        let result = pthread_mutex_init(mutex, nil)
        precondition(result == 0, "pthread_mutex_init: errno \(result)")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<R>(_ body: (inout Inbox) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&inbox)
    }
}
