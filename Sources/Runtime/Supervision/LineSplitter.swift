/// Cuts a child's output into lines. Pure.
struct LineSplitter {
    /// Longer lines are cut into several.
    static let longest = 64 << 10

    private var partial: [UInt8] = []

    /// Gives every finished line, without its newline, to `body`. What is no UTF-8 is repaired with U+FFFD.
    mutating func consume(_ bytes: UnsafeRawBufferPointer, _ body: (String) -> Void) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            if let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                self.add(UnsafeRawBufferPointer(rebasing: rest[..<newline]), body)
                self.flush(evenEmpty: true, body)
                start += newline + 1
            } else {
                self.add(rest, body)
                return
            }
        }
    }

    /// The last line, if it had no newline.
    mutating func finish(_ body: (String) -> Void) { self.flush(evenEmpty: false, body) }

    private mutating func add(_ piece: UnsafeRawBufferPointer, _ body: (String) -> Void) {
        var piece = piece
        while self.partial.count + piece.count > Self.longest {
            let room = Self.longest - self.partial.count
            self.partial.append(contentsOf: piece[..<room])
            piece = UnsafeRawBufferPointer(rebasing: piece[room...])
            let kept = self.cut()
            body(Self.text(self.partial))
            self.partial = kept
        }
        self.partial.append(contentsOf: piece)
    }

    private mutating func flush(evenEmpty: Bool, _ body: (String) -> Void) {
        if self.partial.isEmpty && !evenEmpty { return }
        if self.partial.last == UInt8(ascii: "\r") { self.partial.removeLast() }
        body(Self.text(self.partial))
        self.partial.removeAll(keepingCapacity: true)
    }

    /// Takes an unfinished scalar off the end and returns it, so that a cut does not spoil it.
    private mutating func cut() -> [UInt8] {
        var tail = 0
        // A scalar has at most 4 bytes: a lead byte and continuation bytes (10xxxxxx).
        while tail < 3, tail < self.partial.count, self.partial[self.partial.count - 1 - tail] & 0xc0 == 0x80 {
            tail += 1
        }
        guard tail < self.partial.count else { return [] }
        let lead = self.partial[self.partial.count - 1 - tail]
        let length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
        guard length > tail + 1 else { return [] }
        let kept = Array(self.partial.suffix(tail + 1))
        self.partial.removeLast(tail + 1)
        return kept
    }

    private static func text(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { String(repairing: $0) } }
}
