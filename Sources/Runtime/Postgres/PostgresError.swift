/// Why an operation on the database did not succeed.
package struct PostgresError: Error, Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// The connection could not be made or was lost.
        case connection
        /// The server refused or aborted the statement; `sqlState` says why.
        case server
        /// The server's answer is not what the protocol or this driver expects; the connection is closed.
        case `protocol`
        /// No connection became available within the time that the caller was willing to wait. Nothing was sent.
        case unavailable
        /// The waiting task was cancelled.
        case cancelled
        /// A limit was reached: `connectTimeout`, or the server's `statement_timeout` or `lock_timeout`. The server reports
        /// `pg_cancel_backend` in the same way.
        case timedOut
    }

    package var kind: Kind
    /// Five characters; nil if the fault did not come from the server.
    package var sqlState: SQLState?
    /// `ERROR`, `FATAL` or `PANIC`; nil if the fault did not come from the server.
    package var severity: String?
    /// The server's primary message, or our own sentence. May quote a value for a few SQLSTATEs (22P02, 22007): log
    /// `description`, not this, where values are secret.
    package var message: String
    /// May quote values (a unique violation shows the key): never part of `description`.
    package var detail: String?
    package var hint: String?
    package var table: String?
    package var column: String?
    package var constraint: String?
    /// Name of the `PGStatement` that failed, if one did.
    package var statementName: String?
    /// True if the operation was sent and its end was never learned: its effects may be in the database. False means
    /// that they are certainly not.
    package var mayHaveCommitted: Bool

    package init(
        kind: Kind, sqlState: SQLState? = nil, severity: String? = nil, message: String, detail: String? = nil,
        hint: String? = nil, table: String? = nil, column: String? = nil, constraint: String? = nil,
        statementName: String? = nil, mayHaveCommitted: Bool = false
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.severity = severity
        self.message = message
        self.detail = detail
        self.hint = hint
        self.table = table
        self.column = column
        self.constraint = constraint
        self.statementName = statementName
        self.mayHaveCommitted = mayHaveCommitted
    }

    /// True if the same operation may succeed later without any change: the connection is gone, the server starts, stops,
    /// fails over or is full, or the statement lost against another transaction. Whether it is *safe* to repeat is
    /// another question: see `mayHaveCommitted`.
    package var isTransient: Bool {
        switch kind {
        case .connection, .unavailable, .timedOut: return sqlState.map(\.isTransient) ?? true
        case .server: return sqlState?.isTransient ?? false
        case .protocol, .cancelled: return false
        }
    }
}

extension PostgresError: CustomStringConvertible {
    /// One line without SQL text, arguments or the server's `detail`.
    package var description: String {
        var text = message
        if let statementName { text += " (statement \(statementName))" }
        if let constraint { text += " (constraint \(constraint))" }
        if let sqlState { text += " [\(sqlState.code)]" }
        if let hint { text += " Hint: \(hint)" }
        if mayHaveCommitted { text += " (it may have been committed)" }
        return text
    }
}
