/// A run's number in the database and its name outside: `run_` and 13 characters of Crockford's base32.
///
/// The name has a fixed width, so that the order of texts is the order of numbers.
/// Source of the alphabet: https://www.crockford.com/base32.html
package struct RunID: Hashable, Sendable {
    /// From the sequence `pawl.run_id`; not negative.
    package let rawValue: Int64

    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// Reads a name: exactly 17 characters, upper or lower case, `I` and `L` as 1 and `O` as 0 as Crockford proposes.
    /// Nil for everything else, for a check digit and for numbers above `Int64.max`.
    package init?(parsing text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count == 17, text.hasPrefix("run_") else { return nil }
        var value: UInt64 = 0
        for (index, byte) in bytes.dropFirst(4).enumerated() {
            guard let digit = Self.digit(byte) else { return nil }
            // 13 digits carry 65 bits; a number has 63.
            if index == 0 && digit > 7 { return nil }
            value = value << 5 | UInt64(digit)
        }
        guard let signed = Int64(exactly: value) else { return nil }
        rawValue = signed
    }

    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    private static func digit(_ byte: UInt8) -> Int? {
        let lower = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
        switch lower {
        case UInt8(ascii: "i"), UInt8(ascii: "l"): return 1
        case UInt8(ascii: "o"): return 0
        default: return alphabet.firstIndex(of: lower)
        }
    }
}

extension RunID: Comparable {
    package static func < (left: RunID, right: RunID) -> Bool { left.rawValue < right.rawValue }
}

extension RunID: CustomStringConvertible {
    package var description: String {
        var digits = [UInt8](repeating: UInt8(ascii: "0"), count: 13)
        var rest = UInt64(bitPattern: rawValue)
        for index in digits.indices.reversed() {
            digits[index] = Self.alphabet[Int(rest & 31)]
            rest >>= 5
        }
        return "run_" + String(decoding: digits, as: UTF8.self)
    }

    /// Appends the name, in ASCII: for answers with thousands of them.
    package func write(to bytes: inout [UInt8]) {
        bytes += "run_".utf8
        let rest = UInt64(bitPattern: rawValue)
        for place in (0..<13).reversed() { bytes.append(Self.alphabet[Int(rest >> UInt64(5 * place) & 31)]) }
    }
}

extension RunID: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = RunID(parsing: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a run id")
        }
        self = id
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
