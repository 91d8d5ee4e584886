/// Type numbers of the server that this driver speaks in binary.
///
/// Source: PostgreSQL `src/include/catalog/pg_type.dat`; these numbers never change.
struct PGType: Hashable, Sendable {
    let oid: UInt32

    static let unspecified = PGType(oid: 0)
    static let bool = PGType(oid: 16)
    static let bytea = PGType(oid: 17)
    static let name = PGType(oid: 19)
    static let int8 = PGType(oid: 20)
    static let int2 = PGType(oid: 21)
    static let int4 = PGType(oid: 23)
    static let text = PGType(oid: 25)
    static let oid = PGType(oid: 26)
    static let json = PGType(oid: 114)
    static let float4 = PGType(oid: 700)
    static let float8 = PGType(oid: 701)
    static let unknown = PGType(oid: 705)
    static let bpchar = PGType(oid: 1042)
    static let varchar = PGType(oid: 1043)
    static let timestamptz = PGType(oid: 1184)
    static let void = PGType(oid: 2278)
    static let jsonb = PGType(oid: 3802)

    static let boolArray = PGType(oid: 1000)
    static let byteaArray = PGType(oid: 1001)
    static let nameArray = PGType(oid: 1003)
    static let int2Array = PGType(oid: 1005)
    static let int4Array = PGType(oid: 1007)
    static let textArray = PGType(oid: 1009)
    static let varcharArray = PGType(oid: 1015)
    static let int8Array = PGType(oid: 1016)
    static let float8Array = PGType(oid: 1022)
    static let timestamptzArray = PGType(oid: 1185)
    static let jsonArray = PGType(oid: 199)

    /// Types from here on are made by users (enums, domains over them …): their number says nothing about their form.
    static let firstUserDefined: UInt32 = 16_384

    /// True if the binary form is the text itself. Enums are sent as their label.
    var isTextual: Bool {
        switch self {
        case .text, .varchar, .bpchar, .name, .json, .unknown, .void: true
        default: oid >= Self.firstUserDefined
        }
    }
}

/// Microseconds from 1970-01-01 to 2000-01-01, the epoch of the server's binary timestamps.
let postgresEpochMicros: Int64 = 946_684_800_000_000
