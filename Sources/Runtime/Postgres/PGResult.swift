import CLibpq

/// Owns one `PGresult` and frees it with the last reference, on whatever thread that is dropped.
///
/// Safe to share between threads although it holds a pointer: libpq never changes a result that `PQgetResult` has handed
/// out, this class never does, and `PQclear` runs in `deinit` only, when no other reference exists. (libpq's manual,
/// "Behavior in Threaded Programs": result objects are read-only after creation and can be passed around freely.)
final class PGResult: @unchecked Sendable {
    private let raw: OpaquePointer

    /// Takes over `raw`.
    init(taking raw: OpaquePointer) { self.raw = raw }

    deinit { PQclear(raw) }

    var status: ExecStatusType { PQresultStatus(raw) }
    var rowCount: Int { Int(PQntuples(raw)) }
    var columnCount: Int { Int(PQnfields(raw)) }

    /// The row count of the command tag (`INSERT 0 5`, `COPY 7`); 0 for commands without one.
    var affectedRows: Int { Int(String(cString: PQcmdTuples(raw))) ?? 0 }

    /// `INSERT 0 5`, `ROLLBACK`, …
    var commandTag: String { String(cString: PQcmdStatus(raw)) }

    func columnName(_ column: Int) -> String { String(cString: PQfname(raw, Int32(column))) }
    func columnType(_ column: Int) -> PGType { PGType(oid: PQftype(raw, Int32(column))) }
    func isBinary(_ column: Int) -> Bool { PQfformat(raw, Int32(column)) == 1 }

    /// The first column of exactly this name.
    func columnIndex(_ name: String) -> Int? {
        name.withCString { wanted in
            (0..<columnCount).first { strcmpEqual(PQfname(raw, Int32($0)), wanted) }
        }
    }

    func isNull(row: Int, column: Int) -> Bool { PQgetisnull(raw, Int32(row), Int32(column)) == 1 }

    /// The bytes of a cell, valid inside `body` only; empty for null.
    func withBytes<T, E: Error>(
        row: Int, column: Int, _ body: (UnsafeRawBufferPointer) throws(E) -> T
    ) throws(E) -> T {
        let start = PQgetvalue(raw, Int32(row), Int32(column))
        let count = Int(PQgetlength(raw, Int32(row), Int32(column)))
        return try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// The error that this result carries, as the server told it.
    var error: PostgresError { PostgresError(result: raw) }
}

extension PostgresError {
    /// Reads an error or a notice; does not take `result` over.
    init(result: OpaquePointer) {
        func field(_ code: Int) -> String? {
            PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
        }
        let state = field(pawl_pg_diag_sqlstate).map { SQLState($0) }
        // libpq's own faults (connection lost in the middle) have no fields, only a text.
        let text = field(pawl_pg_diag_message_primary) ?? String(cString: PQresultErrorMessage(result))
        self.init(
            kind: Kind(of: state),
            sqlState: state,
            severity: field(pawl_pg_diag_severity_nonlocalized),
            message: text.trimmedLines,
            detail: field(pawl_pg_diag_message_detail),
            hint: field(pawl_pg_diag_message_hint),
            table: field(pawl_pg_diag_table_name),
            column: field(pawl_pg_diag_column_name),
            constraint: field(pawl_pg_diag_constraint_name))
    }
}

extension PostgresError.Kind {
    /// The kind of an error with this code; nil means that libpq, not the server, has seen the fault.
    init(of state: SQLState?) {
        switch state {
        case nil: self = .connection
        case .queryCanceled?, .lockNotAvailable?: self = .timedOut
        case let state? where state.endsSession: self = .connection
        default: self = .server
        }
    }
}

extension String {
    /// libpq's messages end with a line feed and may span lines; ours are one line.
    var trimmedLines: String {
        split(whereSeparator: \.isNewline).map { line in
            String(line.drop { $0 == " " || $0 == "\t" })
        }.joined(separator: " ")
    }
}

private func strcmpEqual(_ a: UnsafePointer<CChar>?, _ b: UnsafePointer<CChar>) -> Bool {
    guard var a else { return false }
    var b = b
    while a.pointee == b.pointee {
        if a.pointee == 0 { return true }
        a += 1
        b += 1
    }
    return false
}
