import EmbeddedPostgres
import Glibc
package import Logging
package import Postgres
import UVLoop

/// Databases for tests on a real server: the one that `PAWL_TEST_DATABASE_URL` names (its user must be allowed to create
/// databases), else a private one, started once per test process and gone with it.
package enum TestDatabase {
    /// A new, empty database. It lives as long as the server; on a server from outside use `with`, which drops it.
    package static func make() async throws -> PostgresConfiguration {
        let server = try await server()
        let name = "pawl_test_\(getpid())_\(UInt32.random(in: 0 ... .max))"
        try await LoopActor.test {
            let admin = try await PostgresConnection.connect(server, logger: logger)
            defer { admin.close() }
            try await admin.execute("CREATE DATABASE \(quoteIdentifier(name))")
        }
        var configuration = server
        configuration.database = name
        return configuration
    }

    /// Drops a database of `make`, with the connections to it.
    package static func drop(_ configuration: PostgresConfiguration) async throws {
        guard let name = configuration.database else { preconditionFailure("not a database of make()") }
        let server = try await server()
        try await LoopActor.test {
            let admin = try await PostgresConnection.connect(server, logger: logger)
            defer { admin.close() }
            try await admin.execute("DROP DATABASE IF EXISTS \(quoteIdentifier(name)) WITH (FORCE)")
        }
    }

    /// Runs `body` on the loop with a new database, and drops that afterwards.
    package static func with<T: Sendable>(
        _ body: @escaping @LoopActor @Sendable (PostgresConfiguration) async throws -> T
    ) async throws -> T {
        let configuration = try await make()
        let result: Result<T, any Error>
        do {
            result = .success(try await LoopActor.test { try await body(configuration) })
        } catch {
            result = .failure(error)
        }
        try await drop(configuration)
        return try result.get()
    }

    /// The server's own database, for administration.
    package static func server() async throws -> PostgresConfiguration {
        LoopActor.bindForTesting()
        var configuration = try await shared.value.configuration
        // A machine that runs many tests at once is slow.
        configuration.connectTimeout = .seconds(60)
        return configuration
    }

    /// Says nothing but the worst, or what `PAWL_TEST_LOG_LEVEL` asks for.
    package static let logger: Logger = {
        var logger = Logger(label: "test")
        let wanted = getenv("PAWL_TEST_LOG_LEVEL").flatMap { Logger.Level(rawValue: String(cString: $0)) }
        logger.logLevel = wanted ?? .critical
        return logger
    }()

    /// Settings of test clusters: nothing has to survive a power failure, and many tests connect at once.
    package static let serverSettings = ["fsync": "off", "max_connections": "1000", "shared_buffers": "64MB"]

    private struct Server: Sendable {
        let configuration: PostgresConfiguration
        /// Keeps directory and server alive.
        let directory: ScratchDirectory?
    }

    private static let shared: Task<Server, any Error> = loopTask {
        if let url = getenv("PAWL_TEST_DATABASE_URL").map({ String(cString: $0) }), !url.isEmpty {
            return Server(configuration: PostgresConfiguration(connectionString: url), directory: nil)
        }
        let directory = try ScratchDirectory()
        let embedded = EmbeddedPostgres(dataDirectory: directory.path, logger: logger, settings: serverSettings)
        let connectionString = try await embedded.start()
        keptAlive.append(embedded)
        return Server(
            configuration: PostgresConfiguration(connectionString: connectionString), directory: directory)
    }

    @LoopActor private static var keptAlive: [EmbeddedPostgres] = []
}
