/// A JSON document as the client reads and writes it.
///
/// Members keep their order and numbers keep their digits, so that a 64-bit id or a user's `1.10` comes out of the client
/// as it went in. Pure; any thread.
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The number's own text, already checked against the grammar.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One name and value of an object.
    struct Member: Sendable, Equatable {
        var name: String
        var value: JSONValue
    }

    static func int(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// An object of the members that are given: nil values are left out.
    static func members(_ pairs: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(pairs.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }

    // MARK: Reading

    /// The first member of that name, or nil when there is none or this is no object. An explicit null is `.null`.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var bool: Bool? {
        guard case .bool(let flag) = self else { return nil }
        return flag
    }

    /// The number, when it is a whole one within 64 bits.
    var int64: Int64? {
        guard case .number(let text) = self else { return nil }
        return Int64(text)
    }

    var double: Double? {
        guard case .number(let text) = self else { return nil }
        return Double(text)
    }

    var array: [JSONValue]? {
        guard case .array(let items) = self else { return nil }
        return items
    }

    var object: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The value unless it is null: `answer["error"]?.present`.
    var present: JSONValue? { self == .null ? nil : self }

    // MARK: Changing

    /// This object with the member set, in its old place if it was there. Anything but an object becomes one.
    func setting(_ name: String, to value: JSONValue) -> JSONValue {
        var members = self.object ?? []
        if let index = members.firstIndex(where: { $0.name == name }) {
            members[index].value = value
        } else {
            members.append(Member(name: name, value: value))
        }
        return .object(members)
    }
}
