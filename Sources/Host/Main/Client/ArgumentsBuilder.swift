import JobCore

/// Builds a run's arguments from the command line: `--args` gives the whole, `--arg` sets single members on top.
enum ArgumentsBuilder {
    /// What `args_unchecked` in an answer means.
    static let unchecked =
        "its arguments are too large to be compared with the job's schema, and were taken as they are"

    /// - Parameters:
    ///   - whole: `@FILE`, `-` for standard input, or JSON text; nil for none.
    ///   - members: `name=text` or `name:=json`.
    /// - Returns: nil when nothing was given.
    static func build(whole: String?, members: [String]) throws(ClientFailure) -> JSONValue? {
        var value = try whole.map { (text) throws(ClientFailure) in try Self.document(text) }
        if members.isEmpty { return value }
        if let value, value.object == nil {
            throw ClientFailure(
                exit: .usage, message: "--arg sets members of an object, but --args is none.")
        }
        for member in members {
            let (name, member) = try Self.member(member)
            value = (value ?? .object([])).setting(name, to: member)
        }
        return value
    }

    /// One `name=text` or `name:=json`.
    static func member(_ text: String) throws(ClientFailure) -> (name: String, value: JSONValue) {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw ClientFailure(
                exit: .usage, message: "\"\(text)\" is no argument.",
                details: ["expected name=text, or name:=json for numbers, true, null, lists and objects"])
        }
        let value = String(text[text.index(after: equals)...])
        let before = text[..<equals]
        guard before.hasSuffix(":") else { return (String(before), .string(value)) }
        let name = String(before.dropLast())
        guard !name.isEmpty else { throw ClientFailure(exit: .usage, message: "\"\(text)\" has no name before :=.") }
        do {
            return (name, try JSONValue(parsing: value))
        } catch {
            throw ClientFailure(
                exit: .usage, message: "The value of \(name) is no JSON: \(error).",
                details: ["use \(name)=… for text, \(name):=… for JSON"])
        }
    }

    /// Sends a request with such arguments. Where one was refused that is text and reads as something else, the failure says how
    /// to give that: the likeliest slip of the command line is `top=3` for a number.
    static func sending<T>(_ members: [String], _ send: () throws(ClientFailure) -> T) throws(ClientFailure) -> T {
        do throws(ClientFailure) {
            return try send()
        } catch {
            var failure = error
            failure.details += members.compactMap { Self.hint($0, failure.places) }
            throw failure
        }
    }

    /// Keywords of JSON Schema that a text breaks where another type is wanted.
    private static let ofType: Set<String> = ["type", "enum", "const", "anyOf", "oneOf"]

    /// Of one `name=text` that stands where the schema wants another type; nil for all others.
    static func hint(_ member: String, _ places: [(pointer: String, code: String, detail: String)]) -> String? {
        guard let equals = member.firstIndex(of: "="), !member[..<equals].hasSuffix(":") else { return nil }
        let name = String(member[..<equals])
        let pointer = "/args/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
        guard places.contains(where: { $0.pointer == pointer && Self.ofType.contains($0.code) }) else {
            return nil
        }
        let text = String(member[member.index(after: equals)...])
        let value: JSONValue
        do { value = try JSONValue(parsing: text) } catch {
            return "\(name)=… gives text; for anything else give JSON: \(name):=…"
        }
        if case .string = value { return nil }
        return "\(name)=\(text) is the text \(JSONValue.string(text).json); for the value write \(name):=\(text)"
    }

    /// JSON from a file, standard input or the text itself.
    static func document(_ text: String) throws(ClientFailure) -> JSONValue {
        let (bytes, source) = try Self.bytes(text)
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw ClientFailure(exit: .invalidInput, message: "\(source) is no JSON: \(error).")
        }
    }

    /// The bytes that `@FILE`, `@-`, `-` or a text stand for, and a name for where they came from.
    static func bytes(_ text: String) throws(ClientFailure) -> (bytes: [UInt8], source: String) {
        let read: Result<[UInt8], FileError>
        let source: String
        if text == "-" || text == "@-" {
            source = "standard input"
            read = ClientFiles.readStandardInput()
        } else if text.hasPrefix("@") {
            source = String(text.dropFirst())
            read = ClientFiles.read(source)
        } else {
            return (Array(text.utf8), "the text given")
        }
        switch read {
        case .success(let bytes): return (bytes, source)
        case .failure(let error):
            throw ClientFailure(exit: .inputMissing, message: "\(source) cannot be read: \(error.words).")
        }
    }
}
