package import JobCore

/// What was looked at and done for safety.
package struct SweepRow: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// By one host for all.
        case sweep
        /// By each host, of what is on its machine.
        case host
        /// Somebody has ordered it.
        case cleanupStale = "cleanup_stale"
        case orphans
    }

    package var id: Int64 = 0
    package var at = WallTime(micros: 0)
    package var kind: Kind
    /// Whether what was found was put right too.
    package var hasActed: Bool
    package var hostID: HostID?
    package var actor: String?
    package var reason: String?
    package var took: Duration = .zero
    /// Stale runs, and what became of them.
    package var stale = 0
    package var failed = 0
    package var requeued = 0
    package var untouched = 0
    /// The first thousand of those that were ended.
    package var runs: [RunID] = []
    /// Orphans by kind: found, and put right.
    package var orphans: [OrphanKind: Int] = [:]
    package var cleaned: [OrphanKind: Int] = [:]

    package init(kind: Kind, hasActed: Bool) {
        self.kind = kind
        self.hasActed = hasActed
    }

    package mutating func count(_ answers: [StaleAnswer], of runs: [RunID]) {
        failed += answers.count { $0 == .failed }
        requeued += answers.count { $0 == .requeued }
        untouched += answers.count { $0 == .untouched }
        self.runs += zip(runs, answers).filter { $0.1 != .untouched }.map(\.0)
    }
}
