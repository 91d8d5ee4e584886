import FoundationEssentials

/// Where the parts of a JSON text are. For texts that a reader has accepted already; of any other it says nothing (nil), and
/// the decoder says what is wrong.
package struct JSONScan {
    package let bytes: [UInt8]

    package struct Member {
        package var name: String
        package var value: Range<Int>
    }

    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The members of the object at `place`; nil if there is none.
    package func members(at place: Int) -> [Member]? {
        var members: [Member] = []
        var at = self.skippingSpace(place)
        guard self.byte(at) == UInt8(ascii: "{") else { return nil }
        at = self.skippingSpace(at + 1)
        if self.byte(at) == UInt8(ascii: "}") { return [] }
        while true {
            guard let end = self.endOfString(at), let name = self.text(at..<end) else { return nil }
            at = self.skippingSpace(end)
            guard self.byte(at) == UInt8(ascii: ":") else { return nil }
            at = self.skippingSpace(at + 1)
            guard let valueEnd = self.endOfValue(at) else { return nil }
            members.append(Member(name: name, value: at..<valueEnd))
            at = self.skippingSpace(valueEnd)
            switch self.byte(at) {
            case UInt8(ascii: ","): at = self.skippingSpace(at + 1)
            case UInt8(ascii: "}"): return members
            default: return nil
            }
        }
    }

    /// The elements of the array at `place`; nil if there is none.
    func elements(at place: Int) -> [Range<Int>]? {
        var elements: [Range<Int>] = []
        var at = self.skippingSpace(place)
        guard self.byte(at) == UInt8(ascii: "[") else { return nil }
        at = self.skippingSpace(at + 1)
        if self.byte(at) == UInt8(ascii: "]") { return [] }
        while true {
            guard let end = self.endOfValue(at) else { return nil }
            elements.append(at..<end)
            at = self.skippingSpace(end)
            switch self.byte(at) {
            case UInt8(ascii: ","): at = self.skippingSpace(at + 1)
            case UInt8(ascii: "]"): return elements
            default: return nil
            }
        }
    }

    private func byte(_ at: Int) -> UInt8? { at < self.bytes.count ? self.bytes[at] : nil }

    private func skippingSpace(_ start: Int) -> Int {
        var at = start
        while let byte = self.byte(at), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
        return at
    }

    /// The place behind the string that begins at `start`.
    private func endOfString(_ start: Int) -> Int? {
        guard self.byte(start) == UInt8(ascii: "\"") else { return nil }
        var at = start + 1
        while let byte = self.byte(at) {
            switch byte {
            case UInt8(ascii: "\\"): at += 2
            case UInt8(ascii: "\""): return at + 1
            default: at += 1
            }
        }
        return nil
    }

    /// The place behind the value that begins at `start`. Without recursion: depth costs no stack.
    private func endOfValue(_ start: Int) -> Int? {
        var at = start
        var depth = 0
        while let byte = self.byte(at) {
            switch byte {
            case UInt8(ascii: "\""):
                guard let end = self.endOfString(at) else { return nil }
                at = end
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                at += 1
                continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // The end of what this value stands in.
                if depth == 0 { return at > start ? at : nil }
                depth -= 1
                at += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09:
                if depth == 0 { return at > start ? at : nil }
                at += 1
                continue
            default:
                // A number, true, false, null: to the next byte that ends one.
                at += 1
                while let next = self.byte(at), !Self.endsPlain(next) { at += 1 }
            }
            if depth == 0 { return at }
        }
        return nil
    }

    private static func endsPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x0A, 0x0D, 0x09: true
        default: false
        }
    }

    /// The text of a string, its quotes included in `range`.
    private func text(_ range: Range<Int>) -> String? {
        let inside = self.bytes[(range.lowerBound + 1)..<(range.upperBound - 1)]
        guard inside.contains(UInt8(ascii: "\\")) else { return String(decoding: inside, as: UTF8.self) }
        do {
            return try Coders.decoder().decode(String.self, from: .init(self.bytes[range]))
        } catch {
            // Not a string after all: the decoder of the whole text says so.
            return nil
        }
    }
}
