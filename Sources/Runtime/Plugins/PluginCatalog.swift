internal import JobCore
package import Logging
package import Supervision
package import UVLoop

/// The plugins of one host: watches their directory, takes files into the content store, loads them, swaps versions.
///
/// Each plugin has a machine of its own (`ReloadStateMachine`). `+Wishes` asks it and hands its orders out, `+Candidates` makes a
/// version ready, `+Serving` lets one serve and go. `+Directory` notices files, `+Orders` is what people and other hosts want,
/// `+Dispatch` says which version a run goes to and judges by how runs end, `+Versions` keeps loaded what serves, `+Fallback` what stands in.
@LoopActor
package final class PluginCatalog {
    /// How to start the ingest helper: this program with these arguments before its own.
    package struct Helper: Sendable {
        package var executable: String
        package var arguments: [String]

        package init(executable: String, arguments: [String]) {
            self.executable = executable
            self.arguments = arguments
        }
    }

    package weak var delegate: (any PluginCatalogDelegate)?
    let directory: String?
    let ingester: Ingester
    let content: ContentStore
    /// Path of `pawl-inspect`, which compares declarations of C functions with their library; nil if there is none.
    let inspector: String?
    let supervisor: Supervisor
    let logger: Logger
    /// By the name of their file, or the one that it would have.
    var entries: [String: PluginEntry] = [:]
    /// Which version serves a handler; replaced as a whole, so that nobody sees half a swap.
    private(set) var serving: [String: Served] = [:]
    var watcher: DirectoryWatcher?
    let rewatchTimer = LoopTimer()
    private let sweepTimer = LoopTimer()
    /// How long the version before stays loaded.
    let warmFor: Duration
    /// What was taken into the store and is not proposed yet, by hash, and in which order.
    var taken: [String: PluginImage] = [:]
    var takenOrder: [String] = []
    /// The counter of wishes.
    var lastNumber = 0
    /// Until the directory was looked at once.
    var isFirstLook = true
    /// Orders that are being carried out.
    private var busy = 0
    private var settledWaiters: [CheckedContinuation<Void, Never>] = []
    private(set) var isStopped = false
    private let epoch = LoopInstant.now

    struct Served {
        let sha256: String
        let index: Int
        let manifest: HandlerManifest
        let entry: PluginEntry
    }

    /// directory: nil for none. store: where the content is kept, made if missing. ffiBridge: path of `pawl-ffi.so`, nil
    /// if there is none. inspector: path of `pawl-inspect`, likewise. storeLimit: bytes; beyond it the oldest versions that nobody needs are deleted. warmFor: how long the
    /// version before the one that serves stays loaded.
    package init(
        directory: String?, store: String, ffiBridge: String?, helper: Helper, supervisor: Supervisor, logger: Logger,
        delegate: (any PluginCatalogDelegate)? = nil, signatures: SignaturePolicy = SignaturePolicy(),
        inspector: String? = nil, storeLimit: UInt64 = 4 << 30, warmFor: Duration = .seconds(60)
    ) {
        self.directory = directory
        self.ingester = Ingester(store: store, bridge: ffiBridge, helper: helper, signatures: signatures)
        self.inspector = inspector
        self.content = ContentStore(directory: store, limit: storeLimit)
        self.supervisor = supervisor
        self.logger = logger
        self.delegate = delegate
        self.warmFor = warmFor
    }

    /// Watches the directory and loads what is there; returns when each file is active or rejected.
    package func start() async throws {
        try self.ingester.makeStore()
        self.supervisor.onVersionChange = { [weak self] sha256 in self?.versionChanged(sha256) }
        self.supervisor.onZygoteDeath = { [weak self] sha256 in self?.zygoteDied(sha256) }
        if self.directory != nil {
            try self.watch()
            await self.rescan()
        }
        self.isFirstLook = false
        self.sweepTimer.start(after: .seconds(60), repeating: .seconds(60)) { [weak self] in self?.sweep() }
    }

    /// Looks at the whole directory again; returns when everything found has settled.
    package func rescan() async {
        self.look()
        while self.busy > 0 {
            await withCheckedContinuation { self.settledWaiters.append($0) }
        }
    }

    /// By file name.
    package var statuses: [PluginStatus] {
        self.entries.values.sorted { $0.file < $1.file }.map(\.status)
    }

    /// Which version serves a handler now.
    package func version(
        forHandler name: String
    ) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)? {
        self.serving[name].map { ($0.sha256, $0.index, $0.manifest) }
    }

    /// The same, if a run can be given to it now: its zygote lives or will be started again, or the version before stands in.
    package func ready(forHandler name: String) -> String? {
        guard let served = self.serving[name] else { return nil }
        if self.supervisor.takesAttempts(served.sha256) { return served.sha256 }
        let standIn = served.entry.machine.isCrashLooping ? self.fallback(forHandler: name) : nil
        return standIn == nil ? nil : served.sha256
    }

    /// Whether runs can be given to everything that serves.
    package var isAllReady: Bool {
        self.entries.values.allSatisfy { $0.machine.active.map(self.supervisor.takesAttempts) ?? true }
    }

    func served(_ handler: String) -> Served? { self.serving[handler] }

    /// Watches no more. The supervisor's zygotes are its own business.
    package func stop() {
        self.isStopped = true
        self.watcher?.close()
        self.rewatchTimer.stop()
        self.sweepTimer.stop()
        for entry in self.entries.values {
            entry.warmTimer.stop()
            entry.judgeTimer.stop()
            entry.settleTimer.stop()
            entry.hurryTimer.stop()
            entry.forgiveTimer.stop()
            entry.againTimer.stop()
        }
        self.supervisor.onVersionChange = nil
        self.supervisor.onZygoteDeath = nil
    }

    /// For machines.
    var now: Duration { .now - self.epoch }

    func work(_ body: @escaping @LoopActor () async -> Void) {
        self.busy += 1
        loopTask {
            await body()
            self.busy -= 1
            guard self.busy == 0 else { return }
            let waiters = self.settledWaiters
            self.settledWaiters = []
            for waiter in waiters { waiter.resume() }
        }
    }

    func publish(_ entry: PluginEntry) { self.delegate?.pluginChanged(entry.status) }

    /// Puts a step on record.
    func tell(
        _ entry: PluginEntry, _ kind: PluginEvent.Kind, _ sha256: String? = nil, words: String? = nil,
        problems: [ContractProblem] = [], policy: CanaryPolicy? = nil, isConsequence: Bool = false
    ) {
        var event = PluginEvent(
            plugin: entry.title, file: entry.hasFile ? entry.file : nil, sha256: sha256, kind: kind, at: .now,
            words: words, problems: problems, policy: policy)
        event.isConsequence = isConsequence
        if let sha256 { entry.versions[sha256]?.add(event) }
        self.delegate?.pluginEvent(event)
    }

    /// Swaps what serves in one assignment.
    func swap(_ entry: PluginEntry) {
        var serving = self.serving.filter { $0.value.entry !== entry }
        if let version = entry.active, let manifest = version.manifest {
            for (index, handler) in manifest.handlers.enumerated() {
                serving[handler.name] = Served(
                    sha256: version.sha256, index: index, manifest: handler, entry: entry)
            }
        }
        self.serving = serving
    }

    /// Paths that some plugin may still need.
    var neededPaths: Set<String> {
        var paths: Set<String> = []
        for entry in self.entries.values {
            let needed = entry.machine.needed
            for (hash, version) in entry.versions where needed.contains(hash) || version.started > version.ended {
                paths.insert(version.image.path)
            }
            for intent in entry.intents.values { if let image = intent.image { paths.insert(image.path) } }
        }
        return paths
    }

    private func sweep() {
        let removed = self.content.sweep(keeping: self.neededPaths)
        if removed > 0 { self.logger.info("\(removed) old files have left the plugin store, which was full") }
    }
}
