import Glibc
import PluginABI

/// Carries the attempt's cancellation to its Swift task while nobody asks: a thread of the child that polls the host's
/// cancel descriptor. Without it a handler that only knows `Task.isCancelled` would never hear of the cancellation.
final class CancellationWatcher: Sendable {
    private let attempt: Attempt
    private let cancelFD: Int32
    /// A pipe whose closed writing end ends the thread. The reading end is the thread's, the writing end stop()'s.
    private let readEnd: Int32
    private let writeEnd: Int32

    /// Starts the thread; nil where the machine has no descriptor or thread to give. Then only the calls of ``Context``
    /// carry the cancellation over.
    static func start(for attempt: Attempt) -> CancellationWatcher? {
        let cancelFD = attempt.host.pointee.cancel_fd(attempt.handle)
        guard cancelFD >= 0 else { return nil }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        // Programs that the handler runs have no business with it.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let watcher = CancellationWatcher(attempt, cancelFD, readEnd: ends[0], writeEnd: ends[1])
        guard Detached.start({ watcher.watch() }) else {
            for end in ends { close(end) }
            return nil
        }
        return watcher
    }

    private init(_ attempt: Attempt, _ cancelFD: Int32, readEnd: Int32, writeEnd: Int32) {
        self.attempt = attempt
        self.cancelFD = cancelFD
        self.readEnd = readEnd
        self.writeEnd = writeEnd
    }

    /// Ends the thread, without waiting for it. Once.
    func stop() {
        close(self.writeEnd)
    }

    private func watch() {
        var waits = [
            pollfd(fd: self.cancelFD, events: Int16(POLLIN), revents: 0),
            pollfd(fd: self.readEnd, events: 0, revents: 0),
        ]
        // EINTR: a signal handler of the plugin's own ran on this thread.
        while poll(&waits, nfds_t(waits.count), -1) < 0, errno == EINTR {}
        if waits[1].revents == 0, waits[0].revents & Int16(POLLIN) != 0 {
            self.attempt.cancel()
            // A cancelled attempt has nothing more to hear; wait for stop(), so that the pipe has a reader until then.
            waits[0].fd = -1
            while poll(&waits, nfds_t(waits.count), -1) < 0, errno == EINTR {}
        }
        close(self.readEnd)
    }
}
