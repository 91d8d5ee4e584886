package import JobCore
package import Supervision

/// One plugin as this host has it: its versions side by side, since the host's start.
package struct PluginReport: Sendable, Hashable {
    package var name: String
    /// Of the plugin directory; nil where it came another way.
    package var file: String?
    package var kind: PluginStatus.Kind
    package var state: PluginStatus.State
    /// Exact words of what is wrong with the newest file; the older version may still be serving.
    package var error: String?
    package var isDisabled: Bool
    /// What serves.
    package var active: String?
    /// What served before it, the latest first; at most two.
    package var previous: [String]
    package var canary: CanaryReport?
    /// What would serve, if nothing spoke against it.
    package var held: HeldReport?
    /// The newest first; at most a dozen.
    package var versions: [PluginVersionReport]

    package init(
        name: String, file: String?, kind: PluginStatus.Kind, state: PluginStatus.State, error: String? = nil,
        isDisabled: Bool = false, active: String? = nil, previous: [String] = [], canary: CanaryReport? = nil,
        held: HeldReport? = nil, versions: [PluginVersionReport] = []
    ) {
        self.name = name
        self.file = file
        self.kind = kind
        self.state = state
        self.error = error
        self.isDisabled = isDisabled
        self.active = active
        self.previous = previous
        self.canary = canary
        self.held = held
        self.versions = versions
    }
}

/// One version of a plugin on this host.
package struct PluginVersionReport: Sendable, Hashable {
    package var sha256: String
    /// The author's; nil until it was loaded.
    package var label: String?
    package var state: VersionState
    /// Why it does not serve; for people.
    package var problem: String?
    /// Size of the shared library.
    package var bytes: UInt64
    /// The key that has signed it, base64; nil: none that is trusted.
    package var signedBy: String?
    package var loadedAt: WallTime?
    /// What happened to it, in order; the last forty.
    package var steps: [PluginEvent]
    package var manifest: PluginManifest?
    /// Attempts that were given to it, that ended, that failed by themselves, and whose process crashed.
    package var started: Int
    package var ended: Int
    package var failed: Int
    package var crashed: Int
    /// What it said while loading, and how its attempts are executed where that is not as usual.
    package var notes: [String]
    /// Of a manifest of C functions, once it was loaded: what its library says of them.
    package var declarations: DeclarationCheck?

    /// Given to it and not ended.
    package var running: Int { max(0, self.started - self.ended) }
}

/// Where a version of a plugin is.
package enum VersionState: String, Sendable, CaseIterable {
    case staged, warming, canary, held, active, draining, retired, rejected
    case rolledBack = "rolled_back"
    case crashLoop = "crash_loop"
}

/// A trial on this host.
package struct CanaryReport: Sendable, Hashable {
    package var sha256: String
    package var policy: CanaryPolicy
    package var deadline: WallTime
    /// Of its runs on this host.
    package var started: Int
    package var ended: Int
    package var failed: Int
    package var crashed: Int
}

/// A version that is ready and does not serve.
package struct HeldReport: Sendable, Hashable {
    package var sha256: String
    package var problems: [ContractProblem]
    /// For people.
    package var words: String
}
