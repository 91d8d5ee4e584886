import JobStore
import Plugins

/// What a person wants of a plugin: who, why, and what they have seen of it.
package struct PluginWish: Sendable, Hashable {
    /// What it is about: only decisions about that are theirs.
    package enum Matter: Sendable, Hashable {
        /// This version is to serve, to be tried, or only to be kept.
        case version(String)
        case rollback
        case disable
        case enable
        /// Nothing that all hosts share.
        case other
    }

    package var matter: Matter
    package var by: String
    package var reason: String?
    /// The revision that they have seen: if it is another one by then, nothing is changed. Nil: whatever it is.
    package var revision: Int64?
    /// Even if it breaks what waits.
    package var isForced: Bool

    package init(
        _ matter: Matter, by: String, reason: String? = nil, revision: Int64? = nil, isForced: Bool = false
    ) {
        self.matter = matter
        self.by = by
        self.reason = reason
        self.revision = revision
        self.isForced = isForced
    }
}

/// A wish on its way.
struct PluginAsk {
    let number: Int
    let wish: PluginWish
    /// Something was decided for it.
    var isTaken = false
    /// It was in vain.
    var fault: ReloadFault?
}

extension PluginWish.Matter {
    /// Whether a decision is what they wanted.
    /// - Parameter source: of a version that serves now.
    func covers(_ change: PluginChange, _ source: ProposalSource?) -> Bool {
        switch (self, change) {
        case (.version(let wanted), .activate(let sha256)), (.version(let wanted), .canary(let sha256, _)):
            wanted == sha256
        case (.rollback, .activate): source == .rollback || source == .order
        case (.rollback, .endCanary), (.disable, .disable), (.enable, .enable): true
        case (.version, _), (.rollback, _), (.disable, _), (.enable, _), (.other, _): false
        }
    }
}
