import JobCore
package import JobStore
package import Plugins
package import Supervision
import UVLoop

/// What people want of plugins, and how far it has come.
extension JobRunner {
    /// Does something with a plugin of this host for a person: what it decides is written with their name and reason, and only if
    /// the plugin's row is still what they have seen. Returns when it is written, or after five seconds without the database;
    /// it is written later then.
    package func asked<T: Sendable>(
        _ plugin: String, _ wish: PluginWish, _ body: @LoopActor () async throws(ReloadFault) -> T
    ) async throws(ReloadFault) -> T {
        self.registry.wishes[plugin] = wish
        // Whatever nobody decided, nobody wants any more.
        defer { self.registry.wishes[plugin] = nil }
        let answer = try await body()
        self.hands.record(plugin, by: wish.by)
        await self.registry.written(plugin, atMost: .seconds(5))
        return answer
    }

    /// A version of a plugin from this host's store, else fetched from the database: for those who want to activate one that this
    /// host has never had.
    package func obtain(_ sha256: String, plugin: String) async throws(ReloadFault) -> PluginImage {
        do throws(PluginHandsFault) {
            return try await self.registry.obtain(sha256, plugin, self.hands)
        } catch {
            throw ReloadFault(error.isTransient ? .unavailable : .badFile, error.words)
        }
    }

    /// Whether files that appear may change what serves.
    package func pin(_ plugin: String, _ isPinned: Bool, _ wish: PluginWish) async throws(StoreError) -> PluginAnswer {
        let answer = try await self.store.changePlugin(
            plugin,
            PluginDecision(.pin(isPinned), at: WallTime.current, by: wish.by, reason: wish.reason),
            ifRevision: wish.revision)
        self.registry.seen(answer.row)
        return answer
    }

    /// This host takes no runs for a plugin: all are to serve a version that it cannot load. Nil: it takes them.
    package func blockedReason(plugin: String) -> String? {
        guard let place = self.registry.places[plugin], place.isBlocked else { return nil }
        return place.note.problem
    }
}
