/// Which outcomes are tried again. The handler's own word (never, or yes) comes before them.
package struct RetryRules: Hashable, Sendable {
    /// What an attempt may have ended with.
    package enum Condition: Hashable, Sendable {
        /// One of `error`, `crashed`, `timed_out`, `out_of_memory`.
        case outcome(AttemptOutcome)
        /// `error` with this code.
        case errorCode(String)
    }

    /// Empty: all.
    package var only: [Condition]
    /// These not, whatever `only` says.
    package var never: [Condition]

    package init(only: [Condition] = [], never: [Condition] = []) {
        self.only = only
        self.never = never
    }

    package var isEmpty: Bool { only.isEmpty && never.isEmpty }

    /// Whether what ended so is tried again, attempts permitting.
    package func allow(_ outcome: AttemptOutcome, errorCode: String?) -> Bool {
        func holds(_ condition: Condition) -> Bool {
            switch condition {
            case .outcome(let wanted): outcome == wanted
            case .errorCode(let code): outcome == .error && errorCode == code
            }
        }
        if never.contains(where: holds) { return false }
        return only.isEmpty || only.contains(where: holds)
    }
}

extension RetryRules.Condition {
    /// Outcomes that a policy decides about; the others have their own ways.
    package static let outcomes: [AttemptOutcome] = [.error, .crashed, .timedOut, .outOfMemory]
    private static let codeMark = "error:"

    /// `crashed`, `timed_out`, `out_of_memory`, `error`, or `error:CODE`.
    package init?(_ word: String) {
        if let outcome = AttemptOutcome(rawValue: word), Self.outcomes.contains(outcome) {
            self = .outcome(outcome)
        } else if word.hasPrefix(Self.codeMark), (1...200).contains(word.utf8.count - Self.codeMark.utf8.count) {
            self = .errorCode(String(word.dropFirst(Self.codeMark.count)))
        } else {
            return nil
        }
    }

    package var word: String {
        switch self {
        case .outcome(let outcome): outcome.rawValue
        case .errorCode(let code): Self.codeMark + code
        }
    }
}

extension RetryRules {
    /// More are a mistake.
    private static let most = 50

    /// A list of words.
    /// - Parameter pointer: where it stands.
    static func conditions(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> [Condition] {
        guard let elements = value.elements, elements.count <= most else {
            throw FieldFault(
                pointer: pointer, code: "wrong_type", detail: "must be a list of at most \(most) words")
        }
        var conditions: [Condition] = []
        for (index, element) in elements.enumerated() {
            guard let condition = element.text.flatMap(Condition.init) else {
                throw FieldFault(
                    pointer: "\(pointer)/\(index)", code: "unknown_value",
                    detail: "must be one of " + Condition.outcomes.map(\.rawValue).joined(separator: ", ")
                        + ", or error:CODE")
            }
            conditions.append(condition)
        }
        return conditions
    }

    static func json(_ conditions: [Condition]) -> String {
        "[" + conditions.map { JSONText.quoted($0.word) }.joined(separator: ",") + "]"
    }
}
