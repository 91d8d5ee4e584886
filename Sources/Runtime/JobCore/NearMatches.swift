/// Names that somebody may have meant.
package enum NearMatches {
    /// The existing names that are most like `name`, best first.
    /// - Parameter limit: at most this many.
    package static func find(_ name: String, among names: some Sequence<String>, limit: Int = 3) -> [String] {
        let wanted = Array(name.lowercased().unicodeScalars)
        guard !wanted.isEmpty, wanted.count <= 200 else { return [] }
        // A third of the letters may be wrong; short names still get two.
        let tolerance = max(2, wanted.count / 3)
        var found: [(name: String, distance: Int)] = []
        for candidate in names {
            let other = Array(candidate.lowercased().unicodeScalars)
            var distance = editDistance(wanted, other, limit: tolerance)
            // `jsonl` for `csv.to_jsonl`: one part of a dotted name.
            if distance > tolerance, wanted.count >= 3, candidate.lowercased().contains(name.lowercased()) {
                distance = tolerance
            }
            if distance <= tolerance { found.append((candidate, distance)) }
        }
        return found.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(limit).map(\.name)
    }

    /// Insertions, deletions, replacements and swaps of neighbours between two texts (optimal string alignment); any number
    /// above `limit` once it is certain to be above.
    static func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar], limit: Int) -> Int {
        if abs(a.count - b.count) > limit { return limit + 1 }
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        var row = last
        for i in 1...a.count {
            row[0] = i
            for j in 1...b.count {
                let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                row[j] = min(replaced, last[j] + 1, row[j - 1] + 1)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = min(row[j], beforeLast[j - 2] + 1)
                }
            }
            if let best = row.min(), best > limit { return best }
            (beforeLast, last, row) = (last, row, beforeLast)
        }
        return last[b.count]
    }
}
