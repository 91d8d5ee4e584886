internal import Glibc

/// Reads pieces of a file that may be hostile: nothing is mapped, every piece is bounded, what is not there is nil.
struct ELFReader {
    /// No table of a plugin is larger; a file that says otherwise is not followed.
    static let pieceLimit: UInt64 = 64 << 20

    let fd: Int32
    let size: UInt64

    func bytes(at offset: UInt64, count: UInt64) -> ELFBytes? {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= self.size, count <= Self.pieceLimit else { return nil }
        let wanted = Int(count)
        var position = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            while position < wanted {
                let got = pread(
                    self.fd, buffer.baseAddress.map { $0 + position }, wanted - position,
                    off_t(offset) + off_t(position))
                if got <= 0 { break }
                position += got
            }
            filled = position
        }
        return bytes.count == wanted ? ELFBytes(bytes) : nil
    }
}

/// Bytes with little-endian numbers in them; whatever lies beyond the end reads as nil.
struct ELFBytes {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { self.bytes.count }

    func number(_ offset: Int, _ width: Int) -> UInt64? {
        guard offset >= 0, offset <= self.bytes.count - width else { return nil }
        return self.bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Text up to its zero byte; nil if it begins outside or does not end within `limit` bytes.
    func text(_ offset: UInt64, limit: Int = 4096) -> String? {
        guard offset < UInt64(self.bytes.count) else { return nil }
        let rest = self.bytes[Int(offset)...].prefix(limit)
        guard let end = rest.firstIndex(of: 0) else { return nil }
        return String(decoding: rest[..<end], as: UTF8.self)
    }
}
