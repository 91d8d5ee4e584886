import Logging
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(2)))
struct ConnectionTests {
    @Test func selectsOne() async throws {
        try await TestDatabase.with { configuration in
            let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let rows = try await connection.query(PGStatement(name: "one", sql: "SELECT 1::int8 AS n"))
            #expect(try rows[0].int64("n") == 1)
            connection.close()
        }
    }
}
