/// When a schedule fires.
package enum ScheduleSpec: Hashable, Sendable {
    case once(at: WallTime)
    /// On the wall, in seconds from 1970-01-01 00:00 there.
    case onceLocal(Int64)
    /// At `anchor` and every multiple of `every` after it: the rhythm does not drift with late firings.
    case interval(every: Duration, anchor: WallTime)
    case cron(CronExpression)
    case calendar(CalendarRule)
    case onCalendar(OnCalendar)
    case recurrence(RecurrenceRule)
    /// When runs of another job end.
    case after(AfterJob)
    case event(HostEvent)

    /// What `after` waits for.
    package struct AfterJob: Hashable, Sendable {
        package var job: String
        /// Ends that count.
        package var outcomes: [RunState]
        package var delay: Duration
    }

    /// What happens to a host rather than at a time.
    package struct HostEvent: Hashable, Sendable {
        package enum Name: String, CaseIterable, Sendable {
            /// A host has started and is ready.
            case hostStart = "host_start"
        }

        package var name: Name
        package var delay: Duration
    }

    package static let kinds = ["once", "interval", "cron", "calendar", "oncalendar", "rrule", "after", "event"]

    package var kind: String {
        switch self {
        case .once, .onceLocal: "once"
        case .interval: "interval"
        case .cron: "cron"
        case .calendar: "calendar"
        case .onCalendar: "oncalendar"
        case .recurrence: "rrule"
        case .after: "after"
        case .event: "event"
        }
    }

    /// It waits for something to happen; it has no times.
    package var isEvent: Bool {
        switch self {
        case .after, .event: true
        default: false
        }
    }

    /// So many looks at days and times are some milliseconds' worth.
    package static let mostSteps = 100_000
    /// 9999-12-31 23:59:59: nothing fires later, no text of ours can say when.
    static let lastSecond: Int64 = 253_402_300_799
    /// 0001-01-01 00:00:00.
    private static let firstSecond: Int64 = -62_135_596_800

    /// The first firing strictly later than `after`; nil if there is none, which takes some milliseconds at most to find out.
    /// - Parameters:
    ///   - zone: for kinds that name times on a wall; the others name points in time. A calendar event of systemd with a zone
    ///     of its own must be given that one.
    ///   - rule: where clocks change.
    package func next(
        after: WallTime, zone: some ZoneRules, rule: ClockChangeRule = ClockChangeRule()
    ) -> WallTime? {
        var steps = Self.mostSteps
        return next(after: after, zone: zone, rule: rule, steps: &steps)
    }

    /// - Parameter steps: those that it takes are taken off, for many questions in a row. Nil with none left: not found out.
    package func next(
        after: WallTime, zone: some ZoneRules, rule: ClockChangeRule, steps: inout Int
    ) -> WallTime? {
        guard after.seconds < Self.lastSecond, steps > 0 else { return nil }
        let after = max(after, WallTime(micros: Self.firstSecond * 1_000_000))
        var own = min(steps, Self.mostSteps)
        let before = own
        defer { steps -= before - own }
        switch self {
        case .once(let at): return at > after ? at : nil
        case .onceLocal(let local):
            // Once is once, also when the clocks show it twice.
            let rule = ClockChangeRule(gap: rule.gap, fold: rule.fold == .both ? .first : rule.fold)
            return Self.time(OneTime(local: local).next(after: after.seconds, zone: zone, rule: rule, steps: &own))
        case .interval(let every, let anchor):
            if anchor > after { return anchor }
            let step = every.wholeMicroseconds
            let passed = (after.micros - anchor.micros) / step + 1
            let (span, isTooLong) = passed.multipliedReportingOverflow(by: step)
            let (micros, isTooLate) = anchor.micros.addingReportingOverflow(span)
            let next = WallTime(micros: micros)
            return isTooLong || isTooLate || next.seconds > Self.lastSecond ? nil : next
        case .cron(let times):
            return Self.time(times.next(after: after.seconds, zone: zone, rule: rule, steps: &own))
        case .calendar(let times):
            return Self.time(times.next(after: after.seconds, zone: zone, rule: rule, steps: &own))
        case .onCalendar(let times):
            return Self.time(times.next(after: after.seconds, zone: zone, rule: rule, steps: &own))
        case .recurrence(var times):
            if times.count != nil {
                var counting = Self.mostSteps
                times.settleCount(&counting)
                steps -= Self.mostSteps - counting
            }
            let next = times.next(after: after.seconds, zone: zone, rule: rule, steps: &own)
            guard let next, case .universal(let end) = times.until, next > end else { return Self.time(next) }
            // The rule is over, the dates added to it are not.
            times.until = .local(.min)
            return Self.time(times.next(after: after.seconds, zone: zone, rule: rule, steps: &own))
        case .after, .event: return nil
        }
    }

    /// The same with everything worked out that need not be anew for each of many questions.
    func settled() -> ScheduleSpec {
        guard case .recurrence(var times) = self else { return self }
        var steps = Self.mostSteps
        times.settleCount(&steps)
        return .recurrence(times)
    }

    /// The last firing not later than `now` of those from `first` on, and how many lie before it: what is fired when some were
    /// missed.
    /// - Parameter first: a firing, not later than `now`.
    package func latest(
        from first: WallTime, notAfter now: WallTime, zone: some ZoneRules, rule: ClockChangeRule = ClockChangeRule()
    ) -> (WallTime, missed: Int) {
        if case .interval(let every, _) = self {
            let step = every.wholeMicroseconds
            let missed = (now.micros - first.micros) / step
            return (WallTime(micros: first.micros + missed * step), Int(missed))
        }
        var latest = first
        var missed = 0
        // Bounded: after years without a host, the exact latest minute matters to nobody.
        while missed < 100_000, let next = next(after: latest, zone: zone, rule: rule), next <= now {
            latest = next
            missed += 1
        }
        return (latest, missed)
    }

    /// What is left of it without its zone; nil for points in time, intervals and events.
    var localTimes: (any LocalTimes)? {
        switch self {
        case .onceLocal(let local): OneTime(local: local)
        case .cron(let times): times
        case .calendar(let times): times
        case .onCalendar(let times): times
        case .recurrence(let times): times
        case .once, .interval, .after, .event: nil
        }
    }

    private static func time(_ seconds: Int64?) -> WallTime? {
        guard let seconds, seconds <= lastSecond else { return nil }
        return WallTime(micros: seconds * 1_000_000)
    }
}

/// A set of one.
struct OneTime: LocalTimes {
    let local: Int64
    var followsRealTime: Bool { false }
    func first(atOrAfter time: Int64, steps: inout Int) -> Int64? {
        steps -= 1
        return time <= local ? local : nil
    }
}
