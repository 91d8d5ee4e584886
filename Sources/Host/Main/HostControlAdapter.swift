import ControlPlane
import Glibc
import JobCore
import JobRunner
import JobStore
import Logging
import Plugins
import Postgres
import Supervision
import UVLoop

/// What the control plane may know and ask of this host, over the parts that it must not know.
@LoopActor
final class HostControlAdapter: HostControl {
    let runner: JobRunner
    let store: JobStore
    let supervisor: Supervisor
    let catalog: PluginCatalog
    private let lag: LoopLagMeter
    private let slots: Int
    private let startedAt = WallTime.current
    /// Steps of the start, for `/readyz`.
    var isMigrated = false
    var isSupervising = false
    var hasScanned = false

    init(
        runner: JobRunner, store: JobStore, supervisor: Supervisor, catalog: PluginCatalog, lag: LoopLagMeter,
        slots: Int
    ) {
        self.runner = runner
        self.store = store
        self.supervisor = supervisor
        self.catalog = catalog
        self.lag = lag
        self.slots = slots
    }

    // MARK: Orders

    func enqueued(queue: String, rank: Int) { self.runner.enqueued(isDue: true) }
    func cancel(runID: RunID, attempt: Int, grace: Duration?) {
        self.runner.cancel(runID, attempt: attempt, grace: grace)
    }
    func terminate(runID: RunID, attempt: Int, grace: Duration?) {
        self.runner.terminate(runID, attempt: attempt, grace: grace)
    }

    // MARK: Views

    func live(runID: RunID) -> LiveAttempt? { self.runner.live(runID).map { self.withLiveFacts(Self.view($0)) } }
    func liveRuns() -> [LiveAttempt] { self.runner.liveRuns.map(Self.view) }
    func handlers() -> [String] {
        self.catalog.statuses.filter { $0.state == .active }.flatMap { $0.handlers.map(\.name) }
    }
    func logsArrived(runID: RunID) -> AsyncStream<Void> { self.runner.watch.changes(of: runID) }
    func flushLogs(of runID: RunID) async { await self.runner.logsWritten(of: runID) }
    var isDraining: Bool { self.runner.isDraining }

    func plugins() -> [PluginView] {
        self.catalog.statuses.map { status in
            PluginView(
                name: status.name, file: status.file, version: status.sha256, label: status.version,
                state: status.state.rawValue, error: status.error,
                handlers: status.handlers.map {
                    PluginView.Handler(
                        name: $0.name, description: $0.description ?? "", argsSchema: $0.argsSchema,
                        resultSchema: $0.resultSchema)
                }, loadedAt: status.loadedAt, kind: status.kind.rawValue, notes: status.notes)
        }
    }

    func hostView() -> HostView {
        HostView(
            id: self.runner.lease?.id, hostname: ServeHost.hostname, pid: getpid(), slots: self.slots,
            running: self.runner.figures.executing, isolation: self.supervisor.capabilities.profile.rawValue,
            startedAt: self.startedAt, residentBytes: Self.residentBytes, loopLagP99: self.lag.p99)
    }

    func readiness() async -> [ReadinessCheck] {
        var checks: [ReadinessCheck] = []
        switch self.store.databaseState {
        case .connected: checks.append(ReadinessCheck(name: "database", ok: true, detail: "connected"))
        case .disconnected(_, let error):
            let why = error.map { "\($0)" } ?? "not connected yet"
            checks.append(ReadinessCheck(name: "database", ok: false, detail: why))
        }
        checks.append(
            ReadinessCheck(
                name: "schema", ok: self.isMigrated, detail: self.isMigrated ? "current" : "not brought up to date yet")
        )
        checks.append(
            ReadinessCheck(
                name: "supervision", ok: self.isSupervising, detail: self.isSupervising ? "started" : "not started yet")
        )
        checks.append(
            ReadinessCheck(
                name: "plugins", ok: self.hasScanned && self.runner.isReady,
                detail: !self.hasScanned
                    ? "the plugin directory is being read"
                    : self.runner.isReady ? "served" : "their jobs are not in the database yet"))
        // Never a reason to send no requests here: the database has its own check.
        let figures = self.runnerFigures
        checks.append(
            ReadinessCheck(
                name: "logs", ok: true,
                detail: figures.logPath == .memory
                    ? "written as they come"
                    : "\(figures.logPath.rawValue): \(figures.logBytesSpilled) bytes in the file, \(figures.logLinesDropped) lines dropped"
            ))
        if self.isDraining { checks.append(ReadinessCheck(name: "drain", ok: false, detail: "this host is draining")) }
        return checks
    }

    var runnerFigures: JobRunner.Figures { self.runner.figures }
    var loopLag: LoopLag { self.lag.lag }

    private static func view(_ live: JobRunner.Live) -> LiveAttempt {
        LiveAttempt(
            runID: live.runID, attempt: live.attempt, pid: live.pid, version: live.version, startedAt: live.startedAt,
            progress: live.progress, cancelRequestedAt: live.cancelRequestedAt,
            residentBytes: live.residentBytes.map { Int64(clamping: $0) })
    }

    /// Resident memory of this process, from /proc; nil where it cannot be read.
    static var residentBytes: Int64? {
        guard let stream = fopen("/proc/self/statm", "re") else { return nil }
        defer { fclose(stream) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, Int32(buffer.count), stream) != nil else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int64(fields[1]) else { return nil }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
