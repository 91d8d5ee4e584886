package import JobCore
package import Postgres

/// Why the store did not do what it was asked. Descriptions hold no results or SQL, and args only where they do not fit.
package enum StoreError: Error, Sendable {
    /// The database cannot be reached or is not ready: the same call may succeed later. If the cause's `mayHaveCommitted`
    /// is set, look before repeating.
    case unavailable(PostgresError)
    /// The input is refused; nothing was stored.
    case invalid(FieldFault)
    /// The args are not what the job takes; nothing was stored. Pointers lead into the request, the code is the keyword of the
    /// schema. Never empty.
    case invalidArgs([FieldFault])
    /// The state of things forbids it; nothing was changed.
    /// - Parameter currentState: the run's state, if a run is the reason.
    case conflict(code: String, detail: String, currentState: RunState?)
    /// Another run holds the request's unique key; nothing was stored.
    /// - Parameter state: its state now; nil if it is gone.
    case held(by: RunID, state: RunState?)
    /// - Parameters:
    ///   - what: `run`, `job`, `queue`, `schedule`, …
    ///   - id: as the caller gave it.
    ///   - nearMatches: existing names that look like it.
    case notFound(what: String, id: String, nearMatches: [String] = [])
    /// The schema is newer than this program and cannot be worked with, or was changed by hand.
    case incompatibleSchema(String)
    /// A fault that repeating does not mend: ours, or somebody's change to the tables.
    case database(PostgresError)
}

extension StoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let cause): "the database is not available: \(cause)"
        case .invalid(let fault): "\(fault)"
        case .invalidArgs(let faults): "the args do not fit: " + faults.map(\.description).joined(separator: "; ")
        case .conflict(_, let detail, _): detail
        case .held(let run, let state):
            "\(run) holds this unique key" + (state.map { "; it is \($0.rawValue)" } ?? "")
        case .notFound(let what, let id, let near):
            "no \(what) \(id)" + (near.isEmpty ? "" : "; similar: " + near.joined(separator: ", "))
        case .incompatibleSchema(let detail): detail
        case .database(let cause): "the database refused: \(cause)"
        }
    }

    /// Whether the same call may succeed later without any change.
    package var isTransient: Bool {
        if case .unavailable = self { true } else { false }
    }

    /// The server's code, if a statement of ours was refused or could not be finished.
    var sqlState: SQLState? {
        switch self {
        case .unavailable(let cause), .database(let cause): cause.sqlState
        case .invalid, .invalidArgs, .conflict, .held, .notFound, .incompatibleSchema: nil
        }
    }

    /// Somebody's transaction held what it would have had to wait for.
    package var isLockTaken: Bool { sqlState == .lockNotAvailable }

    /// Whether what was asked may have been done all the same: the answer was lost.
    package var mayHaveCommitted: Bool {
        switch self {
        case .unavailable(let cause), .database(let cause): cause.mayHaveCommitted
        default: false
        }
    }

    /// The same fault of an input seen from an object that holds it under `prefix`.
    package func under(_ prefix: String) -> StoreError {
        switch self {
        case .invalid(let fault): .invalid(fault.under(prefix))
        case .invalidArgs(let faults): .invalidArgs(faults.map { $0.under(prefix) })
        default: self
        }
    }

    init(_ error: PostgresError) {
        if error.sqlState == .foreignKeyViolation, error.constraint == "schedule_calendars" {
            // Removed after the schedule was checked, before it was written.
            self = .invalid(FieldFault(pointer: "/calendars", code: "unknown_value", detail: error.message))
        } else {
            self = error.isTransient ? .unavailable(error) : .database(error)
        }
    }
}
