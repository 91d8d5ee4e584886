/// How long a failed run waits for its next attempt.
package struct BackoffPolicy: Hashable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// `base`, then `factor` times as long each time.
        case exponential
        /// `base` each time.
        case fixed
        /// `base`, twice, three times …
        case linear
        /// One entry of `delays` after the other; the last one stays.
        case list
    }

    package var kind: Kind
    package var base: Duration
    /// At least 1; for `exponential` only.
    package var factor: Double
    /// No wait is longer, jitter apart.
    package var cap: Duration
    /// A share of the wait, 0 to 1, by which it is made longer or shorter at random, so that runs which failed together do
    /// not come back together.
    package var jitter: Double
    /// For `list` only, and not empty there.
    package var delays: [Duration]
    /// Which outcomes it holds for; the others are not tried again.
    package var rules: RetryRules

    /// The defaults are those of the product: 5 s, doubled each time, at most 1 h, ±20 %.
    package init(
        kind: Kind = .exponential, base: Duration = .seconds(5), factor: Double = 2, cap: Duration = .seconds(3600),
        jitter: Double = 0.2, delays: [Duration] = [], rules: RetryRules = RetryRules()
    ) {
        self.kind = kind
        self.base = base
        self.factor = factor
        self.cap = cap
        self.jitter = jitter
        self.delays = delays
        self.rules = rules
    }

    /// The wait after the `n`-th attempt that counts.
    /// - Parameters:
    ///   - n: from 1.
    ///   - random: 0 to 1, evenly distributed.
    package func delay(afterAttempt n: Int, random: Double) -> Duration {
        let plain = min(undisturbed(max(1, n)), cap)
        return plain * max(0, 1 + jitter * (2 * random - 1))
    }

    private func undisturbed(_ n: Int) -> Duration {
        switch kind {
        case .fixed: return base
        case .linear: return n > 1_000_000 ? cap : base * n
        case .list: return delays.isEmpty ? base : delays[min(n, delays.count) - 1]
        case .exponential:
            var delay = base
            for _ in 1..<n {
                delay = delay * factor
                // Also ends a long loop; a factor of 1 changes nothing.
                if delay >= cap || factor <= 1 { break }
            }
            return delay
        }
    }
}

// MARK: - JSON: {type, delay_ms, factor?, cap_ms?, jitter?, delays_ms?, retry_on?, no_retry_on?}

extension BackoffPolicy {
    /// Longer waits than this are mistakes.
    private static let longest: Int64 = 366 * 86_400_000

    /// Reads the JSON form; what is missing has its default.
    package init(_ value: JSONValue) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "backoff must be an object")
        }
        self.init()
        for member in members {
            let pointer = "/" + member.key
            switch member.key {
            case "type":
                guard let kind = member.value.text.flatMap(Kind.init(rawValue:)) else {
                    throw FieldFault(
                        pointer: pointer, code: "unknown_value",
                        detail: "must be one of " + Kind.allCases.map(\.rawValue).joined(separator: ", "))
                }
                self.kind = kind
            case "delay_ms": base = try Self.milliseconds(member.value, pointer)
            case "cap_ms": cap = try Self.milliseconds(member.value, pointer)
            case "factor": factor = try Self.number(member.value, 1...100, pointer)
            case "jitter": jitter = try Self.number(member.value, 0...1, pointer)
            case "delays_ms":
                guard let elements = member.value.elements, (1...100).contains(elements.count) else {
                    throw FieldFault(
                        pointer: pointer, code: "out_of_range", detail: "must be a list of 1 to 100 delays")
                }
                var delays: [Duration] = []
                for (index, element) in elements.enumerated() {
                    delays.append(try Self.milliseconds(element, "\(pointer)/\(index)"))
                }
                self.delays = delays
            case "retry_on": rules.only = try RetryRules.conditions(member.value, pointer)
            case "no_retry_on": rules.never = try RetryRules.conditions(member.value, pointer)
            default:
                throw FieldFault(pointer: pointer, code: "unknown_field", detail: "unknown field \(member.key)")
            }
        }
        if kind == .list && delays.isEmpty {
            throw FieldFault(pointer: "/delays_ms", code: "required", detail: "a list needs its delays")
        }
    }

    private static func milliseconds(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> Duration {
        guard let number = value.integer, (0...longest).contains(number) else {
            throw FieldFault(
                pointer: pointer, code: "out_of_range", detail: "must be a whole number from 0 to \(longest)")
        }
        return .milliseconds(number)
    }

    private static func number(
        _ value: JSONValue, _ range: ClosedRange<Double>, _ pointer: String
    ) throws(FieldFault) -> Double {
        guard let number = value.double, range.contains(number) else {
            throw FieldFault(
                pointer: pointer, code: "out_of_range",
                detail: "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// The JSON form, complete.
    package var json: String {
        var text = "{\"type\":\"\(kind.rawValue)\",\"delay_ms\":\(base.wholeMilliseconds)"
        if kind == .exponential { text += ",\"factor\":\(factor)" }
        text += ",\"cap_ms\":\(cap.wholeMilliseconds),\"jitter\":\(jitter)"
        if kind == .list {
            text += ",\"delays_ms\":[" + delays.map { String($0.wholeMilliseconds) }.joined(separator: ",") + "]"
        }
        if !rules.only.isEmpty { text += ",\"retry_on\":" + RetryRules.json(rules.only) }
        if !rules.never.isEmpty { text += ",\"no_retry_on\":" + RetryRules.json(rules.never) }
        return text + "}"
    }
}
