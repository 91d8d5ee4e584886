/// One thing that happens at a time. Loop thread only.
package final class TimerEntry {
    package let deadline: LoopInstant
    /// Breaks ties: equal deadlines fire in the order they were scheduled.
    fileprivate let sequence: UInt64
    /// Where the entry stands in its heap; -1 when it is in none.
    fileprivate var index = -1
    /// Dropped when it fires or is cancelled, so that captured objects are not kept alive.
    fileprivate var fire: (() -> Void)?

    fileprivate init(deadline: LoopInstant, sequence: UInt64, fire: @escaping () -> Void) {
        self.deadline = deadline
        self.sequence = sequence
        self.fire = fire
    }

    /// Still going to fire.
    package var isScheduled: Bool { index >= 0 }

    fileprivate func isBefore(_ other: TimerEntry) -> Bool {
        deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence
    }
}

/// A binary heap of entries that know their place, so that cancelling costs O(log n) and leaves nothing behind: most
/// timers are time-outs, and most time-outs are cancelled.
struct TimerHeap {
    private var entries: [TimerEntry] = []
    private var sequence: UInt64 = 0

    var count: Int { entries.count }
    var earliest: LoopInstant? { entries.first?.deadline }

    mutating func insert(at deadline: LoopInstant, _ fire: @escaping () -> Void) -> TimerEntry {
        sequence += 1
        let entry = TimerEntry(deadline: deadline, sequence: sequence, fire: fire)
        entry.index = entries.count
        entries.append(entry)
        siftUp(entry.index)
        return entry
    }

    /// Takes the entry out; false when it has fired or been cancelled already.
    @discardableResult
    mutating func remove(_ entry: TimerEntry) -> Bool {
        guard entry.index >= 0 else { return false }
        let hole = entry.index
        let last = entries.removeLast()
        if last !== entry {
            entries[hole] = last
            last.index = hole
            siftDown(hole)
            siftUp(last.index)
        }
        entry.index = -1
        entry.fire = nil
        return true
    }

    /// Takes out the earliest entry if it is due, and returns what it does.
    mutating func popDue(at now: LoopInstant) -> (() -> Void)? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        let fire = first.fire
        remove(first)
        return fire
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        let entry = entries[index]
        while index > 0 {
            let parent = (index - 1) / 2
            guard entry.isBefore(entries[parent]) else { break }
            entries[index] = entries[parent]
            entries[index].index = index
            index = parent
        }
        entries[index] = entry
        entry.index = index
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        let entry = entries[index]
        while true {
            var child = index * 2 + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
            guard entries[child].isBefore(entry) else { break }
            entries[index] = entries[child]
            entries[index].index = index
            index = child
        }
        entries[index] = entry
        entry.index = index
    }
}
