import Postgres
import PostgresTestSupport
import Testing
import UVLoop

@Suite(.timeLimit(.minutes(2)))
struct ConnectionTests {
    @Test func pipelinedAnswersComeInOrderAroundAnError() async throws {
        try await withConnection { connection async throws in
            let echo = PGStatement("SELECT $1::int8")
            let broken = PGStatement("SELECT 1 / $1::int8")
            let tasks = (0..<50).map { n in
                loopTask { () -> Result<Int64, any Error> in
                    do {
                        let zeroAtTwenty = n == 20 ? broken : echo
                        let value: Int64 = n == 20 ? 0 : Int64(n)
                        return .success(try await connection.query(zeroAtTwenty, [.int64(value)])[0].int64(0))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for (n, task) in tasks.enumerated() {
                switch await task.value {
                case .success(let value): #expect(value == Int64(n))
                case .failure(let error as PostgresError):
                    #expect(n == 20)
                    #expect(error.sqlState == "22012")
                    #expect(error.statementName == broken.name)
                    #expect(!error.mayHaveCommitted)
                case .failure(let error): Issue.record("\(error)")
                }
            }
        }
    }

    @Test func transactionCommitsAllOrNothing() async throws {
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t (id int8 CONSTRAINT t_key PRIMARY KEY)")
            let insert = PGStatement("INSERT INTO t VALUES ($1)")
            let count = PGStatement("SELECT count(*) FROM t")
            let rows = try await connection.transaction([(insert, [.int64(1)]), (insert, [.int64(2)]), (count, [])])
            #expect(rows.map(\.affectedRows) == [1, 1, 1])
            #expect(try rows[2][0].int64(0) == 2)
            let error = try await postgresError {
                try await connection.transaction([(insert, [.int64(3)]), (insert, [.int64(1)]), (insert, [.int64(4)])])
            }
            #expect(error.kind == .server)
            #expect(error.sqlState == .uniqueViolation)
            #expect(error.constraint == "t_key")
            #expect(error.table == "t")
            #expect(error.statementName == insert.name)
            #expect(!error.isTransient)
            #expect(!error.description.contains("(1)"))  // The key's value is in `detail` only.
            #expect(try await connection.query(count)[0].int64(0) == 2)
        }
    }

    @Test func aDeferredConstraintFailsTheCommit() async throws {
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            let insert = PGStatement("INSERT INTO t VALUES ($1)")
            _ = try await connection.query(insert, [.int64(1)])
            async let after = connection.query(PGStatement("SELECT 'next'"))
            let error = try await postgresError { try await connection.query(insert, [.int64(1)]) }
            #expect(error.sqlState == .uniqueViolation)
            #expect(!error.mayHaveCommitted)
            #expect(try await after[0].text(0) == "next")
            #expect(connection.isOpen)
            #expect(try await connection.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 1)
        }
    }

    @Test func interactiveTransactionsCommitAndRollBack() async throws {
        struct Changed: Error {}
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t (id int8 PRIMARY KEY)")
            let insert = PGStatement("INSERT INTO t VALUES ($1)")
            let count = PGStatement("SELECT count(*) FROM t")
            // Others wait until it is over, and do not see half of it.
            let started = Signal<Void>()
            let other = loopTask { () async throws -> Int64 in
                try await started.next()
                return try await connection.query(count)[0].int64(0)
            }
            let inside = try await connection.withTransaction { transaction async throws in
                started.send(())
                _ = try await transaction.query(insert, [.int64(1)])
                _ = try await transaction.query(insert, [.int64(2)])
                return try await transaction.query(count)[0].int64(0)
            }
            #expect(inside == 2)
            #expect(try await other.value == 2)
            await #expect(throws: Changed.self) {
                try await connection.withTransaction { transaction async throws in
                    _ = try await transaction.query(insert, [.int64(3)])
                    throw Changed()
                }
            }
            let swallowed = try await postgresError {
                try await connection.withTransaction { transaction async throws in
                    _ = try await transaction.query(insert, [.int64(4)])
                    _ = try? await transaction.query(insert, [.int64(1)])  // The mistake that the test is about.
                }
            }
            #expect(swallowed.sqlState == .transactionRollback)
            #expect(try await connection.query(count)[0].int64(0) == 2)
        }
    }

    @Test func transactionsTakeTheSimpleProtocolAndCopyToo() async throws {
        struct Undo: Error {}
        try await withConnection { connection async throws in
            try await connection.withTransaction { transaction async throws in
                try await transaction.execute("CREATE TABLE t (id int8); INSERT INTO t VALUES (1)")
                #expect(try await transaction.copyIn("COPY t FROM STDIN", Array("2\n3\n".utf8)) == 2)
            }
            let count = PGStatement("SELECT count(*) FROM t")
            #expect(try await connection.query(count)[0].int64(0) == 3)
            await #expect(throws: Undo.self) {
                try await connection.withTransaction { transaction async throws in
                    #expect(try await transaction.copyIn("COPY t FROM STDIN", Array("4\n".utf8)) == 1)
                    throw Undo()
                }
            }
            #expect(try await connection.query(count)[0].int64(0) == 3)
        }
    }

    @Test func aStatementThatDoesNotParseFailsAlone() async throws {
        try await withConnection { connection async throws in
            let broken = PGStatement("SELECT FROM nowhere.nothing")
            async let first = postgresError { try await connection.query(broken) }
            async let second = postgresError { try await connection.query(broken) }
            async let fine = connection.query(PGStatement("SELECT 1::int8"))
            #expect(try await first.sqlState == .undefinedTable)
            #expect(try await second.sqlState == .undefinedTable)
            #expect(try await fine[0].int64(0) == 1)
            // It works as soon as it can.
            try await connection.execute("CREATE SCHEMA nowhere; CREATE TABLE nowhere.nothing ()")
            #expect(try await connection.query(broken).isEmpty)
        }
    }

    @Test func aStatementSurvivesAMigrationOfItsTable() async throws {
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t AS SELECT 1::int8 AS a")
            let all = PGStatement("SELECT * FROM t")
            #expect(try await connection.query(all).columns == ["a"])
            try await connection.execute("ALTER TABLE t ADD b text DEFAULT 'x'")
            let error = try await postgresError { try await connection.query(all) }
            #expect(error.sqlState == .featureNotSupported)
            #expect(try await connection.query(all).columns == ["a", "b"])
        }
    }

    @Test func manyRowsFlow() async throws {
        try await withConnection { connection async throws in
            // 50 MB, with other answers behind them.
            async let big = connection.query(
                PGStatement("SELECT n, repeat('x', 1000) AS t FROM generate_series(1, 50000) AS n"))
            async let small = connection.query(PGStatement("SELECT 1::int8"))
            let rows = try await big
            #expect(rows.count == 50_000)
            #expect(try rows[49_999].int32("n") == 50_000)
            #expect(try rows.reduce(0) { try $0 + $1.text("t").utf8.count } == 50_000_000)
            #expect(try await small[0].int64(0) == 1)
        }
    }

    @Test func bigArgumentsAndManyOfThem() async throws {
        try await withConnection { connection async throws in
            let length = PGStatement("SELECT length($1::bytea)")
            let tasks = (1...20).map { n in
                loopTask {
                    try await connection.query(length, [.bytes([UInt8](repeating: 7, count: n * 500_000))])[0].int32(0)
                }
            }
            for (index, task) in tasks.enumerated() { #expect(try await task.value == Int32((index + 1) * 500_000)) }
        }
    }

    @Test func moreOperationsThanAreInFlightAtOnce() async throws {
        try await withConnection { connection async throws in
            let echo = PGStatement("SELECT $1::int8")
            let tasks = (0..<5000).map { n in
                loopTask { try await connection.query(echo, [.int64(Int64(n))])[0].int64(0) }
            }
            for (n, task) in tasks.enumerated() { #expect(try await task.value == Int64(n)) }
            #expect(connection.load == 0)
        }
    }

    @Test func copiesManyRows() async throws {
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t (id int8, line text)")
            let data = (0..<100_000).map { "\($0)\tline \($0) Grüße\n" }.joined()
            async let before = connection.query(PGStatement("SELECT 1::int8"))
            async let copied = connection.copyIn("COPY t FROM STDIN", Array(data.utf8))
            async let after = connection.query(PGStatement("SELECT count(*), max(line) FROM t"))
            #expect(try await before[0].int64(0) == 1)
            #expect(try await copied == 100_000)
            let row = try await after[0]
            #expect(try row.int64(0) == 100_000)
            #expect(try row.text(1) == "line 99999 Grüße")
            #expect(try await connection.copyIn("COPY t FROM STDIN", []) == 0)
        }
    }

    @Test func aBadRowFailsTheWholeCopy() async throws {
        try await withConnection { connection async throws in
            try await connection.execute("CREATE TABLE t (id int8)")
            let rows = (0..<200_000).map { $0 == 1000 ? "x\n" : "\($0)\n" }.joined()
            let error = try await postgresError { try await connection.copyIn("COPY t FROM STDIN", Array(rows.utf8)) }
            #expect(error.sqlState == .invalidTextRepresentation)
            #expect(!error.mayHaveCommitted)
            let noTable = try await postgresError { try await connection.copyIn("COPY nothing FROM STDIN", [10]) }
            #expect(noTable.sqlState == .undefinedTable)
            #expect(try await connection.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 0)
        }
    }

    @Test func aCancelledCopyLeavesNothing() async throws {
        try await TestDatabase.with { configuration async throws in
            let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let other = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            // The server stops reading at the first row, so that most of the data waits on our side.
            try await connection.execute(
                """
                CREATE TABLE t (line text);
                CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END';
                CREATE TRIGGER wait BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION wait();
                """)
            _ = try await other.query(PGStatement("SELECT pg_advisory_lock(7)"))
            var data = [UInt8](repeating: UInt8(ascii: "x"), count: 10_000_000)
            for end in stride(from: 99, to: data.count, by: 100) { data[end] = 10 }
            let lines = data
            let copying = loopTask {
                try await postgresError {
                    try await connection.copyIn(
                        "COPY t FROM STDIN", lines)
                }
            }
            try await other.waitUntilActive(connection.backendPID)
            copying.cancel()
            #expect(try await copying.value.kind == .cancelled)
            _ = try await other.query(PGStatement("SELECT pg_advisory_unlock(7)"))
            #expect(try await connection.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 0)
            connection.close()
            other.close()
        }
    }

    @Test func notificationsArriveInOrder() async throws {
        try await TestDatabase.with { configuration async throws in
            let listener = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let sender = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let heard = Signal<PGNotification>()
            let channel = #"Odd "channel""#
            try await listener.listen(channel) { heard.send($0) }
            let notify = PGStatement("SELECT pg_notify($1, $2)")
            for n in 1...3 { _ = try await sender.query(notify, [.text(channel), .text("n\(n)")]) }
            for n in 1...3 {
                let notification = try await heard.next()
                #expect(
                    notification == PGNotification(channel: channel, payload: "n\(n)", backendPID: sender.backendPID))
            }
            listener.close()
            sender.close()
        }
    }

    @Test func aTerminatedBackendFailsWhatItHad() async throws {
        try await TestDatabase.with { configuration async throws in
            let victim = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let admin = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let closed = Signal<PostgresError>()
            victim.onClose = { closed.send($0) }
            let sleeping = loopTask {
                try await postgresError { try await victim.query(PGStatement("SELECT pg_sleep(600)")) }
            }
            let behind = loopTask { try await postgresError { try await victim.query(PGStatement("SELECT 1")) } }
            try await admin.waitUntilActive(victim.backendPID)
            _ = try await admin.query(PGStatement("SELECT pg_terminate_backend($1)"), [.int32(victim.backendPID)])
            let first = try await sleeping.value
            #expect(first.kind == .connection)
            #expect(first.sqlState == .adminShutdown)
            #expect(first.isTransient)
            #expect(!first.mayHaveCommitted)  // The server said that it was killed before its end.
            #expect(try await !behind.value.mayHaveCommitted)
            #expect(try await closed.next().sqlState == .adminShutdown)
            #expect(!victim.isOpen)
            let late = try await postgresError { try await victim.query(PGStatement("SELECT 1")) }
            #expect(late.kind == .connection)
            #expect(!late.mayHaveCommitted)
            admin.close()
        }
    }

    @Test func anIdleTerminationTellsWhy() async throws {
        try await TestDatabase.with { configuration async throws in
            let victim = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let admin = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let closed = Signal<PostgresError>()
            victim.onClose = { closed.send($0) }
            _ = try await admin.query(PGStatement("SELECT pg_terminate_backend($1)"), [.int32(victim.backendPID)])
            let reason = try await closed.next()
            #expect(reason.sqlState == .adminShutdown)
            admin.close()
        }
    }

    @Test func theServerLimitsStatements() async throws {
        try await TestDatabase.with { configuration async throws in
            let limited = configuration.withStatementTimeout(.milliseconds(50))
            let connection = try await PostgresConnection.connect(limited, logger: TestDatabase.logger)
            let error = try await postgresError { try await connection.query(PGStatement("SELECT pg_sleep(600)")) }
            #expect(error.kind == .timedOut)
            #expect(error.sqlState == .queryCanceled)
            #expect(try await connection.query(PGStatement("SELECT 1::int8"))[0].int64(0) == 1)
            connection.close()
        }
    }

    @Test func cancellationEndsTheWaitNotTheWork() async throws {
        try await TestDatabase.with { configuration async throws in
            let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let other = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            try await connection.execute("CREATE TABLE t (id int8)")
            let lock = PGStatement("SELECT pg_advisory_lock(1)")
            _ = try await other.query(lock)
            let insert = PGStatement("INSERT INTO t SELECT 1 FROM (SELECT pg_advisory_lock(1)) AS l")
            let inserting = loopTask { try await postgresError { try await connection.query(insert) } }
            let waiting = loopTask {
                try await postgresError { try await connection.copyIn("COPY t FROM STDIN", [10]) }
            }
            try await other.waitUntilActive(connection.backendPID)
            inserting.cancel()
            waiting.cancel()
            let sent = try await inserting.value
            #expect(sent.kind == .cancelled)
            #expect(sent.mayHaveCommitted)
            let unsent = try await waiting.value
            #expect(unsent.kind == .cancelled)
            #expect(!unsent.mayHaveCommitted)
            _ = try await other.query(PGStatement("SELECT pg_advisory_unlock(1)"))
            // The next answer is not mixed up with the dropped one.
            #expect(try await connection.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 1)
            connection.close()
            other.close()
        }
    }

    @Test func aCancelledTransactionIsRolledBack() async throws {
        try await TestDatabase.with { configuration async throws in
            let connection = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            let other = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            try await connection.execute("CREATE TABLE t (id int8)")
            let inside = Signal<Void>()
            let task = loopTask {
                try await postgresError {
                    try await connection.withTransaction { transaction async throws in
                        _ = try await transaction.query(PGStatement("INSERT INTO t VALUES (1)"))
                        inside.send(())
                        _ = try await transaction.query(PGStatement("SELECT pg_sleep(600)"))
                    }
                }
            }
            try await inside.next()
            try await other.waitUntilActive(connection.backendPID)
            task.cancel()
            // ROLLBACK stands behind the sleep, which the cancellation does not end.
            _ = try await other.query(PGStatement("SELECT pg_cancel_backend($1)"), [.int32(connection.backendPID)])
            #expect(try await task.value.kind == .cancelled)
            #expect(try await connection.query(PGStatement("SELECT count(*) FROM t"))[0].int64(0) == 0)
            connection.close()
            other.close()
        }
    }

    @Test func sessionSettingsHold() async throws {
        try await withConnection(settings: ["plan_cache_mode": "force_generic_plan", "work_mem": "5MB"]) {
            connection async throws in
            let row = try await connection.query(
                PGStatement(
                    "SELECT current_setting('plan_cache_mode'), current_setting('work_mem'), current_setting('application_name')"
                ))[0]
            #expect(try row.text(0) == "force_generic_plan")
            #expect(try row.text(1) == "5MB")
            #expect(try row.text(2) == "pawl")
        }
    }

    @Test func aDroppedConnectionIsClosed() async throws {
        try await TestDatabase.with { configuration async throws in
            let admin = try await PostgresConnection.connect(configuration, logger: TestDatabase.logger)
            var connection: PostgresConnection? = try await PostgresConnection.connect(
                configuration, logger: TestDatabase.logger)
            let pid = try #require(connection).backendPID
            connection = nil
            try await admin.wait(
                for: PGStatement("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"), [.int32(pid)])
            admin.close()
        }
    }
}
