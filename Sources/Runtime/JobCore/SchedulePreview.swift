/// What a schedule would do: its next times with their local clocks, in words, and what one should know about it first. The
/// host answers `POST /schedules/preview` with it, the command line shows it without a host.
package struct SchedulePreview: Sendable {
    package struct Run: Hashable, Sendable {
        package var at: WallTime
        package var offset: Int
        package var note: String?
        /// It will not run, and why.
        package var exclusion: OccurrenceReason?
    }

    /// What to know before it is switched on.
    package struct Warning: Hashable, Sendable {
        package enum Code: String, Sendable {
            case shifted, skipped, repeated
            case neverFires = "never_fires"
            case daysByOr = "days_by_or"
            case tooOften = "too_often"
            case outsideOfEnd = "outside_of_end"
            case excluded
            /// It was too much work to look at all times that were asked for.
            case stopped
        }

        package var code: Code
        package var detail: String
        /// When it matters first.
        package var at: WallTime?
    }

    package var sentence: String
    package var runs: [Run]
    package var warnings: [Warning]
    /// Between those shown lie others, with each n-th only.
    private static let mostTimes = 10_000

    /// - Parameters:
    ///   - from: the first time is later than this.
    ///   - count: at most so many times.
    ///   - p95: how long 95 of 100 runs of the job take at most.
    package init(
        _ timetable: Timetable, zoneName: String, from: WallTime, count: Int, p95: Duration? = nil
    ) {
        sentence = ScheduleSentence.of(timetable.spec, zone: timetable.zone)
        if !timetable.spec.isEvent, timetable.spec.localTimes != nil || zoneName != "UTC" {
            sentence += ", \(zoneName)"
        }
        runs = []
        var after = from
        var ordinal = 0
        var steps = 5 * ScheduleSpec.mostSteps
        var isOver = false
        let timetable = timetable.settled()
        // What lies between each n-th is passed over: up to a bound, or a large n would take for ever.
        while runs.count < count, ordinal < Self.mostTimes, steps > 0 {
            guard let next = timetable.next(after: after, steps: &steps) else {
                isOver = steps > 0
                break
            }
            let exclusion = timetable.exclusion(at: next, ordinal: ordinal)
            if exclusion != .everyNth {
                runs.append(
                    Run(
                        at: next, offset: timetable.zone.offset(at: next.seconds),
                        note: timetable.clockNote(at: next), exclusion: exclusion))
            }
            after = next
            ordinal += 1
        }
        let isWhole = isOver || runs.count == count
        warnings = timetable.warnings(from: from, runs: runs, p95: p95, isWhole: isWhole)
    }
}

extension SchedulePreview {
    /// `{sentence, runs: [{at, utc, local, offset_seconds, note, excluded}], warnings: [{code, detail, at}]}`.
    package var members: [JSONMember] {
        let runs = self.runs.map { run in
            JSONValue.object([
                JSONMember("at", .string(run.at.rfc3339)), JSONMember("utc", .string(run.at.rfc3339)),
                JSONMember("local", .string(Self.local(run.at, run.offset))),
                JSONMember("offset_seconds", .number(String(run.offset))),
                JSONMember("note", run.note.map { .string($0) } ?? .null),
                JSONMember("excluded", run.exclusion.map { .string($0.rawValue) } ?? .null),
            ])
        }
        let warnings = self.warnings.map { warning in
            JSONValue.object([
                JSONMember("code", .string(warning.code.rawValue)), JSONMember("detail", .string(warning.detail)),
                JSONMember("at", warning.at.map { .string($0.rfc3339) } ?? .null),
            ])
        }
        return [
            JSONMember("sentence", .string(sentence)), JSONMember("runs", .array(runs)),
            JSONMember("warnings", .array(warnings)),
        ]
    }

    /// RFC 3339 with the zone's offset, to the second.
    package static func local(_ at: WallTime, _ offset: Int) -> String {
        let wall = CivilText.local(at.seconds + Int64(offset))
        if offset == 0 { return wall + "Z" }
        let minutes = abs(offset) / 60
        return wall + (offset < 0 ? "-" : "+") + CivilText.two(minutes / 60) + ":" + CivilText.two(minutes % 60)
    }
}
