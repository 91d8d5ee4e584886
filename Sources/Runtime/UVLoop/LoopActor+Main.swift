internal import Synchronization

extension LoopActor {
    /// Runs a whole program on a fresh loop on the calling thread: binds it, runs `body` and returns its result. Tasks
    /// that are still alive then stop where they are, as at any process end. Once per process.
    ///
    /// Also makes the loop Swift's default executor, so that a `Task {}` in a library stays on this thread.
    @discardableResult
    package static func runMain<T: Sendable>(_ body: @escaping @LoopActor @Sendable () async throws -> T) throws -> T {
        let loop = UVLoop()
        bind(to: loop)
        GlobalExecutor.takeOver()
        let result = Mutex<Result<T, any Error>?>(nil)
        let task = loopTask(body)
        loopTask {
            let outcome = await task.result
            result.withLock { $0 = outcome }
            loop.stop()
        }
        loop.run()
        guard let outcome = result.withLock({ $0 }) else {
            preconditionFailure("the loop of runMain was stopped before its body returned")
        }
        return try outcome.get()
    }

    /// For tests: binds a loop on a thread of its own the first time, does nothing later. The thread lives as long as
    /// the process. Tasks outside the loop stay with the runtime's own executor, which runs the tests.
    package static func bindForTesting() { _ = testLoop }

    private static let testLoop: UVLoop = {
        let loop = UVLoop()
        bind(to: loop)
        // Until the thread runs, jobs wait in the inbox.
        loop.startThread(named: "test-loop")
        return loop
    }()

    /// For tests: `bindForTesting()`, then `body` on the loop.
    @discardableResult
    package static func test<T: Sendable>(_ body: @escaping @LoopActor @Sendable () async throws -> T) async throws -> T
    {
        bindForTesting()
        return try await loopTask(body).value
    }
}
