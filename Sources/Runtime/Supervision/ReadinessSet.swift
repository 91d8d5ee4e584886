internal import CLinux
internal import Glibc
internal import UVLoop

/// Watches the many short-lived descriptors of attempts: an epoll set of its own under one watcher of the loop.
///
/// A watcher of libuv costs an allocation and five system calls per descriptor; with four descriptors per attempt that
/// would be the largest part of an attempt's cost in the host. Here it is one call, and none to end it: closing a
/// descriptor that nobody else has leaves the set by itself.
@LoopActor
final class ReadinessSet {
    struct Events: OptionSet {
        let rawValue: UInt32
        static let readable = Events(rawValue: EPOLLIN.rawValue)
        static let writable = Events(rawValue: EPOLLOUT.rawValue)
        /// Reported always.
        static let hangUp = Events(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    }

    private let fd: Int32
    private let watcher: FDWatcher
    private let handler: (UInt64, Events) -> Void
    private static let batch = 128

    /// `handler` gets the token that a descriptor was added with. It may be called once more for a token whose
    /// descriptor was removed in the same turn.
    init(_ handler: @escaping @LoopActor (UInt64, Events) -> Void) throws(LoopError) {
        self.fd = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard self.fd >= 0 else { throw .last("make an epoll set") }
        do {
            self.watcher = try FDWatcher(fd: self.fd)
        } catch {
            Glibc.close(self.fd)
            throw error
        }
        self.handler = handler
        self.watcher.start(.readable) { [weak self] _ in self?.dispatch() }
    }

    isolated deinit {
        self.watcher.close()
        Glibc.close(self.fd)
    }

    /// Fails with ENOSPC or ENOMEM.
    func add(_ fd: Int32, _ events: Events, token: UInt64) throws(LoopError) {
        var event = epoll_event(events: events.rawValue, data: epoll_data_t(u64: token))
        guard epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, &event) == 0 else { throw .last("watch descriptor \(fd)") }
    }

    func change(_ fd: Int32, _ events: Events, token: UInt64) {
        var event = epoll_event(events: events.rawValue, data: epoll_data_t(u64: token))
        let result = epoll_ctl(self.fd, EPOLL_CTL_MOD, fd, &event)
        precondition(result == 0, "a descriptor that is not in the set")
    }

    /// Needed only where the descriptor stays open, here or in another process that has a copy.
    func remove(_ fd: Int32) {
        var event = epoll_event()
        epoll_ctl(self.fd, EPOLL_CTL_DEL, fd, &event)
    }

    /// One bounded batch per turn of the loop: what is left wakes it again.
    private func dispatch() {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Self.batch) { events in
            guard let first = events.baseAddress else { return }
            let count = epoll_wait(self.fd, first, Int32(events.count), 0)
            if count <= 0 { return }
            for event in events[..<Int(count)] {
                self.handler(event.data.u64, Events(rawValue: event.events))
            }
        }
    }
}
