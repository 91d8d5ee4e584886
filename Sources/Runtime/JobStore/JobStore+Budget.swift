import JobCore
import Postgres

/// Reads for pages and lists: with plans that do not depend on statistics or on the arguments (planning anew for each of
/// some hundred partitions would take longer than most reads), and with a limit in time.
extension JobStore {
    /// Longer than any of them takes at ten million runs; short enough that an unlucky one does not hold a connection for long.
    static let readBudget: Duration = .seconds(5)

    /// Answers to `steps`, all from one transaction. Throws an error whose `isOverBudget` is set if one takes too long.
    func reading(_ steps: [(PGStatement, [PGParameter])]) async throws(StoreError) -> [PGRows] {
        let settings = (PGStatement.readSettings, [PGParameter.text(String(Self.readBudget.wholeMilliseconds))])
        return Array(try await transaction([settings] + steps).dropFirst())
    }
}

extension PGStatement {
    /// Until the end of the transaction. $1 milliseconds
    static let readSettings = PGStatement(
        name: "read_settings",
        sql: """
            SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_generic_plan', true),
                set_config('enable_seqscan', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
            """)
}

extension StoreError {
    /// The database was told to stop, because the statement took longer than its kind may.
    package var isOverBudget: Bool {
        if case .unavailable(let cause) = self { cause.sqlState == .queryCanceled } else { false }
    }
}
