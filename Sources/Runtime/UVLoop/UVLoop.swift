package import CLibuv
internal import CLinux
internal import Glibc
internal import Synchronization

/// One libuv loop on one thread, and the Swift executor of everything that runs there.
///
/// It is `SerialExecutor` and `TaskExecutor` in one object: actors bound to it and tasks that prefer it run on the
/// thread that called `run()`, between two polls, so the host is ordinary `async` code with one thread and no locks.
///
/// Life: `init` on any thread, `run()` on the thread that becomes the loop's, `stop()` from anywhere, then `close()` on
/// the loop's thread. A loop that is never closed lives until the process ends.
///
/// SIGPIPE is ignored in the whole process from the first loop on: a write to a closed socket or pipe is an error
/// value.
// Sendable by hand: `inbox` and `threadID` synchronize themselves, the handles and `raw` are set in `init` and only
// read later, and every other stored property is touched on the loop's thread only (before `run()`: on the creating
// thread).
package final class UVLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// How many jobs run before descriptors and timers get their turn.
    static let batch = 256

    /// For code that adds libuv handles of its own. On the loop only.
    package let raw: UnsafeMutablePointer<uv_loop_t>
    /// Jobs from other threads, until the next wake-up.
    let inbox = LockedInbox()
    /// Jobs that are next. Loop only.
    var local = JobQueue()
    /// Loop only; `schedule` and `cancel` change it, `beforePoll` sets the timer descriptor for its
    /// earliest entry.
    var timers = TimerHeap()
    /// What the timer descriptor is set for, nil when it is stopped. Loop only.
    var armed: LoopInstant?

    let async = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
    let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
    let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
    let idle = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)
    let timer = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    /// Set for the earliest deadline. libuv's own timers count whole milliseconds from a rounded clock: up to 2 ms late
    /// on an idle loop, where this one is within some 50 µs.
    let timerFD: Int32

    /// pthread_self() of the loop's thread, 0 before `run()`. A pthread_t is never 0 in glibc.
    private let threadID = Atomic<UInt>(0)
    /// Set by `startThread` and cleared by `stopThread`; both are called by the one owner of the thread.
    private var ownThread: pthread_t?

    /// Traps only when the system is out of descriptors or memory.
    package init() {
        signal(SIGPIPE, SIG_IGN)
        raw = .allocate(capacity: 1)
        Self.must(uv_loop_init(raw), "uv_loop_init")
        Self.must(uv_async_init(raw, async) { UVLoop.of($0).collectInbox() }, "uv_async_init")
        Self.must(uv_prepare_init(raw, prepare), "uv_prepare_init")
        Self.must(uv_check_init(raw, check), "uv_check_init")
        Self.must(uv_idle_init(raw, idle), "uv_idle_init")
        timerFD = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC))
        Self.must(timerFD < 0 ? -errno : 0, "timerfd_create")
        Self.must(uv_poll_init(raw, timer, timerFD), "uv_poll_init")
        // Not retained: the handles are closed before the loop goes away (deinit insists on it).
        let this = Unmanaged.passUnretained(self).toOpaque()
        async.pointee.data = this
        prepare.pointee.data = this
        check.pointee.data = this
        idle.pointee.data = this
        timer.pointee.data = this
        Self.must(uv_prepare_start(prepare) { UVLoop.of($0).beforePoll() }, "uv_prepare_start")
        Self.must(uv_check_start(check) { UVLoop.of($0).runBatch() }, "uv_check_start")
        Self.must(
            uv_poll_start(timer, Int32(UV_READABLE.rawValue)) { handle, _, _ in UVLoop.of(handle).fireDue() },
            "uv_poll_start")
    }

    deinit { precondition(inbox.withLock { $0.isClosed }, "a UVLoop was dropped without close()") }

    /// Whether the caller is on the loop's thread. Any thread, no system call.
    package var isOnLoop: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Runs callbacks and jobs on the calling thread until `stop()`. Can be called again, on the same thread, after it
    /// returned.
    package func run() {
        let (exchanged, original) = threadID.compareExchange(
            expected: 0, desired: UInt(pthread_self()), ordering: .relaxed)
        precondition(exchanged || original == UInt(pthread_self()), "a UVLoop belongs to the thread that ran it first")
        uv_run(raw, UV_RUN_DEFAULT)
    }

    /// Makes `run()` return after the current turn. Jobs that wait stay and run when `run()` is called again. Any
    /// thread.
    package func stop() { execute { uv_stop(self.raw) } }

    /// Runs the loop on a thread of its own: for tests, and for comparisons with the host's single thread.
    /// `stopThread()` must follow.
    package func startThread(named name: String) {
        precondition(ownThread == nil, "the loop has its thread already")
        let start = Unmanaged.passRetained(ThreadStart(loop: self, name: name))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { preconditionFailure("pthread_create passes its argument on") }
                let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
                linux_set_thread_name(start.name)
                start.loop.run()
                start.loop.close()
                return nil
            }, start.toOpaque())
        precondition(result == 0, "pthread_create: errno \(result)")
        ownThread = thread
    }

    /// Stops, closes and joins the thread of `startThread`. Not on the loop.
    package func stopThread() {
        guard let thread = ownThread else { preconditionFailure("the loop has no thread of its own") }
        precondition(!isOnLoop, "a thread cannot wait for itself")
        stop()
        pthread_join(thread, nil)
        ownThread = nil
    }

    /// Closes every handle after `run()` has returned, on the loop's thread. Work that is still queued runs first;
    /// tasks that wait for something never resume. A job that arrives later traps: the loop's users must have ended
    /// before it.
    package func close() {
        while local.count > 0 || !inbox.withLock({ $0.queue.count == 0 }) {
            collectInbox()
            runBatch()
        }
        inbox.withLock { $0.isClosed = true }
        uv_walk(
            raw,
            { handle, _ in
                // A foreign handle's memory is its owner's, who sees uv_is_closing and leaves it alone; it is leaked.
                if uv_is_closing(handle) == 0 { uv_close(handle, nil) }
            }, nil)
        while uv_loop_close(raw) == UV_EBUSY.rawValue { uv_run(raw, UV_RUN_NOWAIT) }
        async.deallocate()
        prepare.deallocate()
        check.deallocate()
        idle.deallocate()
        timer.deallocate()
        Glibc.close(timerFD)
        raw.deallocate()
    }

    private static func must(_ result: Int32, _ operation: String) {
        precondition(result == 0, LoopError(result, operation).description)
    }

    /// The loop behind one of its own handles.
    static func of<Handle>(_ handle: UnsafeMutablePointer<Handle>?) -> UVLoop {
        guard let handle else { preconditionFailure("libuv passes the handle to its callback") }
        let base = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
        return Unmanaged<UVLoop>.fromOpaque(base.pointee.data).takeUnretainedValue()
    }
}

/// What a new thread needs, kept alive until it has started.
private final class ThreadStart {
    let loop: UVLoop
    let name: String

    init(loop: UVLoop, name: String) {
        self.loop = loop
        self.name = name
    }
}
