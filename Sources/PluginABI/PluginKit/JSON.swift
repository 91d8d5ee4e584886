import FoundationEssentials

/// JSON as a value, for the texts that PluginKit writes itself: log fields, schemas, error details. Members keep their
/// order. Args and results go through the coders instead.
enum JSON: Sendable {
    case null
    case bool(Bool)
    /// A number's text, or any other JSON text that is known to be valid.
    case raw(String)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    static func integer(_ value: some BinaryInteger) -> JSON { .raw(String(value)) }

    var text: String {
        var out: [UInt8] = []
        self.write(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private func write(to out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .raw(let text): out.append(contentsOf: text.utf8)
        case .string(let value): Self.write(value, to: &out)
        case .array(let elements):
            out.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                element.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, (key, value)) in members.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                Self.write(key, to: &out)
                out.append(UInt8(ascii: ":"))
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "\"")])
            case UInt8(ascii: "\\"): out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "\\")])
            case UInt8(ascii: "\n"): out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case UInt8(ascii: "\t"): out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            case UInt8(ascii: "\r"): out.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case 0..<0x20:
                let hex = Array("0123456789abcdef".utf8)
                out.append(contentsOf: "\\u00".utf8)
                out.append(hex[Int(byte >> 4)])
                out.append(hex[Int(byte & 15)])
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

extension JSON {
    /// What `value` encodes to; the plain types without an encoder. What cannot be encoded becomes a text that says why.
    init(encoding value: any Encodable) {
        switch value {
        case let value as String: self = .string(value)
        case let value as Int: self = .integer(value)
        case let value as Bool: self = .bool(value)
        default:
            do {
                self = .raw(String(decoding: try Coders.encoder().encode(value), as: UTF8.self))
            } catch {
                self = .string("<cannot be encoded: \(error)>")
            }
        }
    }
}

/// The coders of args, results and fields, all set up alike.
enum Coders {
    /// Dates are ISO 8601. Keys are sorted, so that equal results are equal texts.
    static func encoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}
