internal import JobCore
internal import Logging
package import Supervision
internal import UVLoop

/// The version before the one that serves: it can stand in for it, loaded again if need be. Its bytes are still in the store.
extension PluginCatalog {
    /// The version before the one that serves a handler, if it is loaded.
    package func fallback(
        forHandler name: String
    ) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)? {
        guard let entry = self.served(name)?.entry, let warm = entry.machine.warm, self.supervisor.takesAttempts(warm),
            let (index, manifest) = self.handler(name, entry, warm)
        else { return nil }
        return (warm, index, manifest)
    }

    /// Loads it, if there is one with this handler, and keeps it until `dropFallback`.
    /// - Returns: whether it can be given runs now.
    package func loadFallback(forHandler name: String) async -> Bool {
        guard let entry = self.served(name)?.entry, let last = entry.machine.previous.first,
            self.handler(name, entry, last) != nil
        else { return false }
        return await self.loadPrevious(entry, .quarantine)
    }

    func loadPrevious(_ entry: PluginEntry, _ reason: PluginEntry.StandIn) async -> Bool {
        guard let last = entry.machine.previous.first, let version = entry.versions[last] else { return false }
        entry.standsIn.insert(reason)
        if entry.machine.warm == last, self.supervisor.takesAttempts(last) { return true }
        do throws(ReloadFault) {
            version.image = try await self.intact(version.image, entry)
            do throws(PluginRefusal) { _ = try await self.supervisor.load(version.image) } catch {
                throw ReloadFault(.refused, error.message)
            }
        } catch {
            self.logger.error(
                "the version before the one that crashes cannot be loaded: \(error)",
                metadata: ["file": "\(entry.file)"])
            return false
        }
        guard entry.machine.previous.first == last, entry.standsIn.contains(reason) else {
            // Another version took over meanwhile.
            self.retire(last, entry)
            return false
        }
        entry.machine.warmed(last)
        self.logger.notice(
            "the version before stands in for the one that crashes",
            metadata: ["file": "\(entry.file)", "sha256": "\(last.prefix(12))"])
        return true
    }

    /// It is not needed any more for this handler: it goes, unless another handler of the same plugin needs it. What runs in it
    /// goes on.
    package func dropFallback(forHandler name: String, unless isNeeded: (_ handler: String) -> Bool) {
        guard let entry = self.served(name)?.entry,
            !(entry.active?.manifest?.handlers.contains { isNeeded($0.name) } ?? false)
        else { return }
        self.standBack(entry, .quarantine)
    }

    func standBack(_ entry: PluginEntry, _ reason: PluginEntry.StandIn) {
        guard entry.standsIn.remove(reason) != nil, entry.standsIn.isEmpty else { return }
        self.perform(entry.machine.cooled(), entry)
    }
}
