import JobCore
import JobStore
import Logging
import UVLoop

/// Says that this host lives, finds out who does not, and notices when somebody has declared this one dead.
///
/// One heartbeat row per host, never one per run. A host that is silent for 30 s loses its attempts to whoever sweeps; if it
/// comes back its epoch is fenced: it ends its children, registers anew and goes on.
@LoopActor
final class Liveness {
    static let heartbeatInterval: Duration = .seconds(10)

    private let store: JobStore
    private let registration: HostRegistration
    private let logger: Logger
    private(set) var lease: HostLease?
    private(set) var lastHeartbeat: LoopInstant?
    private var isRunning = false
    private var isStopping = false
    private var task: Task<Void, Never>?
    /// A new registration: work may begin under it.
    var onLease: (@LoopActor (HostLease) -> Void)?
    /// Somebody took this host's attempts: end everything that still runs here.
    var onFenced: (@LoopActor () -> Void)?

    init(store: JobStore, registration: HostRegistration, logger: Logger) {
        self.store = store
        self.registration = registration
        self.logger = logger
    }

    /// Keeps this host registered until `stop`; returns at once.
    func start() {
        guard self.task == nil else { return }
        self.task = loopTask { await self.live() }
    }

    /// From now on the host is `stopping`: it has 60 s instead of 30 s before others take its attempts.
    func announceStopping() async {
        self.isStopping = true
        guard let lease = self.lease else { return }
        do { try await self.store.hostStopping(lease) } catch {
            self.logger.warning("could not announce the drain", metadata: ["error": "\(error)"])
        }
    }

    /// The host is gone in good order: nothing of it is waited for.
    func stop() async {
        self.task?.cancel()
        guard let lease = self.lease else { return }
        do { try await self.store.hostStopped(lease) } catch {
            self.logger.warning("could not sign off; others will notice", metadata: ["error": "\(error)"])
        }
    }

    private func live() async {
        while !Task.isCancelled {
            do {
                if self.lease == nil {
                    try await self.register()
                } else {
                    try await self.beat()
                }
                try await LoopClock.sleep(for: Self.heartbeatInterval)
            } catch is CancellationError {
                return
            } catch {
                self.logger.warning("no heartbeat: the database did not answer", metadata: ["error": "\(error)"])
                do { try await LoopClock.sleep(for: .seconds(1)) } catch { return }
            }
        }
    }

    private func register() async throws {
        guard !self.isStopping else { return }
        let done = try await self.store.registerHost(self.registration)
        self.lease = done.lease
        self.lastHeartbeat = LoopInstant.now
        self.logger.info(
            "registered",
            metadata: [
                "host": "\(done.lease.id)", "epoch": "\(done.lease.epoch)", "requeued": "\(done.requeued)",
                "ended": "\(done.ended)",
            ])
        self.onLease?(done.lease)
    }

    private func beat() async throws {
        guard let lease = self.lease else { return }
        guard try await self.store.heartbeat(lease) else {
            self.logger.error("this host was declared dead and its attempts were taken: ending what runs here")
            self.lease = nil
            self.onFenced?()
            try await self.register()
            return
        }
        self.lastHeartbeat = LoopInstant.now
        let sweep = try await self.store.sweepSilentHosts(lease)
        if !sweep.silent.isEmpty {
            self.logger.notice(
                "hosts fell silent; their attempts were taken",
                metadata: [
                    "hosts": "\(sweep.silent.map(\.description).joined(separator: ","))",
                    "requeued": "\(sweep.requeued)",
                    "ended": "\(sweep.ended)",
                ])
        }
    }
}
