/// What makes two requests one: of those that agree in its parts, one has a run at a time.
///
/// Who holds the key is kept by the database (m0014_unique_keys), which also makes the key, so that requests over HTTP and by
/// `pawl.enqueue` exclude each other.
package struct UniqueRule: Sendable, Hashable {
    /// A part of the request that is compared.
    package enum Part: Sendable, Hashable {
        case job, queue, owner, organization
        /// All of the args, whatever the order of their members.
        case args
        /// One member of the args.
        case member(String)
    }

    /// How long the key is held.
    package enum Window: Sendable, Hashable {
        /// Until the run's first attempt starts.
        case started
        /// Until the run has ended, in whatever way.
        case finished
        /// For this long since the request, whatever becomes of its run. At least a millisecond.
        case period(Duration)
    }

    /// What becomes of a request whose key another run holds.
    package enum Policy: Sendable, Hashable {
        case reject
        /// The other run is the answer.
        case returnExisting
        /// The other run becomes what this request says, if it has not started.
        case replace(ifStarted: IfStarted)
    }

    package enum IfStarted: String, Sendable, Hashable, CaseIterable {
        case new, reject
    }

    /// The caller's own; 1 to 255 characters. Nil: only the parts count.
    package var key: String?
    /// Nil: the job, and without a key its args too.
    package var by: [Part]?
    package var window: Window
    package var policy: Policy

    package init(
        key: String? = nil, by: [Part]? = nil, window: Window = .finished, policy: Policy = .reject
    ) {
        self.key = key
        self.by = by
        self.window = window
        self.policy = policy
    }

    /// Whether args are compared, wholly or a member of them.
    package var comparesArgs: Bool {
        guard let by else { return key == nil }
        return by.contains { part in
            switch part {
            case .args, .member: true
            default: false
            }
        }
    }
}

// MARK: - JSON: {key?, by?, until? or period_ms?, policy?, if_started?}

extension UniqueRule {
    /// Ten years and some days: longer windows are mistakes.
    package static let longestPeriod: Int64 = 3660 * 86_400_000
    private static let mostParts = 20

    /// Reads the JSON form; what is missing has its default.
    package init(_ value: JSONValue) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "unique must be an object")
        }
        self.init()
        var window: Window?
        var word = "reject"
        var ifStarted: IfStarted?
        for member in members {
            let pointer = "/" + member.key
            switch member.key {
            case "key":
                guard let text = member.value.text, (1...255).contains(text.unicodeScalars.count),
                    !text.utf8.contains(0)
                else {
                    throw FieldFault(
                        pointer: pointer, code: "out_of_range", detail: "must be a text of 1 to 255 characters")
                }
                key = text
            case "by": by = try Self.parts(member.value, pointer)
            case "until":
                window = try Self.once(window, pointer)
                switch member.value.text {
                case "started": window = .started
                case "finished": window = .finished
                default:
                    throw FieldFault(
                        pointer: pointer, code: "unknown_word", detail: "must be one of started, finished")
                }
            case "period_ms":
                window = try Self.once(window, pointer)
                guard let number = member.value.integer, (1...Self.longestPeriod).contains(number) else {
                    throw FieldFault(
                        pointer: pointer, code: "out_of_range",
                        detail: "must be a whole number from 1 to \(Self.longestPeriod)")
                }
                window = .period(.milliseconds(number))
            case "policy":
                guard let text = member.value.text, ["reject", "return_existing", "replace"].contains(text) else {
                    throw FieldFault(
                        pointer: pointer, code: "unknown_word",
                        detail: "must be one of reject, return_existing, replace")
                }
                word = text
            case "if_started":
                guard let text = member.value.text, let choice = IfStarted(rawValue: text) else {
                    throw FieldFault(pointer: pointer, code: "unknown_word", detail: "must be one of new, reject")
                }
                ifStarted = choice
            default:
                throw FieldFault(pointer: pointer, code: "unknown_field", detail: "unknown field \(member.key)")
            }
        }
        self.window = window ?? .finished
        if ifStarted != nil, word != "replace" {
            throw FieldFault(pointer: "/if_started", code: "exclusive", detail: "belongs to the policy replace")
        }
        if by == [], key == nil {
            throw FieldFault(pointer: "/by", code: "required", detail: "without a key there must be parts to compare")
        }
        switch word {
        case "return_existing": policy = .returnExisting
        case "replace": policy = .replace(ifStarted: ifStarted ?? .reject)
        default: policy = .reject
        }
    }

    private static func once(_ window: Window?, _ pointer: String) throws(FieldFault) -> Window? {
        if window != nil {
            throw FieldFault(pointer: pointer, code: "exclusive", detail: "give until or period_ms, not both")
        }
        return nil
    }

    private static func parts(_ value: JSONValue, _ pointer: String) throws(FieldFault) -> [Part] {
        guard let elements = value.elements, elements.count <= mostParts else {
            throw FieldFault(
                pointer: pointer, code: "out_of_range", detail: "must be a list of at most \(mostParts) parts")
        }
        var parts: [Part] = []
        for (index, element) in elements.enumerated() {
            guard let part = element.text.flatMap(Part.init) else {
                throw FieldFault(
                    pointer: "\(pointer)/\(index)", code: "unknown_word",
                    detail: "must be one of job, queue, owner, organization, args, or args.NAME")
            }
            parts.append(part)
        }
        return parts
    }

    /// The JSON form, complete.
    package var json: String {
        var members: [(String, String)] = []
        if let key { members.append(("key", JSONText.quoted(key))) }
        if let by { members.append(("by", "[" + by.map { JSONText.quoted($0.word) }.joined(separator: ",") + "]")) }
        switch window {
        case .started: members.append(("until", "\"started\""))
        case .finished: members.append(("until", "\"finished\""))
        case .period(let period): members.append(("period_ms", String(period.wholeMilliseconds)))
        }
        switch policy {
        case .reject: members.append(("policy", "\"reject\""))
        case .returnExisting: members.append(("policy", "\"return_existing\""))
        case .replace(let ifStarted):
            members.append(("policy", "\"replace\""))
            members.append(("if_started", "\"\(ifStarted.rawValue)\""))
        }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
}

extension UniqueRule.Part {
    package init?(_ word: String) {
        switch word {
        case "job": self = .job
        case "queue": self = .queue
        case "owner": self = .owner
        case "organization": self = .organization
        case "args": self = .args
        default:
            guard word.hasPrefix("args."), word.utf8.count > 5, word.utf8.count <= 205, !word.utf8.contains(0) else {
                return nil
            }
            self = .member(String(word.dropFirst(5)))
        }
    }

    package var word: String {
        switch self {
        case .job: "job"
        case .queue: "queue"
        case .owner: "owner"
        case .organization: "organization"
        case .args: "args"
        case .member(let name): "args." + name
        }
    }
}
