package import JobCore

/// One plugin as this host has it: its versions side by side.
package struct PluginFacts: Sendable, Hashable {
    package var name: String
    /// Of the directory; nil where it was not found in one.
    package var file: String?
    /// `native` or `ffi`.
    package var kind: String
    /// The newest first.
    package var versions: [PluginVersionFacts]
    /// A version that would serve, if nothing spoke against it.
    package var held: HeldVersion?
    /// A version that is tried.
    package var canary: CanaryFacts?

    package init(
        name: String, file: String? = nil, kind: String = "native", versions: [PluginVersionFacts] = [],
        held: HeldVersion? = nil, canary: CanaryFacts? = nil
    ) {
        self.name = name
        self.file = file
        self.kind = kind
        self.versions = versions
        self.held = held
        self.canary = canary
    }
}

/// One version of a plugin on this host, since the host's start.
package struct PluginVersionFacts: Sendable, Hashable {
    /// SHA-256, hexadecimal.
    package var version: String
    /// The author's.
    package var label: String?
    /// `staged`, `verifying`, `warming`, `canary`, `held`, `active`, `draining`, `retired`, `rejected`, `crash_loop`, …
    package var state: String
    /// Exactly why it does not serve; for people.
    package var error: String?
    package var bytes: Int64?
    package var loadedAt: WallTime?
    package var signedBy: String?
    /// What happened to it, in order.
    package var steps: [PluginStep]
    package var handlers: [PluginView.Handler]
    /// Attempts that it has begun, those that failed by themselves, and those whose process crashed.
    package var runs: Int
    package var failed: Int
    package var crashed: Int
    /// Attempts that run on it now.
    package var running: Int
    package var notes: [String]

    package init(
        version: String, label: String? = nil, state: String, error: String? = nil, bytes: Int64? = nil,
        loadedAt: WallTime? = nil, signedBy: String? = nil, steps: [PluginStep] = [],
        handlers: [PluginView.Handler] = [], runs: Int = 0, failed: Int = 0, crashed: Int = 0, running: Int = 0,
        notes: [String] = []
    ) {
        self.version = version
        self.label = label
        self.state = state
        self.error = error
        self.bytes = bytes
        self.loadedAt = loadedAt
        self.signedBy = signedBy
        self.steps = steps
        self.handlers = handlers
        self.runs = runs
        self.failed = failed
        self.crashed = crashed
        self.running = running
        self.notes = notes
    }
}

package struct PluginStep: Sendable, Hashable {
    /// `staged`, `verified`, `warming`, `canary`, `active`, …
    package var name: String
    package var at: WallTime
    /// For people.
    package var detail: String?

    package init(name: String, at: WallTime, detail: String? = nil) {
        self.name = name
        self.at = at
        self.detail = detail
    }
}

/// A version that is not activated because of what it would break.
package struct HeldVersion: Sendable, Hashable {
    package var version: String
    package var problems: [ContractProblem]
    /// For people: where it is held for another reason too.
    package var words: String

    package init(version: String, problems: [ContractProblem], words: String = "") {
        self.version = version
        self.problems = problems
        self.words = words
    }
}

/// How a version is tried.
package struct CanaryWish: Sendable, Hashable {
    /// Its share of the runs; else the first `runs`.
    package var percent: Int?
    package var runs: Int?
    /// Judged by no fewer; nil: the usual.
    package var minimumRuns: Int?
    /// Rolled back when a larger share of its runs crashes; nil: the usual.
    package var crashPercentBound: Double?
    /// Judged after this time at the latest; nil: the usual.
    package var limit: Duration?

    package init(
        percent: Int? = nil, runs: Int? = nil, minimumRuns: Int? = nil, crashPercentBound: Double? = nil,
        limit: Duration? = nil
    ) {
        self.percent = percent
        self.runs = runs
        self.minimumRuns = minimumRuns
        self.crashPercentBound = crashPercentBound
        self.limit = limit
    }
}

/// A canary on this host.
package struct CanaryFacts: Sendable, Hashable {
    package var version: String
    package var percent: Int?
    package var runs: Int?
    package var minimumRuns: Int
    package var crashPercentBound: Double
    package var deadline: WallTime?
    /// Of its runs on this host.
    package var ended: Int
    package var crashed: Int

    package init(
        version: String, percent: Int? = nil, runs: Int? = nil, minimumRuns: Int, crashPercentBound: Double,
        deadline: WallTime? = nil, ended: Int = 0, crashed: Int = 0
    ) {
        self.version = version
        self.percent = percent
        self.runs = runs
        self.minimumRuns = minimumRuns
        self.crashPercentBound = crashPercentBound
        self.deadline = deadline
        self.ended = ended
        self.crashed = crashed
    }
}

/// What somebody wants to be done with a plugin.
package struct PluginOrder: Sendable, Hashable {
    package enum Action: Sendable, Hashable {
        /// - Parameter force: even if waiting runs or schedules do not fit it.
        case activate(version: String, force: Bool)
        case rollback
        case canary(version: String, CanaryWish)
        case disable
        case enable
        /// Starts it again though its processes died too often.
        case unquarantine
        /// Whether files that appear change nothing.
        case pin(Bool)
        case remove(version: String)
    }

    package var plugin: String
    package var action: Action
    /// Who; for the record.
    package var actor: String
    package var reason: String?
    /// The plugin's revision that they have seen; nil: whatever it is.
    package var revision: Int64?

    package init(plugin: String, action: Action, actor: String, reason: String? = nil, revision: Int64? = nil) {
        self.plugin = plugin
        self.action = action
        self.actor = actor
        self.reason = reason
        self.revision = revision
    }
}

/// A file that came over HTTP. Whoever is given it must have read it when the call returns: the file is removed then.
package struct PluginUpload: Sendable, Hashable {
    /// The plugin that it is to be a version of: it must call itself so.
    package var plugin: String
    package var path: String
    package var bytes: Int64
    /// As its maker calls it; its ending tells what it is. Never used for a path.
    package var fileName: String
    /// Base64 of 64 bytes; checked by the host against its trusted keys.
    package var signature: String?
    /// False: keep it ready only.
    package var activates: Bool
    package var canary: CanaryWish?
    package var force: Bool
    package var actor: String
    package var reason: String?

    package init(
        plugin: String, path: String, bytes: Int64, fileName: String, signature: String? = nil, activates: Bool = true,
        canary: CanaryWish? = nil, force: Bool = false, actor: String, reason: String? = nil
    ) {
        self.plugin = plugin
        self.path = path
        self.bytes = bytes
        self.fileName = fileName
        self.signature = signature
        self.activates = activates
        self.canary = canary
        self.force = force
        self.actor = actor
        self.reason = reason
    }
}

/// What became of an upload that was not refused.
package struct PluginProposal: Sendable, Hashable {
    /// SHA-256, hexadecimal.
    package var version: String
    package var label: String?
    /// `active`, `canary`, `held`, `staged`, …
    package var state: String
    /// False: these bytes serve already.
    package var hasChanged: Bool
    /// Why it is held.
    package var problems: [ContractProblem]
    /// For people.
    package var detail: String?

    package init(
        version: String, label: String? = nil, state: String, hasChanged: Bool = true,
        problems: [ContractProblem] = [], detail: String? = nil
    ) {
        self.version = version
        self.label = label
        self.state = state
        self.hasChanged = hasChanged
        self.problems = problems
        self.detail = detail
    }
}

/// Why something was not done with a plugin.
package struct PluginFault: Error, Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// There is no such plugin or version.
        case notFound
        /// What is there cannot be used: no shared library, not signed, refused by the probe.
        case refused
        /// The state of things forbids it.
        case conflict
        /// Somebody changed the plugin meanwhile.
        case changed
        /// It may work later: the database is away, the host drains.
        case unavailable
    }

    package var kind: Kind
    /// Stable, for programs.
    package var code: String
    /// For people; exact.
    package var words: String
    package var problems: [ContractProblem]

    package init(_ kind: Kind, _ code: String, _ words: String, problems: [ContractProblem] = []) {
        self.kind = kind
        self.code = code
        self.words = words
        self.problems = problems
    }
}

/// The schemas of a handler that this host serves.
package struct HandlerSchemas: Sendable, Hashable {
    /// SHA-256 of the plugin, hexadecimal.
    package var version: String
    /// JSON Schema texts.
    package var args: String?
    package var result: String?

    package init(version: String, args: String? = nil, result: String? = nil) {
        self.version = version
        self.args = args
        self.result = result
    }
}
