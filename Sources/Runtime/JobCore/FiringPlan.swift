/// What a host does about a schedule that is due: which of its times fire, which are only written down and why, and which of
/// its runs give way. Pure: the store loads the state, asks once, and does everything in one transaction.
package struct FiringPlan: Equatable, Sendable {
    package enum Verdict: Hashable, Sendable {
        /// A run is made, which starts at this time (planned, and the jitter).
        case fire(startsAt: WallTime)
        /// A run is made that waits for the end of the schedule's present one.
        case queue(startsAt: WallTime)
        /// No run, and why.
        case record(OccurrenceReason)
    }

    package struct Occurrence: Hashable, Sendable {
        package var planned: WallTime
        package var verdict: Verdict
        /// Times before it that made no run for the same reason and have no row of their own.
        package var unlisted = 0
    }

    /// What a schedule is like before.
    package struct State: Sendable {
        package var schedule: Int64
        /// The next planned time: not fired, not written down yet.
        package var next: WallTime?
        /// Which of the schedule's times that is, from 0.
        package var ordinal = 0
        /// Runs that it made.
        package var runCount = 0
        package var maxRuns: Int?
        package var isPaused = false
        /// Ends the pause by itself.
        package var pausedUntil: WallTime?
        /// So many of its next times are left out.
        package var skipNext = 0
        /// Times up to this one are left out.
        package var skipUntil: WallTime?
        /// Its runs that have not ended, the oldest first.
        package var going: [RunID] = []
        /// One of them waits for the others.
        package var hasWaiting = false

        package init(schedule: Int64, next: WallTime?) {
            self.schedule = schedule
            self.next = next
        }
    }

    /// Rising.
    package var occurrences: [Occurrence] = []
    /// Missed times that are counted only: before the latest thousand.
    package var unlisted = 0
    package var cancel: [RunID] = []
    package var terminate: [RunID] = []
    package var next: WallTime?
    package var ordinal = 0
    package var skipNext = 0

    /// Of each reason, so many times have rows of their own: the latest.
    private static let listedOfReason = 1000
    /// After years without a host, the exact number of missed times matters to nobody.
    private static let longestWalk = 100_000
    /// Looks, where one time is not found at once.
    private static let mostSteps = 10 * ScheduleSpec.mostSteps

    package init(_ timetable: Timetable, _ state: State, now: WallTime) {
        var due: [(planned: WallTime, ordinal: Int)] = []
        next = state.next
        ordinal = state.ordinal
        skipNext = state.skipNext
        var walked = 0
        let times = timetable.settled()
        var (steps, isShortened) = (Self.mostSteps, false)
        while let planned = next, planned <= now {
            due.append((planned, ordinal))
            ordinal += 1
            walked += 1
            if due.count > 2 * Self.longestWalk / 10 {
                unlisted += Self.longestWalk / 10
                due.removeFirst(Self.longestWalk / 10)
            }
            // Beyond the longest walk, from a day ago.
            let dayAgo = now.advanced(by: .seconds(-86_400))
            let from = walked == Self.longestWalk ? max(planned, dayAgo) : planned
            next = times.next(after: from, steps: &steps)
            if steps <= 0 {
                // The same where the way there takes too long; and from now if a day is too long too.
                next = times.next(after: isShortened ? max(planned, now) : max(planned, dayAgo))
                (steps, isShortened) = (Self.mostSteps, true)
            }
        }
        let wanted = exclude(due, times, state)
        let missed = Self.missed(wanted, timetable.options.missed, now)
        for planned in missed { occurrences.append(Occurrence(planned: planned, verdict: .record(.missed))) }
        fire(wanted.filter { !missed.contains($0) }, timetable, state)
        occurrences.sort { $0.planned < $1.planned }
        limitRows()
        if let most = state.maxRuns, state.runCount + fired >= most { next = nil }
    }

    /// What becomes of things that have happened, of which each stands for itself: none of them is late because others came after it.
    /// - Parameter events: when; rising, no two at the same time.
    package init(_ timetable: Timetable, _ state: State, events: [WallTime], now: WallTime) {
        ordinal = state.ordinal
        skipNext = state.skipNext
        let times = timetable.settled()
        var due: [(planned: WallTime, ordinal: Int)] = []
        for planned in events {
            // What happens before its start or after its end is none of its times.
            if let start = timetable.start, planned < start { continue }
            if let end = timetable.end, planned > end { continue }
            due.append((planned, ordinal))
            ordinal += 1
        }
        var wanted: [WallTime] = []
        for planned in exclude(due, times, state) {
            if Self.missed([planned], timetable.options.missed, now).isEmpty {
                wanted.append(planned)
            } else {
                occurrences.append(Occurrence(planned: planned, verdict: .record(.missed)))
            }
        }
        fire(wanted, timetable, state)
        occurrences.sort { $0.planned < $1.planned }
    }

    /// Writes down what a reason keeps from firing; answers the others.
    private mutating func exclude(
        _ due: [(planned: WallTime, ordinal: Int)], _ timetable: Timetable, _ state: State
    ) -> [WallTime] {
        var wanted: [WallTime] = []
        for (planned, ordinal) in due {
            if let reason = exclusion(planned, ordinal, timetable, state) {
                // What lies between each n-th is none of the schedule's times.
                if reason != .everyNth { occurrences.append(Occurrence(planned: planned, verdict: .record(reason))) }
            } else {
                wanted.append(planned)
            }
        }
        return wanted
    }

    /// Runs that it makes.
    package var fired: Int {
        occurrences.count { if case .record = $0.verdict { false } else { true } }
    }

    private mutating func exclusion(
        _ planned: WallTime, _ ordinal: Int, _ timetable: Timetable, _ state: State
    ) -> OccurrenceReason? {
        if let reason = timetable.exclusion(at: planned, ordinal: ordinal) { return reason }
        if state.isPaused, state.pausedUntil.map({ planned < $0 }) ?? true { return .paused }
        if let until = state.skipUntil, planned <= until { return .skipped }
        guard skipNext > 0 else { return nil }
        skipNext -= 1
        return .skipped
    }

    /// Of times that are due, those that are too late to fire by the schedule's choice.
    private static func missed(_ due: [WallTime], _ policy: MissedPolicy, _ now: WallTime) -> Set<WallTime> {
        let late = due.filter { now - $0 > MissedPolicy.grace }
        let inWindow = late.filter { planned in policy.window.map { now - planned <= $0 } ?? true }
        let kept: ArraySlice<WallTime> =
            switch policy.choice {
            case .none: []
            // The latest of all: one that is on time stands for those before it.
            case .latest: inWindow.suffix(late.count == due.count ? 1 : 0)
            case .all: inWindow.suffix(policy.cap)
            }
        return Set(late).subtracting(kept)
    }

    private mutating func fire(_ times: [WallTime], _ timetable: Timetable, _ state: State) {
        var isGoing = !state.going.isEmpty
        var hasWaiting = state.hasWaiting
        var left = state.maxRuns.map { max(0, $0 - state.runCount) } ?? Int.max
        var newest: Int?
        for planned in times {
            // The schedule is over: what comes after its last run is not one of its times.
            guard left > 0 else { break }
            let startsAt = timetable.start(of: planned, schedule: state.schedule)
            var verdict = Verdict.fire(startsAt: startsAt)
            switch timetable.options.overlap {
            case .allow: break
            case .skip: if isGoing { verdict = .record(.overlap) }
            case .queueOne:
                if isGoing {
                    verdict = hasWaiting ? .record(.overlap) : .queue(startsAt: startsAt)
                    hasWaiting = true
                }
            case .cancelRunning, .terminateRunning:
                if timetable.options.overlap == .cancelRunning { cancel = state.going } else { terminate = state.going }
                // The newest replaces the others, those of this very plan too.
                if let index = newest {
                    occurrences[index].verdict = .record(.overlap)
                    left += 1
                }
                newest = occurrences.endIndex
            }
            if case .record = verdict {} else { left -= 1 }
            isGoing = true
            occurrences.append(Occurrence(planned: planned, verdict: verdict))
        }
    }

    /// Leaves out the earliest rows of reasons that have too many. Missed times are told with the first that fires after them, others with
    /// the first that has a row.
    private mutating func limitRows() {
        var counts: [OccurrenceReason: Int] = [:]
        for occurrence in occurrences {
            if case .record(let reason) = occurrence.verdict { counts[reason, default: 0] += 1 }
        }
        guard counts.values.contains(where: { $0 > Self.listedOfReason }) else { return }
        var tooMany = counts.mapValues { max(0, $0 - Self.listedOfReason) }
        let untold = tooMany
        var kept: [Occurrence] = []
        for var occurrence in occurrences {
            if case .record(let reason) = occurrence.verdict, let count = untold[reason], count > 0 {
                if let left = tooMany[reason], left > 0 {
                    tooMany[reason] = left - 1
                    continue
                }
                if reason != .missed, tooMany.removeValue(forKey: reason) != nil { occurrence.unlisted = count }
            }
            kept.append(occurrence)
        }
        unlisted += untold[.missed] ?? 0
        occurrences = kept
    }
}
