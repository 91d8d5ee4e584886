import ControlPlane
import EmbeddedPostgres
import Glibc
import JobCore
import JobRunner
import JobStore
import Logging
import NIOLibuv
import Plugins
import Postgres
import Supervision
import UVLoop

/// One host, from its parts to its end: the only place that knows them all.
///
/// Order of the start: control plane (so that probes are answered from the beginning), database, schema, supervision, plugins,
/// runner. Order of the end: runner drained, control plane closed, database stopped.
@LoopActor
final class ServeHost {
    /// The host cannot run as configured; repeating does not help. Exit code 78.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    private let configuration: ServeConfiguration
    private let directory: HostDirectory
    private let installation: Installation
    private let logger: Logger
    private let token: String
    private let identity: String
    private let lag = LoopLagMeter()
    private var signals: [SignalWatcher] = []
    private var stopRequests = 0
    private var stopWaiter: CheckedContinuation<Void, Never>?
    private var runner: JobRunner?
    private var plane: ControlPlane?

    init(_ configuration: ServeConfiguration, directory: HostDirectory) throws(Unusable) {
        self.configuration = configuration
        self.directory = directory
        var logger = Logger(label: "pawl")
        logger.logLevel = configuration.logLevel
        self.logger = logger
        do {
            self.installation = try Installation()
            self.token = try directory.adminToken()
            self.identity = try directory.identity()
        } catch {
            throw Unusable(description: "\(error)")
        }
    }

    /// Returns when the host has been told to stop and has stopped.
    func run() async throws {
        self.watchSignals()
        self.lag.start()
        let database = try await self.startDatabase()
        let store = JobStore(
            configuration: PostgresConfiguration(connectionString: database.connection), logger: self.logger,
            liveness: self.configuration.liveness)
        store.start()
        let supervisor = Supervisor(self.supervision(), logger: self.logger)
        let catalog = try self.catalog(supervisor)
        let runner = JobRunner(
            JobRunner.Configuration(
                slots: self.configuration.slots, registration: self.registration(), storeDirectory: self.storeDirectory,
                spillDirectory: self.directory.path + "/spill", spillBytes: Int(self.configuration.logSpill),
                liveness: self.configuration.liveness),
            store: store, supervisor: supervisor, catalog: catalog, logger: self.logger)
        self.runner = runner
        let trimmer = HeapTrimmer { !supervisor.running.isEmpty }
        trimmer.start()
        defer { trimmer.stop() }
        let control = HostControlAdapter(
            runner: runner, store: store, supervisor: supervisor, catalog: catalog, lag: self.lag,
            slots: self.configuration.slots)
        let plane = ControlPlane(
            try self.controlPlane(), store: store, host: control, logger: self.logger)
        self.plane = plane
        var addresses: [ListenAddress] = []
        do {
            addresses = try plane.start()
            try self.publish(addresses)
            try await self.begin(
                store: store, supervisor: supervisor, catalog: catalog, runner: runner, control: control)
            if self.stopRequests == 0 { self.announce(addresses, ticket: plane.loginTicket()) }
            await self.waitForStop()
            await self.drain(runner)
        } catch {
            await self.end(plane: plane, runner: nil, store: store, database: database.embedded)
            if error is CancellationError { return }  // Told to stop before it had begun.
            throw (error as? Unusable) ?? Unusable(description: "\(error)")
        }
        await self.end(plane: plane, runner: runner, store: store, database: database.embedded)
    }

    // MARK: Start

    private func startDatabase() async throws(Unusable) -> (connection: String, embedded: EmbeddedPostgres?) {
        if let url = self.configuration.databaseURL { return (url, nil) }
        let embedded = EmbeddedPostgres(
            dataDirectory: self.directory.path, logger: self.logger, lock: self.directory.lock)
        do {
            return (try await embedded.start(), embedded)
        } catch {
            throw Unusable(description: "\(error)")
        }
    }

    /// Everything that needs the database or takes time. Throws `CancellationError` when the host is told to stop meanwhile.
    private func begin(
        store: JobStore, supervisor: Supervisor, catalog: PluginCatalog, runner: JobRunner, control: HostControlAdapter
    ) async throws {
        try await self.unlessStopped { try await self.migrate(store) }
        control.isMigrated = true
        do {
            try await supervisor.start()
        } catch {
            throw Unusable(description: "\(error)")
        }
        control.isSupervising = true
        for note in supervisor.capabilities.notes { self.logger.notice("\(note)") }
        self.logger.info("isolation", metadata: ["profile": "\(supervisor.capabilities.profile.rawValue)"])
        try await catalog.start()
        control.hasScanned = true
        runner.start()
        while !runner.isReady {
            guard self.stopRequests == 0 else { throw CancellationError() }
            try await LoopClock.sleep(for: .milliseconds(10))
        }
    }

    /// As long as the database is away there is nothing to do but to wait for it, and to say so.
    private func migrate(_ store: JobStore) async throws {
        while true {
            do {
                return try await store.migrate()
            } catch {
                guard error.isTransient else { throw error }
                self.logger.warning("waiting for the database", metadata: ["error": "\(error)"])
            }
            try await LoopClock.sleep(for: .seconds(1))
        }
    }

    /// Runs `body`, which may wait for the database for ever, until it returns or the host is told to stop.
    private func unlessStopped(_ body: @escaping @LoopActor @Sendable () async throws -> Void) async throws {
        let work = loopTask(body)
        self.onStop = { work.cancel() }
        defer { self.onStop = nil }
        if self.stopRequests > 0 { work.cancel() }
        do {
            try await work.value
        } catch {
            guard self.stopRequests == 0 else { throw CancellationError() }
            throw error
        }
    }

    private var onStop: (@LoopActor () -> Void)?

    private func supervision() -> SupervisorConfiguration {
        let profile: SupervisorConfiguration.Profile =
            switch self.configuration.isolation {
            case .auto: .automatic
            case .cgroup: .cgroup
            case .none: .none
            }
        var supervision = SupervisorConfiguration(
            zygotePath: self.installation.zygote, dataDirectory: self.directory.path, instance: self.identity,
            profile: profile, slots: self.configuration.slots, inspectorPath: self.installation.inspector)
        supervision.environment.merge(self.configuration.passedEnvironment) { $1 }
        if let users = self.configuration.sandboxUsers { supervision.sandboxUsers = users }
        return supervision
    }

    private func catalog(_ supervisor: Supervisor) throws(Unusable) -> PluginCatalog {
        let plugins = self.configuration.plugins ?? self.directory.path + "/plugins"
        if self.configuration.plugins == nil, mkdir(plugins, 0o755) != 0, errno != EEXIST {
            throw Unusable(description: "\(plugins): \(String(cString: strerror(errno)))")
        }
        var info = stat()
        guard stat(plugins, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw Unusable(description: "plugin directory \(plugins) is not a directory")
        }
        return PluginCatalog(
            directory: plugins, store: self.storeDirectory, ffiBridge: self.installation.ffiBridge,
            helper: PluginCatalog.Helper(executable: self.installation.executable, arguments: ["internal-ingest"]),
            supervisor: supervisor, logger: self.logger,
            signatures: SignaturePolicy(
                trustedKeys: self.configuration.trustedKeys, isRequired: self.configuration.requireSigned),
            inspector: self.installation.inspector, storeLimit: UInt64(self.configuration.pluginStore))
    }

    private var storeDirectory: String { self.directory.path + "/store" }

    private func registration() -> HostRegistration {
        HostRegistration(
            dataDirectoryID: self.identity, hostname: Self.hostname, pid: getpid(), version: ClientVersion.current,
            gitSHA: self.installation.revision, slots: self.configuration.slots)
    }

    private func controlPlane() throws(Unusable) -> ControlPlaneConfiguration {
        var addresses: [ListenAddress] = []
        for text in self.configuration.listen {
            guard let address = ListenAddress(text) else {
                throw Unusable(
                    description:
                        "--listen is \"\(text)\"; allowed: HOST:PORT with a literal address, [IPV6]:PORT, or unix:/PATH"
                )
            }
            addresses.append(address)
        }
        if let socket = self.configuration.socket {
            // Whom no rule names gets nothing through it but what everybody gets.
            addresses.append(.unix(path: socket, mode: PeerOption.isShared(self.configuration.peers) ? 0o666 : 0o600))
        }
        var plane = ControlPlaneConfiguration(
            listen: addresses, adminToken: self.token, peers: self.configuration.peers, jwt: self.configuration.jwt,
            tls: self.configuration.tls, uploads: self.configuration.uploads,
            uploadLimitBytes: Int(self.configuration.uploadLimit),
            uploadDirectory: self.directory.path + "/uploads", compatSeeds: self.configuration.compatSeeds,
            version: ClientVersion.current, gitSHA: self.installation.revision ?? "",
            allowedHosts: self.configuration.hostNames)
        plane.keyFetcher = KeyFetcher(
            executable: self.installation.executable, authorities: self.configuration.jwtAuthorities)
        return plane
    }

    static var hostname: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: Being found

    /// Tells the command line on this machine where to go.
    private func publish(_ addresses: [ListenAddress]) throws(Unusable) {
        let url = addresses.first.map(self.url) ?? ""
        let facts = JSONValue.object([
            JSONMember("pid", .number("\(getpid())")), JSONMember("url", .string(url)),
            JSONMember("socket", self.configuration.socket.map { .string($0) } ?? .null),
            JSONMember("version", .string(ClientVersion.current)),
            JSONMember("started_at", .string(WallTime.current.rfc3339)),
        ])
        do {
            try self.directory.replace("host.json", facts.json + "\n")
        } catch {
            throw Unusable(description: "\(error)")
        }
        HostNote.leave(self.directory.path, environment: ProcessEnvironment.current)
    }

    private func announce(_ addresses: [ListenAddress], ticket: String) {
        guard let first = addresses.first else { return }
        let url = self.url(first)
        var text = "ready \(url)\n"
        if url.hasPrefix("http") {
            text += "page  \(url)/login?ticket=\(ticket)   (good once, for 15 minutes; pawl ui prints another)\n"
        }
        text.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    private func url(_ address: ListenAddress) -> String {
        switch address {
        case .ip(let host, let port):
            let reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
            return "\(self.configuration.tls == nil ? "http" : "https")://\(ListenAddress.ip(reachable, port: port))"
        case .unix: return "\(address)"
        }
    }

    // MARK: Signals and the end

    private func watchSignals() {
        let stop: @LoopActor () -> Void = { [weak self] in self?.stopRequested() }
        self.signals = [
            SignalWatcher(signal: SIGTERM, handler: stop), SignalWatcher(signal: SIGINT, handler: stop),
            SignalWatcher(signal: SIGHUP) { [weak self] in
                self?.plane?.reloadCertificate()
                guard let runner = self?.runner else { return }
                loopTask { await runner.catalog.rescan() }
            },
        ]
    }

    private func stopRequested() {
        self.stopRequests += 1
        if self.stopRequests == 1 {
            self.logger.notice("draining: no new runs; a second signal ends what runs at once")
            self.stopWaiter?.resume()
            self.stopWaiter = nil
            self.onStop?()
        } else {
            self.runner?.hurry()
        }
    }

    private func waitForStop() async {
        guard self.stopRequests == 0 else { return }
        await withCheckedContinuation { self.stopWaiter = $0 }
    }

    private func drain(_ runner: JobRunner) async {
        if self.stopRequests > 1 { runner.hurry() }
        await runner.drain(timeout: self.configuration.drainTimeout)
    }

    private func end(plane: ControlPlane, runner: JobRunner?, store: JobStore, database: EmbeddedPostgres?) async {
        if runner == nil {
            self.runner?.catalog.stop()
            await self.runner?.supervisor.shutdown(killAll: true)
        }
        await plane.shutdown(grace: .seconds(2))
        await store.shutdown()
        await database?.stop(mode: .fast)
        self.directory.remove("host.json")
        HostNote.remove(self.directory.path, environment: ProcessEnvironment.current)
        for signal in self.signals { signal.close() }
        self.lag.stop()
        self.logger.notice("stopped")
    }
}
