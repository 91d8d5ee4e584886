package import JobCore

/// What all hosts are to serve of one plugin: the truth of its activation.
package struct PluginRow: Sendable, Hashable {
    /// A version that is tried beside the active one.
    package struct Canary: Sendable, Hashable {
        package var sha256: String
        /// JSON text: how it is tried.
        package var policy: String

        package init(sha256: String, policy: String) {
            self.sha256 = sha256
            self.policy = policy
        }
    }

    package var name: String
    /// Nil: none serves.
    package var active: String?
    /// What served before it, and before that: both are kept, for a rollback.
    package var previous: String?
    package var older: String?
    package var canary: Canary?
    /// Nothing of it is served, whatever is active.
    package var isDisabled: Bool
    /// Files that appear do not change it.
    package var isPinned: Bool
    /// Grows with each change: the guard, and the ETag. 0: nothing was ever decided.
    package var revision: Int64
    /// When it was decided; may be before it was written.
    package var changedAt: WallTime?
    package var changedBy: String?
    /// Whose file it is; nil: nobody's.
    package var originHost: HostID?
    package var reason: String?
    package var createdAt: WallTime

    package init(
        name: String, active: String? = nil, previous: String? = nil, older: String? = nil, canary: Canary? = nil,
        isDisabled: Bool = false, isPinned: Bool = false, revision: Int64 = 0, changedAt: WallTime? = nil,
        changedBy: String? = nil, originHost: HostID? = nil, reason: String? = nil,
        createdAt: WallTime = WallTime(micros: 0)
    ) {
        self.name = name
        self.active = active
        self.previous = previous
        self.older = older
        self.canary = canary
        self.isDisabled = isDisabled
        self.isPinned = isPinned
        self.revision = revision
        self.changedAt = changedAt
        self.changedBy = changedBy
        self.originHost = originHost
        self.reason = reason
        self.createdAt = createdAt
    }

    /// What a host is to serve.
    package var wanted: String? { isDisabled ? nil : active }

    /// The versions that it names, for whatever purpose.
    package var versions: [String] { [active, previous, older, canary?.sha256].compactMap(\.self) }
}

/// A decision about a plugin.
package enum PluginChange: Sendable, Hashable {
    /// This version serves from now on. Ends a canary. What served moves to `previous`.
    case activate(String)
    /// This version is tried beside the active one; `policy` is JSON text.
    case canary(String, policy: String)
    /// The canary is over, and does not serve.
    case endCanary
    /// None serves any more.
    case retire
    case disable
    case enable
    case pin(Bool)
    /// The bytes of a version that served before are gone: nobody can go back to it.
    case forget(String)

    /// The version that it is about.
    package var version: String? {
        switch self {
        case .activate(let sha256), .canary(let sha256, _), .forget(let sha256): sha256
        case .endCanary, .retire, .disable, .enable, .pin: nil
        }
    }

    /// For audit and events.
    package var word: String {
        switch self {
        case .activate: "activate"
        case .canary: "canary"
        case .endCanary: "end_canary"
        case .retire: "retire"
        case .disable: "disable"
        case .enable: "enable"
        case .pin(let isPinned): isPinned ? "pin" : "unpin"
        case .forget: "remove"
        }
    }
}

/// Who decided, when, and why.
package struct PluginDecision: Sendable, Hashable {
    package var change: PluginChange
    /// By the decider's clock; the future counts as now.
    package var at: WallTime
    /// A person, or a host's name.
    package var by: String?
    /// Whose file is served from now on; nil: nobody's.
    package var host: HostID?
    package var reason: String?
    /// Nobody has looked at what it would break.
    package var isForced: Bool

    package init(
        _ change: PluginChange, at: WallTime, by: String? = nil, host: HostID? = nil, reason: String? = nil,
        isForced: Bool = false
    ) {
        self.change = change
        self.at = at
        self.by = by
        self.host = host
        self.reason = reason
        self.isForced = isForced
    }
}

package enum PluginAnswer: Sendable, Hashable {
    case changed(PluginRow)
    /// It was so already.
    case unchanged(PluginRow)
    /// Somebody has changed it since: nothing was done.
    case mismatch(PluginRow)

    package var row: PluginRow {
        switch self {
        case .changed(let row), .unchanged(let row), .mismatch(let row): row
        }
    }
}

extension PluginRow {
    /// The row after a decision; nil: it changes nothing.
    package func applying(_ change: PluginChange) -> PluginRow? {
        var row = self
        switch change {
        case .activate(let sha256):
            if sha256 != active { row.push(sha256) }
            row.canary = nil
        case .canary(let sha256, let policy):
            // Nothing serves: there is nothing to try it beside.
            if active == nil { return applying(.activate(sha256)) }
            if sha256 == active { return applying(.endCanary) }
            row.canary = Canary(sha256: sha256, policy: policy)
        case .endCanary: row.canary = nil
        case .retire:
            if active != nil { row.push(nil) }
            row.canary = nil
        case .disable: row.isDisabled = true
        case .enable: row.isDisabled = false
        case .pin(let isPinned): row.isPinned = isPinned
        case .forget(let sha256):
            let before = [previous, older].compactMap(\.self).filter { $0 != sha256 }
            row.previous = before.first
            row.older = before.dropFirst().first
        }
        return row == self ? nil : row
    }

    /// Each version stands in one place, the newest that served first.
    private mutating func push(_ sha256: String?) {
        let before = [active, previous, older].compactMap(\.self).filter { $0 != sha256 }
        active = sha256
        previous = before.first
        older = before.dropFirst().first
    }
}

/// A version of a plugin, as some host has seen it.
package struct PluginVersionRow: Sendable, Hashable {
    package enum Kind: String, Sendable { case native, ffi }
    package enum Source: String, Sendable { case directory, upload }
    package enum State: String, Sendable { case usable, rejected, removed }

    /// Names it: the SHA-256 of its bytes (and, for manifests of C functions, of their text), hexadecimal.
    package var sha256: String
    package var plugin: String
    /// The author's label.
    package var label: String?
    package var abi: String?
    package var sizeBytes: Int64
    /// JSON text: what the plugin says of itself.
    package var manifest: String?
    package var firstSeenAt: WallTime
    package var lastActiveAt: WallTime?
    package var kind: Kind
    package var fileName: String?
    /// Of its ELF notes, hexadecimal.
    package var buildID: String?
    package var source: Source
    package var uploadedBy: String?
    /// Name of the key.
    package var signedBy: String?
    package var state: State
    /// Why it is not usable.
    package var problem: String?
    /// Whether its bytes are in the database.
    package var hasBytes: Bool

    package init(
        sha256: String, plugin: String, label: String? = nil, abi: String? = nil, sizeBytes: Int64 = 0,
        manifest: String? = nil, firstSeenAt: WallTime = WallTime(micros: 0), lastActiveAt: WallTime? = nil,
        kind: Kind = .native, fileName: String? = nil, buildID: String? = nil, source: Source = .directory,
        uploadedBy: String? = nil, signedBy: String? = nil, state: State = .usable, problem: String? = nil,
        hasBytes: Bool = false
    ) {
        self.sha256 = sha256
        self.plugin = plugin
        self.label = label
        self.abi = abi
        self.sizeBytes = sizeBytes
        self.manifest = manifest
        self.firstSeenAt = firstSeenAt
        self.lastActiveAt = lastActiveAt
        self.kind = kind
        self.fileName = fileName
        self.buildID = buildID
        self.source = source
        self.uploadedBy = uploadedBy
        self.signedBy = signedBy
        self.state = state
        self.problem = problem
        self.hasBytes = hasBytes
    }
}

/// One step in the life of a plugin, to be written.
package struct NewPluginEvent: Sendable, Hashable {
    package var plugin: String
    package var sha256: String?
    package var at: WallTime
    package var kind: String
    /// JSON text.
    package var detail: String?

    package init(plugin: String, sha256: String? = nil, at: WallTime, kind: String, detail: String? = nil) {
        self.plugin = plugin
        self.sha256 = sha256
        self.at = at
        self.kind = kind
        self.detail = detail
    }
}

package struct PluginEventRow: Sendable, Hashable {
    /// Grows: the cursor.
    package var id: Int64
    package var plugin: String
    package var sha256: String?
    package var host: HostID?
    package var hostname: String?
    package var at: WallTime
    package var kind: String
    /// JSON text.
    package var detail: String?
    /// The author's, of the version.
    package var label: String?
}

/// What one host has of one plugin.
package struct PluginHostNote: Sendable, Hashable {
    package var plugin: String
    /// What it serves; nil: nothing.
    package var sha256: String?
    /// What it has beside it and does not serve to all.
    package var candidate: String?
    package var state: String
    /// Why it does not serve what it should.
    package var problem: String?

    package init(plugin: String, sha256: String?, candidate: String? = nil, state: String, problem: String? = nil) {
        self.plugin = plugin
        self.sha256 = sha256
        self.candidate = candidate
        self.state = state
        self.problem = problem
    }
}

package struct PluginHostRow: Sendable, Hashable {
    package var host: HostID
    package var hostname: String
    /// `running`, `stopping`, `stopped`, `silent`.
    package var hostState: String
    package var note: PluginHostNote
    package var updatedAt: WallTime
    /// The host is there and serves something else than all are to serve.
    package var isDrift: Bool
}
