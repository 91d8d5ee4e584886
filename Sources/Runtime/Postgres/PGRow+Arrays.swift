/// One-dimensional arrays. `…OrNil` gives nil for a null array; null elements are an error unless the element is optional.
extension PGRow {
    package func int64ArrayOrNil(_ column: some PGColumn) throws(PGDecodingError) -> [Int64]? {
        try array(column, of: [.int8Array, .int4Array, .int2Array]) { bytes in
            switch bytes.count {
            case 8: bytes.bigEndian(Int64.self)
            case 4: Int64(bytes.bigEndian(Int32.self))
            case 2: Int64(bytes.bigEndian(Int16.self))
            default: nil
            }
        }
    }

    package func int64Array(_ column: some PGColumn) throws(PGDecodingError) -> [Int64] {
        try present(int64ArrayOrNil(column), column)
    }

    package func textArrayOrNil(_ column: some PGColumn) throws(PGDecodingError) -> [String]? {
        try array(column, of: PGType.textArrays) { String(validating: $0, as: UTF8.self) }
    }

    package func textArray(_ column: some PGColumn) throws(PGDecodingError) -> [String] {
        try present(textArrayOrNil(column), column)
    }

    package func nullableTextArray(_ column: some PGColumn) throws(PGDecodingError) -> [String?] {
        try present(elements(column, of: PGType.textArrays) { String(validating: $0, as: UTF8.self) }, column)
    }

    package func nullableInt64Array(_ column: some PGColumn) throws(PGDecodingError) -> [Int64?] {
        try present(
            elements(column, of: [.int8Array]) { $0.count == 8 ? $0.bigEndian(Int64.self) : nil }, column)
    }

    package func boolArray(_ column: some PGColumn) throws(PGDecodingError) -> [Bool] {
        try present(array(column, of: [.boolArray]) { $0.count == 1 ? $0[0] != 0 : nil }, column)
    }

    package func float64Array(_ column: some PGColumn) throws(PGDecodingError) -> [Double] {
        try present(
            array(column, of: [.float8Array]) {
                $0.count == 8 ? Double(bitPattern: $0.bigEndian(UInt64.self)) : nil
            }, column)
    }

    package func nullableBytesArray(_ column: some PGColumn) throws(PGDecodingError) -> [[UInt8]?] {
        try present(elements(column, of: [.byteaArray]) { Array($0) }, column)
    }

    /// Elements of `timestamptz[]` in microseconds since the Unix epoch.
    package func nullableMicrosArray(_ column: some PGColumn) throws(PGDecodingError) -> [Int64?] {
        try present(elements(column, of: [.timestamptzArray]) { $0.count == 8 ? $0.unixMicros : nil }, column)
    }
}

extension PGType {
    static let textArrays: [PGType] = [.textArray, .varcharArray, .nameArray, .jsonArray]
}

extension PGRow {
    private func array<T>(
        _ column: some PGColumn, of types: [PGType], _ read: (UnsafeRawBufferPointer) -> T?
    ) throws(PGDecodingError) -> [T]? {
        guard let elements = try elements(column, of: types, read) else { return nil }
        var values: [T] = []
        values.reserveCapacity(elements.count)
        for element in elements {
            guard let element else {
                throw PGDecodingError(column: result.columnName(try resolve(column)), problem: .null)
            }
            values.append(element)
        }
        return values
    }

    /// Source of the layout: PostgreSQL `array_send`: dimensions, has-nulls flag, element type, then length and lower
    /// bound of each dimension, then per element its length (-1 for null) and bytes; integers of 4 bytes, big-endian.
    private func elements<T>(
        _ column: some PGColumn, of types: [PGType], _ read: (UnsafeRawBufferPointer) -> T?
    ) throws(PGDecodingError) -> [T?]? {
        try cell(column, of: types) { bytes, _ -> [T?]? in
            func word(_ offset: Int) -> Int? {
                guard offset + 4 <= bytes.count else { return nil }
                return Int(UnsafeRawBufferPointer(rebasing: bytes[offset...]).bigEndian(Int32.self))
            }
            guard let dimensions = word(0) else { return nil }
            if dimensions == 0 { return [] }
            guard dimensions == 1, let count = word(12), count >= 0, count <= bytes.count else { return nil }
            var values: [T?] = []
            values.reserveCapacity(count)
            var offset = 20
            for _ in 0..<count {
                guard let length = word(offset) else { return nil }
                offset += 4
                if length < 0 {
                    values.append(nil)
                    continue
                }
                guard offset + length <= bytes.count,
                    let value = read(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
                else { return nil }
                values.append(value)
                offset += length
            }
            return values
        }
    }
}
