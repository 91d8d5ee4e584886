/// How to reach a database, and what every session on it is told first.
package struct PostgresConfiguration: Sendable {
    /// A libpq connection string, `key=value …` or `postgresql://…`; it may name several hosts. What it leaves out comes
    /// from the `PG*` environment variables and libpq's defaults; the empty string means exactly those.
    package var connectionString: String

    /// Replaces the database name of `connectionString`; nil leaves it.
    package var database: String?

    /// Shown in `pg_stat_activity.application_name`. A name in `connectionString` or `PGAPPNAME` does not override it.
    package var applicationName: String

    /// Bounds one attempt on one address, authentication included; with several addresses each has this long.
    package var connectTimeout: Duration

    /// Server settings of each session (`statement_timeout`, `plan_cache_mode`, …), given at connection start, so that
    /// they cost no round trip. An unknown name or value makes the connection fail with the server's own message.
    package var sessionSettings: [String: String]

    /// - Parameters:
    ///   - connectionString: as above; default: environment and libpq defaults.
    ///   - database: default: that of the string.
    ///   - applicationName: default `pawl`.
    ///   - connectTimeout: default 5 s.
    ///   - sessionSettings: default none.
    package init(
        connectionString: String = "",
        database: String? = nil,
        applicationName: String = "pawl",
        connectTimeout: Duration = .seconds(5),
        sessionSettings: [String: String] = [:]
    ) {
        self.connectionString = connectionString
        self.database = database
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.sessionSettings = sessionSettings
    }

    /// A copy with a server-side limit for each statement; longer ones fail with SQLSTATE 57014 and kind `.timedOut`.
    /// - Parameter limit: rounded down to milliseconds, at least 1; zero or less removes the limit.
    package func withStatementTimeout(_ limit: Duration) -> PostgresConfiguration {
        var copy = self
        let (seconds, attoseconds) = limit.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        copy.sessionSettings["statement_timeout"] = limit > .zero ? "\(max(1, milliseconds))ms" : "0"
        return copy
    }
}
