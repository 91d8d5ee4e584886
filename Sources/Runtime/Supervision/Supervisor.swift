package import JobCore
package import Logging
package import UVLoop

/// Runs attempts in child processes: one zygote per plugin version, one child per attempt, and for each attempt exactly
/// one report, made when its process tree is proven empty.
///
/// Everything happens on the loop.
@LoopActor
package final class Supervisor {
    package let configuration: SupervisorConfiguration
    package let logger: Logger
    /// Gets the facts. Held weakly: it usually owns the supervisor.
    package weak var observer: (any AttemptObserver)?
    /// What the machine can do. Meaningful after `start()`.
    package private(set) var capabilities: Capabilities

    package init(
        _ configuration: SupervisorConfiguration, logger: Logger, observer: (any AttemptObserver)? = nil
    ) {
        self.configuration = configuration
        self.logger = logger
        self.observer = observer
        self.capabilities = Capabilities(profile: .none)
    }

    /// Finds out what the machine can do, makes its cgroup and scratch directories, becomes subreaper, and kills what a
    /// predecessor of the same instance left behind. Nothing is dispatched before it returns.
    package func start() async throws(SupervisionError) {}

    /// Starts a zygote for the version and waits until it is ready; keeps it warm. A version that is loaded already
    /// answers at once. Cancelling the task does not stop the load.
    package func load(
        _ image: PluginImage, timeout: Duration = .seconds(10)
    ) async throws(PluginRefusal) -> PluginManifest {
        throw PluginRefusal(reason: .unavailable, message: "not started")
    }

    /// No new attempts for this version; its zygote exits when the last child has. Unknown versions are ignored.
    package func retire(_ sha256: String) {}

    /// Starts an attempt, or throws and has done nothing. Afterwards the observer hears of it, never before this returns.
    package func dispatch(_ spec: AttemptSpec) throws(DispatchError) { throw .draining }

    /// Asks an attempt to stop, with its cancel grace or the given one; then the ladder. Ignored when it is not running.
    package func cancel(_ runID: RunID, _ attempt: Int, reason: CancelReason = .requested, grace: Duration? = nil) {}

    /// Ends an attempt: CANCEL and SIGTERM at once, the kill after `grace` (its term grace if nil).
    package func terminate(_ runID: RunID, _ attempt: Int, grace: Duration? = nil) {}

    /// Moves the wall deadline of a running attempt. Ignored when it is not running, or past its deadline already.
    package func extendDeadline(_ runID: RunID, _ attempt: Int, by extra: Duration) {}

    /// The observer accepts logs again.
    package func logsAccepted() {}

    package var running: [RunningAttempt] { [] }

    package func snapshot(_ runID: RunID) -> RunningAttempt? { nil }

    /// Ends the zygotes. With `killAll` everything that runs is terminated first and reported `lost`/`host`; without it
    /// waits until what runs has ended. Nothing is accepted any more.
    package func shutdown(killAll: Bool) async {}
}
