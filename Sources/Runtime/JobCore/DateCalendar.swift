/// Days and stretches of time that are special: holidays, a freeze, a maintenance window. Schedules name the calendars that
/// they keep clear of; one calendar serves many.
package struct DateCalendar: Hashable, Sendable {
    /// Whole days on the wall of the schedule's zone, in days since 1970-01-01; last day included.
    package var days: [ClosedRange<Int>]
    /// Points in time; the end is not in it any more.
    package var intervals: [Range<WallTime>]
    /// Stretches on the wall of whoever asks, in seconds from 1970-01-01 00:00 there.
    package var localIntervals: [Range<Int64>]

    package init(
        days: [ClosedRange<Int>] = [], intervals: [Range<WallTime>] = [], localIntervals: [Range<Int64>] = []
    ) {
        self.days = days
        self.intervals = intervals
        self.localIntervals = localIntervals
    }

    package func covers(_ at: WallTime, zone: some ZoneRules) -> Bool {
        if intervals.contains(where: { $0.contains(at) }) { return true }
        guard !days.isEmpty || !localIntervals.isEmpty else { return false }
        let local = at.seconds + Int64(zone.offset(at: at.seconds))
        let day = Int(CivilTime.floorDiv(local, 86_400))
        return days.contains { $0.contains(day) } || localIntervals.contains { $0.contains(local) }
    }
}

// MARK: - JSON: {dates: ["2026-12-25", "2026-12-24/2027-01-02", …], intervals: [{from, to}, …]}

extension DateCalendar {
    private static let largest = 10_000

    /// Times of `intervals` are RFC 3339, or local dates and times of the schedule's zone without an offset.
    package init(_ value: JSONValue) throws(FieldFault) {
        try value.onlyMembers("dates", "intervals")
        self.init()
        for (index, date) in try Self.list(value["dates"], "/dates").enumerated() {
            let ends = date.text?.split(separator: "/", omittingEmptySubsequences: false).map {
                CivilText.date(String($0))
            }
            guard let ends, ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first <= last else {
                throw FieldFault(
                    pointer: "/dates/\(index)", code: "bad_date", detail: "must be YYYY-MM-DD or YYYY-MM-DD/YYYY-MM-DD")
            }
            days.append(first...last)
        }
        for (index, interval) in try Self.list(value["intervals"], "/intervals").enumerated() {
            let pointer = "/intervals/\(index)"
            do throws(FieldFault) { try interval.onlyMembers("from", "to") } catch { throw error.under(pointer) }
            let (from, to) = (interval["from"]?.text ?? "", interval["to"]?.text ?? "")
            if let start = WallTime(rfc3339: from), let end = WallTime(rfc3339: to), start < end {
                intervals.append(start..<end)
            } else if let start = CivilText.local(from), let end = CivilText.local(to), start < end {
                localIntervals.append(start..<end)
            } else {
                throw FieldFault(
                    pointer: pointer, code: "bad_time",
                    detail: "must have from and to, in this order: both RFC 3339, or both without an offset")
            }
        }
    }

    private static func list(_ value: JSONValue?, _ pointer: String) throws(FieldFault) -> [JSONValue] {
        guard let value else { return [] }
        guard let elements = value.elements, elements.count <= largest else {
            throw FieldFault(
                pointer: pointer, code: "wrong_type", detail: "must be a list of at most \(largest) entries")
        }
        return elements
    }

    package var json: JSONValue {
        let dates = days.map { range in
            let first = CivilText.date(range.lowerBound)
            return JSONValue.string(range.count == 1 ? first : first + "/" + CivilText.date(range.upperBound))
        }
        func pair(_ from: String, _ to: String) -> JSONValue {
            .object([JSONMember("from", .string(from)), JSONMember("to", .string(to))])
        }
        return .object([
            JSONMember("dates", .array(dates)),
            JSONMember(
                "intervals",
                .array(
                    intervals.map { pair($0.lowerBound.rfc3339, $0.upperBound.rfc3339) }
                        + localIntervals.map { pair(CivilText.local($0.lowerBound), CivilText.local($0.upperBound)) })),
        ])
    }
}
