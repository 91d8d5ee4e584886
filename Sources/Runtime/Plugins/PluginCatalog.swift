internal import Glibc
internal import JobCore
package import Logging
package import Supervision
package import UVLoop

/// Whoever has to know which handlers there are.
@LoopActor
package protocol PluginCatalogDelegate: AnyObject {
    /// A version serves from now on. The catalog awaits this before it retires the older version.
    func pluginActivated(_ plugin: ActivePlugin) async
    /// A file's status has changed.
    func pluginChanged(_ status: PluginStatus)
    /// Whether a version that is ready may serve: not if it would break what waits. Not asked for `source` `.row` and `.rollback`,
    /// and where it is forced.
    func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict
    /// Every step, in order. `canary`, `canaryEnded`, `rolledBack`, `disabled`, `enabled`, `withdrawn`: what all hosts are to serve
    /// changes with it, unless they were told so.
    func pluginEvent(_ event: PluginEvent)
}

extension PluginCatalogDelegate {
    package func mayActivate(_ candidate: ActivePlugin, replacing: ActivePlugin?) async -> ActivationVerdict {
        .allowed
    }
    package func pluginEvent(_ event: PluginEvent) {}
}

/// The plugins of one directory: watches it, takes files into the content store, loads them, swaps versions.
///
/// A renamed-in or closed file is looked at at once. Each file has a machine of its own (`ReloadStateMachine`); here its
/// orders are carried out.
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
    private let directory: String?
    private let ingester: Ingester
    let supervisor: Supervisor
    let logger: Logger
    private(set) var entries: [String: PluginEntry] = [:]
    /// Which version serves a handler; replaced as a whole, so that nobody sees half a swap.
    private(set) var serving: [String: Served] = [:]
    private var watcher: DirectoryWatcher?
    private let rewatchTimer = LoopTimer()
    /// Orders that are being carried out.
    private var busy = 0
    private var settledWaiters: [CheckedContinuation<Void, Never>] = []
    private var isStopped = false

    struct Served {
        let sha256: String
        let index: Int
        let manifest: HandlerManifest
        let file: String
    }

    /// directory: nil for none. store: where the content is kept, made if missing. ffiBridge: path of `pawl-ffi.so`, nil
    /// if there is none.
    package init(
        directory: String?, store: String, ffiBridge: String?, helper: Helper, supervisor: Supervisor, logger: Logger,
        delegate: (any PluginCatalogDelegate)? = nil
    ) {
        self.directory = directory
        self.ingester = Ingester(store: store, bridge: ffiBridge, helper: helper)
        self.supervisor = supervisor
        self.logger = logger
        self.delegate = delegate
    }

    /// Watches the directory and loads what is there; returns when each file is active or rejected.
    package func start() async throws {
        try self.ingester.makeStore()
        self.supervisor.onVersionChange = { [weak self] sha256 in self?.versionChanged(sha256) }
        guard self.directory != nil else { return }
        try self.watch()
        await self.rescan()
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

    /// Watches no more. The supervisor's zygotes are its own business.
    package func stop() {
        self.isStopped = true
        self.watcher?.close()
        self.rewatchTimer.stop()
        self.supervisor.onVersionChange = nil
    }

    // MARK: The directory

    private func watch() throws(LoopError) {
        guard let directory else { return }
        self.watcher = try DirectoryWatcher(path: directory) { [weak self] event in self?.noticed(event) }
    }

    private func noticed(_ event: DirectoryEvent) {
        switch event {
        case .movedIn(let file), .closedAfterWrite(let file): self.appeared(file)
        case .movedOut(let file), .deleted(let file): self.vanished(file)
        case .overflow: self.look()
        case .gone:
            self.logger.error("the plugin directory \(self.directory ?? "") is gone; what serves goes on serving")
            self.rewatch()
        }
    }

    /// Until the directory is there again.
    private func rewatch() {
        self.rewatchTimer.start(after: .seconds(1)) { [weak self] in
            guard let self, !self.isStopped else { return }
            do {
                try self.watch()
                self.look()
            } catch { self.rewatch() }
        }
    }

    /// Compares the directory with what is known of it.
    private func look() {
        guard let directory else { return }
        guard let names = Self.entries(directory) else {
            self.logger.error("the plugin directory \(directory) cannot be read: \(String(cString: strerror(errno)))")
            return
        }
        for file in self.entries.keys.sorted() where !names.contains(file) { self.vanished(file) }
        for file in names.sorted() {
            guard let fingerprint = self.fingerprint(file) else { continue }
            if let entry = self.entries[file], entry.fingerprint == fingerprint, entry.machine.rejection == nil {
                continue
            }
            self.appeared(file)
        }
    }

    private func appeared(_ file: String) {
        guard let kind = PluginEntry.kind(of: file), !self.isStopped else { return }
        let entry = self.entries[file] ?? PluginEntry(file: file, kind: kind)
        self.entries[file] = entry
        entry.fingerprint = self.fingerprint(file)
        self.perform(entry.machine.fileChanged(), entry)
    }

    private func vanished(_ file: String) {
        // A rename over the file reports the old one's end after the new one's beginning, or not at all.
        guard let entry = self.entries[file], self.fingerprint(file) == nil else { return }
        self.perform(entry.machine.fileRemoved(), entry)
        self.serve(entry, nil)
        self.publish(entry)
        self.forgetIfGone(entry)
        // What had to stand back behind it may serve now.
        for other in self.entries.values where other.isConflict { self.appeared(other.file) }
    }

    private func fingerprint(_ file: String) -> PluginEntry.Fingerprint? {
        guard let directory else { return nil }
        var status = stat()
        guard stat("\(directory)/\(file)", &status) == 0 else { return nil }
        return PluginEntry.Fingerprint(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modifiedSeconds: status.st_mtim.tv_sec, modifiedNanos: status.st_mtim.tv_nsec)
    }

    private static func entries(_ path: String) -> Set<String>? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: Set<String> = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if PluginEntry.kind(of: name) != nil { names.insert(name) }
        }
        return names
    }

    // MARK: Orders

    private func perform(_ order: ReloadStateMachine.Order, _ entry: PluginEntry) {
        switch order {
        case .nothing: break
        case .ingest: self.work { await self.ingest(entry) }
        case .load(let hash): self.work { await self.load(hash, entry) }
        case .activate(let hash, let replaces): self.work { await self.activate(hash, replaces, entry) }
        case .retire(let hash): self.retire(hash)
        case .unchanged: self.logger.debug("\(entry.file) has the bytes that serve already")
        case .reject(let why): self.logger.warning("\(entry.file) is rejected: \(why)")
        }
        if order != .nothing { self.publish(entry) }
    }

    private func work(_ body: @escaping @LoopActor () async -> Void) {
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

    private func publish(_ entry: PluginEntry) { self.delegate?.pluginChanged(entry.status) }

    private func ingest(_ entry: PluginEntry) async {
        guard let directory else { return }
        entry.isConflict = false
        do {
            let image = try await self.ingester.ingest("\(directory)/\(entry.file)", entry)
            let order = entry.machine.ingested(image.sha256)
            if case .load = order { entry.candidate = image }
            self.perform(order, entry)
        } catch {
            // A file that is gone by now is no broken one.
            if self.fingerprint(entry.file) == nil {
                self.perform(entry.machine.fileRemoved(), entry)
                self.serve(entry, nil)
            }
            self.perform(entry.machine.ingestFailed(error.words), entry)
        }
        self.forgetIfGone(entry)
    }

    private func load(_ hash: String, _ entry: PluginEntry) async {
        guard let image = entry.candidate else { preconditionFailure("nothing to load") }
        do {
            let manifest = try await self.supervisor.load(image)
            if let taken = self.conflict(manifest, entry) {
                entry.isConflict = true
                entry.candidate = nil
                self.perform(entry.machine.refused(hash, taken), entry)
                self.retire(hash)
                return
            }
            entry.candidate = nil
            let order = entry.machine.loaded(hash)
            if case .activate = order {
                self.dropPrevious(entry)
                entry.previous = entry.active
                entry.active = PluginEntry.Version(image: image, manifest: manifest, loadedAt: .now)
                self.serve(entry, entry.active)
            }
            self.perform(order, entry)
        } catch {
            entry.candidate = nil
            self.perform(entry.machine.refused(hash, error.message), entry)
        }
        self.forgetIfGone(entry)
    }

    /// New attempts go to it already; whoever keeps books hears of it before the old one goes.
    private func activate(_ hash: String, _ replaces: String?, _ entry: PluginEntry) async {
        if let version = entry.active, version.image.sha256 == hash {
            self.logger.info(
                "\(version.manifest.name) \(version.manifest.version) serves \(version.manifest.handlers.count) handlers",
                metadata: ["file": "\(entry.file)", "sha256": "\(hash.prefix(12))"])
            await self.delegate?.pluginActivated(
                ActivePlugin(
                    file: entry.file, kind: entry.kind, image: version.image, manifest: version.manifest,
                    loadedAt: version.loadedAt, replaces: replaces, source: .file(entry.file, isFirstLook: false)))
        }
        if let replaces { self.retire(replaces) }
        self.perform(entry.machine.settled(), entry)
    }

    /// Lets a version go, unless another file has the same bytes.
    func retire(_ hash: String) {
        let isNeeded = self.entries.values.contains {
            $0.machine.active == hash || $0.machine.candidate == .warming(hash)
                || ($0.isPreviousLoaded && $0.previous?.image.sha256 == hash)
        }
        if !isNeeded { self.supervisor.retire(hash) }
        self.versionChanged(hash)
    }

    /// Handlers belong to the file that had them first.
    private func conflict(_ manifest: PluginManifest, _ entry: PluginEntry) -> String? {
        for handler in manifest.handlers {
            if let served = self.serving[handler.name], served.file != entry.file {
                return "handler \(handler.name) is served by \(served.file) already"
            }
        }
        return nil
    }

    /// Swaps what serves in one assignment.
    private func serve(_ entry: PluginEntry, _ version: PluginEntry.Version?) {
        var serving = self.serving.filter { $0.value.file != entry.file }
        if let version {
            for (index, handler) in version.manifest.handlers.enumerated() {
                serving[handler.name] = Served(
                    sha256: version.image.sha256, index: index, manifest: handler, file: entry.file)
            }
        } else {
            self.dropPrevious(entry)
            entry.previous = nil
            entry.active = nil
        }
        self.serving = serving
    }

    // MARK: The versions' fate

    private func versionChanged(_ sha256: String) {
        let isLooping = self.supervisor.isCrashLooping(sha256)
        let isGone = !self.supervisor.isLoaded(sha256)
        for entry in Array(self.entries.values) {
            let before = entry.status
            if entry.active?.image.sha256 == sha256 { entry.remarks = self.supervisor.remarks(on: sha256) }
            entry.machine.crashLoop(sha256, isLooping)
            if isGone { entry.machine.retired(sha256) }
            if isGone && entry.machine.active == sha256 { self.revive(entry) }
            if entry.status != before { self.publish(entry) }
            self.forgetIfGone(entry)
        }
    }

    /// The zygote of a version that serves could not be started again: its runs wait until it can.
    private func revive(_ entry: PluginEntry) {
        guard !entry.isReviving, !self.isStopped, let image = entry.active?.image else { return }
        entry.isReviving = true
        self.logger.error("\(entry.file) has lost its zygote; it is loaded again in \(Self.reviveDelay)")
        loopTask {
            do { try await LoopClock.sleep(for: Self.reviveDelay) } catch {}
            entry.isReviving = false
            guard !self.isStopped, entry.machine.active == image.sha256 else { return }
            // A failure comes back through `versionChanged`.
            do { _ = try await self.supervisor.load(image) } catch {
                self.logger.error("\(entry.file) cannot be loaded again: \(error)")
            }
        }
    }

    private static let reviveDelay = Duration.seconds(5)

    private func forgetIfGone(_ entry: PluginEntry) {
        guard entry.machine.isRemoved, entry.machine.candidate == .none, entry.machine.draining.isEmpty,
            self.entries[entry.file] === entry
        else { return }
        self.entries[entry.file] = nil
        self.publish(entry)
    }
}

extension WallTime {
    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(micros: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
