/// What a time zone says about local time. Readers of zone files implement it; JobCore knows no zone but UTC.
package protocol ZoneRules: Sendable {
    /// Seconds east of UTC that apply at a point in time.
    /// - Parameter seconds: since the Unix epoch.
    func offset(at seconds: Int64) -> Int
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
}
