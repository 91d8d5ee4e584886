extension CronExpression {
    /// Days looked at before giving up: a 29 February on a given weekday can be 40 years away (around 2100).
    private static let horizonDays = 41 * 366

    /// The first matching time strictly later than `after`, in seconds since the Unix epoch; nil if there is none within 41
    /// years (30 February).
    ///
    /// Where clocks change: with a fixed hour, a time that is skipped fires at the first valid time after the gap, and one
    /// that comes twice fires the first time. With `*` in the hour field the schedule follows elapsed time: nothing is moved,
    /// and the repeated hour fires again.
    package func next(after: Int64, zone: some ZoneRules) -> Int64? {
        hourIsStar ? nextElapsed(after: after, zone: zone) : nextOnTheWall(after: after, zone: zone)
    }

    private func nextOnTheWall(after: Int64, zone: some ZoneRules) -> Int64? {
        // The day before too: with a gap at midnight its times may have been moved past `after`'s date.
        let firstDay = zone.local(at: after).daysSinceEpoch - 1
        for days in firstDay...firstDay + Self.horizonDays {
            let date = CivilTime.date(daysSinceEpoch: days)
            guard matches(year: date.year, month: date.month, day: date.day) else { continue }
            for hour in 0..<24 where hours >> hour & 1 == 1 {
                for minute in 0..<60 where minutes >> minute & 1 == 1 {
                    let local = CivilTime(
                        year: date.year, month: date.month, day: date.day, hour: hour, minute: minute)
                    // Rising wall times are chosen in rising order, so the first one that fits is the answer.
                    let chosen = zone.resolve(local).chosen
                    if chosen > after { return chosen }
                }
            }
        }
        return nil
    }

    private func nextElapsed(after: Int64, zone: some ZoneRules) -> Int64? {
        let limit = after + Int64(Self.horizonDays) * 86_400
        var time = after + 1
        while time < limit {
            let local = zone.local(at: time)
            if local.second != 0 {
                time += Int64(60 - local.second)
            } else if !matches(year: local.year, month: local.month, day: local.day) {
                let next = CivilTime.date(daysSinceEpoch: local.daysSinceEpoch + 1)
                let midnight = zone.resolve(CivilTime(year: next.year, month: next.month, day: next.day)).chosen
                time = max(midnight, time + 60)
            } else if hours >> local.hour & 1 == 0 || minutes >> local.minute & 1 == 0 {
                time += 60
            } else {
                return time
            }
        }
        return nil
    }
}
