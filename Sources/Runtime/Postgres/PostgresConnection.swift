package import Logging
package import UVLoop

/// A connection to the database, on the loop.
///
/// Any number of operations may be started at once: they are sent in the order of the calls, and statements are pipelined
/// without being asked to. Each operation is a transaction of its own unless it is part of a bigger one.
///
/// Cancelling the calling task ends the wait, not the work: an operation that has been sent goes on in the server and its
/// result is dropped (`PostgresPool.cancelBackend` stops it there).
@LoopActor
package final class PostgresConnection {
    let core: ConnectionCore
    /// Set if this object stands for exclusive use of the connection.
    private let lease: ConnectionCore.OperationID?
    private let isInTransaction: Bool

    init(_ core: ConnectionCore, lease: ConnectionCore.OperationID? = nil, isInTransaction: Bool = false) {
        self.core = core
        self.lease = lease
        self.isInTransaction = isInTransaction
    }

    /// Opens a connection. Tries the hosts of the configuration in order, each for at most `connectTimeout`; names are
    /// looked up by a helper process, because libpq's own lookup would hold the loop.
    ///
    /// Throws the last host's error; `.cancelled` if the task is cancelled.
    package static func connect(
        _ configuration: PostgresConfiguration, logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        PostgresConnection(try await Connector(configuration, logger: logger).connect())
    }

    // MARK: Statements

    /// Runs one statement in a transaction of its own.
    package func query(
        _ statement: PGStatement, _ parameters: [PGParameter] = []
    ) async throws(PostgresError) -> PGRows {
        try await transaction([(statement, parameters)])[0]
    }

    /// Runs the statements in one transaction, one round trip and one commit; any failure undoes all of them.
    ///
    /// It is the server's implicit transaction of a pipeline, ended by Sync: no BEGIN and no COMMIT is sent, and no failed
    /// transaction is left behind. `SET LOCAL` and savepoints need `withTransaction`.
    /// - Returns: the rows of each statement, in order.
    package func transaction(
        _ steps: [(PGStatement, [PGParameter])]
    ) async throws(PostgresError) -> [PGRows] {
        if steps.isEmpty { return [] }
        precondition(steps.allSatisfy { $0.1.count <= 65_535 }, "more arguments than the protocol can count")
        return try await run(.statements(steps))
    }

    /// Runs `body` between BEGIN and COMMIT, with the connection to itself; other callers wait meanwhile. If `body` throws,
    /// everything is rolled back and its error passed on.
    ///
    /// `body` uses the connection that it is given, not this one, and only until it returns. Throws `PostgresError` with
    /// `mayHaveCommitted` if the connection is lost during COMMIT; with SQLSTATE 40000 if `body` has caught a failure of a
    /// statement, since the server then rolls back.
    package func withTransaction<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        precondition(!isInTransaction, "a transaction inside a transaction")
        return try await exclusively { leased in
            try await leased.transact(body)
        }
    }

    /// Runs `body` with the connection to itself, without a transaction: for session state such as advisory locks. `body`
    /// leaves the session as it found it.
    package func exclusively<T: Sendable>(
        _ body: @LoopActor (PostgresConnection) async throws -> T
    ) async throws -> T {
        if lease != nil { return try await body(self) }
        let lease = try await core.acquireLease()
        defer { core.release(lease) }
        return try await body(PostgresConnection(core, lease: lease))
    }

    private func transact<T: Sendable>(_ body: @LoopActor (PostgresConnection) async throws -> T) async throws -> T {
        _ = try await query(.begin)
        let value: T
        do {
            value = try await body(PostgresConnection(core, lease: lease, isInTransaction: true))
        } catch {
            await control(.rollback)
            throw error
        }
        let committed = await core.run(
            .statements([(.commit, [])]), underLease: lease, commits: true, cancellable: false)
        do {
            guard try committed.get()[0].commandTag == "COMMIT" else {
                throw PostgresError(
                    kind: .server, sqlState: .transactionRollback, severity: "ERROR",
                    message: "the transaction was rolled back, because a statement in it had failed")
            }
        } catch let error as PostgresError where error.kind == .server && error.sqlState != .transactionRollback {
            // A COMMIT that the server refuses has ended the transaction; this ROLLBACK is for what we do not foresee.
            await control(.rollback)
            throw error
        }
        return value
    }

    /// Ends a transaction. A connection on which that fails must not be used again.
    private func control(_ statement: PGStatement) async {
        let result = await core.run(
            .statements([(statement, [])]), underLease: lease, commits: false, cancellable: false)
        if case .failure(let error) = result { core.close(error) }
    }

    // MARK: The rest

    /// Runs SQL text of one or several commands (one implicit transaction) and drops their rows. Waits until the connection
    /// is idle and has it to itself.
    package func execute(_ sql: String) async throws(PostgresError) {
        _ = try await run(.simple(sql))
    }

    /// Runs `COPY … FROM STDIN` with `data`, which goes out as fast as the server takes it. Waits until the connection is
    /// idle and has it to itself.
    /// - Parameter data: in the format that `sql` names; UTF-8 for text and CSV.
    /// - Returns: the number of rows copied. A bad row fails the whole.
    package func copyIn(_ sql: String, _ data: [UInt8]) async throws(PostgresError) -> Int {
        try await run(.copy(sql: sql, data: data))[0].affectedRows
    }

    /// Subscribes to a channel. `handler` is called on the loop, in the order of the notifying commits, until the connection
    /// ends; a second call for the same channel replaces it.
    /// - Parameter channel: taken literally, upper and lower case differ; at most 63 bytes.
    package func listen(
        _ channel: String, _ handler: @escaping @LoopActor (PGNotification) -> Void
    ) async throws(PostgresError) {
        precondition(!channel.isEmpty && channel.utf8.count <= 63, "channel name of 1 to 63 bytes")
        core.listeners[channel] = handler
        do {
            _ = try await run(.simple("LISTEN \(quoteIdentifier(channel))"))
        } catch {
            core.listeners[channel] = nil
            throw error
        }
    }

    /// Ends the connection at once. What is not answered fails: with `mayHaveCommitted` if it was sent.
    package func close() { core.close(PostgresError(kind: .connection, message: "the connection was closed")) }

    package var isOpen: Bool { core.isOpen }

    /// Called once, on the loop, when the connection has ended, after all its operations have failed; not if it had ended
    /// before. The error says why.
    package var onClose: (@LoopActor (PostgresError) -> Void)? {
        get { core.onClose }
        set { core.onClose = newValue }
    }

    /// The server process of this connection, as in `pg_stat_activity.pid`.
    package var backendPID: Int32 { core.backendPID }

    /// Operations that wait or are in flight.
    package var load: Int { core.load }

    private func run(_ request: ConnectionCore.Request) async throws(PostgresError) -> [PGRows] {
        try await core.run(request, underLease: lease, commits: !isInTransaction).get()
    }
}

extension PGStatement {
    static let begin = PGStatement(name: "begin", sql: "BEGIN")
    static let commit = PGStatement(name: "commit", sql: "COMMIT")
    static let rollback = PGStatement(name: "rollback", sql: "ROLLBACK")
}

/// As an SQL identifier, whatever it holds. Source: PostgreSQL documentation 4.1.1.
package func quoteIdentifier(_ name: String) -> String {
    var quoted = "\""
    for character in name.unicodeScalars {
        if character == "\"" { quoted.unicodeScalars.append("\"") }
        quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
}
