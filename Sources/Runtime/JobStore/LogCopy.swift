import JobCore
import Postgres

/// Lines in the server's binary COPY format (PostgreSQL documentation, COPY, "Binary Format").
struct LogCopy {
    static let sql = """
        COPY pawl.run_log (run_id, seq, attempt, time, stream, level, stage, message, fields, retention) FROM STDIN (FORMAT binary)
        """

    private(set) var bytes: [UInt8] = []

    init(_ lines: [LogInsert]) {
        bytes.reserveCapacity(32 + lines.reduce(0) { $0 + $1.line.message.utf8.count + 128 })
        bytes += Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]
        // No flags, no extension.
        append(Int32(0))
        append(Int32(0))
        for line in lines {
            append(Int16(10))
            field(line.runID.rawValue)
            field(line.seq)
            field(Int32(clamping: line.attempt))
            // Microseconds since 2000-01-01, the server's epoch.
            field(line.line.time.micros - 946_684_800_000_000)
            field(Int16(line.line.stream.rawValue))
            field(Int16(line.line.level.rawValue))
            field(line.line.stage)
            field(line.line.message)
            field(line.line.fields)
            field(line.retention)
        }
        append(Int16(-1))
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }

    private mutating func field(_ value: some FixedWidthInteger) {
        append(Int32(value.bitWidth / 8))
        append(value)
    }

    private mutating func field(_ text: String?) {
        guard let text else { return append(Int32(-1)) }
        let storable = text.storable
        append(Int32(storable.utf8.count))
        bytes += storable.utf8
    }
}

extension [LogInsert] {
    /// As arguments of `log_add`.
    var parameters: [PGParameter] {
        [
            .int64Array(map(\.runID.rawValue)), .int64Array(map(\.seq)), .int64Array(map { Int64($0.attempt) }),
            .timestampArray(map(\.line.time.micros)), .int16Array(map { Int16($0.line.stream.rawValue) }),
            .int16Array(map { Int16($0.line.level.rawValue) }), .textArray(map { $0.line.stage?.storable }),
            .textArray(map { $0.line.message.storable }), .jsonArray(map { $0.line.fields?.storable }),
            .int16Array(map(\.retention)),
        ]
    }
}

extension LogInsert {
    /// With fields that are JSON for certain.
    var checked: LogInsert {
        guard let fields = line.fields else { return self }
        do throws(JSONFault) {
            _ = try JSONText.check(fields)
            return self
        } catch {
            var copy = self
            copy.line.fields = JSONText.quoted(fields)
            return copy
        }
    }
}
