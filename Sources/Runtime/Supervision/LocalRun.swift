package import JobCore
internal import UVLoop

/// One attempt without a database: for authors who try a handler.
package enum LocalRun {
    /// Loads the image, runs the handler once and cleans up. `sink` hears what happens meanwhile.
    ///
    /// Throws `PluginRefusal`, `SupervisionError`, or `DispatchError.notLoaded` when there is no such handler.
    @LoopActor
    package static func execute(
        imagePath: String, handler: String, args: [UInt8], limits: Limits = Limits(), zygotePath: String,
        profile: SupervisorConfiguration.Profile = .automatic, configuration: String? = nil,
        sink: (any AttemptObserver)? = nil
    ) async throws -> AttemptReport {
        throw SupervisionError("not started")
    }
}
