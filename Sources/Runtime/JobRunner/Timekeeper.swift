import JobCore
import JobStore
import Logging
import UVLoop

/// Brings runs and schedules to life when their time has come: moves due runs to their queues, fires due schedules and ends
/// pauses that were to end by themselves.
///
/// Of several hosts one fires: the one that holds the lease, renewed with each round. Another takes it when it was not renewed for
/// `leaseTime`. Each planned time fires once all the same, whoever believes what.
///
/// Sleeps until the next known time, at most `longestSleep`: what others put in meanwhile is found then.
@LoopActor
final class Timekeeper {
    static let longestSleep: Duration = .seconds(1)
    /// Who fires and does not say for so long that it is there, fires no more.
    static let leaseTime: Duration = .seconds(4)
    /// While runs wait for others of their schedule, whose end nobody announces.
    static let turnPause: Duration = .milliseconds(200)
    /// After so long of firing times, and of firing events, the lease and everything else have their turn.
    private static let firingSlice: Duration = .milliseconds(100)
    /// Waiting runs that are moved to their queues in one statement, and how many such statements a round has before it fires.
    private static let promotionLimit = 1000
    private static let promotionSteps = 4
    /// Between two looks at the release of the time zone database.
    private static let zonePause: Duration = .seconds(60)

    private let store: JobStore
    private let logger: Logger
    private let timer = LoopTimer()
    private var isTurning = false
    private var isStopped = false
    private var mustTurnAgain = false
    /// Runs have come into their queues.
    var onWork: (@LoopActor () -> Void)?
    private(set) var fired: UInt64 = 0
    /// The term as the host that fires; nil: another does.
    private(set) var term: Int64?
    /// How long the last round took that fired nothing, and the last that fired something; nil: none was.
    private(set) var idleRound: Duration?
    private(set) var firingRound: Duration?
    /// This host, as it is registered.
    var lease: (@LoopActor () -> HostLease?)?
    private var hasToldStart = false
    private var nextZoneLook = LoopInstant(nanoseconds: 0)

    init(store: JobStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Begins, or looks again at once: something due soon was put in.
    func look() {
        guard !self.isStopped else { return }
        if self.isTurning {
            self.mustTurnAgain = true
            return
        }
        self.isTurning = true
        self.timer.stop()
        loopTask {
            let pause = await self.turn()
            self.isTurning = false
            if self.mustTurnAgain {
                self.mustTurnAgain = false
                self.look()
            } else if !self.isStopped {
                self.timer.start(after: pause) { [weak self] in self?.look() }
            }
        }
    }

    /// No more promotions or firings from this host; another may fire at once.
    func stop() {
        self.isStopped = true
        self.timer.stop()
        guard let term = self.term else { return }
        self.term = nil
        loopTask {
            do { try await self.store.resign(term: term) } catch {
                self.logger.debug("the lease of the schedules runs out by itself", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Others have taken this host's place: it fires nothing until it is registered anew.
    func fenced() { self.term = nil }

    /// One round; answers how long to sleep.
    private func turn() async -> Duration {
        do {
            var next: WallTime?
            var hasMoved = false
            for step in 1...Self.promotionSteps {
                let promoted = try await self.store.promoteDue(limit: Self.promotionLimit)
                if promoted.moved > 0 {
                    hasMoved = true
                    self.onWork?()
                }
                next = promoted.nextDue
                if promoted.moved < Self.promotionLimit || self.isStopped { break }
                // However many there are: schedules must not wait for all of them, nor the lease.
                if step == Self.promotionSteps { self.mustTurnAgain = true }
            }
            let firing = try await self.fire()
            if firing.hasMoved { hasMoved = true }
            if let due = firing.next { next = next.map { min($0, due) } ?? due }
            let pauses = try await self.store.endPauses()
            if pauses.ended {
                hasMoved = true
                self.onWork?()
            }
            if let end = pauses.next { next = next.map { min($0, end) } ?? end }
            let longest = firing.hasWaiting ? Self.turnPause : Self.longestSleep
            guard let next else { return longest }
            // Due, and yet nothing moved: the database's clock is behind ours, or somebody holds the row.
            let shortest: Duration = hasMoved ? .milliseconds(1) : .milliseconds(50)
            return min(max(next - WallTime.current, shortest), longest)
        } catch {
            self.logger.warning("schedules and due runs wait for the database", metadata: ["error": "\(error)"])
            return Self.longestSleep
        }
    }

    // MARK: Schedules

    private struct Firing {
        var next: WallTime?
        var hasMoved = false
        /// Runs wait for others of their schedule.
        var hasWaiting = false
    }

    /// Fires what is due, if this host is the one.
    private func fire() async throws(StoreError) -> Firing {
        guard !self.isStopped, let lease = self.lease?() else { return Firing() }
        let began = LoopInstant.now
        if !self.hasToldStart {
            try await self.store.hostStarted(lease)
            self.hasToldStart = true
        }
        let term = try await self.store.lead(lease, limit: Self.leaseTime)
        guard !self.isStopped else {
            if let term { try await self.store.resign(term: term) }
            return Firing()
        }
        self.took(term)
        guard let term else { return Firing() }
        if began >= self.nextZoneLook {
            _ = try await self.store.followZoneRelease()
            self.nextZoneLook = began.advanced(by: Self.zonePause)
        }
        let answer = try await self.store.fireDue(term: term, slice: Self.firingSlice)
        let turns = try await self.store.releaseTurns(term: term)
        let spent = LoopInstant.now - began
        if answer.fired.isEmpty { self.idleRound = spent } else { self.firingRound = spent }
        if !answer.fired.isEmpty {
            self.fired += UInt64(answer.fired.count)
            self.onWork?()
        }
        // What is let go is a due run, which the next round moves to its queue.
        if turns.released > 0 { self.mustTurnAgain = true }
        return Firing(next: answer.nextDue, hasMoved: !answer.fired.isEmpty, hasWaiting: turns.waiting > 0)
    }

    private func took(_ term: Int64?) {
        guard term != self.term else { return }
        self.term = term
        if let term {
            self.logger.info("this host fires schedules now", metadata: ["term": "\(term)"])
        } else {
            self.logger.notice("another host fires schedules")
        }
    }
}
