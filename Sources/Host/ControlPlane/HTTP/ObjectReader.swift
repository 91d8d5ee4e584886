import HTTPTypes
import JobCore

/// Reads a JSON object strictly: every member is asked for by its name and kind, faults are gathered with their pointers,
/// and what nobody asked for is a fault too (`x_…` apart), so that a typo never passes as a wish that was not granted.
///
/// Values stay text until they are asked for: `raw` gives the bytes that were sent.
struct ObjectReader {
    private var members: [String: String] = [:]
    /// In order of appearance.
    private var names: [String] = []
    /// What was asked for: the names that a typo may have meant.
    private var known: [String] = []
    private let prefix: String
    private(set) var faults: [FieldFault] = []

    /// - Parameters:
    ///   - text: JSON; must be an object.
    ///   - prefix: where it stands in the body, as a JSON pointer.
    init(_ text: String, under prefix: String = "") throws(Problem) {
        self.prefix = prefix
        let members: [(key: String, value: String)]?
        do throws(JSONFault) {
            members = try JSONText.members(of: text)
        } catch {
            throw Problem(
                .badRequest, "malformed_json", "The body is no JSON: \(error).",
                fields: [.init(.pointer(prefix), "malformed_json", "\(error.problem) at byte \(error.offset)")])
        }
        guard let members else {
            throw Problem(
                .badRequest, "not_an_object", "The body must be a JSON object.",
                fields: [.init(.pointer(prefix), "wrong_type", "must be an object")])
        }
        for (key, value) in members {
            if self.members.updateValue(value, forKey: key) == nil {
                names.append(key)
            } else {
                fault(key, "repeated_field", "is there twice")
            }
        }
    }

    /// The body of a call; an empty one is an empty object.
    init(body: [UInt8]) throws(Problem) {
        if body.isEmpty {
            try self.init("{}")
            return
        }
        guard let text = String(validating: body, as: UTF8.self) else {
            throw Problem(.badRequest, "malformed_json", "The body is no UTF-8.")
        }
        try self.init(text)
    }

    mutating func fault(_ name: String, _ code: String, _ detail: String) {
        faults.append(FieldFault(pointer: pointer(name), code: code, detail: "\(name) \(detail)"))
    }

    mutating func fault(_ fault: FieldFault, at name: String) { faults.append(fault.under(pointer(name))) }

    /// Of a part that was read by a reader of its own.
    mutating func add(_ faults: [FieldFault]) { self.faults += faults }

    /// RFC 6901.
    func pointer(_ name: String) -> String {
        "\(prefix)/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
    }

    func has(_ name: String) -> Bool { members[name] != nil }

    /// Whether it is there and null, which says that there is to be none.
    mutating func isNull(_ name: String) -> Bool {
        guard members[name] == "null" else { return false }
        known.append(name)
        return true
    }

    /// The JSON text of a value; nil if it is not there, or null, which is a fault.
    mutating func raw(_ name: String) -> String? {
        known.append(name)
        guard let text = members[name] else { return nil }
        guard text != "null" else {
            fault(name, "wrong_type", "must not be null; leave it out")
            return nil
        }
        return text
    }

    mutating func value(_ name: String) -> JSONValue? {
        guard let text = raw(name) else { return nil }
        do throws(JSONFault) {
            return try JSONValue(parsing: text)
        } catch {
            preconditionFailure("checked before: \(error)")
        }
    }

    /// - Parameter limit: characters at most.
    mutating func string(_ name: String, limit: Int = 10_000, isEmptyAllowed: Bool = true) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.text else {
            fault(name, "wrong_type", "must be a string")
            return nil
        }
        guard text.unicodeScalars.count <= limit, isEmptyAllowed || !text.isEmpty else {
            fault(name, "out_of_range", "must have \(isEmptyAllowed ? "at most" : "1 to") \(limit) characters")
            return nil
        }
        guard !text.unicodeScalars.contains("\0") else {
            fault(name, "out_of_range", "must not contain U+0000")
            return nil
        }
        return text
    }

    mutating func int(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let number = value.integer else {
            fault(name, "wrong_type", "must be a whole number")
            return nil
        }
        guard range.contains(number) else {
            fault(name, "out_of_range", "must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    mutating func bool(_ name: String) -> Bool? {
        guard let value = value(name) else { return nil }
        guard case .boolean(let flag) = value else {
            fault(name, "wrong_type", "must be true or false")
            return nil
        }
        return flag
    }

    mutating func time(_ name: String) -> WallTime? {
        guard let text = string(name, limit: 64) else { return nil }
        guard let time = WallTime(rfc3339: text) else {
            fault(name, "wrong_type", "must be a time such as 2026-11-21T08:00:00Z (RFC 3339)")
            return nil
        }
        return time
    }

    /// - Parameter longest: in milliseconds.
    mutating func milliseconds(_ name: String, from shortest: Int64 = 0, to longest: Int64) -> Duration? {
        int(name, in: shortest...longest).map { .milliseconds($0) }
    }

    mutating func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type) -> Word?
    where Word.RawValue == String {
        guard let text = string(name, limit: 100) else { return nil }
        guard let word = Word(rawValue: text) else {
            fault(name, "unknown_word", "must be one of " + Word.allCases.map(\.rawValue).joined(separator: ", "))
            return nil
        }
        return word
    }

    /// The text of an object, as it was sent.
    mutating func objectText(_ name: String, limitBytes: Int? = nil) -> String? {
        guard let text = raw(name) else { return nil }
        guard text.hasPrefix("{") else {
            fault(name, "wrong_type", "must be an object")
            return nil
        }
        if let limitBytes, text.utf8.count > limitBytes {
            fault(name, "too_large", "must have at most \(limitBytes) bytes, not \(text.utf8.count)")
            return nil
        }
        return text
    }

    /// An object whose values are strings.
    mutating func strings(_ name: String, limit: Int) -> [String: String]? {
        guard let value = value(name) else { return nil }
        guard case .object(let pairs) = value else {
            fault(name, "wrong_type", "must be an object")
            return nil
        }
        guard pairs.count <= limit else {
            fault(name, "out_of_range", "must have at most \(limit) members")
            return nil
        }
        var result: [String: String] = [:]
        for pair in pairs {
            guard let text = pair.value.text, !text.unicodeScalars.contains("\0"),
                !pair.key.unicodeScalars.contains("\0")
            else {
                faults.append(
                    FieldFault(
                        pointer: pointer(name) + "/" + pair.key, code: "wrong_type",
                        detail: "\(name).\(pair.key) must be a string without U+0000"))
                continue
            }
            result[pair.key] = text
        }
        return result
    }

    /// Reads a value by an initializer of the core, whose faults go below this member.
    mutating func decoded<Value>(
        _ name: String, _ read: (JSONValue) throws(FieldFault) -> Value
    ) -> Value? {
        guard let value = value(name) else { return nil }
        do throws(FieldFault) {
            return try read(value)
        } catch {
            fault(error, at: name)
            return nil
        }
    }

    /// Notes a member that has to be there.
    mutating func require(_ name: String) {
        if members[name] == nil { fault(name, "required", "is missing") }
    }

    /// Throws what was wrong, and what nobody asked for. Last.
    mutating func finish() throws(Problem) {
        noteUnknown()
        if !faults.isEmpty { throw .invalid(faults) }
    }

    /// The last step for a part of a body, whose faults its owner gathers.
    mutating func noteUnknown() {
        for name in names where !known.contains(name) && !name.hasPrefix("x_") {
            let near = NearMatches.find(name, among: known)
            fault(
                name.clipped, "unknown_field",
                "is no field here" + (near.first.map { "; did you mean \($0)?" } ?? ""))
        }
    }
}
