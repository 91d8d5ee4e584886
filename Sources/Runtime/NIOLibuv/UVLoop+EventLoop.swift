package import Dispatch
package import NIOCore
package import UVLoop

/// The same object is SwiftNIO's event loop, Swift's serial executor and its task executor: whatever a library calls
/// "the event loop's thread" is the loop's thread, and no callback hops. `inEventLoop` compares thread ids and is
/// exact.
extension UVLoop: EventLoop {
    package var inEventLoop: Bool { isOnLoop }

    package var executor: any SerialExecutor { self }

    package func submit<T>(_ task: @escaping @Sendable () throws -> T) -> EventLoopFuture<T> {
        let promise = makePromise(of: T.self)
        execute { promise.completeWithResult(of: task) }
        return promise.futureResult
    }

    @discardableResult
    package func scheduleTask<T>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        let alarm = Alarm(loop: self, deadline: LoopInstant(nanoseconds: deadline.uptimeNanoseconds))
        alarm.set { promise.completeWithResult(of: task) }
        return Scheduled(promise: promise) { alarm.cancel() }
    }

    @discardableResult
    package func scheduleTask<T>(
        in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> {
        scheduleTask(deadline: .now() + delay, task)
    }

    /// Not supported: the loop belongs to its thread's owner, not to the libraries on it.
    package func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async { callback(EventLoopError.unsupportedOperation) }
    }
}

extension EventLoopPromise {
    /// On the promise's own loop; the value does not change threads.
    fileprivate func completeWithResult(of task: () throws -> Value) {
        do {
            assumeIsolated().succeed(try task())
        } catch {
            fail(error)
        }
    }
}

/// One scheduled task; set and cancelled from any thread.
// Sendable by hand: `entry` and `isCancelled` are touched on the loop's thread only.
private final class Alarm: @unchecked Sendable {
    private let loop: UVLoop
    private let deadline: LoopInstant
    private var entry: TimerEntry?
    private var isCancelled = false

    init(loop: UVLoop, deadline: LoopInstant) {
        self.loop = loop
        self.deadline = deadline
    }

    func set(_ fire: @escaping @Sendable () -> Void) {
        onLoop {
            guard !self.isCancelled else { return }
            self.entry = self.loop.schedule(at: self.deadline, fire)
        }
    }

    func cancel() {
        onLoop {
            self.isCancelled = true
            if let entry = self.entry { self.loop.cancel(entry) }
        }
    }

    private func onLoop(_ work: @escaping @Sendable () -> Void) {
        if loop.isOnLoop { work() } else { loop.execute(work) }
    }
}
