import JobCore
import JobStore
import Logging
import UVLoop

/// Brings runs and schedules to life when their time has come: moves due runs to their queues, fires due schedules and ends
/// pauses that were to end by themselves.
///
/// Sleeps until the next known time, at most `longestSleep`: what others put in meanwhile is found then.
@LoopActor
final class Timekeeper {
    static let longestSleep: Duration = .seconds(1)

    private let store: JobStore
    private let logger: Logger
    private let timer = LoopTimer()
    private var isTurning = false
    private var isStopped = false
    private var mustTurnAgain = false
    /// Runs have come into their queues.
    var onWork: (@LoopActor () -> Void)?
    private(set) var fired: UInt64 = 0

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

    /// No more promotions or firings from this host.
    func stop() {
        self.isStopped = true
        self.timer.stop()
    }

    /// One round; answers how long to sleep.
    private func turn() async -> Duration {
        do {
            var next: WallTime?
            var hasMoved = false
            let limit = 1000
            while true {
                let promoted = try await self.store.promoteDue(limit: limit)
                if promoted.moved > 0 {
                    hasMoved = true
                    self.onWork?()
                }
                next = promoted.nextDue
                if promoted.moved < limit || self.isStopped { break }
            }
            let answer = try await self.store.fireDue()
            if !answer.fired.isEmpty {
                hasMoved = true
                self.fired += UInt64(answer.fired.count)
                self.onWork?()
            }
            if let due = answer.nextDue { next = next.map { min($0, due) } ?? due }
            let pauses = try await self.store.endPauses()
            if pauses.ended {
                hasMoved = true
                self.onWork?()
            }
            if let end = pauses.next { next = next.map { min($0, end) } ?? end }
            guard let next else { return Self.longestSleep }
            // Due, and yet nothing moved: the database's clock is behind ours, or somebody holds the row.
            let shortest: Duration = hasMoved ? .milliseconds(1) : .milliseconds(50)
            return min(max(next - WallTime.current, shortest), Self.longestSleep)
        } catch {
            self.logger.warning("schedules and due runs wait for the database", metadata: ["error": "\(error)"])
            return Self.longestSleep
        }
    }
}
