extension Timetable {
    /// How far ahead changes of clocks are looked for: each zone that has them changes twice within this.
    private static let clockHorizon: Int64 = 400 * 86_400

    /// What a change of clocks has to do with a time; nil for ordinary ones.
    func clockNote(at: WallTime) -> String? {
        guard let times = spec.localTimes else { return nil }
        let seconds = at.seconds
        let span = zone.span(at: seconds)
        let offset = Int64(span.offset)
        if !times.followsRealTime, span.start == seconds {
            let before = Int64(zone.offset(at: seconds - 1))
            if before < offset, let skipped = times.first(atOrAfter: seconds + before), skipped < seconds + offset {
                return "shifted: \(Self.clock(skipped)) does not exist on this day"
            }
        }
        guard case .fold(let first, _) = zone.resolve(zone.local(at: seconds)) else { return nil }
        return seconds == first
            ? "the clocks show this time twice: the first" : "the clocks show this time twice: the second"
    }

    func warnings(
        from: WallTime, runs: [SchedulePreview.Run], p95: Duration?, isWhole: Bool
    ) -> [SchedulePreview.Warning] {
        var warnings: [SchedulePreview.Warning] = []
        if !isWhole {
            warnings.append(
                .init(
                    code: .stopped, detail: "Only \(runs.count) times are shown: to find more would take too long.",
                    at: nil))
        } else if runs.isEmpty, !spec.isEvent {
            warnings.append(whyNever(from))
        }
        warnings += clockWarnings(from: from)
        if case .cron(let cron) = spec, cron.combinesDaysByOr {
            warnings.append(
                .init(
                    code: .daysByOr,
                    detail: "Day of month and day of week are both set: it runs when either matches, as in crontab(5).",
                    at: nil))
        }
        let distances = zip(runs, runs.dropFirst()).map { $1.at - $0.at }
        if let p95, let shortest = distances.min(), shortest < p95 {
            warnings.append(
                .init(
                    code: .tooOften,
                    detail: "It runs every \(ScheduleSentence.span(shortest)), but 95 of 100 runs take up to "
                        + "\(ScheduleSentence.length(p95)): runs will overlap.", at: nil))
        }
        if let excluded = runs.first(where: { $0.exclusion != nil }) {
            let number = runs.count { $0.exclusion != nil }
            warnings.append(
                .init(
                    code: .excluded,
                    detail: number == runs.count && runs.count > 1
                        ? "None of its next times runs: calendars and blackouts take all of them."
                        : "\(number) of its next \(runs.count) times will not run, by its calendars and blackouts.",
                    at: excluded.at))
        }
        return warnings
    }

    private func whyNever(_ from: WallTime) -> SchedulePreview.Warning {
        let earliest = start.map { max(from, WallTime(micros: $0.micros - 1)) } ?? from
        if let end, let beyond = spec.next(after: earliest, zone: zone, rule: options.clocks), beyond > end {
            return .init(
                code: .outsideOfEnd, detail: "It never runs: its next time is after its end, \(end.rfc3339).",
                at: beyond)
        }
        return .init(code: .neverFires, detail: "It never runs: no time to come matches.", at: nil)
    }

    /// Times that the changes of clocks of the next year or so move, leave out, or repeat.
    private func clockWarnings(from: WallTime) -> [SchedulePreview.Warning] {
        guard let times = spec.localTimes, !times.followsRealTime else { return [] }
        var warnings: [SchedulePreview.Warning] = []
        var span = zone.span(at: max(from, start ?? from).seconds)
        let horizon = max(from, start ?? from).seconds + Self.clockHorizon
        while span.end < horizon, end.map({ span.end <= $0.seconds }) ?? true {
            let change = span.end
            let next = zone.span(at: change)
            let (low, high) = (
                change + Int64(min(span.offset, next.offset)), change + Int64(max(span.offset, next.offset))
            )
            if low < high, let local = times.first(atOrAfter: low), local < high {
                warnings.append(warning(local, at: change, isGap: span.offset < next.offset, next.offset))
            }
            span = next
        }
        return warnings
    }

    private func warning(_ local: Int64, at change: Int64, isGap: Bool, _ offset: Int) -> SchedulePreview.Warning {
        let (clock, date) = (Self.clock(local), CivilText.local(local).prefix(10))
        let at = WallTime(micros: change * 1_000_000)
        guard isGap else {
            let what =
                switch options.clocks.fold {
                case .first: "it runs once, the first time"
                case .last: "it runs once, the second time"
                case .both: "it runs both times"
                }
            return .init(code: .repeated, detail: "\(clock) comes twice on \(date): \(what).", at: at)
        }
        if options.clocks.gap == .skip {
            return .init(code: .skipped, detail: "\(clock) does not exist on \(date): it does not run.", at: at)
        }
        return .init(
            code: .shifted,
            detail: "\(clock) does not exist on \(date): it runs at \(Self.clock(change + Int64(offset))).", at: at)
    }

    private static func clock(_ local: Int64) -> String {
        ScheduleSentence.clock(Int(local - CivilTime.floorDiv(local, 86_400) * 86_400))
    }
}
