import JobCore

/// How the client reads and builds JSON. Numbers keep their digits and members their order on the way through.
extension JSONValue {
    /// Parses the bytes of one document; bytes that are no UTF-8 are a fault too.
    init(parsing bytes: [UInt8]) throws(JSONFault) {
        _ = try JSONText.check(bytes)
        try self.init(parsing: String(decoding: bytes, as: UTF8.self))
    }

    static func int(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// An object of the members that are given: nil values are left out.
    static func members(_ pairs: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(pairs.compactMap { key, value in value.map { JSONMember(key, $0) } })
    }

    var bool: Bool? {
        guard case .boolean(let flag) = self else { return nil }
        return flag
    }

    var object: [JSONMember]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The value unless it is null: `answer["error"]?.present`.
    var present: JSONValue? { self == .null ? nil : self }

    /// This object with the member set, in its old place if it was there. Anything but an object becomes one.
    func setting(_ key: String, to value: JSONValue) -> JSONValue {
        var members = self.object ?? []
        if let index = members.lastIndex(where: { $0.key == key }) {
            members[index].value = value
        } else {
            members.append(JSONMember(key, value))
        }
        return .object(members)
    }

    /// The document with two spaces per level, one member per line.
    var pretty: String {
        var out = ""
        self.write(into: &out, level: 0)
        return out
    }

    private func write(into out: inout String, level: Int) {
        switch self {
        case .array(let items) where !items.isEmpty:
            Self.lines(items, "[", "]", into: &out, level: level) { item, out in
                item.write(into: &out, level: level + 1)
            }
        case .object(let members) where !members.isEmpty:
            Self.lines(members, "{", "}", into: &out, level: level) { member, out in
                out += JSONText.quoted(member.key) + ": "
                member.value.write(into: &out, level: level + 1)
            }
        default: out += self.json
        }
    }

    private static func lines<Item>(
        _ items: [Item], _ open: String, _ close: String, into out: inout String, level: Int,
        _ write: (Item, inout String) -> Void
    ) {
        out += open
        for (index, item) in items.enumerated() {
            out += (index > 0 ? ",\n" : "\n") + String(repeating: "  ", count: level + 1)
            write(item, &out)
        }
        out += "\n" + String(repeating: "  ", count: level) + close
    }
}
