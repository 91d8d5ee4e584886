import Postgres
import PostgresTestSupport
import Testing
import UVLoop

/// Runs `body` on the loop with a connection to a new database.
func withConnection<T: Sendable>(
    settings: [String: String] = [:], _ body: @escaping @LoopActor @Sendable (PostgresConnection) async throws -> T
) async throws -> T {
    try await TestDatabase.with { configuration in
        var configuration = configuration
        configuration.sessionSettings = settings
        let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
        defer { connection.close() }
        return try await body(connection)
    }
}

extension PGStatement {
    /// A statement whose name does not matter.
    init(_ sql: String) { self.init(name: "test_" + String(sql.hashValue.magnitude, radix: 36), sql: sql) }
}

struct NothingThrown: Error {}

/// The error that `body` throws.
func postgresError<T>(
    _ body: () async throws -> T, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> PostgresError {
    do {
        _ = try await body()
    } catch let error as PostgresError {
        return error
    }
    Issue.record("no error was thrown", sourceLocation: sourceLocation)
    throw NothingThrown()
}

/// Something that one part of a test waits for and another one announces.
@LoopActor
final class Signal<Value: Sendable> {
    private var values: [Value] = []
    private var waiter: CheckedContinuation<Value?, Never>?

    func send(_ value: Value) {
        guard let waiter else { return values.append(value) }
        self.waiter = nil
        waiter.resume(returning: value)
    }

    /// The next value. One caller at a time. Throws when the test runs into its time limit.
    func next() async throws -> Value {
        if !values.isEmpty { return values.removeFirst() }
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter = $0 }
        } onCancel: {
            loopTask {
                self.waiter?.resume(returning: nil)
                self.waiter = nil
            }
        }
        guard let value else { throw CancellationError() }
        return value
    }
}

extension PostgresConnection {
    /// Returns when a backend is in the middle of a statement.
    func waitUntilActive(_ pid: Int32) async throws {
        try await wait(
            for: PGStatement(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event IS NOT NULL)"
            ),
            [.int32(pid)])
    }

    /// Asks until the answer is true.
    func wait(for condition: PGStatement, _ parameters: [PGParameter]) async throws {
        while try await !query(condition, parameters)[0].bool(0) {
            try await LoopClock.sleep(for: .milliseconds(5))
        }
    }
}
