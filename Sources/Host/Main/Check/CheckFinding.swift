import JobCore

/// One thing that `pawl check` found out about a plugin.
struct CheckFinding: Sendable {
    enum Level: String, Sendable, Comparable {
        case ok, note, warning, refused

        private var rank: Int {
            switch self {
            case .ok: 0
            case .note: 1
            case .warning: 2
            case .refused: 3
            }
        }

        static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }
    }

    /// Stable word, e.g. `exports`.
    var check: String
    var level: Level
    /// What is there.
    var words: String
    /// What to do about it; nil where nothing is.
    var advice: String?

    init(_ check: String, _ level: Level, _ words: String, advice: String? = nil) {
        self.check = check
        self.level = level
        self.words = words
        self.advice = advice
    }

    var json: JSONValue {
        var members = [
            JSONMember("check", .string(self.check)), JSONMember("level", .string(self.level.rawValue)),
            JSONMember("words", .string(self.words)),
        ]
        if let advice { members.append(JSONMember("advice", .string(advice))) }
        return .object(members)
    }
}
