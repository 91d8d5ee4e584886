/// What a handler says about the shape of its args or its result: a JSON Schema (2020-12).
///
/// ```swift
/// static let argsSchema = Schema.derived
///     .describe("path", "The file to read")
///     .range("top", 1...1000)
/// ```
public struct Schema: Sendable {
    private enum Base: Sendable {
        case derived
        case text(String)
        case anything
    }
    private let base: Base
    private var notes: [String: Note] = [:]

    /// Derived from the Swift type: names, types, which members may be absent, and that there are no others. Derivation runs
    /// the type's `init(from:)` once, in the zygote, with made-up values. A type that refuses those (an enumeration with
    /// values, an initialiser that checks) has no schema, which means "anything"; give enumerations of strings
    /// `CaseIterable`, make the rest ``SelfDescribing``, or write ``text(_:)``.
    public static let derived = Schema(base: .derived)

    /// No schema: everything is accepted, and checked by decoding only.
    public static let anything = Schema(base: .anything)

    /// A JSON Schema as text.
    public static func text(_ schema: String) -> Schema { Schema(base: .text(schema)) }

    /// Says more about a top-level member. Derived schemas only; a type says it of its own members with ``Annotated``.
    public func note(_ member: String, _ note: Note) -> Schema {
        var copy = self
        copy.notes[member] = (copy.notes[member] ?? Note()).merging(note)
        return copy
    }

    /// Describes a top-level member for people. Derived schemas only.
    public func describe(_ member: String, _ description: String) -> Schema {
        self.note(member, Note(description))
    }

    /// Bounds a top-level number. Derived schemas only. The host checks it; a handler that must be sure checks again.
    public func range(_ member: String, _ range: ClosedRange<Int>) -> Schema {
        self.note(member, Note().range(range))
    }

    /// Says what an absent top-level member means; it is filled in before the args are decoded. Derived schemas only.
    public func defaultValue(_ member: String, _ value: some Encodable) -> Schema {
        self.note(member, Note().defaultValue(value))
    }

    /// The shape with this schema's own notes. Throws where a note names what is not there.
    func noted(_ recorded: RecordedType?, of type: String) throws(NoteFault) -> RecordedType? {
        guard case .derived = self.base else { return recorded }
        return try recorded?.noted(self.notes, of: type)
    }

    /// The schema's text, nil for "anything".
    ///
    /// - Parameter recorded: the shape, as ``noted(_:of:)`` gave it.
    func text(derivedFrom recorded: RecordedType?) -> String? {
        switch self.base {
        case .anything: nil
        case .text(let text): text
        case .derived: recorded?.schema.text
        }
    }
}
