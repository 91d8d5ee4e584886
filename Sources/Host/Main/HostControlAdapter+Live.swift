import ControlPlane
import Glibc
import JobCore
import JobRunner
import Supervision
import UVLoop

/// What can be done with an attempt while it runs here.
extension HostControlAdapter {
    func freeze(runID: RunID, attempt: Int) -> Bool { self.supervisor.freeze(runID, attempt) }
    func thaw(runID: RunID, attempt: Int) -> Bool { self.supervisor.thaw(runID, attempt) }
    func extend(runID: RunID, attempt: Int, by extra: Duration) -> WallTime? {
        self.supervisor.extend(runID, attempt, by: extra)
    }
    func setNiceness(runID: RunID, attempt: Int, _ niceness: Int32) -> Bool {
        self.supervisor.setNiceness(runID, attempt, niceness)
    }
    func diagnose(runID: RunID, attempt: Int) async -> String? { await self.supervisor.diagnose(runID, attempt) }

    func orphans() async -> [Orphan] { await self.runner.hostOrphans() }
    func clean(_ orphans: [Orphan]) async -> Set<Orphan.Key> { await self.runner.cleanHost(orphans) }
    func emergencyChanged() { self.runner.emergencyChanged() }

    func quarantineLifted(handler: String, version: String) {
        self.runner.quarantineLifted(handler: handler, version: version)
    }

    /// What the supervisor knows beyond the runner's own.
    func withLiveFacts(_ attempt: LiveAttempt) -> LiveAttempt {
        guard let known = self.supervisor.snapshot(attempt.runID), known.attempt == attempt.attempt else {
            return attempt
        }
        var attempt = attempt
        attempt.mode = known.mode
        attempt.isFrozen = known.isFrozen
        attempt.deadline = known.deadline
        attempt.niceness = known.niceness
        attempt.latest = known.latest
        return attempt
    }
}
