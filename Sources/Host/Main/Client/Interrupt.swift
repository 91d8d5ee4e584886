import Glibc
import Synchronization

/// Ctrl-C for commands that wait: instead of dying, the client lets go of the run in an orderly way and says how to
/// come back. A second Ctrl-C kills as usual.
enum Interrupt {
    private static let signal = Atomic<Int32>(0)

    /// Starts to watch SIGINT and SIGTERM. Commands that never wait do not call it and die as usual.
    static func watch() {
        // Touched here first: the handler must not be the one that initialises it.
        self.signal.store(0, ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            // Only a lock-free store: all that a signal handler may do.
            Interrupt.signal.store(number, ordering: .relaxed)
        }
        // No SA_RESTART: the wait that the signal interrupts is to return. SA_RESETHAND: the next one kills.
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
        sigemptyset(&action.sa_mask)
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
    }

    /// The signal that has come, or nil.
    static var received: Int32? {
        let number = self.signal.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// Waits for that long, or until a signal comes.
    static func sleep(milliseconds: Int) {
        guard self.received == nil else { return }
        poll(nil, 0, Int32(clamping: milliseconds))
    }
}

/// CLOCK_MONOTONIC in nanoseconds, for deadlines and rates of a waiting command.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// The wall clock in microseconds since 1970, for "3 min ago".
func wallMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
}
