import EmbeddedPostgres
import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(2)))
struct PoolTests {
    private let one = PGStatement("SELECT 1::int8")

    @Test func sharesItsConnections() async throws {
        try await TestDatabase.with { configuration async throws in
            let pool = PostgresPool(configuration, size: 3, logger: TestDatabase.logger, patience: .seconds(60))
            let changes = Signal<Bool>()
            pool.onStateChange = { changes.send($0.isConnected) }
            pool.start()
            let pid = PGStatement("SELECT pg_backend_pid()::int8")
            #expect(try await pool.query(pid).count == 1)
            #expect(try await changes.next())
            while pool.connectedCount < 3 { try await LoopClock.sleep(for: .milliseconds(2)) }
            // A transaction that takes its time does not hold up the others.
            let release = Signal<Void>()
            let slow = loopTask {
                try await pool.withTransaction { transaction in
                    let mine = try await transaction.query(pid)[0].int64(0)
                    try await release.next()
                    return mine
                }
            }
            var seen: Set<Int64> = []
            let tasks = (0..<20).map { _ in loopTask { try await pool.query(pid)[0].int64(0) } }
            for task in tasks { seen.insert(try await task.value) }
            release.send(())
            #expect(try await !seen.contains(slow.value))
            #expect(seen.count == 2)
            await pool.shutdown()
            #expect(pool.connectedCount == 0)
            #expect(try await postgresError { try await pool.query(one) }.kind == .unavailable)
        }
    }

    @Test func withoutAServerItSaysWhyAfterAWhile() async throws {
        try await LoopActor.test {
            let pool = PostgresPool(
                PostgresConfiguration(connectionString: "host=127.0.0.1 port=1"), size: 1, logger: TestDatabase.logger,
                patience: .milliseconds(100))
            pool.start()
            let error = try await postgresError { try await pool.query(one) }
            #expect(error.kind == .unavailable)
            #expect(error.isTransient)
            #expect(error.message.contains("port 1"))
            guard case .disconnected(_, .some) = pool.state else {
                Issue.record("\(pool.state)")
                return
            }
            await pool.shutdown()
        }
    }

    @Test func comesBackAfterItsBackendsWereTerminated() async throws {
        try await TestDatabase.with { configuration async throws in
            let pool = PostgresPool(configuration, size: 2, logger: TestDatabase.logger, patience: .seconds(60))
            let changes = Signal<Bool>()
            pool.onStateChange = { changes.send($0.isConnected) }
            pool.start()
            #expect(try await changes.next())
            while pool.connectedCount < 2 { try await LoopClock.sleep(for: .milliseconds(2)) }
            let admin = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let kill = PGStatement(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            _ = try await admin.query(kill)
            #expect(try await changes.next() == false)
            #expect(try await pool.query(one)[0].int64(0) == 1)
            #expect(try await changes.next())
            admin.close()
            await pool.shutdown()
        }
    }

    @Test func stopsARunningStatement() async throws {
        try await TestDatabase.with { configuration async throws in
            let pool = PostgresPool(configuration, size: 2, logger: TestDatabase.logger, patience: .seconds(60))
            pool.start()
            let pids = Signal<Int32>()
            let sleeping = loopTask {
                try await postgresError {
                    try await pool.withConnection { connection in
                        pids.send(connection.backendPID)
                        _ = try await connection.query(PGStatement("SELECT pg_sleep(600)"))
                    }
                }
            }
            let pid = try await pids.next()
            let other = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            try await other.waitUntilActive(pid)
            #expect(try await pool.cancelBackend(pid: pid))
            #expect(try await sleeping.value.sqlState == .queryCanceled)
            #expect(try await !pool.cancelBackend(pid: 1))
            other.close()
            await pool.shutdown()
        }
    }

    @Test func shutdownWaitsForWhatIsUnderWay() async throws {
        try await TestDatabase.with { configuration async throws in
            let pool = PostgresPool(configuration, size: 1, logger: TestDatabase.logger, patience: .seconds(60))
            pool.start()
            _ = try await pool.query(one)
            let last = loopTask { try await pool.query(PGStatement("SELECT 7::int8 FROM pg_sleep(0.05)"))[0].int64(0) }
            try await LoopClock.sleep(for: .milliseconds(5))
            await pool.shutdown()
            #expect(try await last.value == 7)
        }
    }

    @Test func aLinkListensAgainAfterALoss() async throws {
        try await TestDatabase.with { configuration async throws in
            let link = PostgresLink(configuration, name: "listen", logger: TestDatabase.logger)
            let heard = Signal<String>()
            let reconnected = Signal<Void>()
            link.onReconnect = { reconnected.send(()) }
            try await link.listen("channel") { heard.send($0.payload) }
            link.start()
            let sender = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let notify = PGStatement("SELECT pg_notify('channel', $1)")
            let pid = try await link.use(waitAtMost: .seconds(60)) { $0.backendPID }
            _ = try await sender.query(notify, [.text("first")])
            #expect(try await heard.next() == "first")
            _ = try await sender.query(PGStatement("SELECT pg_terminate_backend($1)"), [.int32(pid)])
            try await reconnected.next()
            _ = try await sender.query(notify, [.text("second")])
            #expect(try await heard.next() == "second")
            sender.close()
            await link.shutdown()
        }
    }

    @Test func aReadOnlyServerIsLeft() async throws {
        try await TestDatabase.with { configuration async throws in
            let admin = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let name = quoteIdentifier(try #require(configuration.database))
            try await admin.execute(
                "CREATE TABLE t (id int8); ALTER DATABASE \(name) SET default_transaction_read_only = on")
            let link = PostgresLink(configuration, name: "writer", logger: TestDatabase.logger)
            link.start()
            let insert = PGStatement("INSERT INTO t VALUES (1)")
            let refused = try await postgresError { try await link.query(insert, waitAtMost: .seconds(60)) }
            #expect(refused.sqlState == .readOnlyTransaction)
            #expect(refused.isTransient)
            // As after a failover: the next connection is one to a server that takes writes.
            try await admin.execute("ALTER DATABASE \(name) SET default_transaction_read_only = off")
            var inserted = 0
            while inserted == 0 {
                do {
                    inserted = try await link.query(insert, waitAtMost: .seconds(60)).affectedRows
                } catch let error as PostgresError {
                    #expect(error.isTransient)
                }
            }
            #expect(inserted == 1)
            admin.close()
            await link.shutdown()
        }
    }
}
