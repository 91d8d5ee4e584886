import JobCore
import JobStore

/// What this host has decided about one plugin and has not brought into the database yet. Never more than a few: a later
/// decision about the same matter takes the place of an earlier one. Pure.
struct PluginDecisions {
    struct Pending: Equatable {
        var decision: PluginDecision
        /// What a person has seen, and wants to change only that; nil: a file decided.
        var revision: Int64?
        /// What this host had seen when it decided; nil: nothing.
        var base: Int64?
        /// Who asked for it.
        var ask: Int?
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
        self.pending.removeAll { Self.overtakes(new.decision.change, $0.decision.change) }
        self.pending.append(new)
    }

    mutating func removeFirst() { self.pending.removeFirst() }

    /// One of them was written: the rest was decided with it in mind.
    mutating func rebase(from old: Int64, to new: Int64) {
        for index in self.pending.indices where self.pending[index].base == old { self.pending[index].base = new }
    }

    /// Which version serves, whether any, and whether files count are three matters. A trial takes the place of another trial, not
    /// of the version that it begins beside.
    private static func overtakes(_ new: PluginChange, _ old: PluginChange) -> Bool {
        switch (new, old) {
        case (.activate, .activate), (.activate, .canary), (.activate, .endCanary), (.activate, .retire),
            (.retire, .activate), (.retire, .canary), (.retire, .endCanary), (.retire, .retire),
            (.canary, .canary), (.canary, .endCanary), (.endCanary, .canary), (.endCanary, .endCanary),
            (.disable, .disable), (.disable, .enable), (.enable, .disable), (.enable, .enable), (.pin, .pin):
            true
        default: false
        }
    }

    /// What nobody has changed since the decider saw it is changed, whatever clocks say: a host whose clock is behind is not
    /// shut out. Of two who decided without knowing of each other the later one counts, however late it is written: a host that
    /// was cut off for an hour must not undo what was decided meanwhile. Only there are clocks compared.
    static func verdict(on pending: Pending, row: PluginRow?) -> Verdict {
        guard let row else { return .write(ifRevision: pending.revision ?? 0) }
        if let seen = pending.revision { return seen == row.revision ? .write(ifRevision: seen) : .superseded }
        if pending.base == row.revision { return .write(ifRevision: row.revision) }
        if let changedAt = row.changedAt, changedAt > pending.decision.at { return .superseded }
        return .write(ifRevision: row.revision)
    }
}
