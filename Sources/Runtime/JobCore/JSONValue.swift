/// A small JSON value as a tree, for settings (backoff, schedules). Args and results stay text.
package indirect enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    /// As it was written, so that nothing is rounded.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// In order of appearance; of repeated keys the last counts.
    case object([JSONMember])

    package init(parsing text: String) throws(JSONFault) {
        self = try JSONText.scan(text) { (scanner) throws(JSONFault) in
            scanner.skipSpace()
            let value = try scanner.tree(depth: 0)
            try scanner.end()
            return value
        }
    }

    /// Member of an object; nil for other kinds.
    package subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var text: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// Nil unless it is a number without fraction that fits.
    package var integer: Int64? {
        guard case .number(let digits) = self else { return nil }
        if let value = Int64(digits) { return value }
        guard let value = Double(digits), value == value.rounded() else { return nil }
        return Int64(exactly: value)
    }

    package var double: Double? {
        guard case .number(let digits) = self else { return nil }
        return Double(digits)
    }

    package var elements: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The shortest text.
    package var json: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number(let digits): digits
        case .string(let text): JSONText.quoted(text)
        case .array(let elements): "[" + elements.map(\.json).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { JSONText.quoted($0.key) + ":" + $0.value.json }.joined(separator: ",") + "}"
        }
    }
}

package struct JSONMember: Equatable, Sendable {
    package var key: String
    package var value: JSONValue

    package init(_ key: String, _ value: JSONValue) {
        self.key = key
        self.value = value
    }
}

extension JSONScanner {
    fileprivate mutating func tree(depth: Int) throws(JSONFault) -> JSONValue {
        switch next {
        case UInt8(ascii: "{"):
            var members: [JSONMember] = []
            try self.members(depth: depth) { (scanner, key) throws(JSONFault) in
                let name = scanner.unescaped(key)
                members.append(JSONMember(name, try scanner.tree(depth: depth + 1)))
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try self.elements(depth: depth) { scanner throws(JSONFault) in
                elements.append(try scanner.tree(depth: depth + 1))
            }
            return .array(elements)
        case UInt8(ascii: "\""):
            let range = try string()
            return .string(unescaped(range))
        case UInt8(ascii: "t"):
            try literal("true")
            return .boolean(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .boolean(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default:
            let start = position
            guard try value(depth: depth) == .number else { throw fault("a value cannot begin so") }
            return .number(text(start..<position))
        }
    }
}

/// What is wrong with one field of an input.
package struct FieldFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// RFC 6901, relative to the value that was read: `/delay_ms`; empty for the value itself.
    package var pointer: String
    /// Stable word, e.g. `out_of_range`.
    package var code: String
    /// For people.
    package var detail: String

    package init(pointer: String, code: String, detail: String) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
    }

    /// The same fault seen from an object that holds the value under `prefix`.
    package func under(_ prefix: String) -> FieldFault {
        FieldFault(pointer: prefix + pointer, code: code, detail: detail)
    }

    package var description: String { pointer.isEmpty ? detail : "\(pointer): \(detail)" }
}
