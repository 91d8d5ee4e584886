package import JobCore
import JobStore
import Logging
import Plugins
import Supervision
import UVLoop

extension JobRunner {
    /// What is on this machine without an owner: processes, cgroups, scratch directories, files of the content store.
    package func hostOrphans() async -> [Orphan] {
        await self.supervisor.orphans() + self.catalog.orphans(isKnown: self.knownVersions)
    }

    /// Puts right those that still are what they were.
    package func cleanHost(_ orphans: [Orphan]) async -> Set<Orphan.Key> {
        let files = orphans.filter { $0.kind == .fileWithoutOwner }
        let others = orphans.filter { !$0.kind.isShared && $0.kind != .fileWithoutOwner }
        return await self.supervisor.clean(others).union(self.catalog.clean(files, isKnown: self.knownVersions))
    }

    private func knownVersions(_ hashes: Set<String>) async -> Set<String>? {
        do { return try await self.store.knownVersions(hashes) } catch {
            self.logger.debug("nobody can say which versions are known", metadata: ["error": "\(error)"])
            return nil
        }
    }

    package var safetyFigures: SafetyFigures { self.safety.figures }

    /// Somebody has changed what is an emergency through this host.
    package func emergencyChanged() { self.delivery.hint() }

    func wireSafety() {
        self.safety.onRelease = { [weak self] in
            self?.delivery.hint()
            self?.timekeeper.look()
        }
        self.safety.onEnded = { [weak self] in
            self?.terminate($0, attempt: $1, grace: nil)
            self?.watch.poke($0)
        }
        self.safety.pulses = { [weak self] in self?.pulses(olderThan: $0) ?? [] }
        self.safety.findOrphans = { [weak self] in await self?.hostOrphans() ?? [] }
        self.safety.cleanOrphans = { [weak self] in await self?.cleanHost($0) ?? [] }
    }

    private func pulses(olderThan age: Duration) -> [RunPulse] {
        let now = WallTime.current
        let running = Dictionary(
            self.supervisor.running.map { (AttemptKey(run: $0.runID, attempt: $0.attempt), $0) }
        ) { first, _ in first }
        var pulses: [RunPulse] = []
        for (key, held) in self.delivery.held {
            guard let startedAt = held.startedAt, now - startedAt >= age, !held.hasEnded else { continue }
            let seen = running[key]
            var activity = held.activity ?? RunActivity(startedAt: startedAt)
            activity.looked(
                at: now, progress: held.progress, loggedAt: held.loggedAt, cpuMillis: seen?.latest?.cpuMillis)
            held.activity = activity
            pulses.append(
                RunPulse(
                    id: key.run, attempt: key.attempt, activity: activity, cpuMillis: seen?.latest?.cpuMillis,
                    residentBytes: seen?.latest?.rssBytes, processes: seen?.latest?.processes,
                    isFrozen: seen?.isFrozen ?? false, deadline: seen?.deadline))
        }
        return pulses
    }
}
