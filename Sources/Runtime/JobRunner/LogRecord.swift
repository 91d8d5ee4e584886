import JobCore

/// How log lines stand in a spill file: records of some lines each, with a checksum.
///
/// A record is a header of three little-endian 32-bit numbers (length of the body, CRC-32C of the body, lines) and the body:
/// for each line run (8 bytes), attempt (4), number (8), time in microseconds (8), retention (2), level (1), stream (1), then
/// stage, message and fields, each a length (4; all ones: none) and UTF-8.
enum LogRecord {
    static let headerBytes = 12
    /// Longer ones are damage: writers stay far below.
    static let bodyLimit = 64 << 20

    /// Nothing can be read from here on.
    struct Damage: Error {}

    struct Header {
        let bodyBytes: Int
        let checksum: UInt32
        let lines: Int

        init(_ bytes: some RandomAccessCollection<UInt8>) throws(Damage) {
            guard bytes.count == headerBytes else { throw Damage() }
            var reader = Reader(Array(bytes))
            self.bodyBytes = Int(try reader.number(UInt32.self))
            self.checksum = try reader.number(UInt32.self)
            self.lines = Int(try reader.number(UInt32.self))
            // A hole that a crash of the machine left reads as zeros.
            guard self.lines > 0, self.bodyBytes >= self.lines * 44, self.bodyBytes <= bodyLimit else { throw Damage() }
        }
    }

    static func encode(_ entries: some Collection<LogBuffer.Entry>) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(entries.reduce(headerBytes) { $0 + $1.line.message.utf8.count + 96 })
        body += [UInt8](repeating: 0, count: headerBytes)
        for entry in entries {
            append(entry.key.run.rawValue, to: &body)
            append(Int32(clamping: entry.key.attempt), to: &body)
            append(entry.number, to: &body)
            append(entry.line.time.micros, to: &body)
            append(entry.retention, to: &body)
            body.append(UInt8(entry.line.level.rawValue))
            body.append(UInt8(entry.line.stream.rawValue))
            append(entry.line.stage, to: &body)
            append(entry.line.message, to: &body)
            append(entry.line.fields, to: &body)
        }
        var header: [UInt8] = []
        append(UInt32(body.count - headerBytes), to: &header)
        append(checksum(body[headerBytes...]), to: &header)
        append(UInt32(entries.count), to: &header)
        body.replaceSubrange(..<headerBytes, with: header)
        return body
    }

    /// - Parameter body: without the header.
    static func decode(_ header: Header, _ body: [UInt8]) throws(Damage) -> [LogBuffer.Entry] {
        guard body.count == header.bodyBytes, checksum(body[...]) == header.checksum else { throw Damage() }
        var reader = Reader(body)
        var entries: [LogBuffer.Entry] = []
        entries.reserveCapacity(header.lines)
        for _ in 0..<header.lines { entries.append(try reader.entry()) }
        guard reader.isAtEnd else { throw Damage() }
        return entries
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private static func append(_ text: String?, to bytes: inout [UInt8]) {
        guard let text else { return append(UInt32.max, to: &bytes) }
        append(UInt32(text.utf8.count), to: &bytes)
        bytes += text.utf8
    }

    /// CRC-32C (Castagnoli, reflected polynomial 82F63B78; RFC 3720, appendix B.4).
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        bytes.withUnsafeBufferPointer { bytes in
            table.withUnsafeBufferPointer { table in
                for byte in bytes { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
            }
        }
        return ~crc
    }

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
        return value
    }

    private struct Reader {
        private let bytes: [UInt8]
        private var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { self.place == self.bytes.count }

        mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(Damage) -> T {
            let width = T.bitWidth / 8
            guard self.bytes.count - self.place >= width else { throw Damage() }
            defer { self.place += width }
            return self.bytes.withUnsafeBytes {
                T(littleEndian: $0.loadUnaligned(fromByteOffset: self.place, as: T.self))
            }
        }

        private mutating func text() throws(Damage) -> String? {
            let length = try self.number(UInt32.self)
            if length == .max { return nil }
            guard Int(length) <= self.bytes.count - self.place else { throw Damage() }
            defer { self.place += Int(length) }
            return String(decoding: self.bytes[self.place..<self.place + Int(length)], as: UTF8.self)
        }

        mutating func entry() throws(Damage) -> LogBuffer.Entry {
            let key = AttemptKey(run: RunID(try self.number(Int64.self)), attempt: Int(try self.number(Int32.self)))
            let number = try self.number(Int64.self)
            let time = WallTime(micros: try self.number(Int64.self))
            let retention = try self.number(Int16.self)
            guard let level = LogLevel(rawValue: Int(try self.number(UInt8.self))),
                let stream = LogStream(rawValue: Int(try self.number(UInt8.self)))
            else { throw Damage() }
            let stage = try self.text()
            guard let message = try self.text() else { throw Damage() }
            let line = LogLine(
                time: time, level: level, stream: stream, stage: stage, message: message, fields: try self.text())
            return LogBuffer.Entry(key: key, number: number, line: line, retention: retention)
        }
    }
}
