import PluginABI
import PluginKit
import Synchronization

/// An attempt under way. ``outcome()`` waits for its end.
public final class TestAttempt<Result: Encodable & Sendable>: Sendable {
    private let record: AttemptRecord
    private let result: ResultSlot<Result>

    init(record: AttemptRecord, result: ResultSlot<Result>) {
        self.record = record
        self.result = result
    }

    /// Asks the attempt to stop, as a cancellation does: the handler's task is cancelled too. Any thread; again is nothing.
    public func cancel() {
        self.record.cancel()
    }

    /// What it has said so far.
    public var progress: TestProgress { self.record.progress }
    public var log: [TestLogLine] { self.record.log }

    /// Waits for something that the attempt says: true as soon as `condition` holds, false when the attempt has ended without.
    public func wait(until condition: @escaping @Sendable (TestProgress, [TestLogLine]) -> Bool) async -> Bool {
        await self.record.wait(until: condition)
    }

    /// Waits for the end. Cancelling the waiting task cancels the attempt.
    public func outcome() async -> TestOutcome<Result> {
        let end = await withTaskCancellationHandler {
            await self.record.end()
        } onCancel: {
            self.cancel()
        }
        return TestOutcome(end, result: self.result.value)
    }

    /// Runs the box on a thread of its own.
    func begin(_ box: HandlerBox, _ json: String) {
        let record = self.record
        record.startDeadline()
        Detached.run {
            var json = json
            let status = json.withUTF8 { box.run(record.handle, pawl_bytes(ptr: $0.baseAddress, len: $0.count)) }
            record.ended(status)
        }
    }
}

/// What the handler returned, as the value it is.
final class ResultSlot<Value: Sendable>: Sendable {
    private let slot = Mutex<Value?>(nil)

    var value: Value? { self.slot.withLock { $0 } }
    func set(_ value: Value) { self.slot.withLock { $0 = value } }
}
