/// How many runs schedules will make, bucket by bucket: counted time by time, by arithmetic where an interval has nothing that bends it.
package struct ScheduleLoad: Sendable {
    package let from: WallTime
    /// One length for all buckets, in seconds.
    package let bucket: Int64
    package private(set) var counts: [Int]
    /// False: some schedules have more times than were counted.
    package private(set) var isComplete = true

    /// Times of one schedule that are looked at.
    private static let mostTimes = 20_000
    /// Times of all of them together that may still be looked at: somebody waits for the answer.
    private var looksLeft = 1_000_000

    /// - Parameters:
    ///   - from: where the first bucket begins, in whole seconds.
    ///   - bucket: in seconds.
    ///   - count: of buckets.
    package init(from: WallTime, bucket: Int64, count: Int) {
        self.from = from
        self.bucket = bucket
        counts = Array(repeating: 0, count: count)
    }

    private var end: WallTime { WallTime(micros: from.micros + bucket * Int64(counts.count) * 1_000_000) }

    /// Adds the times of a schedule at or after `next`.
    /// - Parameters:
    ///   - next: its next time, which is the `ordinal`-th.
    ///   - most: runs that it has left.
    package mutating func add(_ timetable: Timetable, next: WallTime, ordinal: Int = 0, most: Int = .max) {
        if case .interval(let every, _) = timetable.spec, timetable.isPlain {
            return add(every: every.wholeMicroseconds, next: next, end: timetable.end, most: most)
        }
        let timetable = timetable.settled()
        var (time, number, left, looked): (WallTime?, Int, Int, Int) = (next, ordinal, most, 0)
        if next < from, most == .max {
            // Nobody counts how many of each n-th have passed by then: the first of the range is one of them.
            (time, number) = (timetable.next(after: WallTime(micros: from.micros - 1)), 0)
        }
        while let at = time, at < end, left > 0 {
            guard looked < Self.mostTimes, looksLeft > 0 else {
                isComplete = false
                return
            }
            looked += 1
            looksLeft -= 1
            if timetable.exclusion(at: at, ordinal: number) == nil {
                left -= 1
                count(at, 1)
            }
            number += 1
            time = timetable.next(after: at)
        }
    }

    private mutating func count(_ at: WallTime, _ runs: Int) {
        guard at >= from, at < end else { return }
        counts[Int((at.micros - from.micros) / (bucket * 1_000_000))] += runs
    }

    private mutating func add(every: Int64, next: WallTime, end last: WallTime?, most: Int) {
        var left = Int64(clamping: most)
        // The time itself may be the last.
        let stop = min(end.micros, last.map { $0.micros + 1 } ?? .max)
        var start = next.micros
        if start < from.micros {
            let passed = (from.micros - start + every - 1) / every
            start += passed * every
            left -= passed
        }
        for index in counts.indices where left > 0 {
            let limit = min(stop, from.micros + Int64(index + 1) * bucket * 1_000_000)
            guard start < limit else { continue }
            let runs = min(left, (limit - start + every - 1) / every)
            counts[index] += Int(runs)
            left -= runs
            start += runs * every
        }
    }
}

extension Timetable {
    /// Every time of it runs.
    fileprivate var isPlain: Bool {
        options.everyNth == 1 && !options.businessDays && options.blackouts == DateCalendar() && calendars.isEmpty
    }
}
