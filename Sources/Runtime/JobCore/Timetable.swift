/// The times of a schedule with everything that changes them, its calendars at hand: pure, so that the host, the preview and
/// the command line without a host give the same answer.
package struct Timetable: Sendable {
    package var spec: ScheduleSpec
    package var zone: any ZoneRules
    package var options: ScheduleOptions
    /// The first time it may fire.
    package var start: WallTime?
    /// The last.
    package var end: WallTime?
    /// Those that `options` names.
    package var calendars: [DateCalendar]
    /// Blackouts and calendars, laid out for many questions; nil: not yet.
    private var covers: (blackouts: DateCover, calendars: [DateCover])?

    package init(
        spec: ScheduleSpec, zone: any ZoneRules, options: ScheduleOptions = ScheduleOptions(), start: WallTime? = nil,
        end: WallTime? = nil, calendars: [DateCalendar] = []
    ) {
        self.spec = spec
        self.zone = zone
        self.options = options
        self.start = start
        self.end = end
        self.calendars = calendars
    }

    /// The next planned time strictly later than `after`, whatever is then made of it.
    package func next(after: WallTime) -> WallTime? {
        var steps = ScheduleSpec.mostSteps
        return next(after: after, steps: &steps)
    }

    /// - Parameter steps: looks that many questions may take together.
    func next(after: WallTime, steps: inout Int) -> WallTime? {
        // The start itself may fire.
        let from = start.map { max(after, WallTime(micros: $0.micros - 1)) } ?? after
        guard let next = spec.next(after: from, zone: zone, rule: options.clocks, steps: &steps) else { return nil }
        if let end, next > end { return nil }
        return next
    }

    /// The same, for many questions in a row. Its options and calendars must not be changed any more.
    package func settled() -> Timetable {
        var settled = self
        settled.spec = spec.settled()
        settled.covers = (DateCover(options.blackouts), calendars.map { DateCover($0) })
        return settled
    }

    /// All times of a range, both ends included, and how many of them are left out for a reason. Of every n-th, the first counts.
    /// - Returns: nil if there are more than `limit`, or finding them takes too long.
    package func times(from: WallTime, to: WallTime, limit: Int) -> (wanted: [WallTime], excluded: Int)? {
        let times = settled()
        var steps = 10 * ScheduleSpec.mostSteps
        var wanted: [WallTime] = []
        var ordinal = 0
        var at = times.next(after: WallTime(micros: from.micros - 1), steps: &steps)
        while let planned = at, planned <= to {
            if times.exclusion(at: planned, ordinal: ordinal) == nil { wanted.append(planned) }
            ordinal += 1
            guard ordinal <= limit else { return nil }
            at = times.next(after: planned, steps: &steps)
        }
        return steps > 0 ? (wanted, ordinal - wanted.count) : nil
    }

    /// Why nothing runs at a planned time; nil: it may run.
    /// - Parameter ordinal: which of the schedule's times it is, from 0.
    package func exclusion(at planned: WallTime, ordinal: Int = 0) -> OccurrenceReason? {
        if options.everyNth > 1, ordinal % options.everyNth != 0 { return .everyNth }
        let isBlackout = covers?.blackouts.covers(planned, zone: zone) ?? options.blackouts.covers(planned, zone: zone)
        if isBlackout { return .blackout }
        if options.businessDays, [0, 6].contains(zone.local(at: planned.seconds).weekday) { return .calendar }
        if let covers { return covers.calendars.contains { $0.covers(planned, zone: zone) } ? .calendar : nil }
        return calendars.contains { $0.covers(planned, zone: zone) } ? .calendar : nil
    }

    /// When the run of a planned time starts: a while later with jitter, the same each time one asks.
    /// - Parameter schedule: its id, so that many schedules of the same times are spread.
    package func start(of planned: WallTime, schedule: Int64) -> WallTime {
        let most = options.jitter.wholeMicroseconds
        guard most > 0 else { return planned }
        // SplitMix64: neighbouring inputs give unlike outputs.
        var mixed = UInt64(bitPattern: planned.micros) &+ UInt64(bitPattern: schedule) &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return planned.advanced(by: .microseconds(Int64(mixed % UInt64(most + 1))))
    }
}

/// Why a planned time made no run.
package enum OccurrenceReason: String, CaseIterable, Sendable {
    /// Nobody was there.
    case missed
    /// An earlier run was still going.
    case overlap
    /// The schedule, or its job, was paused.
    case paused
    case blackout
    /// A holiday, or no business day.
    case calendar
    /// Somebody said so.
    case skipped
    /// Between each n-th.
    case everyNth = "every_nth"
}
