/// How far an attempt is, in the handler's own words.
package struct Progress: Hashable, Sendable {
    /// A count of what was done, by kind: inserts, updates, errors, …
    package struct Counter: Hashable, Sendable {
        package var kind: String
        package var value: Int64

        package init(kind: String, value: Int64) {
            self.kind = kind
            self.value = value
        }
    }

    package var stage: String?
    package var current: UInt64
    /// Nil while nobody knows.
    package var total: UInt64?
    /// What is counted: `users`, `bytes`.
    package var unit: String?
    package var message: String?
    /// Ordered by kind, each kind once.
    package private(set) var counters: [Counter]

    package init(
        stage: String? = nil, current: UInt64 = 0, total: UInt64? = nil, unit: String? = nil, message: String? = nil,
        counters: [Counter] = []
    ) {
        self.stage = stage
        self.current = current
        self.total = total
        self.unit = unit
        self.message = message
        self.counters = []
        for counter in counters { count(counter.kind, counter.value) }
    }

    /// Adds to a counter; stops at the ends of the range.
    package mutating func count(_ kind: String, _ n: Int64) {
        guard let index = counters.firstIndex(where: { $0.kind >= kind }) else {
            return counters.append(Counter(kind: kind, value: n))
        }
        guard counters[index].kind == kind else {
            return counters.insert(Counter(kind: kind, value: n), at: index)
        }
        let (sum, overflow) = counters[index].value.addingReportingOverflow(n)
        counters[index].value = overflow ? (n < 0 ? .min : .max) : sum
    }

    /// 0 to 100; nil without a total. A handler that counts further than it promised stays at 100.
    package var percent: Double? {
        guard let total else { return nil }
        return total == 0 ? 100 : min(100, Double(current) / Double(total) * 100)
    }

    /// `Processing users (1,250 / 5,000)`, `Scanning (1,250 processed)`; the message, or the unit, if there is no stage.
    package var line: String {
        let subject = [stage, message].compactMap(\.self).first { !$0.isEmpty } ?? unit ?? "Working"
        if let total { return "\(subject) (\(grouped(current)) / \(grouped(total)))" }
        return current > 0 ? "\(subject) (\(grouped(current)) processed)" : subject
    }

    /// Whether the handler has reported anything.
    package var isEmpty: Bool { self == Progress() }

    /// The outcome summary: `{"stage":…,"processed":…,"total":…,"unit":…,"message":…,"counters":{…}}`; nothing is left out,
    /// so that readers need no defaults.
    package var summaryJSON: String { self.isEmpty ? Self.emptySummary : self.summary }

    private static let emptySummary = Progress().summary

    private var summary: String {
        func text(_ value: String?) -> String { value.map(JSONText.quoted) ?? "null" }
        let counts = counters.map { "\(JSONText.quoted($0.kind)):\($0.value)" }.joined(separator: ",")
        return "{\"stage\":\(text(stage)),\"processed\":\(current),\"total\":\(total.map(String.init) ?? "null")"
            + ",\"unit\":\(text(unit)),\"message\":\(text(message)),\"counters\":{\(counts)}}"
    }

    /// Reads back what `summaryJSON` wrote; what is missing or of another kind is left empty.
    package init(summary value: JSONValue) {
        func unsigned(_ key: String) -> UInt64? {
            guard case .number(let digits)? = value[key] else { return nil }
            return UInt64(digits)
        }
        var counters: [Counter] = []
        if case .object(let members)? = value["counters"] {
            counters = members.compactMap { member in
                member.value.integer.map { Counter(kind: member.key, value: $0) }
            }
        }
        self.init(
            stage: value["stage"]?.text, current: unsigned("processed") ?? 0, total: unsigned("total"),
            unit: value["unit"]?.text, message: value["message"]?.text, counters: counters)
    }
}

/// In decimal with commas between groups of three.
private func grouped(_ value: UInt64) -> String {
    let digits = Array(String(value))
    var result = ""
    for (index, digit) in digits.enumerated() {
        if index > 0 && (digits.count - index) % 3 == 0 { result += "," }
        result.append(digit)
    }
    return result
}
