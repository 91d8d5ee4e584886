/// Scalars. `…OrNil` gives nil for null; the plain getter throws then.
extension PGRow {
    package func int64OrNil(_ column: some PGColumn) throws(PGDecodingError) -> Int64? {
        try cell(column, of: [.int8, .int4, .int2, .oid]) { bytes, type in
            switch (type, bytes.count) {
            case (.int8, 8): bytes.bigEndian(Int64.self)
            case (.int4, 4): Int64(bytes.bigEndian(Int32.self))
            case (.int2, 2): Int64(bytes.bigEndian(Int16.self))
            case (.oid, 4): Int64(bytes.bigEndian(UInt32.self))
            default: nil
            }
        }
    }

    package func int64(_ column: some PGColumn) throws(PGDecodingError) -> Int64 {
        try present(int64OrNil(column), column)
    }

    package func int32OrNil(_ column: some PGColumn) throws(PGDecodingError) -> Int32? {
        try cell(column, of: [.int4, .int2]) { bytes, type in
            switch (type, bytes.count) {
            case (.int4, 4): bytes.bigEndian(Int32.self)
            case (.int2, 2): Int32(bytes.bigEndian(Int16.self))
            default: nil
            }
        }
    }

    package func int32(_ column: some PGColumn) throws(PGDecodingError) -> Int32 {
        try present(int32OrNil(column), column)
    }

    package func int16OrNil(_ column: some PGColumn) throws(PGDecodingError) -> Int16? {
        try cell(column, of: [.int2]) { bytes, _ in bytes.count == 2 ? bytes.bigEndian(Int16.self) : nil }
    }

    package func int16(_ column: some PGColumn) throws(PGDecodingError) -> Int16 {
        try present(int16OrNil(column), column)
    }

    package func boolOrNil(_ column: some PGColumn) throws(PGDecodingError) -> Bool? {
        try cell(column, of: [.bool]) { bytes, _ in bytes.count == 1 ? bytes[0] != 0 : nil }
    }

    package func bool(_ column: some PGColumn) throws(PGDecodingError) -> Bool {
        try present(boolOrNil(column), column)
    }

    /// Reads `float8` and `float4`; cast `numeric` in the statement.
    package func float64OrNil(_ column: some PGColumn) throws(PGDecodingError) -> Double? {
        try cell(column, of: [.float8, .float4]) { bytes, type in
            switch (type, bytes.count) {
            case (.float8, 8): Double(bitPattern: bytes.bigEndian(UInt64.self))
            case (.float4, 4): Double(Float(bitPattern: bytes.bigEndian(UInt32.self)))
            default: nil
            }
        }
    }

    package func float64(_ column: some PGColumn) throws(PGDecodingError) -> Double {
        try present(float64OrNil(column), column)
    }

    /// Reads text types, enums, `json` (byte for byte) and `jsonb` (as the server prints it).
    package func textOrNil(_ column: some PGColumn) throws(PGDecodingError) -> String? {
        try cell(column, of: nil) { bytes, type in bytes.text(type) }
    }

    package func text(_ column: some PGColumn) throws(PGDecodingError) -> String {
        try present(textOrNil(column), column)
    }

    /// Copies `bytea`, or the UTF-8 bytes of a text type or JSON without making a `String` of them.
    package func bytesOrNil(_ column: some PGColumn) throws(PGDecodingError) -> [UInt8]? {
        try cell(column, of: nil) { bytes, type in
            switch type {
            case .bytea: Array(bytes)
            case .jsonb: bytes.first == 1 ? Array(bytes.dropFirst()) : nil
            default: Array(bytes)
            }
        }
    }

    package func bytes(_ column: some PGColumn) throws(PGDecodingError) -> [UInt8] {
        try present(bytesOrNil(column), column)
    }

    /// Reads `timestamptz` as microseconds since the Unix epoch. `infinity` and `-infinity` become `Int64.max` and `.min`.
    package func microsOrNil(_ column: some PGColumn) throws(PGDecodingError) -> Int64? {
        try cell(column, of: [.timestamptz]) { bytes, _ in bytes.count == 8 ? bytes.unixMicros : nil }
    }

    package func micros(_ column: some PGColumn) throws(PGDecodingError) -> Int64 {
        try present(microsOrNil(column), column)
    }
}

extension PGRow {
    /// Decodes one cell. `read` gets its bytes and type and returns nil if they make no value.
    /// - Parameter types: what the getter reads; nil: every type whose binary form is text, `jsonb` and `bytea`.
    // Inlined: a generic call for each cell of each row asks the runtime for the type's metadata (measured).
    @inline(__always)
    func cell<T>(
        _ column: some PGColumn, of types: [PGType]?, _ read: (UnsafeRawBufferPointer, PGType) -> T?
    ) throws(PGDecodingError) -> T? {
        let number = try resolve(column)
        let type = result.columnType(number)
        let readable = types?.contains(type) ?? (type.isTextual || type == .jsonb || type == .bytea)
        guard readable, result.isBinary(number) else {
            throw PGDecodingError(column: result.columnName(number), problem: .type(oid: type.oid))
        }
        if result.isNull(row: index, column: number) { return nil }
        let value = result.withBytes(row: index, column: number) { bytes in read(bytes, type) }
        guard let value else {
            throw PGDecodingError(column: result.columnName(number), problem: .malformed)
        }
        return value
    }

    @inline(__always)
    func present<T>(_ value: T?, _ column: some PGColumn) throws(PGDecodingError) -> T {
        guard let value else {
            throw PGDecodingError(column: result.columnName(try resolve(column)), problem: .null)
        }
        return value
    }
}

extension UnsafeRawBufferPointer {
    /// The first bytes as an integer in network order; the caller has checked the length.
    func bigEndian<T: FixedWidthInteger>(_ type: T.Type) -> T {
        T(bigEndian: loadUnaligned(as: T.self))
    }

    /// Eight bytes of a binary timestamp. The two infinities stay the ends of the range.
    var unixMicros: Int64 {
        let raw = bigEndian(Int64.self)
        if raw == .max || raw == .min { return raw }
        let (sum, overflow) = raw.addingReportingOverflow(postgresEpochMicros)
        return overflow ? .max : sum
    }

    /// The text of a value of a type whose binary form is text; nil for another type or bytes that are no UTF-8.
    func text(_ type: PGType) -> String? {
        switch type {
        case .bytea: return nil
        case .jsonb:  // A version byte, 1, precedes the text.
            guard first == 1 else { return nil }
            return String(validating: dropFirst(), as: UTF8.self)
        default: return String(validating: self, as: UTF8.self)
        }
    }
}
