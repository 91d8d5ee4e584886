import JobCore
import JobStore
import Logging
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

/// A migrated database with a store on it, a second way in for looking and meddling, and a registered host.
@LoopActor
final class Bench {
    let configuration: PostgresConfiguration
    let store: JobStore
    let side: PostgresConnection
    let lease: HostLease

    init(_ configuration: PostgresConfiguration) async throws {
        self.configuration = configuration
        store = JobStore(configuration: configuration, logger: TestDatabase.logger)
        store.start()
        try await store.migrate()
        side = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
        try await store.registerHandlers(
            plugin: "test",
            [
                JobUpsert(handler: "test.noop", description: "Does nothing."), JobUpsert(handler: "test.sleep"),
                JobUpsert(handler: "csv.to_jsonl"),
            ])
        lease = try await store.registerHost(Bench.registration("directory-1")).lease
    }

    nonisolated static func registration(_ directory: String) -> HostRegistration {
        HostRegistration(dataDirectoryID: directory, hostname: "here", pid: 1, version: "1.0", slots: 4)
    }

    /// A second store on the same database, as another host's.
    func anotherStore() -> JobStore {
        let other = JobStore(configuration: configuration, logger: TestDatabase.logger)
        other.start()
        return other
    }

    func close() async {
        side.close()
        await store.shutdown()
    }

    /// One value of the first row.
    func number(_ sql: String) async throws -> Int64 {
        // The text is its own name, shortened: good enough for a test's few statements.
        var hash: UInt64 = 5381
        for byte in sql.utf8 { hash = hash &* 33 &+ UInt64(byte) }
        return try await side.query(PGStatement(name: "t\(hash)", sql: sql))[0].int64(0)
    }

    func enqueue(_ count: Int, job: String = "test.noop", priority: Int32? = nil, queue: String? = nil) async throws
        -> [RunID]
    {
        try await store.enqueue(
            batch: (0..<count).map { NewRun(job: job, args: "{\"n\":\($0)}", queue: queue, priority: priority) }
        ).map { try $0.get().id }
    }

    func claim(_ limit: Int) async throws -> [ClaimedRun] {
        try await store.claim(lease, ClaimRequest(limit: limit))
    }
}

/// Keeps the number of databases, and of connections, at once below what the server takes.
@LoopActor
private final class Gate {
    static let shared = Gate()
    private var free = 6
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

/// Runs `body` with a bench on a database of its own.
func withBench(_ body: @escaping @LoopActor @Sendable (Bench) async throws -> Void) async throws {
    LoopActor.bindForTesting()
    await Gate.shared.enter()
    let result: Result<Void, any Error>
    do {
        result = .success(try await withDatabase(body))
    } catch {
        result = .failure(error)
    }
    await Gate.shared.leave()
    try result.get()
}

private func withDatabase(_ body: @escaping @LoopActor @Sendable (Bench) async throws -> Void) async throws {
    try await TestDatabase.with { configuration in
        let bench = try await Bench(configuration)
        do {
            try await body(bench)
        } catch {
            await bench.close()
            throw error
        }
        await bench.close()
    }
}

extension ClaimedRun {
    func report(
        _ outcome: AttemptOutcome = .succeeded, reason: AttemptReason? = nil, result: RunResult = .none,
        error: AttemptError? = nil
    ) -> AttemptReport {
        AttemptReport(
            runID: id, attempt: attempt, outcome: outcome, reason: reason, started: createdAt,
            ended: createdAt.advanced(by: .milliseconds(20)), exitCode: 0, result: result, error: error,
            resources: ResourceUsage(userCPU: .milliseconds(3), systemCPU: .milliseconds(1), maxRSSBytes: 1 << 20),
            progress: Progress(stage: "Copying", current: 5, total: 10, counters: [.init(kind: "inserts", value: 5)]),
            pid: 4711, version: String(repeating: "a", count: 64), sentence: "It did it.")
    }

    func settlement(_ decision: Settlement.Decision, _ outcome: AttemptOutcome = .succeeded) -> Settlement {
        Settlement(report: report(outcome), decision: decision)
    }
}

/// Waits until something has happened, ten seconds at most.
@LoopActor
func eventually(_ condition: @LoopActor () async throws -> Bool) async throws {
    for _ in 0..<2000 {
        if try await condition() { return }
        try await LoopClock.sleep(for: .milliseconds(5))
    }
    Issue.record("it did not happen within ten seconds")
}
