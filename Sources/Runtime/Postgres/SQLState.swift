/// A five-character error code of the server.
///
/// Source of codes and names: PostgreSQL documentation, appendix A.
package struct SQLState: Sendable, Hashable, ExpressibleByStringLiteral {
    package let code: String

    package init(_ code: String) { self.code = code }
    package init(stringLiteral code: String) { self.code = code }

    /// The first two characters: `08` connection, `23` integrity, `40` rollback, `57` operator intervention, …
    package var errorClass: Substring { code.prefix(2) }

    package static let connectionException: SQLState = "08000"
    package static let featureNotSupported: SQLState = "0A000"
    package static let numericValueOutOfRange: SQLState = "22003"
    package static let characterNotInRepertoire: SQLState = "22021"
    package static let invalidTextRepresentation: SQLState = "22P02"
    package static let invalidBinaryRepresentation: SQLState = "22P03"
    package static let badCopyFileFormat: SQLState = "22P04"
    package static let notNullViolation: SQLState = "23502"
    package static let foreignKeyViolation: SQLState = "23503"
    package static let uniqueViolation: SQLState = "23505"
    package static let checkViolation: SQLState = "23514"
    package static let exclusionViolation: SQLState = "23P01"
    package static let invalidTransactionState: SQLState = "25000"
    package static let readOnlyTransaction: SQLState = "25006"
    package static let inFailedTransaction: SQLState = "25P02"
    package static let invalidStatementName: SQLState = "26000"
    package static let invalidPassword: SQLState = "28P01"
    package static let invalidAuthorization: SQLState = "28000"
    package static let invalidCatalogName: SQLState = "3D000"
    package static let transactionRollback: SQLState = "40000"
    package static let serializationFailure: SQLState = "40001"
    package static let deadlockDetected: SQLState = "40P01"
    package static let insufficientPrivilege: SQLState = "42501"
    package static let syntaxError: SQLState = "42601"
    package static let undefinedColumn: SQLState = "42703"
    package static let undefinedFunction: SQLState = "42883"
    package static let undefinedTable: SQLState = "42P01"
    package static let duplicateDatabase: SQLState = "42P04"
    package static let duplicateTable: SQLState = "42P07"
    package static let diskFull: SQLState = "53100"
    package static let outOfMemory: SQLState = "53200"
    package static let tooManyConnections: SQLState = "53300"
    package static let objectInUse: SQLState = "55006"
    package static let lockNotAvailable: SQLState = "55P03"
    package static let queryCanceled: SQLState = "57014"
    package static let adminShutdown: SQLState = "57P01"
    package static let crashShutdown: SQLState = "57P02"
    package static let cannotConnectNow: SQLState = "57P03"
    package static let databaseDropped: SQLState = "57P04"
    package static let idleSessionTimeout: SQLState = "57P05"
    package static let ioError: SQLState = "58030"

    /// See `PostgresError.isTransient`.
    var isTransient: Bool {
        switch self {
        case .readOnlyTransaction, .lockNotAvailable, .queryCanceled, .adminShutdown, .crashShutdown, .cannotConnectNow,
            .idleSessionTimeout, "25P03", "57000":
            // 25006: a demoted primary, the next connection finds the new one. 25P03: idle in transaction too long.
            return true
        default:
            // 08 connection, 40 rollback (serialization, deadlock), 53 resources (disk, memory, connections).
            return ["08", "40", "53"].contains(errorClass)
        }
    }

    /// True if the session ends with this error.
    var endsSession: Bool {
        switch self {
        case .adminShutdown, .crashShutdown, .cannotConnectNow, .databaseDropped, .idleSessionTimeout, "25P03": true
        default: errorClass == "08"
        }
    }
}
