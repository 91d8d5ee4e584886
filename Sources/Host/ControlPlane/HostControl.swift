package import JobCore
package import JobStore
package import UVLoop

/// What the routes need to know of the host they run in, and may ask of it. The program's main part implements it over the
/// runner, the supervisor and the plugins, so that the control plane knows none of them.
@LoopActor
package protocol HostControl: AnyObject {
    /// A run was enqueued through this host: look at its lane without waiting for a notification.
    /// - Parameter rank: the negative priority.
    func enqueued(queue: String, rank: Int)
    /// Asks an attempt to end, if this host runs it; otherwise nothing (the database tells the host that does).
    /// - Parameter grace: nil for what the run's limits say.
    func cancel(runID: RunID, attempt: Int, grace: Duration?)
    /// As `cancel`, by force.
    func terminate(runID: RunID, attempt: Int, grace: Duration?)
    /// Stops the attempt's whole tree and its clocks, until `thaw`.
    /// - Returns: false if this host does not run it, its process has not begun, it is frozen already, it is ending, or the
    ///   system refuses.
    func freeze(runID: RunID, attempt: Int) -> Bool
    /// Lets a frozen attempt go on.
    /// - Returns: false if this host does not run it, it is not frozen, or it has ended.
    func thaw(runID: RunID, attempt: Int) -> Bool
    /// Moves the attempt's wall deadline.
    /// - Returns: the new deadline; nil if this host does not run it, or it is too late.
    func extend(runID: RunID, attempt: Int, by extra: Duration) -> WallTime?
    /// - Parameter niceness: of all its processes, -20 to 19.
    /// - Returns: false if this host does not run it, or may not.
    func setNiceness(runID: RunID, attempt: Int, _ niceness: Int32) -> Bool
    /// Looks what the attempt's processes are doing. Takes up to some seconds, and stops them for an instant.
    /// - Returns: a JSON object; nil if this host does not run it, or nothing here can look.
    func diagnose(runID: RunID, attempt: Int) async -> String?
    /// A version was put back into service by hand: what this host remembers of its crashes is forgotten.
    func quarantineLifted(handler: String, version: String)
    /// The file in this host's content store that a plugin version is; nil if it is not there, or no more.
    /// - Parameter version: SHA-256, hexadecimal.
    func storedPlugin(version: String) -> StoredPlugin?
    /// All plugins that this host has had versions of since its start, by name.
    func pluginFacts() -> [PluginFacts]
    /// Does it on this host, and has all hosts follow. Returns when it is done here.
    /// - Returns: false if it was so already.
    func order(_ order: PluginOrder) async throws(PluginFault) -> Bool
    /// Checks a file, loads it on trial, and activates it if nothing speaks against it. Returns when that has been decided.
    func propose(_ upload: PluginUpload) async throws(PluginFault) -> PluginProposal
    /// What the active version of a handler says of its arguments and result; nil if this host does not serve it.
    func schemas(ofHandler name: String) -> HandlerSchemas?
    /// The attempt that this host runs now; nil if it runs none of this run.
    func live(runID: RunID) -> LiveAttempt?
    /// All attempts that this host runs now.
    func liveRuns() -> [LiveAttempt]
    /// What is in the plugin directory, in the order of files.
    func plugins() -> [PluginView]
    /// Names of the handlers that this host can run now.
    func handlers() -> [String]
    /// An element whenever something about the run may have changed: log lines, progress, state. May coalesce and may miss
    /// what other hosts do; whoever waits looks by himself too. Ends with the consumer.
    func logsArrived(runID: RunID) -> AsyncStream<Void>
    /// Whether this host can serve, and if not, why.
    func readiness() async -> [ReadinessCheck]
    /// The host is on its way out: nothing new is accepted.
    var isDraining: Bool { get }
    /// What is exported beside the control plane's own figures.
    func metrics() -> [MetricFamily]
    func hostView() -> HostView
    /// What is on this machine without an owner: processes, cgroups, scratch directories, files of the content store.
    func orphans() async -> [Orphan]
    /// Puts right those that still are what they were.
    func clean(_ orphans: [Orphan]) async -> Set<Orphan.Key>
    /// What stood in the way of claims may be gone: look at once.
    func emergencyChanged()
    /// Returns when log lines of the run that have reached this host are in the database, or cannot get there now.
    func flushLogs(of runID: RunID) async
}

/// An attempt as its host sees it.
package struct LiveAttempt: Sendable, Hashable {
    package var runID: RunID
    package var attempt: Int
    package var pid: Int32?
    /// SHA-256 of the plugin, hexadecimal.
    package var version: String?
    package var startedAt: WallTime?
    package var progress: Progress
    package var cancelRequestedAt: WallTime?
    package var residentBytes: Int64?
    package var mode: ExecutionMode?
    package var isFrozen: Bool
    /// When it has used up its wall time; moves while it is frozen. Nil: not begun.
    package var deadline: WallTime?
    package var niceness: Int32?
    /// What it used at the last look, about a second ago.
    package var latest: ResourceSample?

    package init(
        runID: RunID, attempt: Int, pid: Int32? = nil, version: String? = nil, startedAt: WallTime? = nil,
        progress: Progress = Progress(), cancelRequestedAt: WallTime? = nil, residentBytes: Int64? = nil,
        mode: ExecutionMode? = nil, isFrozen: Bool = false, deadline: WallTime? = nil, niceness: Int32? = nil,
        latest: ResourceSample? = nil
    ) {
        self.runID = runID
        self.attempt = attempt
        self.pid = pid
        self.version = version
        self.startedAt = startedAt
        self.progress = progress
        self.cancelRequestedAt = cancelRequestedAt
        self.residentBytes = residentBytes
        self.mode = mode
        self.isFrozen = isFrozen
        self.deadline = deadline
        self.niceness = niceness
        self.latest = latest
    }
}

/// A plugin version in the content store.
package struct StoredPlugin: Sendable, Hashable {
    /// Of the shared library; for a manifest of C functions, of the library that serves it.
    package var path: String
    /// The text that goes with it, where it needs one.
    package var configuration: String?

    package init(path: String, configuration: String? = nil) {
        self.path = path
        self.configuration = configuration
    }
}

/// One file of the plugin directory.
package struct PluginView: Sendable, Hashable {
    package struct Handler: Sendable, Hashable {
        package var name: String
        package var description: String
        /// JSON Schema texts.
        package var argsSchema: String?
        package var resultSchema: String?
        /// Of a C function: whether nobody has compared how it is declared with its library. Nil: of other handlers, and not known.
        package var isUnverified: Bool?

        package init(
            name: String, description: String = "", argsSchema: String? = nil, resultSchema: String? = nil,
            isUnverified: Bool? = nil
        ) {
            self.isUnverified = isUnverified
            self.name = name
            self.description = description
            self.argsSchema = argsSchema
            self.resultSchema = resultSchema
        }
    }

    /// As the plugin calls itself; empty while nobody could ask it.
    package var name: String
    /// Name in the directory.
    package var file: String
    /// SHA-256 of the bytes, hexadecimal.
    package var version: String?
    /// The author's version.
    package var label: String?
    /// `staged`, `verifying`, `warming`, `active`, `draining`, `retired`, `rejected`, `crash_loop`.
    package var state: String
    /// Exactly why it is not, or not wholly, in service; for people.
    package var error: String?
    package var handlers: [Handler]
    package var loadedAt: WallTime?
    /// `native` or `ffi`.
    package var kind: String
    /// What is worth knowing though nothing is wrong: that it cannot be forked and why, …; for people.
    package var notes: [String]

    package init(
        name: String, file: String, version: String? = nil, label: String? = nil, state: String, error: String? = nil,
        handlers: [Handler] = [], loadedAt: WallTime? = nil, kind: String = "native", notes: [String] = []
    ) {
        self.name = name
        self.file = file
        self.version = version
        self.label = label
        self.state = state
        self.error = error
        self.handlers = handlers
        self.loadedAt = loadedAt
        self.kind = kind
        self.notes = notes
    }
}

/// One reason to be, or not to be, ready.
package struct ReadinessCheck: Sendable, Hashable {
    /// `database`, `plugins`, `disk`, …
    package var name: String
    package var ok: Bool
    /// For people.
    package var detail: String

    package init(name: String, ok: Bool, detail: String) {
        self.name = name
        self.ok = ok
        self.detail = detail
    }
}

/// This host, as far as the database's row does not tell.
package struct HostView: Sendable, Hashable {
    /// Nil until it is registered.
    package var id: HostID?
    package var hostname: String
    package var pid: Int32
    package var slots: Int
    /// Attempts that occupy a slot now.
    package var running: Int
    /// `cgroup` or `none`.
    package var isolation: String
    package var startedAt: WallTime
    package var residentBytes: Int64?
    /// Lateness of the loop since the start.
    package var loopLagP99: Duration?

    package init(
        id: HostID? = nil, hostname: String, pid: Int32, slots: Int, running: Int = 0, isolation: String,
        startedAt: WallTime, residentBytes: Int64? = nil, loopLagP99: Duration? = nil
    ) {
        self.id = id
        self.hostname = hostname
        self.pid = pid
        self.slots = slots
        self.running = running
        self.isolation = isolation
        self.startedAt = startedAt
        self.residentBytes = residentBytes
        self.loopLagP99 = loopLagP99
    }
}
