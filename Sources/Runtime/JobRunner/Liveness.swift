import JobCore
import JobStore
import Logging
import UVLoop

/// Says that this host lives, finds out who does not, notices when somebody has declared this one dead, and takes what only one
/// host may do.
///
/// One heartbeat row per host, never one per run. A host that is silent for 30 s loses its attempts to whoever sweeps; if it
/// comes back its epoch is fenced: it ends its children, registers anew and goes on.
@LoopActor
final class Liveness {
    private let store: JobStore
    private let registration: HostRegistration
    private let times: LivenessTimes
    private let logger: Logger
    private(set) var lease: HostLease?
    private(set) var lastHeartbeat: LoopInstant?
    /// How often somebody has taken this host's place.
    private(set) var fencings: UInt64 = 0
    /// Hosts that this one has declared silent.
    private(set) var silenced: UInt64 = 0
    /// In what the present hosts differ, as of the last heartbeat.
    private(set) var drift = HostDrift()
    /// Hosts of the last 30 days by state, as of the last heartbeat.
    private(set) var hosts: [HostState: Int] = [:]
    /// What only one host may do, as of the last look.
    private(set) var holdings: [Holding] = []
    /// Until the next heartbeat.
    private var interval: Duration
    private var isStopping = false
    private var task: Task<Void, Never>?
    private let timer = LoopTimer()
    private var wait: CheckedContinuation<Void, Never>?
    private var isHurried = false
    /// A new registration: work may begin under it.
    var onLease: (@LoopActor (HostLease) -> Void)?
    /// Somebody took this host's attempts: end everything that still runs here.
    var onFenced: (@LoopActor () -> Void)?
    /// This host has an exclusive queue, or a role, that it did not have.
    var onTaken: (@LoopActor () -> Void)?

    init(store: JobStore, registration: HostRegistration, times: LivenessTimes, logger: Logger) {
        self.store = store
        self.registration = registration
        self.times = times
        self.interval = times.heartbeat
        self.logger = logger
    }

    /// Keeps this host registered until `stop`; returns at once.
    func start() {
        guard self.task == nil else { return }
        self.task = loopTask { await self.live() }
    }

    /// The next heartbeat is now: there is a sign that this host was fenced, or that something is free to be taken.
    func look() {
        self.isHurried = true
        self.endPause()
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
        self.endPause()
        guard let lease = self.lease else { return }
        do { try await self.store.hostStopped(lease) } catch {
            self.logger.warning("could not sign off; others will notice", metadata: ["error": "\(error)"])
        }
    }

    func holds(_ role: HostRole) -> Bool {
        guard let lease = self.lease else { return false }
        return self.holdings.contains { $0.subject == .role(role) && $0.isHeld(by: lease) }
    }

    // MARK: The heartbeat

    private func live() async {
        while !Task.isCancelled {
            do {
                self.isHurried = false
                if self.lease == nil {
                    try await self.register()
                } else {
                    try await self.beat()
                }
                await self.pause(self.interval)
            } catch {
                self.logger.warning("no heartbeat: the database did not answer", metadata: ["error": "\(error)"])
                await self.pause(min(self.times.heartbeat, .seconds(1)))
            }
        }
    }

    private func pause(_ time: Duration) async {
        guard !self.isHurried, !Task.isCancelled else { return }
        self.timer.start(after: time) { [weak self] in self?.endPause() }
        await withCheckedContinuation { self.wait = $0 }
        self.timer.stop()
    }

    private func endPause() {
        self.wait?.resume()
        self.wait = nil
    }

    private func register() async throws(StoreError) {
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
        try await self.lookAround(done.lease)
    }

    private func beat() async throws(StoreError) {
        guard let lease = self.lease else { return }
        guard try await self.store.heartbeat(lease) else {
            if Task.isCancelled { return }  // It has signed off meanwhile.
            self.logger.error("this host was declared dead and its attempts were taken: ending what runs here")
            self.fencings += 1
            self.lease = nil
            self.holdings = []
            self.onFenced?()
            return try await self.register()
        }
        self.lastHeartbeat = LoopInstant.now
        let sweep = try await self.store.sweepSilentHosts(lease)
        if !sweep.silent.isEmpty {
            self.silenced += UInt64(sweep.silent.count)
            self.logger.notice(
                "hosts fell silent; their attempts were taken",
                metadata: [
                    "hosts": "\(sweep.silent.map(\.description).joined(separator: ","))",
                    "requeued": "\(sweep.requeued)",
                    "ended": "\(sweep.ended)",
                ])
        }
        if sweep.requeued > 0 { self.onTaken?() }
        try await self.lookAround(lease)
    }

    // MARK: The others

    private func lookAround(_ lease: HostLease) async throws(StoreError) {
        // Who stops leaves what is free to others.
        let holdings = try await self.isStopping ? self.store.releaseHoldings(lease) : self.store.takeHoldings(lease)
        self.found(holdings, lease)
        let rows = try await self.store.hosts()
        self.hosts = Dictionary(grouping: rows, by: \.state).mapValues(\.count)
        self.interval = Self.interval(rows, lease, self.times)
        let drift = HostDrift(rows)
        guard drift != self.drift else { return }
        self.drift = drift
        if drift.isDrifting {
            self.logger.warning("the hosts of this database differ", metadata: ["drift": "\(drift.sentence)"])
        } else {
            self.logger.notice("all hosts of this database are alike again")
        }
    }

    /// Until the next heartbeat: it comes earlier if somebody may be silent then, so that a death is known when the limit is
    /// over, and not a heartbeat later.
    nonisolated static func interval(_ rows: [HostRow], _ lease: HostLease, _ times: LivenessTimes) -> Duration {
        // Its heartbeat is of this moment, by the database's clock.
        guard let now = rows.first(where: { $0.id == lease.id })?.heartbeatAt,
            let next = rows.filter({ $0.isPresent && $0.id != lease.id }).map(\.silentAt).min()
        else { return times.heartbeat }
        return min(times.heartbeat, max(next - now + .milliseconds(10), times.heartbeat / 10))
    }

    private func found(_ holdings: [Holding], _ lease: HostLease) {
        let before = Dictionary(self.holdings.map { ($0.subject, $0.holder) }) { first, _ in first }
        self.holdings = holdings
        var hasTaken = false
        for holding in holdings where before[holding.subject] != .some(holding.holder) {
            let what: Logger.Metadata = ["\(holding.subject.kind)": "\(holding.subject.name)"]
            if holding.isHeld(by: lease) {
                hasTaken = true
                self.logger.info("only this host does it now", metadata: what)
            } else if let holder = holding.holder {
                let who = "\(holder.host) (\(holder.hostname))"
                self.logger.info(
                    "another host does it; standing by", metadata: what.merging(["holder": "\(who)"]) { $1 })
            }
        }
        if hasTaken { self.onTaken?() }
    }
}
