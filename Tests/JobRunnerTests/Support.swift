import JobCore
import JobStore
import Logging
import Postgres
import PostgresTestSupport
import Supervision
import Testing
import UVLoop

@testable import JobRunner

/// A delivery loop on a real database, with supervision played by the test: it sees what is started and says how it ended.
@LoopActor
final class Stage {
    let store: JobStore
    let side: PostgresConnection
    let delivery: Delivery
    let quarantine: QuarantineBook
    let logs: LogWriter
    private(set) var lease = HostLease(id: HostID(0), epoch: 0)
    /// Attempts that were started and have not ended, in order.
    private(set) var running: [AttemptSpec] = []
    private(set) var startCount = 0
    /// What serves, by handler; and what stands in.
    var active: [String: String] = ["test.noop": "v2", "test.sleep": "v2"]
    var fallback: [String: String] = [:]
    /// What is tried, and with how many of 10,000 dice.
    var canary: [String: String] = [:]
    var canaryShare: UInt32 = 0
    /// How far the host's clock is ahead, for those who wait for a time.
    var ahead: Duration = .zero
    /// The next starts are refused so.
    var refusal: DispatchError?
    /// Versions that are not there to take runs.
    var unloaded: Set<String> = []

    init(_ configuration: PostgresConfiguration, slots: Int = 4) async throws {
        let logger = TestDatabase.logger
        store = JobStore(configuration: configuration, logger: logger)
        store.start()
        try await store.migrate()
        side = try await PostgresConnection.connect(configuration, logger: logger)
        try await store.registerHandlers(
            plugin: "test", [JobUpsert(handler: "test.noop"), JobUpsert(handler: "test.sleep")])
        logs = LogWriter(store: store, logger: logger)
        weak var stage: Stage?
        quarantine = QuarantineBook(
            store: store, logger: logger, now: { WallTime.current.advanced(by: stage?.ahead ?? .zero) })
        let serving: @LoopActor (String?) -> Delivery.Serving? = { version in
            version.map { Delivery.Serving(sha256: $0, handlerIndex: 0, manifest: HandlerManifest(name: "")) }
        }
        delivery = Delivery(
            slots: slots, store: store, logs: logs, watch: RunWatch(), quarantine: quarantine, logger: logger,
            start: { spec throws(DispatchError) in try stage?.start(spec) },
            resolve: { handler, dice, avoided in
                if let canary = stage?.canary[handler], canary != avoided, dice < stage?.canaryShare ?? 0 {
                    var found = serving(canary)
                    found?.isCanary = true
                    return found
                }
                return serving(stage?.active[handler])
            }, resolveFallback: { serving(stage?.fallback[$0]) })
        stage = self
        quarantine.onChange = { [delivery] in delivery.reachChanged() }
        delivery.loadReach = { [weak self] () async throws(StoreError) -> Reach in
            guard let self else { return .nothing }
            return Reach(
                try await self.store.jobs(), quarantine: self.quarantine,
                active: { self.active[$0].flatMap { self.unloaded.contains($0) ? nil : $0 } },
                hasFallback: { self.delivery.cleanFallback($0) != nil })
        }
    }

    func begin() async throws {
        lease = try await store.registerHost(
            HostRegistration(dataDirectoryID: "stage", hostname: "here", pid: 1, version: "1", slots: 4)
        ).lease
        await quarantine.begin(lease)
        delivery.begin(lease)
    }

    private func start(_ spec: AttemptSpec) throws(DispatchError) {
        if let refusal { throw refusal }
        if unloaded.contains(spec.version) { throw .notLoaded(version: spec.version) }
        running.append(spec)
        startCount += 1
    }

    /// The oldest running attempt ends.
    @discardableResult
    func end(_ outcome: AttemptOutcome, reason: AttemptReason? = nil, asking: [FollowUp] = []) -> AttemptSpec {
        let spec = running.removeFirst()
        var report = AttemptReport(
            runID: spec.runID, attempt: spec.attempt, outcome: outcome, reason: reason, started: .current,
            ended: .current, version: spec.version, sentence: "It ended.")
        report.followUps = asking
        if outcome == .error { report.error = AttemptError(code: "x", message: "y", retry: .never) }
        delivery.ended(report)
        return spec
    }

    func enqueue(_ count: Int, job: String = "test.noop", attempts: Int = 1) async throws -> [RunID] {
        let ids = try await store.enqueue(batch: (0..<count).map { _ in NewRun(job: job, attempts: attempts) })
            .map { try $0.get().id }
        delivery.hint()
        return ids
    }

    func number(_ sql: String) async throws -> Int64 {
        var hash: UInt64 = 5381
        for byte in sql.utf8 { hash = hash &* 33 &+ UInt64(byte) }
        return try await side.query(PGStatement(name: "t\(hash)", sql: sql))[0].int64(0)
    }

    func close() async {
        delivery.fenced()
        logs.stop()
        side.close()
        await store.shutdown()
    }
}

/// Runs `body` with a stage on a database of its own.
func withStage(slots: Int = 4, _ body: @escaping @LoopActor @Sendable (Stage) async throws -> Void) async throws {
    LoopActor.bindForTesting()
    try await onStage(slots, body)
}

@LoopActor
private func onStage(
    _ slots: Int, _ body: @escaping @LoopActor @Sendable (Stage) async throws -> Void
) async throws {
    try await TestDatabase.with { configuration in
        let stage = try await Stage(configuration, slots: slots)
        do {
            try await stage.begin()
            try await body(stage)
        } catch {
            await stage.close()
            throw error
        }
        await stage.close()
    }
}

/// Waits until something has happened, ten seconds at most.
@LoopActor
func eventually(
    _ what: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: @LoopActor () async throws -> Bool
) async throws {
    for _ in 0..<2000 {
        if try await condition() { return }
        try await LoopClock.sleep(for: .milliseconds(5))
    }
    Issue.record(what ?? "it did not happen within ten seconds", sourceLocation: sourceLocation)
}
