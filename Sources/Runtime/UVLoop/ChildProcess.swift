internal import CLinux
internal import Glibc

/// A child process, started with posix_spawn from the loop's thread and watched by its pidfd.
///
/// Not libuv's uv_spawn, which forks the whole host and wants SIGCHLD for itself. Its exit is never lost: the object
/// keeps itself alive until the process has been reaped. Dropping it does not end the process.
@LoopActor
package final class ChildProcess {
    /// The process id. For messages: signal through this object, which knows when the number has stopped being ours.
    package nonisolated let pid: Int32
    /// Readable once the process has ended. Valid as long as this object lives; reaping is this object's business.
    package nonisolated let pidfd: Int32
    /// How it ended; nil while it runs.
    package private(set) var status: ExitStatus?

    /// Pids of children that live or are zombies. Whoever reaps strays as a subreaper must leave these alone.
    private static var unreaped: Set<Int32> = []

    private let hasGroup: Bool
    private let watcher: FDWatcher
    private let stdout: OutputPipe?
    private let stderr: OutputPipe?
    private var waiters: [CheckedContinuation<ExitStatus, Never>] = []

    /// Starts the process; returns when its program has been loaded (about half a millisecond, in which the loop
    /// waits). Fails with the errno of the exec (ENOENT, EACCES, ...) or when descriptors, memory or processes run out.
    package static func spawn(_ spec: Spec) throws(LoopError) -> ChildProcess {
        var files = try ChildFiles(spec)
        defer { files.closeParentSide() }
        let pid = try files.spawn(spec)
        let pidfd = linux_pidfd_open(pid)
        do {
            let watcher = try FDWatcher(fd: try checked(pidfd, "open a pidfd for \(spec.executable)"))
            let child = ChildProcess(pid: pid, pidfd: pidfd, watcher: watcher, spec: spec, files: files)
            child.watch()
            return child
        } catch {
            // Out of descriptors: a child that cannot be watched must not live. It is unreaped, so the number is its
            // own.
            kill(pid, SIGKILL)
            while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
            if pidfd >= 0 { close(pidfd) }
            throw error
        }
    }

    /// Whether `pid` is a child that a `ChildProcess` waits for.
    package static func isOurs(_ pid: Int32) -> Bool { unreaped.contains(pid) }

    private init(pid: pid_t, pidfd: Int32, watcher: FDWatcher, spec: Spec, files: ChildFiles) {
        self.pid = pid
        self.pidfd = pidfd
        self.watcher = watcher
        hasGroup = spec.newSession
        stdout = files.stdout
        stderr = files.stderr
    }

    isolated deinit { close(pidfd) }

    /// Waits until the process has ended and its output has been read. Any number of callers, also afterwards. Not
    /// cancelled by the task's cancellation: signal the process instead.
    package func wait() async -> ExitStatus {
        if let status { return status }
        return await withCheckedContinuation { waiters.append($0) }
    }

    /// What has been captured so far.
    package var output: (stdout: [UInt8], stderr: [UInt8]) { (stdout?.bytes ?? [], stderr?.bytes ?? []) }

    /// Signals the process; false when it has ended already.
    @discardableResult
    package func signal(_ signal: Int32) -> Bool {
        status == nil && linux_pidfd_send_signal(pidfd, signal) == 0
    }

    /// Signals the process and everything in its process group, if it was started with `newSession`, else only the
    /// process; false when it has ended already. A process that has made a group of its own is not reached.
    @discardableResult
    package func signalGroup(_ signal: Int32) -> Bool {
        // Unreaped, so the number of the group is still ours.
        guard hasGroup else { return self.signal(signal) }
        return status == nil && kill(-pid, signal) == 0
    }

    /// Runs a process to its end. Kills it (with its group) after `timeout` and throws ETIMEDOUT, or when the task is
    /// cancelled and throws ECANCELED; in both cases only when it has been reaped. Any end by itself is an `Output`,
    /// not an error.
    package static func run(_ spec: Spec, timeout: Duration) async throws(LoopError) -> Output {
        let child = try spawn(spec)
        var expired = false
        let timer = LoopTimer()
        timer.start(after: timeout) {
            expired = child.signalGroup(SIGKILL)
        }
        let status = await withTaskCancellationHandler {
            await child.wait()
        } onCancel: {
            loopTask { _ = child.signalGroup(SIGKILL) }
        }
        timer.stop()
        if expired { throw LoopError(ETIMEDOUT, "run \(spec.executable)") }
        if Task.isCancelled && status == .signal(SIGKILL) { throw LoopError(ECANCELED, "run \(spec.executable)") }
        return Output(
            status: status, stdout: child.output.stdout, stderr: child.output.stderr,
            isTruncated: child.stdout?.isTruncated == true || child.stderr?.isTruncated == true)
    }

    /// The handler holds the object until the process is reaped.
    private func watch() {
        Self.unreaped.insert(pid)
        watcher.start(.readable) { _ in self.reap() }
    }

    private func reap() {
        var exit = linux_exit()
        let result = linux_wait_pidfd(pidfd, false, &exit)
        guard result != 0 else { return }
        precondition(result == 1, LoopError(result, "wait for our own child \(pid)").description)
        Self.unreaped.remove(pid)
        watcher.close()
        stdout?.drain()
        stderr?.drain()
        let status: ExitStatus = exit.code == 1 ? .code(exit.status) : .signal(exit.status)  // 1 is CLD_EXITED.
        self.status = status
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume(returning: status) }
    }
}
