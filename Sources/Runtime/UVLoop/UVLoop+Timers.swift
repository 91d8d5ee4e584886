internal import CLibuv

extension UVLoop {
    /// Calls `fire` on the loop at `deadline` or a little later, never earlier. On the loop only.
    package func schedule(at deadline: LoopInstant, _ fire: @escaping () -> Void) -> TimerEntry {
        precondition(isOnLoop, "timers belong to the loop's thread")
        return timers.insert(at: deadline, fire)
    }

    /// Forgets the entry; false when it has fired or been cancelled already. On the loop only.
    @discardableResult
    package func cancel(_ entry: TimerEntry) -> Bool {
        precondition(isOnLoop, "timers belong to the loop's thread")
        return timers.remove(entry)
    }

    /// Sets the one uv timer for the earliest entry; nothing to do in most turns.
    func armTimer() {
        let earliest = timers.earliest
        guard earliest != armed else { return }
        armed = earliest
        guard let earliest else {
            uv_timer_stop(timer)
            return
        }
        // libuv counts whole milliseconds of the same clock, rounded down. Rounding up here means that it fires when
        // floor(now) >= ceil(deadline), so never early.
        let due = earliest.nanoseconds / 1_000_000 + (earliest.nanoseconds % 1_000_000 == 0 ? 0 : 1)
        let now = uv_now(raw)
        uv_timer_start(timer, { UVLoop.of($0).fireDue() }, due > now ? due - now : 0, 0)
    }

    /// Fires what was due when it began: an entry that a handler adds waits for the next turn.
    private func fireDue() {
        armed = nil
        let now = LoopInstant.now
        while let fire = timers.popDue(at: now) { fire() }
    }
}
