import JobCore
import JobStore
import UVLoop

/// What was shown to somebody before it is done. Kept in memory for some minutes.
struct CleanupPlans {
    struct Plan: Sendable {
        var runs: [StaleRun]
        var olderThan: Duration
        var outcome: StaleOutcome
        var expires: LoopInstant
    }

    static let life = Duration.seconds(600)
    /// More are not kept; those that end soonest go first.
    private static let limit = 100

    private var plans: [String: Plan] = [:]

    /// - Returns: the plan's name.
    mutating func make(_ runs: [StaleRun], olderThan: Duration, outcome: StaleOutcome, now: LoopInstant = .now)
        -> String
    {
        plans = plans.filter { $0.value.expires > now }
        if plans.count >= Self.limit, let first = plans.min(by: { $0.value.expires < $1.value.expires }) {
            plans[first.key] = nil
        }
        let bits = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)]
        let name = "pln_" + Base64URL.encode(bits.flatMap(\.bigEndianBytes))
        plans[name] = Plan(runs: runs, olderThan: olderThan, outcome: outcome, expires: now.advanced(by: Self.life))
        return name
    }

    /// The plan, once: what was done is not done again.
    mutating func take(_ name: String, now: LoopInstant = .now) -> Plan? {
        guard let plan = plans.removeValue(forKey: name), plan.expires > now else { return nil }
        return plan
    }

    /// Whether what is stale now is so much more than what was shown that somebody should look again.
    static func hasGrown(_ plan: Plan, now count: Int) -> Bool {
        let growth = count - plan.runs.count
        return growth > 100 || (growth > 0 && growth * 10 > plan.runs.count && growth > 1)
    }
}
