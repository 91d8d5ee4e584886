import FoundationEssentials

/// The shape of a `Decodable` type, as its own `init(from:)` revealed it.
indirect enum RecordedType: Sendable {
    case bool
    /// Bounds as JSON numbers; nil where 64 bits know none.
    case integer(minimum: String?, maximum: String?)
    case number
    /// A text, perhaps of a format ("date-time", "uuid", "uri") with an example of it.
    case string(format: String?, example: String)
    case base64
    /// One of these values.
    case choice([JSON])
    case array(RecordedType)
    case dictionary(RecordedType)
    case object([Member])
    case nullable(RecordedType)
    case anything

    struct Member: Sendable {
        var name: String
        var type: RecordedType
        var isRequired: Bool
    }

    /// The shape of `type`, or nil if it refuses made-up values.
    static func recording<T: Decodable>(_ type: T.Type) -> RecordedType? {
        do {
            return try TypeRecorder.record(type).1
        } catch {
            // Nothing is wrong: the type checks what it decodes.
            return nil
        }
    }

    /// The shape of a result's type where it is also `Decodable`.
    static func recording<T: Encodable>(resultType: T.Type) -> RecordedType? {
        guard T.self != NoResult.self, T.self != Blob.self else { return nil }
        guard let type = T.self as? any Decodable.Type else { return nil }
        return self.recording(type)
    }

    func schema(notes: [(member: String, key: String, value: JSON)] = []) -> JSON {
        switch self {
        case .bool: return .object([("type", .string("boolean"))])
        case .integer(let minimum, let maximum):
            var members: [(String, JSON)] = [("type", .string("integer"))]
            if let minimum { members.append(("minimum", .raw(minimum))) }
            if let maximum { members.append(("maximum", .raw(maximum))) }
            return .object(members)
        case .number: return .object([("type", .string("number"))])
        case .string(nil, _): return .object([("type", .string("string"))])
        case .string(let format?, _): return .object([("type", .string("string")), ("format", .string(format))])
        case .base64: return .object([("type", .string("string")), ("contentEncoding", .string("base64"))])
        case .choice(let values): return .object([("enum", .array(values))])
        case .array(let element):
            return .object([("type", .string("array")), ("items", element.schema())])
        case .dictionary(let value):
            return .object([("type", .string("object")), ("additionalProperties", value.schema())])
        case .nullable(let type):
            return .object([("anyOf", .array([type.schema(), .object([("type", .string("null"))])]))])
        case .anything: return .object([])
        case .object(let members): return Self.schema(of: members, notes)
        }
    }

    private static func schema(of members: [Member], _ notes: [(member: String, key: String, value: JSON)]) -> JSON {
        let properties = members.map { member -> (String, JSON) in
            guard case .object(var keywords) = member.type.schema() else { return (member.name, .object([])) }
            for note in notes where note.member == member.name {
                keywords.removeAll { $0.0 == note.key }
                keywords.append((note.key, note.value))
            }
            return (member.name, .object(keywords))
        }
        let required = members.filter(\.isRequired).map { JSON.string($0.name) }
        return .object(
            [("type", .string("object")), ("properties", .object(properties))]
                + (required.isEmpty ? [] : [("required", .array(required))])
                + [("additionalProperties", .bool(false))])
    }

    /// A text that decodes into the type, for warming the coders.
    var sample: Data { Data(self.sampleJSON.text.utf8) }

    private var sampleJSON: JSON {
        switch self {
        case .bool: .bool(false)
        case .integer: .raw("1")
        case .number: .raw("1.5")
        case .string(_, let example): .string(example)
        case .base64: .string("")
        case .choice(let values): values.first ?? .null
        case .array(let element): .array([element.sampleJSON])
        case .dictionary(let value): .object([("key", value.sampleJSON)])
        case .object(let members): .object(members.map { ($0.name, $0.type.sampleJSON) })
        case .nullable(let type): type.sampleJSON
        case .anything: .null
        }
    }
}
