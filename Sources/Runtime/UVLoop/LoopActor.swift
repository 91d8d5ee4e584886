internal import Synchronization

/// The actor of everything that libuv's callbacks touch, bound to one loop per process.
///
/// State on it needs no locks, callbacks enter it with `assumeIsolated`, and its `await`s cost no thread switch.
@globalActor
package actor LoopActor {
    /// Traps when no loop has been bound.
    package static let shared = LoopActor()

    private static let bound = AtomicLazyReference<UVLoop>()

    private let loop: UVLoop

    private init() {
        guard let loop = Self.bound.load() else {
            preconditionFailure("LoopActor was used before LoopActor.bind(to:), runMain or bindForTesting")
        }
        self.loop = loop
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Decides, once per process and before the first use, which loop this actor lives on. Traps on the second call.
    package static func bind(to loop: UVLoop) {
        let stored = bound.storeIfNil(loop)
        precondition(stored === loop, "LoopActor is bound already")
    }

    /// The bound loop. Any thread. Traps when none has been bound.
    package static var loop: UVLoop { shared.loop }

    /// The bound loop, if there is one yet. Any thread.
    static var loopIfBound: UVLoop? { bound.load() }

    /// Enters the actor without waiting, from a callback that libuv makes on the loop's thread. Traps anywhere else.
    package static func assumeIsolated<T: Sendable>(
        _ body: @LoopActor () throws -> T, file: StaticString = #fileID, line: UInt = #line
    ) rethrows -> T {
        precondition(loop.isOnLoop, "not on the loop's thread", file: file, line: line)
        return try withoutActuallyEscaping(body) { (escapable: @escaping @LoopActor () throws -> T) throws -> T in
            // Safe, and what MainActor.assumeIsolated does: a global actor in a synchronous function type changes who
            // may call it, not its representation, and the precondition has just established that we may.
            try unsafeBitCast(escapable, to: (() throws -> T).self)()
        }
    }
}

/// Starts a task on the loop. Tasks begin in the order of these calls, never inline. Any thread; the usual task rules
/// for cancellation apply, and dropping the handle does not cancel.
///
/// This is the one way to unstructured concurrency here: a plain `Task {}` may start on another thread.
@discardableResult
package func loopTask<T: Sendable>(_ body: @escaping @LoopActor @Sendable () async -> T) -> Task<T, Never> {
    Task(executorPreference: LoopActor.loop) { await body() }
}

/// As above, for a body that throws.
@discardableResult
package func loopTask<T: Sendable>(
    _ body: @escaping @LoopActor @Sendable () async throws -> T
) -> Task<T, any Error> {
    Task(executorPreference: LoopActor.loop) { try await body() }
}
