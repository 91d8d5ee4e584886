import ControlPlane
import JobCore
import JobStore
import UVLoop

/// A host without processes: remembers what it was asked, and shows what a test gives it.
@LoopActor
final class FakeHost: HostControl {
    enum Order: Equatable {
        case enqueued(queue: String, rank: Int)
        case cancel(RunID, attempt: Int, grace: Duration?)
        case terminate(RunID, attempt: Int, grace: Duration?)
    }

    var orders: [Order] = []
    var attempts: [LiveAttempt] = []
    var pluginViews: [PluginView] = []
    var checks = [ReadinessCheck(name: "database", ok: true, detail: "connected")]
    var isDraining = false
    var families: [MetricFamily] = []
    var id: HostID?
    private var streams: [RunID: [Int: AsyncStream<Void>.Continuation]] = [:]
    private var nextStream = 0

    func enqueued(queue: String, rank: Int) { orders.append(.enqueued(queue: queue, rank: rank)) }
    func cancel(runID: RunID, attempt: Int, grace: Duration?) {
        orders.append(.cancel(runID, attempt: attempt, grace: grace))
    }
    func terminate(runID: RunID, attempt: Int, grace: Duration?) {
        orders.append(.terminate(runID, attempt: attempt, grace: grace))
    }
    func live(runID: RunID) -> LiveAttempt? { attempts.first { $0.runID == runID } }
    func liveRuns() -> [LiveAttempt] { attempts }
    func plugins() -> [PluginView] { pluginViews }
    func handlers() -> [String] { ["test.echo"] }
    func readiness() async -> [ReadinessCheck] { checks }
    func metrics() -> [MetricFamily] { families }
    func flushLogs(of runID: RunID) async {}

    func logsArrived(runID: RunID) -> AsyncStream<Void> {
        nextStream += 1
        let key = nextStream
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        streams[runID, default: [:]][key] = continuation
        continuation.onTermination = { [weak self] _ in loopTask { self?.streams[runID]?[key] = nil } }
        return stream
    }

    /// Consumers of the run's news now.
    func followers(of runID: RunID) -> Int { streams[runID]?.count ?? 0 }
    func poke(_ runID: RunID) { for stream in streams[runID, default: [:]].values { stream.yield() } }

    func hostView() -> HostView {
        HostView(
            id: id, hostname: "here", pid: 4711, slots: 16, running: attempts.count, isolation: "none",
            startedAt: WallTime(micros: 0))
    }
}
