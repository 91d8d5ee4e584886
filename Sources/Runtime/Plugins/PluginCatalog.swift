package import Logging
package import Supervision
package import UVLoop

/// Whoever has to know which handlers there are.
@LoopActor
package protocol PluginCatalogDelegate: AnyObject {
    /// A version serves from now on. The catalog awaits this before it retires the older version.
    func pluginActivated(_ plugin: ActivePlugin) async
    /// A file's status has changed.
    func pluginChanged(_ status: PluginStatus)
}

/// The plugins of one directory: watches it, takes files into the content store, loads them, swaps versions.
@LoopActor
package final class PluginCatalog {
    /// How to start the ingest helper: this program with these arguments before its own.
    package struct Helper: Sendable {
        package var executable: String
        package var arguments: [String]

        package init(executable: String, arguments: [String]) {
            self.executable = executable
            self.arguments = arguments
        }
    }

    package weak var delegate: (any PluginCatalogDelegate)?

    /// directory: nil for none. store: where the content is kept, made if missing. ffiBridge: path of `pawl-ffi.so`, nil
    /// if there is none.
    package init(
        directory: String?, store: String, ffiBridge: String?, helper: Helper, supervisor: Supervisor, logger: Logger,
        delegate: (any PluginCatalogDelegate)? = nil
    ) {
        self.delegate = delegate
    }

    /// Watches the directory and loads what is there; returns when each file is active or rejected.
    package func start() async throws {}

    /// Looks at the whole directory again; returns when everything found has settled.
    package func rescan() async {}

    /// By file name.
    package var statuses: [PluginStatus] { [] }

    /// Which version serves a handler now.
    package func version(
        forHandler name: String
    ) -> (sha256: String, handlerIndex: Int, manifest: HandlerManifest)? { nil }

    /// Watches no more. The supervisor's zygotes are its own business.
    package func stop() {}
}
