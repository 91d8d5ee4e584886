/// JSON that stays text.
package enum JSONText {
    /// Looks whether `text` is one JSON value (RFC 8259, nested at most 128 deep) and says of what kind.
    package static func check(_ text: String) throws(JSONFault) -> JSONKind {
        try scan(text) { (scanner) throws(JSONFault) in try scanner.document() }
    }

    /// As `check(_:)`, for bytes that may be no UTF-8, which is a fault too.
    package static func check(_ bytes: [UInt8]) throws(JSONFault) -> JSONKind {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw JSONFault(offset: 0, problem: "the text is not valid UTF-8")
        }
        return try check(text)
    }

    /// The members of an object in their order, each value as the text that stands there; nil if it is no object.
    package static func members(of text: String) throws(JSONFault) -> [(key: String, value: String)]? {
        try scan(text) { (scanner) throws(JSONFault) -> [(key: String, value: String)]? in
            scanner.skipSpace()
            guard scanner.next == UInt8(ascii: "{") else {
                _ = try scanner.document()
                return nil
            }
            var members: [(key: String, value: String)] = []
            try scanner.members(depth: 0) { (scanner, key) throws(JSONFault) in
                let start = scanner.position
                try scanner.value(depth: 1)
                members.append((scanner.unescaped(key), scanner.text(start..<scanner.position)))
            }
            try scanner.end()
            return members
        }
    }

    /// `base` with the top-level members of `overrides` in place of its own; new ones come last. Both must be objects.
    package static func merging(_ overrides: String, over base: String) throws(JSONFault) -> String {
        guard var merged = try members(of: base) else {
            throw JSONFault(offset: 0, problem: "only an object can take overrides")
        }
        guard let changes = try members(of: overrides) else {
            throw JSONFault(offset: 0, problem: "overrides must be an object")
        }
        for change in changes {
            // With repeated keys readers take the last one, so that one counts.
            if let index = merged.lastIndex(where: { $0.key == change.key }) {
                merged[index].value = change.value
            } else {
                merged.append(change)
            }
        }
        return "{" + merged.map { quoted($0.key) + ":" + $0.value }.joined(separator: ",") + "}"
    }

    /// A string as a JSON string, quotes included.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        result.reserveCapacity(text.utf8.count + 2)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// An object of texts, keys in order: labels.
    package static func object(_ members: [String: String]) -> String {
        "{" + members.sorted { $0.key < $1.key }.map { quoted($0.key) + ":" + quoted($0.value) }.joined(separator: ",")
            + "}"
    }

    static func scan<T>(
        _ text: String, _ body: (inout JSONScanner) throws(JSONFault) -> T
    ) throws(JSONFault) -> T {
        var text = text
        let result: Result<T, JSONFault> = text.withUTF8 { bytes in
            var scanner = JSONScanner(bytes)
            do throws(JSONFault) {
                return .success(try body(&scanner))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
