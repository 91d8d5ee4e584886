import HTTPTypes
import JobCore
import JobStore

/// How many runs schedules will make, hour by hour.
extension Backend {
    func showLoad(_ call: Call) async throws -> Answer {
        let now = WallClock.now
        let word = try call.query.one("bucket") ?? "hour"
        guard let bucket: Int64 = ["hour": 3600, "day": 86_400][word] else {
            throw Problem.invalidParameter("bucket", "unknown_word", "must be hour or day")
        }
        // Whole buckets, by UTC.
        let start = (try call.query.time("from") ?? now).seconds
        let from = WallTime(micros: (start - start % bucket) * 1_000_000)
        let to = try call.query.time("to") ?? from.advanced(by: .seconds(bucket * (word == "hour" ? 24 : 31)))
        let count = (to.seconds - from.seconds + bucket - 1) / bucket
        guard (1...Self.mostBuckets).contains(count) else {
            throw Problem.invalidParameter(
                "to", "out_of_range", "must lie 1 to \(Self.mostBuckets) buckets after from, not \(count)")
        }
        var load = ScheduleLoad(from: from, bucket: bucket, count: Int(count))
        var slice = LoopSlice()
        var schedules = 0
        let all = try await store.allSchedules().filter { row in
            // Switched off, or paused for good, it would not fire.
            row.input.isEnabled && row.nextAt != nil && (row.pausedAt == nil || row.pausedUntil != nil)
        }
        let names = Set(all.flatMap(\.input.options.calendars)).sorted()
        let calendars = try await store.contents(ofCalendars: names)
        for row in all {
            // Nor does it without its zone or a calendar.
            guard let next = row.nextAt, let zone = try? store.zone(row.input.timezone),
                let timetable = row.input.timetable(zone, calendars)
            else { continue }
            // What has passed makes at most the runs that are made up for.
            var (first, ordinal) = (max(next, row.pausedUntil ?? next), row.ordinal)
            if first > next { ordinal = 0 }
            if let until = row.skipUntil, until >= first, let later = timetable.next(after: until) { first = later }
            load.add(
                timetable, next: first, ordinal: ordinal,
                most: row.input.maxRuns.map { max(0, $0 - row.runCount) } ?? .max)
            schedules += 1
            await slice.breathe()
        }
        var object = JSONObject()
        object.time("from", from)
        object.string("bucket", word)
        object.int("schedules", schedules)
        object.bool("complete", load.isComplete)
        object.array(
            "buckets",
            load.counts.enumerated().map { index, runs in
                var inner = JSONObject()
                inner.time("at", from.advanced(by: .seconds(bucket * Int64(index))))
                inner.int("runs", runs)
                return inner.text
            })
        return .json(object)
    }

    /// A month of hours.
    private static let mostBuckets: Int64 = 744
}
