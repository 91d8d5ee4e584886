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
    /// `keys`: a schema of the names, where they are not any text.
    case dictionary(RecordedType, keys: JSON? = nil)
    case object([Member])
    case nullable(RecordedType)
    /// A type that describes itself.
    case described(schema: JSON, example: JSON)
    case anything

    struct Member: Sendable {
        var name: String
        var type: RecordedType
        var isRequired: Bool
        var note = Note()

        /// What an absent one means.
        var defaultValue: JSON? { self.note.keywords.first { $0.key == "default" }?.value }
    }

    /// The shape of `type`, or nil if it refuses made-up values.
    static func recording<T: Decodable>(_ type: T.Type) throws(NoteFault) -> RecordedType? {
        do {
            return try TypeRecorder.record(type).1
        } catch let fault as NoteFault {
            throw fault
        } catch {
            // Nothing is wrong: the type checks what it decodes.
            return nil
        }
    }

    /// The shape of a result's type where it is also `Decodable`.
    static func recording<T: Encodable>(resultType: T.Type) throws(NoteFault) -> RecordedType? {
        guard T.self != NoResult.self, T.self != Blob.self else { return nil }
        guard let type = T.self as? any Decodable.Type else { return nil }
        return try self.recording(type)
    }

    /// The shape with what notes say of an object's members.
    func noted(_ notes: [String: Note], of type: String) throws(NoteFault) -> RecordedType {
        guard !notes.isEmpty else { return self }
        guard case .object(var members) = self else { throw NoteFault(type: type, member: nil, known: []) }
        for (name, note) in notes {
            guard let index = members.firstIndex(where: { $0.name == name }) else {
                throw NoteFault(type: type, member: name, known: members.map(\.name))
            }
            members[index].note = members[index].note.merging(note)
            if members[index].defaultValue != nil { members[index].isRequired = false }
        }
        return .object(members)
    }

    var schema: JSON {
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
            return .object([("type", .string("array")), ("items", element.schema)])
        case .dictionary(let value, let keys):
            return .object(
                [("type", .string("object"))] + (keys.map { [("propertyNames", $0)] } ?? [])
                    + [("additionalProperties", value.schema)])
        case .described(let schema, _): return schema
        case .nullable(let type):
            return .object([("anyOf", .array([type.schema, .object([("type", .string("null"))])]))])
        case .anything: return .object([])
        case .object(let members): return Self.schema(of: members)
        }
    }

    private static func schema(of members: [Member]) -> JSON {
        let properties = members.map { member -> (String, JSON) in
            guard !member.note.keywords.isEmpty else { return (member.name, member.type.schema) }
            guard case .object(var keywords) = member.type.schema else {
                // A schema of an author's own, as text: it and the note must both hold.
                let note = JSON.object(member.note.keywords.map { ($0.key, $0.value) })
                return (member.name, .object([("allOf", .array([member.type.schema, note]))]))
            }
            for note in member.note.keywords {
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
        case .dictionary(let value, nil): .object([("key", value.sampleJSON)])
        case .dictionary: .object([])
        case .described(_, let example): example
        case .object(let members): .object(members.map { ($0.name, $0.defaultValue ?? $0.type.sampleJSON) })
        case .nullable(let type): type.sampleJSON
        case .anything: .null
        }
    }
}

/// A note about what is not there. Refuses the plugin: it is the author's slip of the pen.
package struct NoteFault: Error, CustomStringConvertible {
    var type: String
    /// Nil: the type is no object.
    var member: String?
    var known: [String]

    package var description: String {
        guard let member else { return "there are notes about members of \(self.type), which is no object" }
        return "there is a note about \"\(member)\" of \(self.type), which has \(self.known.joined(separator: ", "))"
    }
}
