/// An argument of a statement. All but texts and JSON travel in the server's binary format with a declared type; texts
/// travel as literals of no declared type, so that they also fit columns of type `varchar`, `uuid`, `interval` or an enum.
package enum PGParameter: Sendable, Equatable {
    case null
    case bool(Bool)
    case int16(Int16)
    case int32(Int32)
    case int64(Int64)
    case float64(Double)
    /// Any type that has a text form. Must not hold U+0000, which Postgres cannot store: the server refuses it (22021).
    case text(String)
    /// Type `json`: kept byte for byte.
    case json(String)
    /// Type `jsonb`: keys reordered, duplicates dropped.
    case jsonb(String)
    /// Type `bytea`.
    case bytes([UInt8])
    /// Type `timestamptz`, in microseconds since the Unix epoch.
    case timestamp(micros: Int64)

    case boolArray([Bool])
    case int16Array([Int16])
    case int32Array([Int32])
    case int64Array([Int64])
    case nullableInt64Array([Int64?])
    case float64Array([Double])
    case textArray([String?])
    case bytesArray([[UInt8]?])
    /// Type `json[]`.
    case jsonArray([String?])
    /// Type `timestamptz[]`, in microseconds since the Unix epoch.
    case timestampArray([Int64?])
}

/// A statement with a name. It is prepared once per connection, on first use, in the same write as that use.
///
/// A name stands for one SQL text in the whole program: two texts under one name are a mistake of ours and trap.
package struct PGStatement: Sendable, Hashable {
    /// Shown in errors and logs; at most 55 bytes, because the server's own names end at 63 and a suffix may follow.
    package let name: String
    /// One SQL command with `$1`, `$2`, … for its arguments, of which there are at most 65,535.
    package let sql: String

    /// - Parameters:
    ///   - name: not empty, at most 55 bytes.
    ///   - sql: one command.
    package init(name: String, sql: String) {
        precondition(!name.isEmpty && name.utf8.count <= 55, "statement name of 1 to 55 bytes")
        self.name = name
        self.sql = sql
    }
}

/// What `NOTIFY` brought to a listening connection.
package struct PGNotification: Sendable, Equatable {
    package let channel: String
    package let payload: String
    /// Process id of the notifying backend, on the database's machine.
    package let backendPID: Int32

    package init(channel: String, payload: String, backendPID: Int32) {
        self.channel = channel
        self.payload = payload
        self.backendPID = backendPID
    }
}
