/// A timer that can be started again and again. Stops when it is dropped.
@LoopActor
package final class LoopTimer {
    private var entry: TimerEntry?

    package init() {}

    isolated deinit { stop() }

    package var isActive: Bool { entry != nil }

    /// Calls `handler` once after `delay`, or then every `interval` (positive). A running timer starts anew. Never
    /// early; a repeating timer keeps its rhythm, and skips beats that the loop has missed.
    ///
    /// The handler is kept until the timer stops: capture the timer's owner weakly.
    package func start(
        after delay: Duration, repeating interval: Duration? = nil, _ handler: @escaping @LoopActor () -> Void
    ) {
        precondition(interval.map { $0 > .zero } ?? true, "a repeating timer needs a positive interval")
        stop()
        schedule(at: .now.advanced(by: delay), every: interval, handler)
    }

    /// Does nothing when the timer is not running; can be called from its own handler.
    package func stop() {
        guard let entry else { return }
        LoopActor.loop.cancel(entry)
        self.entry = nil
    }

    private func schedule(
        at deadline: LoopInstant, every interval: Duration?, _ handler: @escaping @LoopActor () -> Void
    ) {
        entry = LoopActor.loop.schedule(at: deadline) { [weak self] in
            LoopActor.assumeIsolated {
                guard let self else { return }
                self.entry = nil
                if let interval {
                    let now = LoopInstant.now
                    let next = deadline.advanced(by: interval)
                    self.schedule(at: next > now ? next : now.advanced(by: interval), every: interval, handler)
                }
                handler()
            }
        }
    }
}
