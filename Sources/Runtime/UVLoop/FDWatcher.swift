internal import CLibuv
internal import Glibc

/// Watches one descriptor for readiness. It never reads, writes or closes the descriptor, but makes it non-blocking.
///
/// A descriptor can have one active watcher per loop. Call `close()` before closing the descriptor; dropping the
/// watcher closes it too.
@LoopActor
package final class FDWatcher {
    package struct Events: OptionSet, Sendable, Hashable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        /// Also reported for end of file and hang-up.
        package static let readable = Events(rawValue: Int32(UV_READABLE.rawValue))
        package static let writable = Events(rawValue: Int32(UV_WRITABLE.rawValue))
        /// Exceptional data, such as a change in a sysfs or cgroup file.
        package static let priority = Events(rawValue: Int32(UV_PRIORITIZED.rawValue))
        /// The peer has shut down its sending side.
        package static let disconnect = Events(rawValue: Int32(UV_DISCONNECT.rawValue))
    }

    private let handle: PollHandle

    /// Takes a descriptor that stays open at least until `close()`. Fails for regular files (EPERM) and bad
    /// descriptors.
    package init(fd: Int32) throws(LoopError) { handle = try PollHandle(fd: fd) }

    isolated deinit { handle.close() }

    /// Calls `handler` while any of `events` is there (level-triggered). Replaces what was watched before.
    ///
    /// A failure means that the descriptor is in error (EPOLLERR, always reported as EBADF): the watcher has stopped,
    /// and the descriptor itself knows what happened; read it or ask SO_ERROR.
    package func start(_ events: Events, _ handler: @escaping @LoopActor (Result<Events, LoopError>) -> Void) {
        self.handle.start(events, handler)
    }

    /// Stops watching until the next `start`. Can be called from the handler.
    package func stop() { handle.stop() }

    /// Stops for good and lets go of the descriptor before it returns. Idempotent.
    package func close() { handle.close() }
}

/// The libuv side of a watcher. Owned by the watcher and by the handle itself, which libuv uses until its close
/// callback.
@LoopActor
private final class PollHandle {
    private let poll = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    private var handler: (@LoopActor (Result<FDWatcher.Events, LoopError>) -> Void)?
    private let fd: Int32
    private var isClosed = false

    init(fd: Int32) throws(LoopError) {
        self.fd = fd
        let result = uv_poll_init(LoopActor.loop.raw, poll, fd)
        guard result == 0 else {
            poll.deallocate()
            isClosed = true
            throw LoopError(result, "watch descriptor \(fd)")
        }
        poll.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    func start(
        _ events: FDWatcher.Events, _ handler: @escaping @LoopActor (Result<FDWatcher.Events, LoopError>) -> Void
    ) {
        precondition(!isClosed, "the watcher of descriptor \(fd) is closed")
        self.handler = handler
        let result = uv_poll_start(poll, events.rawValue, pollIsReady)
        precondition(result == 0, LoopError(result, "start watching descriptor \(fd)").description)
    }

    func stop() {
        handler = nil
        if !isClosed { uv_poll_stop(poll) }
    }

    func close() {
        handler = nil
        guard !isClosed else { return }
        isClosed = true
        let handle = UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_handle_t.self)
        // Already closing: the whole loop is going away, and took the memory with it.
        if uv_is_closing(handle) == 0 { uv_close(handle, pollIsClosed) }
    }

    func ready(_ status: Int32, _ events: Int32) {
        guard let handler else { return }
        if status < 0 {
            self.handler = nil
            handler(.failure(LoopError(status, "watch descriptor \(fd)")))
        } else {
            handler(.success(FDWatcher.Events(rawValue: events)))
        }
    }
}

private func pollIsReady(_ poll: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
    guard let data = poll?.pointee.data else { return }
    let handle = Unmanaged<PollHandle>.fromOpaque(data).takeUnretainedValue()
    LoopActor.assumeIsolated { handle.ready(status, events) }
}

private func pollIsClosed(_ closed: UnsafeMutablePointer<uv_handle_t>?) {
    guard let closed else { return }
    Unmanaged<PollHandle>.fromOpaque(closed.pointee.data).release()
    UnsafeMutableRawPointer(closed).assumingMemoryBound(to: uv_poll_t.self).deallocate()
}
