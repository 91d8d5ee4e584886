import JobCore
import JobStore

/// What this host has decided about one plugin and has not brought into the database yet. Never more than a few: a later
/// decision about the same matter takes the place of an earlier one. Pure.
struct PluginDecisions {
    struct Pending: Equatable {
        var decision: PluginDecision
        /// What a person has seen, and wants to change only that; nil: a file decided.
        var revision: Int64?
        /// A file of this host's: its number may not be known yet.
        var isFile = false
    }

    /// What becomes of a decision, given the row as it is now.
    enum Verdict: Equatable {
        /// Write it, if the row still has this revision.
        case write(ifRevision: Int64)
        /// Somebody has decided later: the row counts.
        case superseded
    }

    private(set) var pending: [Pending] = []

    var first: Pending? { self.pending.first }
    var isEmpty: Bool { self.pending.isEmpty }

    mutating func add(_ new: Pending) {
        self.pending.removeAll { Self.matter($0.decision.change) == Self.matter(new.decision.change) }
        self.pending.append(new)
    }

    mutating func removeFirst() { self.pending.removeFirst() }

    /// Which version serves, and whether any, are two matters.
    private static func matter(_ change: PluginChange) -> Int {
        switch change {
        case .activate, .canary, .endCanary, .retire: 0
        case .disable, .enable: 1
        case .pin: 2
        }
    }

    /// The later decision counts, however late it is written: a host that was cut off for an hour must not undo what was
    /// decided meanwhile.
    static func verdict(on pending: Pending, row: PluginRow?) -> Verdict {
        guard let row else { return .write(ifRevision: pending.revision ?? 0) }
        if let seen = pending.revision { return seen == row.revision ? .write(ifRevision: seen) : .superseded }
        if let changedAt = row.changedAt, changedAt > pending.decision.at { return .superseded }
        return .write(ifRevision: row.revision)
    }
}
