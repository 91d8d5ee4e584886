package import JobCore
package import Supervision

/// What is known of one plugin file, for people.
package struct PluginStatus: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// A shared library of our ABI.
        case native
        /// A manifest of C functions, served by the bridge.
        case ffi
    }

    package enum State: String, Sendable {
        /// Seen, not yet looked at.
        case staged
        /// Being copied, hashed and checked.
        case verifying
        /// Its zygote is loading it.
        case warming
        /// Serves.
        case active
        /// Serves no new attempts; some are still running.
        case draining
        /// Gone.
        case retired
        /// Cannot be served; `error` says why.
        case rejected
        /// Its zygote died again and again.
        case crashLoop = "crash_loop"
        /// Ready, and not allowed to serve.
        case held
        /// Serves nothing, by somebody's order.
        case disabled
    }

    /// Name of the file in the plugin directory.
    package var file: String
    package var kind: Kind
    /// Of the plugin; until it is known, of the file.
    package var name: String
    /// For people, from the manifest.
    package var version: String?
    /// Names the bytes.
    package var sha256: String?
    package var state: State
    /// Exact words of what is wrong with the newest file; the older version may still be serving.
    package var error: String?
    package var handlers: [HandlerManifest]
    package var loadedAt: WallTime?
    /// What it said while loading, and how its attempts are executed where that is not as usual, with the reason.
    package var notes: [String]

    package init(
        file: String, kind: Kind, name: String, version: String? = nil, sha256: String? = nil, state: State,
        error: String? = nil, handlers: [HandlerManifest] = [], loadedAt: WallTime? = nil, notes: [String] = []
    ) {
        self.file = file
        self.kind = kind
        self.name = name
        self.version = version
        self.sha256 = sha256
        self.state = state
        self.error = error
        self.handlers = handlers
        self.loadedAt = loadedAt
        self.notes = notes
    }
}

/// A version that serves from now on, or would.
package struct ActivePlugin: Sendable, Hashable {
    /// Name of the file in the plugin directory; where it came another way, the name that it would have there.
    package var file: String
    package var kind: PluginStatus.Kind
    package var sha256: String
    package var bytes: UInt64
    package var manifest: PluginManifest
    package var loadedAt: WallTime
    /// The version it takes over from.
    package var replaces: String?
    package var image: PluginImage
    /// Where it came from, or who wanted it to serve.
    package var source: ProposalSource

    package init(
        file: String, kind: PluginStatus.Kind, image: PluginImage, manifest: PluginManifest, loadedAt: WallTime,
        replaces: String? = nil, source: ProposalSource
    ) {
        self.file = file
        self.kind = kind
        self.sha256 = image.sha256
        self.bytes = image.bytes
        self.manifest = manifest
        self.loadedAt = loadedAt
        self.replaces = replaces
        self.image = image
        self.source = source
    }
}
