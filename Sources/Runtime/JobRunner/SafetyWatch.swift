package import JobCore
import JobStore
import Logging
import UVLoop

/// Has this host obey emergencies, sweep when it is due, say what its runs do that have been running for a while, and look after what
/// is on its machine without an owner.
///
/// Called once a second. Claims and schedules obey an emergency by themselves, in the database; here this host hears of it.
@LoopActor
final class SafetyWatch {
    /// Whoever judges runs wants to know what those do that have been running for this long.
    private static let pulsedAfter = Duration.seconds(20)
    private static let pulseEvery = Duration.seconds(15)
    /// What is an orphan at two looks with this between them is one.
    private let betweenLooks: Duration

    private let store: JobStore
    private let logger: Logger
    /// Claims may go on.
    var onRelease: (@LoopActor () -> Void)?
    /// This attempt was ended, and may run here.
    var onEnded: (@LoopActor (RunID, Int) -> Void)?
    /// What the runs do that this host executes.
    var pulses: (@LoopActor (_ olderThan: Duration) -> [RunPulse])?
    var findOrphans: (@LoopActor () async -> [Orphan])?
    var cleanOrphans: (@LoopActor ([Orphan]) async -> Set<Orphan.Key>)?

    private var isLooking = false
    private var isSweeping = false
    private var isLookingAround = false
    private var nextPulse = LoopInstant.now
    private var hasPulses = true
    /// What the log says of emergencies.
    private var said = Emergency()
    private var lastLookAround = LoopInstant.now
    private(set) var figures = SafetyFigures()

    init(store: JobStore, logger: Logger, betweenLooks: Duration = .seconds(5)) {
        self.betweenLooks = betweenLooks
        self.store = store
        self.logger = logger
    }

    /// - Parameter isDraining: it only says what its runs do; a drain may take hours.
    func tick(_ lease: HostLease, isDraining: Bool = false) {
        guard !self.isLooking else { return }
        self.isLooking = true
        loopTask {
            do {
                if isDraining { try await self.pulse(lease) } else { try await self.look(lease) }
            } catch {
                self.logger.debug("no look after safety now", metadata: ["error": "\(error)"])
            }
            self.isLooking = false
        }
    }

    private func look(_ lease: HostLease) async throws(StoreError) {
        if try await self.store.lookForEmergency() { self.onRelease?() }
        self.sayEmergency()
        try await self.pulse(lease)
        let known = try await self.store.safetyPolicy()
        self.sweep(lease, known)
        let policy = known.policy
        if policy.mode != .off, LoopInstant.now - self.lastLookAround >= policy.sweepEvery {
            self.lookAround(lease, policy)
        }
    }

    /// Beside all else: it may take long, and emergencies do not wait for it.
    private func sweep(_ lease: HostLease, _ known: PolicyRow) {
        guard known.isDue, !self.isSweeping else { return }
        self.isSweeping = true
        loopTask {
            defer { self.isSweeping = false }
            do {
                guard let sweep = try await self.store.sweep(lease, known: known) else { return }
                self.figures.count(sweep.row)
                for attempt in sweep.ended { self.onEnded?(attempt.id, attempt.attempt) }
                // What was requeued waits.
                if sweep.row.requeued > 0 { self.onRelease?() }
                if sweep.row.stale > 0 || !sweep.row.orphans.isEmpty { self.say(sweep.row) }
            } catch {
                self.logger.debug("no sweep now", metadata: ["error": "\(error)"])
            }
        }
    }

    private func sayEmergency() {
        let now = self.store.emergency
        defer { self.said = now }
        for mode in EmergencyMode.allCases {
            switch (self.said[mode], now[mode]) {
            case (nil, let order?):
                self.logger.warning(
                    "emergency: \(mode.rawValue)",
                    metadata: ["by": "\(order.actor ?? "somebody")", "reason": "\(order.reason)"])
            case (_?, nil): self.logger.notice("emergency lifted: \(mode.rawValue)")
            default: break
            }
        }
    }

    private func say(_ row: SweepRow) {
        self.logger.notice(
            "a safety sweep found something",
            metadata: [
                "stale": "\(row.stale)", "failed": "\(row.failed)", "requeued": "\(row.requeued)",
                "orphans": "\(row.orphans.values.reduce(0, +))", "cleaned": "\(row.cleaned.values.reduce(0, +))",
            ])
    }

    private func pulse(_ lease: HostLease) async throws(StoreError) {
        guard LoopInstant.now >= self.nextPulse else { return }
        self.nextPulse = LoopInstant.now.advanced(by: Self.pulseEvery)
        let pulses = self.pulses?(Self.pulsedAfter) ?? []
        guard self.hasPulses || !pulses.isEmpty else { return }
        try await self.store.notePulses(lease, pulses)
        self.hasPulses = !pulses.isEmpty
    }

    /// Beside all else: it looks at every process of the machine.
    private func lookAround(_ lease: HostLease, _ policy: SafetyPolicy) {
        guard !self.isLookingAround else { return }
        self.isLookingAround = true
        self.lastLookAround = .now
        loopTask {
            defer { self.isLookingAround = false }
            let began = LoopInstant.now
            var found = await self.findOrphans?() ?? []
            guard !found.isEmpty else { return }
            do { try await LoopClock.sleep(for: self.betweenLooks) } catch { return }
            let again = Set((await self.findOrphans?() ?? []).map(\.key))
            found.removeAll { !again.contains($0.key) }
            guard !found.isEmpty else { return }
            var row = SweepRow(kind: .host, hasActed: policy.mode == .act)
            row.hostID = lease.id
            row.orphans = Dictionary(grouping: found, by: \.kind).mapValues(\.count)
            if policy.mode == .act {
                let cleaned = await self.cleanOrphans?(found) ?? []
                row.cleaned = Dictionary(grouping: cleaned, by: \.kind).mapValues(\.count)
            }
            row.took = LoopInstant.now - began
            self.figures.count(row)
            self.say(row)
            do { try await self.store.remember(row) } catch {
                self.logger.warning("a look for orphans is missing from the history", metadata: ["error": "\(error)"])
            }
        }
    }
}

/// Since the start of this host.
package struct SafetyFigures: Sendable, Hashable {
    /// That this host has done for all.
    package var sweeps: UInt64 = 0
    package var staleEnded: UInt64 = 0
    package var orphansCleaned: [OrphanKind: UInt64] = [:]

    mutating func count(_ row: SweepRow) {
        if row.kind == .sweep { self.sweeps += 1 }
        self.staleEnded += UInt64(row.failed + row.requeued)
        for (kind, count) in row.cleaned { self.orphansCleaned[kind, default: 0] += UInt64(count) }
    }
}
