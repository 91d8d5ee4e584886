import EmbeddedPostgres
import Glibc
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

/// TCP, TLS and passwords, on a server that has them.
@Suite(.timeLimit(.minutes(2)))
struct NetworkTests {
    @Test(.enabled(if: access("/usr/bin/openssl", X_OK) == 0)) func tlsAndPasswordsWork() async throws {
        try await LoopActor.test {
            let scratch = try ScratchDirectory()
            let files = scratch.path + "/files"
            // A certificate of its own, and rules that ask for a password.
            let owner = geteuid() == 0 ? "chown -R postgres \(files);" : ""
            try await EmbeddedPostgresTests.run(
                "/bin/sh",
                [
                    "-c",
                    """
                    mkdir \(files) && cd \(files) && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost &&
                    printf 'local all all trust\\nhostssl all all 127.0.0.1/32 scram-sha-256\\n' > rules && chmod 600 key; \(owner)
                    """,
                ])
            let port = try SilentListener.freePort()
            let embedded = EmbeddedPostgres(
                dataDirectory: scratch.path + "/data", logger: TestDatabase.logger,
                settings: [
                    "listen_addresses": "127.0.0.1", "port": "\(port)", "ssl": "on", "ssl_key_file": files + "/key",
                    "ssl_cert_file": files + "/cert", "hba_file": files + "/rules",
                ])
            let socket = try await embedded.start().replacing("port=5432", with: "port=\(port)")
            let admin = try await PostgresConnection.connect(socket)
            try await admin.execute("CREATE ROLE app LOGIN PASSWORD 'right'")
            let place =
                "host=localhost port=\(port) user=app dbname=postgres sslmode=verify-full sslrootcert=\(files)/cert"
            let connection = try await PostgresConnection.connect(place + " password=right")
            // Answers of every size around those of TLS records.
            let big = PGStatement("SELECT repeat('x', $1::int4)")
            for size in stride(from: 1, to: 70_000, by: 997) {
                #expect(try await connection.query(big, [.int32(Int32(size))])[0].text(0).utf8.count == size)
            }
            let tasks = (0..<200).map { n in
                loopTask { try await connection.query(big, [.int32(Int32(n * 500))])[0].text(0).utf8.count }
            }
            for (n, task) in tasks.enumerated() { #expect(try await task.value == n * 500) }
            #expect(
                try await connection.query(PGStatement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))[0]
                    .bool(0))
            let wrong = try await postgresError { try await PostgresConnection.connect(place + " password=wrong") }
            #expect(wrong.sqlState == .invalidPassword)
            #expect(!wrong.isTransient)
            #expect(!wrong.description.contains("wrong"))
            connection.close()
            admin.close()
            await embedded.stop()
        }
    }
}
