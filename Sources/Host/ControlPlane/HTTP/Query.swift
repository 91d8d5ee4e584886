import HTTPTypes
import JobCore

/// The part of a URL after the question mark, decoded. Repeated names keep all their values, in order.
struct Query: Sendable {
    private(set) var items: [(name: String, value: String)] = []

    init() {}

    /// Reads `a=1&b=x%20y`; a plus is a space, as in forms. Nil if an escape is broken or the bytes are no UTF-8.
    init?(parsing text: some StringProtocol) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(parts[0], plus: true),
                let value = parts.count > 1 ? Self.decode(parts[1], plus: true) : ""
            else { return nil }
            items.append((name, value))
        }
    }

    func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// The only value; nil if there is none.
    func one(_ name: String) throws(Problem) -> String? {
        let values = all(name)
        guard values.count <= 1 else { throw .invalidParameter(name, "repeated", "may be given once only") }
        return values.first
    }

    func flag(_ name: String) throws(Problem) -> Bool? {
        guard let text = try one(name) else { return nil }
        switch text {
        case "true", "1", "": return true
        case "false", "0": return false
        default: throw .invalidParameter(name, "wrong_type", "must be true or false")
        }
    }

    func int(_ name: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        guard let text = try one(name) else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw .invalidParameter(
                name, "out_of_range", "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func time(_ name: String) throws(Problem) -> WallTime? {
        guard let text = try one(name) else { return nil }
        // An offset's plus has become a space if nobody escaped it; RFC 3339 has no other one after the time.
        let repaired = text.utf8.dropFirst(19).contains(0x20) ? text.replacing(" ", with: "+") : text
        guard let time = WallTime(rfc3339: text) ?? WallTime(rfc3339: repaired) else {
            throw .invalidParameter(name, "wrong_type", "must be a time such as 2026-11-21T08:00:00Z (RFC 3339)")
        }
        return time
    }

    /// Reads percent-escapes; nil if one is broken, the bytes are no UTF-8, or one of them is zero, which no text of ours
    /// can hold.
    static func decode(_ text: some StringProtocol, plus: Bool = false) -> String? {
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0 || (plus && $0 == 0x2B) }) else { return String(text) }
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case 0x2B where plus: bytes.append(0x20)
            case 0x25:
                guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
