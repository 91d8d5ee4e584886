import UVLoop

/// Tells a handler that waits that its client has closed its side of the connection, or that the host wants to end: no news is
/// worth waiting for. What can be said now is still answered.
@LoopActor
final class HangUp {
    private(set) var happened = false
    private var observers: [Int: @LoopActor () -> Void] = [:]
    private var nextID = 0

    nonisolated init() {}

    func happen() {
        guard !happened else { return }
        happened = true
        let observers = self.observers
        self.observers = [:]
        for observer in observers.values { observer() }
    }

    /// Calls `observer` once when it happens, at once if it has. Returns what `forget` takes.
    func observe(_ observer: @escaping @LoopActor () -> Void) -> Int {
        nextID += 1
        if happened { observer() } else { observers[nextID] = observer }
        return nextID
    }

    func forget(_ id: Int) { observers[id] = nil }
}

/// A bell that one task waits for: rung by news, by the client's end, or by the clock.
@LoopActor
final class Bell {
    private var isRung = false
    private var waiter: CheckedContinuation<Void, Never>?
    private let timer = LoopTimer()

    /// Wakes the waiter, or the next one that comes to wait.
    func ring() {
        guard let waiter else {
            isRung = true
            return
        }
        self.waiter = nil
        timer.stop()
        waiter.resume()
    }

    /// Returns when the bell rings or has rung since the last wait, at the latest after `limit`.
    func wait(atMost limit: Duration) async {
        precondition(waiter == nil, "one waits at a time")
        if isRung {
            isRung = false
            return
        }
        timer.start(after: limit) { [weak self] in self?.ring() }
        await withCheckedContinuation { waiter = $0 }
    }
}
