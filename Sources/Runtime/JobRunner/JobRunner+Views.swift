package import JobCore
package import JobStore
import Supervision
import UVLoop

/// What this host is doing, for the API, the page and `/metrics`.
extension JobRunner {
    /// One run that this host executes.
    package struct Live: Sendable, Hashable {
        package var runID: RunID
        package var attempt: Int
        package var pid: Int32?
        package var version: String?
        package var startedAt: WallTime?
        package var progress: Progress
        package var cancelRequestedAt: WallTime?
        package var residentBytes: UInt64?
    }

    /// Counts since the start, and levels now.
    package struct Figures: Sendable {
        package var slots: Int
        package var executing: Int
        package var waitingHere: Int
        package var unsettled: Int
        package var claimed: UInt64
        package var started: UInt64
        package var settled: UInt64
        package var fenced: UInt64
        package var unsettleable: UInt64
        package var expired: UInt64
        package var crashesFiled: UInt64
        package var ended: [AttemptOutcome: UInt64]
        package var userCPU: Duration
        package var systemCPU: Duration
        /// From the time when a run was due to its handler's begin; of attempts that have ended.
        package var waits: DurationBuckets
        /// From a handler's begin to the end of its attempt.
        package var runTimes: DurationBuckets
        package var logLines: UInt64
        package var logBytesHeld: Int
        package var logBytesSpilled: Int
        package var logLinesSpilled: UInt64
        package var logLinesDropped: UInt64
        package var logPath: LogPathStateMachine.Phase
        package var schedulesFired: UInt64
        /// This host is the one that fires.
        package var isFiring: Bool
        /// How long the last look at schedules took that fired nothing, and the last that fired something.
        package var idleRound: Duration?
        package var firingRound: Duration?
        package var followers: Int
        package var fencings: UInt64
        package var silenced: UInt64
        /// Hosts of the last 30 days, as of the last heartbeat.
        package var hosts: [HostState: Int]
        package var isDrifting: Bool
    }

    package func live(_ run: RunID) -> Live? {
        self.delivery.current(run).flatMap { $0.dispatchedAt == nil ? nil : self.live($0) }
    }

    /// Longest running first.
    package var liveRuns: [Live] {
        self.delivery.held.values.filter { $0.dispatchedAt != nil }.map(self.live)
            .sorted { ($0.startedAt?.micros ?? .max, $0.runID) < ($1.startedAt?.micros ?? .max, $1.runID) }
    }

    private func live(_ held: Delivery.Held) -> Live {
        Live(
            runID: held.run.id, attempt: held.run.attempt, pid: held.pid, version: held.version,
            startedAt: held.startedAt,
            progress: held.progress, cancelRequestedAt: held.cancelRequestedAt,
            residentBytes: self.supervisor.snapshot(held.run.id)?.residentBytes)
    }

    package var figures: Figures {
        let machine = self.delivery.machine
        let counters = self.delivery.counters
        return Figures(
            slots: machine.slots, executing: self.delivery.executing, waitingHere: self.delivery.waitingHere,
            unsettled: machine.unsettled + machine.flushing, claimed: counters.claimed, started: counters.started,
            settled: counters.settled, fenced: counters.fenced, unsettleable: counters.unsettleable,
            expired: self.expired, crashesFiled: self.crashes.filed, ended: counters.ended, userCPU: counters.userCPU,
            systemCPU: counters.systemCPU, waits: counters.waits, runTimes: counters.runTimes,
            logLines: self.logs.linesWritten, logBytesHeld: self.logs.heldBytes,
            logBytesSpilled: self.logs.spilledBytes, logLinesSpilled: self.logs.linesSpilled,
            logLinesDropped: self.logs.linesDropped, logPath: self.logs.phase,
            schedulesFired: self.timekeeper.fired, isFiring: self.timekeeper.term != nil,
            idleRound: self.timekeeper.idleRound, firingRound: self.timekeeper.firingRound, followers: self.watch.count,
            fencings: self.liveness.fencings, silenced: self.liveness.silenced, hosts: self.liveness.hosts,
            isDrifting: self.liveness.drift.isDrifting)
    }
}
