extension PGType {
    /// Stands for "a null of whatever type" in a list of argument types; the server is told 0, "you infer it".
    static let null = PGType(oid: .max)

    /// What `PQsendPrepare` is told.
    var declared: UInt32 { self == .null ? 0 : oid }
}

extension PGParameter {
    /// The type that is declared when a statement is prepared with this argument.
    var type: PGType {
        switch self {
        case .null: .null
        case .bool: .bool
        case .int16: .int2
        case .int32: .int4
        case .int64: .int8
        case .float64: .float8
        case .text: .unspecified
        case .json: .json
        case .jsonb: .jsonb
        case .bytes: .bytea
        case .timestamp: .timestamptz
        case .boolArray: .boolArray
        case .int16Array: .int2Array
        case .int32Array: .int4Array
        case .int64Array, .nullableInt64Array: .int8Array
        case .float64Array: .float8Array
        case .textArray: .textArray
        case .bytesArray: .byteaArray
        case .jsonArray: .jsonArray
        case .timestampArray: .timestamptzArray
        }
    }
}

/// The arguments of one statement in the form that libpq takes: one buffer, and a place in it for each argument.
/// Meant to be reused: `removeAll` keeps the memory.
struct ParameterBuffer {
    private struct Place {
        /// nil for null.
        let offset: Int?
        let count: Int32
        /// 0 text, 1 binary.
        let format: Int32
    }

    private var bytes: [UInt8] = []
    private var places: [Place] = []

    mutating func removeAll() {
        // One huge argument must not stay in memory for the life of the connection.
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
        places.removeAll(keepingCapacity: true)
    }

    mutating func append(_ parameter: PGParameter) {
        let start = bytes.count
        var format: Int32 = 1
        switch parameter {
        case .null:
            places.append(Place(offset: nil, count: 0, format: 1))
            return
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .int16(let value): put(value)
        case .int32(let value): put(value)
        case .int64(let value): put(value)
        case .float64(let value): put(value.bitPattern)
        case .timestamp(let micros): put(postgresMicros(micros))
        case .bytes(let value): bytes.append(contentsOf: value)
        case .text(let value), .json(let value), .jsonb(let value):
            bytes.append(contentsOf: value.utf8)
            // libpq ends a text argument at its first zero byte. As binary the server sees it, and refuses it (22021).
            let holdsZero = bytes[start...].contains(0)
            if holdsZero, case .jsonb = parameter { bytes.insert(1, at: start) }
            format = holdsZero ? 1 : 0
        case .boolArray(let values): array(values, .bool) { $0.append($1 ? 1 : 0) }
        case .int16Array(let values): array(values, .int2) { $0.put($1) }
        case .int32Array(let values): array(values, .int4) { $0.put($1) }
        case .int64Array(let values): array(values, .int8) { $0.put($1) }
        case .nullableInt64Array(let values): array(values, .int8) { $0.put($1) }
        case .float64Array(let values): array(values, .float8) { $0.put($1.bitPattern) }
        case .textArray(let values): array(values, .text) { $0.append(contentsOf: $1.utf8) }
        case .jsonArray(let values): array(values, .json) { $0.append(contentsOf: $1.utf8) }
        case .bytesArray(let values): array(values, .bytea) { $0.append(contentsOf: $1) }
        case .timestampArray(let values): array(values, .timestamptz) { $0.put(postgresMicros($1)) }
        }
        let count = Int32(clamping: bytes.count - start)
        // Text arguments have to end with a zero byte; a spare one behind a binary argument keeps its pointer valid
        // when it is empty.
        bytes.append(0)
        places.append(Place(offset: start, count: count, format: format))
    }

    private mutating func put(_ value: some FixedWidthInteger) { bytes.put(value) }

    /// Source of the layout: PostgreSQL `array_recv`; see `PGRow.elements`.
    private mutating func array<T>(_ values: [T?], _ type: PGType, _ write: (inout [UInt8], T) -> Void) {
        bytes.put(Int32(values.isEmpty ? 0 : 1))
        bytes.put(Int32(values.contains { $0 == nil } ? 1 : 0))
        bytes.put(type.oid)
        if values.isEmpty { return }
        bytes.put(Int32(clamping: values.count))
        bytes.put(Int32(1))
        for value in values {
            guard let value else {
                bytes.put(Int32(-1))
                continue
            }
            let lengthAt = bytes.count
            bytes.put(Int32(0))
            write(&bytes, value)
            let length = Int32(clamping: bytes.count - lengthAt - 4)
            withUnsafeBytes(of: length.bigEndian) { raw in
                for (index, byte) in raw.enumerated() { bytes[lengthAt + index] = byte }
            }
        }
    }

    private mutating func array<T>(_ values: [T], _ type: PGType, _ write: (inout [UInt8], T) -> Void) {
        array(values.map(Optional.some), type, write)
    }

    /// Gives the arguments as the four parallel arrays of `PQsendQueryPrepared`, valid inside `body` only.
    func withArguments<R>(
        _ body: (
            _ count: Int32, _ values: [UnsafePointer<CChar>?], _ lengths: [Int32], _ formats: [Int32]
        ) -> R
    ) -> R {
        bytes.withUnsafeBytes { raw in
            let base = raw.bindMemory(to: CChar.self).baseAddress
            let values = places.map { place in place.offset.flatMap { offset in base.map { $0 + offset } } }
            return body(Int32(places.count), values, places.map(\.count), places.map(\.format))
        }
    }
}

extension [UInt8] {
    /// Appends in network order.
    mutating func put(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

/// Unix microseconds as the server's; the ends of the range mean its two infinities, as in `unixMicros`.
private func postgresMicros(_ unixMicros: Int64) -> Int64 {
    if unixMicros == .max { return .max }
    let (difference, overflow) = unixMicros.subtractingReportingOverflow(postgresEpochMicros)
    return overflow ? .min : difference
}
