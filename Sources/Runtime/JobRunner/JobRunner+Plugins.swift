import JobCore
import JobStore
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
        let number = self.registry.ask(plugin, wish)
        let answer: T
        do throws(ReloadFault) { answer = try await body() } catch {
            // Whatever nobody decided, nobody wants any more.
            _ = self.registry.answered(plugin, number)
            throw error
        }
        self.hands.record(plugin, by: wish.by)
        await self.registry.written(plugin, atMost: .seconds(5))
        if let fault = self.registry.answered(plugin, number) { throw fault }
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

    /// This host takes no runs for a plugin: all are to serve a version that it cannot load. Nil: it takes them.
    package func blockedReason(plugin: String) -> String? {
        guard let place = self.registry.places[plugin], place.isBlocked else { return nil }
        return place.note.problem
    }
}
