import Logging
package import Supervision
import UVLoop

/// The version before the one that serves: it can be loaded again to stand in for it. Its bytes are still in the store.
extension PluginCatalog {
    /// The version before the one that serves a handler, if it is loaded.
    package func fallback(
        forHandler name: String
    ) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)? {
        guard let entry = self.previousEntry(name), entry.isPreviousLoaded, let version = entry.previous,
            self.supervisor.isLoaded(version.image.sha256),
            let index = version.manifest.handlers.firstIndex(where: { $0.name == name })
        else { return nil }
        return (version.image.sha256, index, version.manifest.handlers[index])
    }

    /// Loads it, if there is one with this handler.
    /// - Returns: whether it can be given runs now.
    package func loadFallback(forHandler name: String) async -> Bool {
        guard let entry = self.previousEntry(name), let version = entry.previous,
            version.manifest.handlers.contains(where: { $0.name == name })
        else { return false }
        if entry.isPreviousLoaded { return true }
        do {
            _ = try await self.supervisor.load(version.image)
        } catch {
            self.logger.error(
                "the version before the one that crashes cannot be loaded: \(error)",
                metadata: ["file": "\(entry.file)"])
            return false
        }
        guard entry.previous?.image.sha256 == version.image.sha256 else {
            // Another version took over meanwhile.
            self.retire(version.image.sha256)
            return false
        }
        entry.isPreviousLoaded = true
        self.logger.notice(
            "the version before stands in for the one that crashes",
            metadata: ["file": "\(entry.file)", "sha256": "\(version.image.sha256.prefix(12))"])
        return true
    }

    /// It is not needed any more for this handler: it goes, unless another handler of the same file needs it. What runs in it
    /// goes on.
    package func dropFallback(forHandler name: String, unless isNeeded: (_ handler: String) -> Bool) {
        guard let entry = self.previousEntry(name),
            !self.serving.contains(where: { $0.value.file == entry.file && isNeeded($0.key) })
        else { return }
        self.dropPrevious(entry)
    }

    func dropPrevious(_ entry: PluginEntry) {
        guard entry.isPreviousLoaded, let version = entry.previous else { return }
        entry.isPreviousLoaded = false
        self.retire(version.image.sha256)
    }

    private func previousEntry(_ handler: String) -> PluginEntry? {
        self.serving[handler].flatMap { self.entries[$0.file] }
    }
}
