import PluginABI
import Synchronization

/// One attempt's handle with what was copied from it at the start, shared by everything that may use it.
// Unchecked, because it holds pointers: the host's table is immutable and lives until the process ends; the handle is
// only passed to functions of the table that the header marks [any], and never read here. All else is immutable or a Mutex.
final class Attempt: @unchecked Sendable {
    let handle: UnsafeMutablePointer<pawl_attempt>
    let host: UnsafePointer<pawl_host>
    let runID: String
    let jobName: String
    let number: Int
    let scratchDirectory: String?
    let traceparent: String?

    private enum Cancellation {
        case notYet
        /// The handler's task, to be cancelled with the attempt.
        case watched(Task<Void, Never>)
        case cancelled
    }
    private let cancellation = Mutex(Cancellation.notYet)

    /// On the worker thread, at the start of `run`.
    init(_ handle: UnsafeMutablePointer<pawl_attempt>) {
        guard let host = handle.pointee.host else { preconditionFailure("an attempt has a host table") }
        self.handle = handle
        self.host = host
        self.runID = String(borrowed: host.pointee.run_id(handle))
        self.jobName = String(borrowed: host.pointee.job_name(handle))
        self.number = Int(host.pointee.attempt_number(handle))
        let scratch = host.pointee.scratch_dir(handle)
        self.scratchDirectory = scratch.len == 0 ? nil : String(borrowed: scratch)
        let parent = host.pointee.traceparent(handle)
        self.traceparent = parent.len == 0 ? nil : String(borrowed: parent)
    }

    var timeRemaining: Duration? {
        let deadline = self.host.pointee.deadline_ns(self.handle)
        return deadline == .max ? nil : .nanoseconds(deadline - self.host.pointee.now_ns())
    }

    /// Asks the host; the first yes also cancels the handler's task.
    var isCancelled: Bool {
        guard self.host.pointee.is_cancelled(self.handle) != 0 else { return false }
        self.cancel()
        return true
    }

    /// Remembers where the handler was last heard of, and carries a cancellation over to its task.
    func speak(_ file: StaticString, _ line: UInt) {
        Position.record(file, line)
        _ = self.isCancelled
    }

    /// Names the task that a cancellation reaches, also one that came before.
    func watch(_ task: Task<Void, Never>) {
        let late = self.cancellation.withLock { state in
            if case .cancelled = state { return true }
            state = .watched(task)
            return false
        }
        if late || self.isCancelled { task.cancel() }
    }

    /// Cancels the handler's task, once. Any thread.
    func cancel() {
        let task: Task<Void, Never>? = self.cancellation.withLock { state in
            defer { state = .cancelled }
            if case .watched(let task) = state { return task }
            return nil
        }
        // Outside the lock: cancellation handlers are the author's code.
        task?.cancel()
    }
}
