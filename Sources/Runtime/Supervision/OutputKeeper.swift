/// First and last part of a child's output, for the crash report. Pure.
struct OutputKeeper {
    static let headLimit = 16 << 10
    static let tailLimit = 48 << 10

    private var headBytes: [UInt8] = []
    private var tailBytes: [UInt8] = []

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var bytes = bytes
        let room = Self.headLimit - self.headBytes.count
        if room > 0 {
            let taken = min(room, bytes.count)
            self.headBytes.append(contentsOf: bytes[..<taken])
            bytes = UnsafeRawBufferPointer(rebasing: bytes[taken...])
        }
        if bytes.isEmpty { return }
        self.tailBytes.append(contentsOf: bytes.suffix(Self.tailLimit))
        // Trimmed at twice the size, so that each byte is moved about once.
        if self.tailBytes.count > 2 * Self.tailLimit {
            self.tailBytes.removeFirst(self.tailBytes.count - Self.tailLimit)
        }
    }

    var head: String { Self.text(self.headBytes[...]) }
    /// What came after the head; its beginning is missing when there was too much.
    var tail: String { Self.text(self.tailBytes.suffix(Self.tailLimit)) }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.withUnsafeBytes { String(repairing: $0) }
    }
}
