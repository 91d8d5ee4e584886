internal import CLinux
internal import Glibc

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

    /// Sets the timer descriptor for the earliest entry; nothing to do in most turns.
    func armTimer() {
        let earliest = timers.earliest
        guard earliest != armed else { return }
        armed = earliest
        var time = itimerspec()
        if let earliest {
            // All zero would stop it.
            let nanoseconds = max(earliest.nanoseconds, 1)
            time.it_value.tv_sec = Int(nanoseconds / 1_000_000_000)
            time.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        }
        let result = timerfd_settime(timerFD, Int32(TFD_TIMER_ABSTIME), &time, nil)
        precondition(result == 0, "timerfd_settime: errno \(errno)")
    }

    /// Fires what was due when it began: an entry that a handler adds waits for the next turn. The descriptor is not
    /// read: setting it anew, or stopping it, before the next poll makes it unreadable.
    func fireDue() {
        armed = .distantPast
        let now = LoopInstant.now
        while let fire = timers.popDue(at: now) { fire() }
    }
}

extension LoopInstant {
    /// No deadline is as early, so setting the timer is never left out after it has fired.
    fileprivate static let distantPast = LoopInstant(nanoseconds: 0)
}
