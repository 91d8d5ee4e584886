/// What a time zone says about local time. Readers of zone files implement it; JobCore knows no zone but UTC.
package protocol ZoneRules: Sendable {
    /// Seconds east of UTC that apply at a point in time.
    /// - Parameter seconds: since the Unix epoch.
    func offset(at seconds: Int64) -> Int

    /// A stretch of time around `seconds` in which the offset stays the same, as far as is known at little cost: another one
    /// with the same offset may follow.
    func span(at seconds: Int64) -> ZoneSpan
}

/// Seconds from `start` on and before `end`, with one offset.
package struct ZoneSpan: Equatable, Sendable {
    /// `Int64.min`: since ever.
    package var start: Int64
    /// `Int64.max`: for ever.
    package var end: Int64
    package var offset: Int

    package init(start: Int64, end: Int64, offset: Int) {
        self.start = start
        self.end = end
        self.offset = offset
    }
}

/// Which point in time a wall clock means.
package enum LocalResolution: Equatable, Sendable {
    /// Exactly one. Seconds since the Unix epoch.
    case unique(Int64)
    /// The clocks skip it; the first valid point after the gap.
    case gap(firstValid: Int64)
    /// The clocks show it twice.
    case fold(first: Int64, second: Int64)

    /// The product's rule: in a gap the first valid time, in a fold the first one.
    package var chosen: Int64 {
        switch self {
        case .unique(let seconds), .gap(let seconds), .fold(let seconds, _): seconds
        }
    }
}

extension ZoneRules {
    package func local(at seconds: Int64) -> CivilTime {
        CivilTime(secondsSinceEpoch: seconds + Int64(offset(at: seconds)))
    }

    /// Looks a day at a time, for rules that know no better: clocks that change twice within a day go unnoticed.
    package func span(at seconds: Int64) -> ZoneSpan {
        let offset = offset(at: seconds)
        let day: Int64 = 86_400
        var before = seconds
        var after = seconds
        let reach = 800 * day
        while before > seconds - reach, self.offset(at: before - day) == offset { before -= day }
        while after < seconds + reach, self.offset(at: after + day) == offset { after += day }
        if before > seconds - reach { before = lastChange(from: before - day, to: before) }
        after = after < seconds + reach ? lastChange(from: after, to: after + day) : after
        return ZoneSpan(start: before, end: after, offset: offset)
    }

    /// The first second with the offset that applies at `end`; `start` has another.
    private func lastChange(from start: Int64, to end: Int64) -> Int64 {
        let target = offset(at: end)
        var low = start
        var high = end
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(at: middle) == target { high = middle } else { low = middle }
        }
        return high
    }

    /// Finds the points in time at which clocks in the zone show `local`.
    package func resolve(_ local: CivilTime) -> LocalResolution {
        let wall = local.secondsSinceEpoch
        // Offsets lie between −24 h and +26 h (RFC 9636), so each that can matter applies within two days around.
        let candidates = Set([offset(at: wall - 172_800), offset(at: wall), offset(at: wall + 172_800)])
            .union([offset(at: wall - 50_400), offset(at: wall + 50_400)])
        let hits = candidates.map { wall - Int64($0) }.filter { $0 + Int64(offset(at: $0)) == wall }.sorted()
        if hits.count >= 2 { return .fold(first: hits[0], second: hits[hits.count - 1]) }
        if let only = hits.first { return .unique(only) }
        return .gap(firstValid: endOfGap(around: wall))
    }

    /// The transition that jumps over `wall`: the first second whose local time is later.
    private func endOfGap(around wall: Int64) -> Int64 {
        // Local time is at most a day and a bit away from UTC. Before the jump local < wall, after it local > wall.
        var low = wall - 108_000
        var high = wall + 108_000
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if middle + Int64(offset(at: middle)) < wall { low = middle } else { high = middle }
        }
        return high
    }
}

/// Universal time: no rules at all.
package struct UTCRules: ZoneRules {
    package init() {}
    package func offset(at seconds: Int64) -> Int { 0 }
    package func span(at seconds: Int64) -> ZoneSpan { ZoneSpan(start: .min, end: .max, offset: 0) }
}
