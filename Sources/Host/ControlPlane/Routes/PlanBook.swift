import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// What was shown to somebody before it is done. Kept in memory for some minutes.
struct PlanBook<Content: Sendable> {
    private struct Entry {
        var content: Content
        var expires: LoopInstant
    }

    /// More are not kept; those that end soonest go first.
    private static var limit: Int { 100 }

    private var entries: [String: Entry] = [:]

    /// - Returns: the plan's name.
    mutating func make(_ content: Content, now: LoopInstant = .now) -> String {
        let bits = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)]
        let name = "pln_" + Base64URL.encode(bits.flatMap(\.bigEndianBytes))
        put(content, name, now: now)
        return name
    }

    /// The plan, once: what was done is not done again.
    mutating func take(_ name: String, now: LoopInstant = .now) -> Content? {
        guard let entry = entries.removeValue(forKey: name), entry.expires > now else { return nil }
        return entry.content
    }

    /// A plan of which a part is left.
    mutating func put(_ content: Content, _ name: String, now: LoopInstant = .now) {
        entries = entries.filter { $0.value.expires > now }
        if entries.count >= Self.limit, let first = entries.min(by: { $0.value.expires < $1.value.expires }) {
            entries[first.key] = nil
        }
        entries[name] = Entry(content: content, expires: now.advanced(by: Plans.life))
    }
}

/// What holds for all plans.
enum Plans {
    static let life = Duration.seconds(600)

    /// Whether what would be hit now is so much more than what was shown that somebody should look again: by more than a tenth,
    /// or a hundred. One more is never too many.
    static func hasGrown(from shown: Int64, to now: Int64) -> Bool {
        let growth = now - shown
        return growth > 100 || (growth > 1 && growth * 10 > shown)
    }

    static var unknown: Problem {
        Problem(
            .conflict, "plan_unknown", "The plan is over, was done, or was made by another host. Make a new one.",
            fields: [.init(.pointer("/plan"), "plan_unknown", "is no plan of this host")])
    }

    static func mismatch(_ detail: String) -> Problem {
        Problem(
            .conflict, "plan_mismatch", detail,
            fields: [.init(.pointer("/plan"), "plan_mismatch", "was made with other values")])
    }

    /// - Parameter plan: the new one, as its request would have been answered.
    static func changed(from shown: Int64, to now: Int64, _ what: String, plan: JSONObject? = nil) -> Problem {
        var problem = Problem(
            .conflict, "plan_changed", "\(now) runs \(what) now, \(shown) were in the plan. Look again.",
            fields: [.init(.pointer("/plan"), "plan_changed", "shows less than what would be hit")])
        problem.plan = plan?.text
        return problem
    }
}

/// Runs that somebody saw as stale.
struct StalePlan: Sendable {
    var runs: [StaleRun]
    var olderThan: Duration
    var outcome: StaleOutcome
    /// Empty: of all.
    var queues: Set<String> = []
}

/// A piece of work that may take longer than one request should: it goes on until its time is over.
struct WorkTime {
    /// Clients wait for a minute or so.
    static let length = Duration.seconds(20)
    private let end = LoopInstant.now.advanced(by: length)

    var isOver: Bool { LoopInstant.now >= end }
}
