import ControlPlane
import Glibc
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
        case freeze(RunID, attempt: Int)
        case thaw(RunID, attempt: Int)
        case extend(RunID, attempt: Int, by: Duration)
        case niceness(RunID, attempt: Int, Int32)
        case diagnose(RunID, attempt: Int)
        case lifted(handler: String, version: String)
        case plugin(PluginOrder)
        case look
    }

    /// An upload with the file's content as it was when the host was asked.
    struct Upload: Equatable {
        var upload: PluginUpload
        var content: [UInt8]
    }

    var orders: [Order] = []
    var attempts: [LiveAttempt] = []
    /// What a look at a live attempt finds; nil: nothing here can look.
    var diagnosis: String? = "{\"processes\":[]}"
    var mayRenice = true
    /// Attempts are ending: nothing can be done with them any more.
    var isTooLate = false
    var stored: [String: StoredPlugin] = [:]
    var handlerNames = ["test.echo"]
    var pluginViews: [PluginView] = []
    var facts: [PluginFacts] = []
    var uploads: [Upload] = []
    var proposal = PluginProposal(version: String(repeating: "e", count: 64), state: "active")
    /// Why nothing is done with plugins; nil: it is done.
    var pluginFault: PluginFault?
    var handlerSchemas: [String: HandlerSchemas] = [:]
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
    func freeze(runID: RunID, attempt: Int) -> Bool {
        orders.append(.freeze(runID, attempt: attempt))
        return change(runID, attempt) { $0.isFrozen = true }
    }
    func thaw(runID: RunID, attempt: Int) -> Bool {
        orders.append(.thaw(runID, attempt: attempt))
        return change(runID, attempt) { $0.isFrozen = false }
    }
    func extend(runID: RunID, attempt: Int, by extra: Duration) -> WallTime? {
        orders.append(.extend(runID, attempt: attempt, by: extra))
        _ = change(runID, attempt) { $0.deadline = $0.deadline?.advanced(by: extra) }
        return live(runID: runID)?.deadline
    }
    func setNiceness(runID: RunID, attempt: Int, _ niceness: Int32) -> Bool {
        orders.append(.niceness(runID, attempt: attempt, niceness))
        return mayRenice && change(runID, attempt) { $0.niceness = niceness }
    }
    func diagnose(runID: RunID, attempt: Int) async -> String? {
        orders.append(.diagnose(runID, attempt: attempt))
        return live(runID: runID) == nil ? nil : diagnosis
    }
    func quarantineLifted(handler: String, version: String) {
        orders.append(.lifted(handler: handler, version: version))
    }
    func storedPlugin(version: String) -> StoredPlugin? { stored[version] }
    func pluginFacts() -> [PluginFacts] { facts }
    func schemas(ofHandler name: String) -> HandlerSchemas? { handlerSchemas[name] }
    func order(_ order: PluginOrder) async throws(PluginFault) -> Bool {
        orders.append(.plugin(order))
        if let pluginFault { throw pluginFault }
        return true
    }
    func propose(_ upload: PluginUpload) async throws(PluginFault) -> PluginProposal {
        uploads.append(Upload(upload: upload, content: Self.content(of: upload.path)))
        if let pluginFault { throw pluginFault }
        return proposal
    }
    private static func content(of path: String) -> [UInt8] {
        guard let stream = fopen(path, "re") else { return [] }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
    private func change(_ run: RunID, _ attempt: Int, _ body: (inout LiveAttempt) -> Void) -> Bool {
        guard !isTooLate, let index = attempts.firstIndex(where: { $0.runID == run && $0.attempt == attempt }) else {
            return false
        }
        body(&attempts[index])
        return true
    }
    func live(runID: RunID) -> LiveAttempt? { attempts.first { $0.runID == runID } }
    func liveRuns() -> [LiveAttempt] { attempts }
    func plugins() -> [PluginView] { pluginViews }
    func handlers() -> [String] { handlerNames }
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

    /// On its machine.
    var orphanList: [Orphan] = []

    func orphans() async -> [Orphan] { orphanList }
    func clean(_ orphans: [Orphan]) async -> Set<Orphan.Key> {
        let done = Set(orphans.map(\.key)).intersection(orphanList.map(\.key))
        orphanList.removeAll { done.contains($0.key) }
        return done
    }
    func emergencyChanged() { orders.append(.look) }

    func hostView() -> HostView {
        HostView(
            id: id, hostname: "here", pid: 4711, slots: 16, running: attempts.count, isolation: "none",
            startedAt: WallTime(micros: 0))
    }
}
