/// The rows of one statement's result. Cells are decoded when asked for; until then nothing is copied.
///
/// A value may be passed to any thread. It keeps the whole result in memory, and so does each row taken from it.
package struct PGRows: Sendable {
    private let result: PGResult?

    init(_ result: PGResult) { self.result = result }

    /// No rows, no columns.
    package init() { self.result = nil }

    /// Number of rows that the command touched, from its command tag; for SELECT the number of rows returned.
    package var affectedRows: Int { result?.affectedRows ?? 0 }

    /// `INSERT 0 5`, `ROLLBACK`, …
    var commandTag: String { result?.commandTag ?? "" }

    package var columns: [String] {
        guard let result else { return [] }
        return (0..<result.columnCount).map(result.columnName)
    }
}

extension PGRows: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { result?.rowCount ?? 0 }
    package subscript(position: Int) -> PGRow {
        guard let result, position >= 0, position < result.rowCount else {
            preconditionFailure("row \(position) of \(count)")
        }
        return PGRow(result: result, index: position)
    }
}

/// One row. Columns are named by index (fast) or by name (a scan over the column names).
///
/// Every getter throws `PGDecodingError` if the column does not exist, is null (use the `…OrNil` variant) or has another
/// type than the getter reads.
package struct PGRow: Sendable {
    let result: PGResult
    let index: Int

    package func isNull(_ column: some PGColumn) throws(PGDecodingError) -> Bool {
        result.isNull(row: index, column: try resolve(column))
    }

    @inline(__always)
    func resolve(_ column: some PGColumn) throws(PGDecodingError) -> Int {
        switch column.pgColumnKey {
        case .index(let number):
            guard number >= 0, number < result.columnCount else {
                throw PGDecodingError(column: "#\(number)", problem: .noSuchColumn)
            }
            return number
        case .name(let name):
            guard let number = result.columnIndex(name) else {
                throw PGDecodingError(column: name, problem: .noSuchColumn)
            }
            return number
        }
    }
}

/// A column's index, counted from 0, or its name.
package protocol PGColumn {
    var pgColumnKey: PGColumnKey { get }
}

package enum PGColumnKey: Sendable {
    case index(Int)
    case name(String)
}

extension Int: PGColumn {
    package var pgColumnKey: PGColumnKey { .index(self) }
}

extension String: PGColumn {
    package var pgColumnKey: PGColumnKey { .name(self) }
}

/// A cell that is not what its reader expects: statement and reader do not belong together.
package struct PGDecodingError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Problem: Sendable, Equatable {
        case noSuchColumn
        case null
        /// The column has the server's type of this number, which the getter does not read.
        case type(oid: UInt32)
        /// The bytes are not a value of the column's type, or the value does not fit the Swift type.
        case malformed
    }

    package let column: String
    package let problem: Problem

    package init(column: String, problem: Problem) {
        self.column = column
        self.problem = problem
    }

    package var description: String {
        switch problem {
        case .noSuchColumn: "the result has no column \(column)"
        case .null: "column \(column) is null"
        case .type(let oid): "column \(column) has type \(oid), which this getter does not read"
        case .malformed: "column \(column) holds no valid value of its type"
        }
    }
}
