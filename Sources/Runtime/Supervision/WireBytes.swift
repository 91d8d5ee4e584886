internal import CWire

/// A message of a child or a zygote that breaks the protocol. What a peer can cause is a value, never a trap.
struct WireFault: Error, Equatable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension [UInt8] {
    /// Appends a structure of the wire as it lies in memory; those have no padding and are little-endian, as is every
    /// machine we run on.
    mutating func appendWire<T: BitwiseCopyable>(_ value: T) {
        Swift.withUnsafeBytes(of: value) { self.append(contentsOf: $0) }
    }

    /// Overwrites what stands at `offset`.
    mutating func replaceWire<T: BitwiseCopyable>(_ value: T, at offset: Int) {
        self.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: T.self) }
    }
}

/// Reads structures and texts out of bytes that somebody else wrote.
struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func take<T: BitwiseCopyable>(_ type: T.Type) throws(WireFault) -> T {
        guard self.position + MemoryLayout<T>.size <= self.bytes.count else {
            throw WireFault("a message is too short")
        }
        defer { self.position += MemoryLayout<T>.size }
        return self.bytes.loadUnaligned(fromByteOffset: self.position, as: T.self)
    }

    mutating func take(_ count: some FixedWidthInteger) throws(WireFault) -> UnsafeRawBufferPointer {
        guard let count = Int(exactly: count), count >= 0, count <= self.bytes.count - self.position else {
            throw WireFault("a length in a message is wrong")
        }
        defer { self.position += count }
        return UnsafeRawBufferPointer(rebasing: self.bytes[self.position..<self.position + count])
    }

    /// Text; what is no UTF-8 is repaired.
    mutating func text(_ count: some FixedWidthInteger) throws(WireFault) -> String {
        String(repairing: try self.take(count))
    }

    /// Nil where it is empty.
    mutating func optionalText(_ count: some FixedWidthInteger) throws(WireFault) -> String? {
        let text = try self.text(count)
        return text.isEmpty ? nil : text
    }

    var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self.bytes[self.position...]) }
}

extension String {
    /// Text from somebody else's bytes: what is no UTF-8 becomes U+FFFD, and so does a zero byte, which Postgres' text
    /// cannot hold.
    init(repairing bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        self = bytes.contains(0) ? String(text.map { $0 == "\0" ? "\u{fffd}" : $0 }) : text
    }
}
