package import JobCore
import Postgres

/// The policy with what belongs to its row.
package struct PolicyRow: Sendable, Hashable {
    package var policy: SafetyPolicy
    package var revision: Int64
    package var updatedAt: WallTime
    package var updatedBy: String?
    /// When some host last swept for all; before the first sweep: when the table was made.
    package var sweptAt: WallTime
    /// The next sweep is due.
    package var isDue = false
}

package enum PolicyAnswer: Sendable, Hashable {
    case changed(PolicyRow)
    /// It is another one by now.
    case mismatch(Int64)
}

extension JobStore {
    package func safetyPolicy() async throws(StoreError) -> PolicyRow {
        try await decoding {
            guard let row = try await self.pool.query(.policyRead).first else {
                // Deleted by hand: nobody sweeps then, and what is usual is shown.
                return PolicyRow(
                    policy: SafetyPolicy(mode: .off), revision: 0, updatedAt: WallTime(micros: 0),
                    sweptAt: WallTime(micros: 0))
            }
            var reader = RowReader(row)
            var policy = SafetyPolicy(
                mode: try reader.word(SafetyPolicy.Mode.self), outcome: try reader.word(StaleOutcome.self),
                staleAfter: .milliseconds(try reader.int64()))
            policy.stuck.times = StuckTimes(
                low: .milliseconds(try reader.int64()), medium: .milliseconds(try reader.int64()),
                high: .milliseconds(try reader.int64()), critical: .milliseconds(try reader.int64()))
            policy.stuck.slowFactor = Double(try reader.text()) ?? 3
            policy.stuck.idleAfter = .milliseconds(try reader.int64())
            policy.sweepEvery = .milliseconds(try reader.int64())
            return PolicyRow(
                policy: policy, revision: try reader.int64(), updatedAt: try reader.time(),
                updatedBy: try reader.textOrNil(), sweptAt: try reader.time(),
                isDue: try reader.bool())
        }
    }

    /// - Parameter ifRevision: what the caller has seen; nil: whatever is there.
    package func setSafetyPolicy(
        _ policy: SafetyPolicy, ifRevision: Int64?, actor: String?, reason: String? = nil
    ) async throws(StoreError) -> PolicyAnswer {
        do throws(FieldFault) { try policy.check() } catch { throw .invalid(error) }
        let times = Severity.allCases.map { policy.stuck.times[$0].wholeMilliseconds }
        let parameters: [PGParameter] = [
            .text(policy.mode.rawValue), .text(policy.outcome.rawValue),
            .int64(policy.staleAfter.wholeMilliseconds), .int64Array(times), .text("\(policy.stuck.slowFactor)"),
            .int64(policy.stuck.idleAfter.wholeMilliseconds), .int64(policy.sweepEvery.wholeMilliseconds),
            .text(orNull: actor), .int64(orNull: ifRevision),
        ]
        let isChanged = try await withTransaction { connection -> Bool in
            guard try await !connection.query(.policyWrite, parameters).isEmpty else { return false }
            _ = try await connection.query(
                .auditNote,
                Self.auditNote(
                    actor, "safety.policy", "policy",
                    "{\"mode\":\"\(policy.mode.rawValue)\",\"reason\":\(reason.map(JSONText.quoted) ?? "null")}"))
            return true
        }
        let row = try await safetyPolicy()
        return isChanged ? .changed(row) : .mismatch(row.revision)
    }
}
