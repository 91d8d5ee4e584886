import JobCore
import JobStore
import Plugins
import Supervision
import UVLoop

/// Why this host cannot do what the row says, in words for people.
struct PluginHandsFault: Error, Equatable {
    var words: String
    var isTransient = false
}

/// What the registry asks of this host's plugins: to follow what all hosts are to serve. Each call returns when it is done.
@LoopActor
protocol PluginHands: AnyObject {
    /// A version that is in this host's content store; nil: it has to be fetched.
    func image(of sha256: String) -> PluginImage?
    /// Checks fetched files and takes them into the content store. They stay where they are.
    func take(_ fetched: PluginBytes.Fetched, plugin: String) async throws(PluginHandsFault) -> PluginImage
    /// Serves a version; what served before goes on with its attempts.
    func serve(_ image: PluginImage, plugin: String) async throws(PluginHandsFault)
    /// Tries a version beside the one that serves.
    func beginCanary(_ image: PluginImage, plugin: String, policy: String) async throws(PluginHandsFault)
    func endCanary(plugin: String) async
    func retire(plugin: String) async
    func disable(plugin: String) async throws(PluginHandsFault)
    func enable(plugin: String) async throws(PluginHandsFault)
}
