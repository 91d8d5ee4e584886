import Synchronization

/// Carries one value from a task to the thread that waits for the task.
final class Slot<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func set(_ value: Value) {
        self.value.withLock { $0 = value }
    }

    /// After set().
    func take() -> Value {
        guard let value = self.value.withLock({ $0 }) else { preconditionFailure("nobody set the slot") }
        return value
    }
}
