import Glibc
import HTTPTypes
import Hummingbird
import JobCore
import JobStore
import Logging
import NIOCore
import NIOLibuv
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@testable import ControlPlane

/// A control plane over a database of its own and a host without processes. Requests go to the responder without a socket.
@LoopActor
final class Harness {
    nonisolated static let token = "pawl_test_token_0123456789abcdefghijklmnopqrstuv"

    let store: JobStore
    let host: FakeHost
    private(set) var plane: ControlPlane
    private let configuration: ControlPlaneConfiguration
    let lease: HostLease
    /// Where uploads are while they come.
    let uploads: String

    init(_ change: (inout ControlPlaneConfiguration) -> Void = { _ in }) async throws {
        let database = try await TestDatabase.make()
        store = JobStore(configuration: database, logger: TestDatabase.logger)
        store.start()
        try await store.migrate()
        try await store.registerHandlers(
            plugin: "test",
            [
                JobUpsert(handler: "test.echo", description: "Says it again"), JobUpsert(handler: "test.other"),
                JobUpsert(handler: "csv.to_jsonl", argsSchema: "{\"type\":\"object\"}"),
            ])
        host = FakeHost()
        lease = try await store.registerHost(
            HostRegistration(dataDirectoryID: "here", hostname: "here", pid: 1, version: "1", slots: 4)
        ).lease
        host.id = lease.id
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/pawl-uploads-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        uploads = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var configuration = ControlPlaneConfiguration(
            listen: [.ip("127.0.0.1", port: 0)], adminToken: Self.token, uploadDirectory: uploads, version: "1.2.3",
            gitSHA: "abc")
        change(&configuration)
        self.configuration = configuration
        plane = ControlPlane(configuration, store: store, host: host, logger: TestDatabase.logger)
    }

    /// What a restarted host has: nothing of what the one before kept in memory.
    func restart() { plane = ControlPlane(configuration, store: store, host: host, logger: TestDatabase.logger) }

    struct Reply: Sendable {
        var status: Int
        var headers: HTTPFields
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        /// `null` if it is no JSON.
        var json: JSONValue {
            do {
                return try JSONValue(parsing: text)
            } catch {
                return .null
            }
        }
        subscript(_ key: String) -> JSONValue? { json[key] }
        var code: String? { json["code"]?.text }
        var items: [JSONValue] { json["items"]?.elements ?? [] }
        /// Pointers, parameters and headers of the faults.
        var places: [String] {
            (json["errors"]?.elements ?? []).compactMap {
                ($0["pointer"] ?? $0["parameter"] ?? $0["header"] ?? $0["path_parameter"])?.text
            }
        }
    }

    /// - Parameter token: nil: no credentials.
    func send(
        _ method: HTTPRequest.Method, _ target: String, _ body: String? = nil, token: String? = Harness.token,
        headers: [HTTPField.Name: String] = [:], bytes: [UInt8]? = nil, isOnLoopback: Bool = true,
        peer: Principal? = nil, hangUp: HangUp = HangUp()
    ) async throws -> Reply {
        var request = HTTPRequest(method: method, scheme: "http", authority: "localhost", path: target)
        if let token { request.headerFields[.authorization] = "Bearer \(token)" }
        let sent = bytes ?? body.map { Array($0.utf8) } ?? []
        if body != nil || bytes != nil { request.headerFields[.contentType] = "application/json" }
        for (name, value) in headers {
            if name == .host { request.authority = value } else { request.headerFields[name] = value }
        }
        let exchange = Exchange(
            id: RequestID.make(), visitor: .init(address: "test", isOnLoopback: isOnLoopback, peer: peer),
            hangUp: hangUp,
            body: sent)
        let response = try await plane.responder.respond(to: request, exchange: exchange)
        let collected = Collected()
        try await response.body.write(collected)
        return Reply(status: response.status.code, headers: response.headers, body: await collected.bytes)
    }

    func post(_ target: String, _ body: String = "{}", headers: [HTTPField.Name: String] = [:]) async throws -> Reply {
        try await send(.post, target, body, headers: headers)
    }

    func get(_ target: String, headers: [HTTPField.Name: String] = [:]) async throws -> Reply {
        try await send(.get, target, headers: headers)
    }

    // MARK: What a runner would do

    /// - Parameter body: nil: a run in a queue of its own.
    func makeRun(_ body: String? = nil) async throws -> RunID {
        let body = body ?? "{\"job\":\"test.echo\",\"queue\":\"q-\(UInt64.random(in: 0 ... .max))\"}"
        let reply = try await post("/api/v1/runs", body)
        try #require(reply.status == 201, "\(reply.text)")
        return try #require(reply["id"]?.text.flatMap { RunID(parsing: $0) })
    }

    /// Claims from the run's queue, which should be its own.
    func claim(_ id: RunID) async throws -> ClaimedRun {
        let queue = try #require(try await store.run(id)).queue
        let claimed = try await store.claim(lease, ClaimRequest(limit: 1, queues: [queue]))
        return try #require(claimed.first { $0.id == id })
    }

    func finish(
        _ run: ClaimedRun, _ state: RunState = .succeeded, outcome: AttemptOutcome = .succeeded,
        _ change: (inout AttemptReport) -> Void = { _ in }
    ) async throws {
        let now = try await store.databaseTime()
        var report = AttemptReport(
            runID: run.id, attempt: run.attempt, outcome: outcome, started: now, ended: now, sentence: "It ended.")
        change(&report)
        let results = try await store.settle(lease, [Settlement(report: report, decision: .finish(state))])
        #expect(results == [.applied])
    }

    func log(_ id: RunID, attempt: Int = 1, _ seqs: ClosedRange<Int>, level: LogLevel = .info) async throws {
        let now = try await store.databaseTime()
        try await store.appendLogs(
            seqs.map {
                LogInsert(
                    runID: id, attempt: attempt, seq: Int64($0),
                    line: LogLine(
                        time: now, level: level, stream: .handler, message: "line \($0)",
                        fields: "{\"n\":\n\($0)}"))
            })
    }
}

/// Takes a body as a socket would.
private actor Bytes {
    private(set) var bytes: [UInt8] = []
    func add(_ buffer: ByteBuffer) { bytes += Array(buffer.readableBytesView) }
}

private struct Collected: ResponseBodyWriter {
    private let store = Bytes()
    var bytes: [UInt8] { get async { await store.bytes } }
    mutating func write(_ buffer: ByteBuffer) async throws { await store.add(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// For tests that leave no trace in what others look at.
private let sharedHarness: Task<Harness, any Error> = loopTask { try await Harness() }

/// Runs `body` on the loop with the shared plane.
func withPlane(_ body: @escaping @LoopActor @Sendable (Harness) async throws -> Void) async throws {
    LoopActor.bindForTesting()
    let harness = try await sharedHarness.value
    try await LoopActor.test { try await body(harness) }
}

/// Runs `body` on the loop with a plane of its own.
func withOwnPlane(
    _ change: @escaping @Sendable (inout ControlPlaneConfiguration) -> Void = { _ in },
    _ body: @escaping @LoopActor @Sendable (Harness) async throws -> Void
) async throws {
    try await LoopActor.test {
        let harness = try await Harness(change)
        try await body(harness)
        await harness.store.shutdown()
        rmdir(harness.uploads)
    }
}
