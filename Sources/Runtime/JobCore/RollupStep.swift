/// How long a bucket of a rollup is. `pawl.rollup_plan` holds the same.
package enum RollupStep: Int64, Sendable, CaseIterable, Comparable {
    case tenSeconds = 10
    case minute = 60
    case hour = 3600
    case day = 86_400

    package var seconds: Int64 { rawValue }
    package var length: Duration { .seconds(rawValue) }

    /// How long buckets are kept: 1 h, 48 h, and 400 days for hours and days.
    package var kept: Duration {
        switch self {
        case .tenSeconds: .seconds(3600)
        case .minute: .seconds(48 * 3600)
        case .hour, .day: .seconds(400 * 86_400)
        }
    }

    /// The beginning of the bucket that a time is in. Buckets begin at multiples of their length since 1970.
    package func start(of time: WallTime) -> WallTime { Self.floor(time, seconds: rawValue) }

    /// The longest one whose buckets make up buckets of this many seconds; nil if none does.
    package init?(dividing seconds: Int64) {
        guard let step = Self.allCases.last(where: { seconds >= $0.seconds && seconds % $0.seconds == 0 }) else {
            return nil
        }
        self = step
    }

    package static func < (left: RollupStep, right: RollupStep) -> Bool { left.rawValue < right.rawValue }

    /// Rounds down to a multiple of so many seconds since 1970.
    package static func floor(_ time: WallTime, seconds: Int64) -> WallTime {
        let width = seconds * 1_000_000
        return WallTime(micros: CivilTime.floorDiv(time.micros, width) * width)
    }
}

/// The buckets that together are a span of time up to now: short ones up to the first long one that lies wholly in the span,
/// and from there on long ones. So a day is some 60 minutes and 24 hours, not 1440 minutes, and begins at the minute.
package struct RollupSpan: Sendable, Hashable {
    package let fine: RollupStep
    /// The beginning of the first short bucket: at most the given time.
    package let from: WallTime
    /// Short buckets before it, long ones from it on.
    package let turn: WallTime
    package let coarse: RollupStep

    /// - Parameters:
    ///   - since: when the span begins; a time in the future counts as now.
    ///   - now: what is kept depends on it.
    package init(since: WallTime, now: WallTime) {
        let since = min(since, now)
        let age = now - since
        // A step's buckets are still there while the span is shorter than they are kept.
        if age <= RollupStep.tenSeconds.kept {
            (fine, coarse) = (.tenSeconds, .minute)
        } else if age <= RollupStep.minute.kept {
            (fine, coarse) = (.minute, .hour)
        } else {
            (fine, coarse) = (.hour, .day)
        }
        from = fine.start(of: since)
        let start = coarse.start(of: from)
        turn = start == from ? from : start.advanced(by: coarse.length)
    }
}
