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

    /// The first firing strictly later than `after`; nil if there is none, which takes some milliseconds at most to find out.
    /// - Parameters:
    ///   - zone: for kinds that name times on a wall; the others name points in time. A calendar event of systemd with a zone
    ///     of its own must be given that one.
    ///   - rule: where clocks change.
    package func next(
        after: WallTime, zone: some ZoneRules, rule: ClockChangeRule = ClockChangeRule()
    ) -> WallTime? {
        switch self {
        case .once(let at): return at > after ? at : nil
        case .onceLocal(let local):
            // Once is once, also when the clocks show it twice.
            let rule = ClockChangeRule(gap: rule.gap, fold: rule.fold == .both ? .first : rule.fold)
            return Self.time(OneTime(local: local).next(after: after.seconds, zone: zone, rule: rule))
        case .interval(let every, let anchor):
            if anchor > after { return anchor }
            let step = every.wholeMicroseconds
            let passed = (after.micros - anchor.micros) / step + 1
            let (span, overflow) = passed.multipliedReportingOverflow(by: step)
            return overflow ? nil : WallTime(micros: anchor.micros + span)
        case .cron(let times): return Self.time(times.next(after: after.seconds, zone: zone, rule: rule))
        case .calendar(let times): return Self.time(times.next(after: after.seconds, zone: zone, rule: rule))
        case .onCalendar(let times): return Self.time(times.next(after: after.seconds, zone: zone, rule: rule))
        case .recurrence(let times):
            let next = times.next(after: after.seconds, zone: zone, rule: rule)
            if let next, case .universal(let end) = times.until, next > end { return nil }
            return Self.time(next)
        case .after, .event: return nil
        }
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

    private static func time(_ seconds: Int64?) -> WallTime? { seconds.map { WallTime(micros: $0 * 1_000_000) } }
}

/// A set of one.
struct OneTime: LocalTimes {
    let local: Int64
    var followsRealTime: Bool { false }
    func first(atOrAfter time: Int64) -> Int64? { time <= local ? local : nil }
}
