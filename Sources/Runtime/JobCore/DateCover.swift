/// What a calendar covers, laid out so that one look costs a few comparisons however many entries there are: sorted, and without overlaps.
/// For thousands of questions in a row; what somebody wrote down stays as it is in `DateCalendar`.
struct DateCover: Sendable {
    private struct Stretches<Bound: Comparable & Sendable>: Sendable {
        private var starts: [Bound] = []
        /// The last of each, where that belongs to it.
        private var ends: [Bound] = []

        /// - Parameter stretches: from the first to the last of each.
        init(_ stretches: [(Bound, Bound)]) {
            for (start, end) in stretches.sorted(by: { $0.0 < $1.0 }) {
                if let last = ends.last, start <= last {
                    ends[ends.count - 1] = max(last, end)
                } else {
                    starts.append(start)
                    ends.append(end)
                }
            }
        }

        var isEmpty: Bool { starts.isEmpty }

        func contains(_ value: Bound) -> Bool {
            // The last one that begins at the value or before it.
            var (low, high) = (0, starts.count)
            while low < high {
                let middle = (low + high) / 2
                if starts[middle] <= value { low = middle + 1 } else { high = middle }
            }
            return low > 0 && value <= ends[low - 1]
        }
    }

    private var days: Stretches<Int>
    private var micros: Stretches<Int64>
    private var localSeconds: Stretches<Int64>

    init(_ calendar: DateCalendar) {
        days = Stretches(calendar.days.map { ($0.lowerBound, $0.upperBound) })
        micros = Stretches(
            calendar.intervals.filter { !$0.isEmpty }.map { ($0.lowerBound.micros, $0.upperBound.micros - 1) })
        localSeconds = Stretches(
            calendar.localIntervals.filter { !$0.isEmpty }.map { ($0.lowerBound, $0.upperBound - 1) })
    }

    func covers(_ at: WallTime, zone: some ZoneRules) -> Bool {
        if micros.contains(at.micros) { return true }
        guard !days.isEmpty || !localSeconds.isEmpty else { return false }
        let local = at.seconds + Int64(zone.offset(at: at.seconds))
        return days.contains(Int(CivilTime.floorDiv(local, 86_400))) || localSeconds.contains(local)
    }
}
