extension JSONText {
    /// What stands in the way of comparing a JSON text with others by Postgres' `jsonb`; nil: nothing.
    /// - Parameter text: valid JSON.
    package static func comparisonFault(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { bytes in
            var index = 0
            var isInString = false
            var digits = 0
            var isExponent = false
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if isInString {
                    if byte == UInt8(ascii: "\"") { isInString = false }
                    guard byte == UInt8(ascii: "\\") else { continue }
                    let escaped = bytes[index]
                    index += 1
                    guard escaped == UInt8(ascii: "u") else { continue }
                    let unit = hex(bytes, index)
                    index += 4
                    switch unit {
                    case 0: return "the character U+0000"
                    case 0xD800...0xDBFF:
                        guard index + 5 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
                            bytes[index + 1] == UInt8(ascii: "u"), (0xDC00...0xDFFF).contains(hex(bytes, index + 2))
                        else { return "half of a surrogate pair" }
                        index += 6
                    case 0xDC00...0xDFFF: return "half of a surrogate pair"
                    default: break
                    }
                    continue
                }
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"):
                    digits += 1
                    // Source of the bounds: PostgreSQL documentation 8.1, numeric.
                    if digits > (isExponent ? 4 : 16_000) { return "a number that is too large" }
                case UInt8(ascii: "e"), UInt8(ascii: "E"):
                    isExponent = true
                    digits = 0
                case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): break
                default:
                    isInString = byte == UInt8(ascii: "\"")
                    isExponent = false
                    digits = 0
                }
            }
            return nil
        }
    }

    private static func hex(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        bytes[start..<start + 4].reduce(0) { value, byte in
            let digit =
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
                default: byte - UInt8(ascii: "A") + 10
                }
            return value << 4 | Int(digit)
        }
    }
}
