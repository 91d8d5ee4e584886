import Glibc
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(2)))
struct ConnectTests {
    @Test func aWrongDatabaseNameIsNotTransient() async throws {
        var configuration = try await TestDatabase.server()
        configuration.database = "there is no such database"
        let error = try await connectError(configuration)
        #expect(error.kind == .connection)
        #expect(error.sqlState == .invalidCatalogName)
        #expect(!error.isTransient)
    }

    @Test func anUnknownSettingIsTheServersError() async throws {
        var configuration = try await TestDatabase.server()
        configuration.sessionSettings = ["no_such_setting": "1"]
        #expect(try await connectError(configuration).sqlState == "42704")
    }

    @Test(arguments: [
        "host=127.0.0.1 port=1", "host=localhost port=1", "host=/nowhere", "host=/nowhere,127.0.0.1 port=1",
    ])
    func aRefusedConnectionIsTransient(text: String) async throws {
        let error = try await connectError(PostgresConfiguration(connectionString: text))
        #expect(error.kind == .connection)
        #expect(error.isTransient)
        #expect(!error.mayHaveCommitted)
    }

    @Test func anUnknownHostIsAnError() async throws {
        let error = try await connectError(PostgresConfiguration(connectionString: "host=no-such-host.invalid"))
        #expect(error.kind == .connection || error.kind == .timedOut)
        #expect(error.message.contains("no-such-host.invalid"))
    }

    /// A server that accepts and says nothing.
    @Test func theAttemptIsLimitedAndCancellable() async throws {
        let listener = try SilentListener()
        var configuration = PostgresConfiguration(
            connectionString: "host=127.0.0.1 port=\(listener.port) sslmode=disable")
        configuration.connectTimeout = .milliseconds(100)
        #expect(try await connectError(configuration).kind == .timedOut)
        configuration.connectTimeout = .seconds(600)
        let patient = configuration
        LoopActor.bindForTesting()
        let task = loopTask {
            try await postgresError { try await PostgresConnection.connect(patient, logger: TestDatabase.logger) }
        }
        task.cancel()
        #expect(try await task.value.kind == .cancelled)
    }

    @Test func theNextHostIsTriedAfterOneThatHangs() async throws {
        let listener = try SilentListener()
        let server = try await TestDatabase.server()
        try await LoopActor.test {
            let direct = try await PostgresConnection.connect(server, logger: TestDatabase.logger)
            let row = try await direct.query(
                PGStatement("SELECT current_setting('unix_socket_directories'), current_user"))[0]
            direct.close()
            let directory = try row.text(0).split(separator: ",").first.map(String.init) ?? ""
            var configuration = PostgresConfiguration(
                connectionString:
                    "host=127.0.0.1,\(directory) port=\(listener.port),5432 user=\(try row.text(1)) dbname=postgres")
            configuration.connectTimeout = .seconds(1)
            let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            #expect(connection.isOpen)
            connection.close()
        }
    }

    private func connectError(_ configuration: PostgresConfiguration) async throws -> PostgresError {
        try await LoopActor.test {
            try await postgresError { try await PostgresConnection.connect(configuration, logger: TestDatabase.logger) }
        }
    }
}

/// Accepts connections (in the kernel's queue) and never says a word.
final class SilentListener: Sendable {
    let port: Int
    private let fd: Int32

    init() throws {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = self.fd
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 5) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard isListening else { throw LoopError.last("listen on the loopback") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(fd) }

    /// A port that was free a moment ago.
    static func freePort() throws -> Int { try SilentListener().port }
}
