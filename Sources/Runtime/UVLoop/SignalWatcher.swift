internal import CLibuv
internal import Glibc

/// Calls a handler on the loop for each arrival of a signal; several that arrive together count as one.
@LoopActor
package final class SignalWatcher {
    private let handle: SignalHandle

    /// Takes over the signal's disposition while any watcher for it lives. Not for SIGCHLD: children are watched by
    /// their pidfds, and libuv must not own that signal. Traps for signals that cannot be caught.
    package init(signal: Int32, handler: @escaping @LoopActor () -> Void) {
        precondition(signal != SIGCHLD, "children are watched by their pidfds")
        handle = SignalHandle(signal: signal, handler: handler)
    }

    isolated deinit { handle.close() }

    /// Idempotent; the last watcher of a signal restores its default action.
    package func close() { handle.close() }
}

/// Owned by the watcher and by the libuv handle, until its close callback.
@LoopActor
private final class SignalHandle {
    private let uv = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
    private var handler: (@LoopActor () -> Void)?

    init(signal: Int32, handler: @escaping @LoopActor () -> Void) {
        self.handler = handler
        var result = uv_signal_init(LoopActor.loop.raw, uv)
        precondition(result == 0, LoopError(result, "uv_signal_init").description)
        uv.pointee.data = Unmanaged.passRetained(self).toOpaque()
        result = uv_signal_start(uv, signalArrived, signal)
        precondition(result == 0, LoopError(result, "watch signal \(signal)").description)
    }

    func close() {
        guard handler != nil else { return }
        handler = nil
        let base = UnsafeMutableRawPointer(uv).assumingMemoryBound(to: uv_handle_t.self)
        if uv_is_closing(base) == 0 { uv_close(base, signalIsClosed) }
    }

    func arrived() { handler?() }
}

private func signalArrived(_ uv: UnsafeMutablePointer<uv_signal_t>?, _ signal: Int32) {
    guard let data = uv?.pointee.data else { return }
    let handle = Unmanaged<SignalHandle>.fromOpaque(data).takeUnretainedValue()
    LoopActor.assumeIsolated { handle.arrived() }
}

private func signalIsClosed(_ closed: UnsafeMutablePointer<uv_handle_t>?) {
    guard let closed else { return }
    Unmanaged<SignalHandle>.fromOpaque(closed.pointee.data).release()
    UnsafeMutableRawPointer(closed).assumingMemoryBound(to: uv_signal_t.self).deallocate()
}
