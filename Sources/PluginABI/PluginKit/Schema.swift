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
    private var notes: [(member: String, key: String, value: JSON)] = []

    /// Derived from the Swift type: names, types, which members may be absent, and that there are no others. Derivation runs
    /// the type's `init(from:)` once, in the zygote, with made-up values. A type that refuses those (an enumeration with
    /// values, an initialiser that checks) has no schema, which means "anything"; give enumerations of strings
    /// `CaseIterable`, and write ``text(_:)`` for the rest.
    public static let derived = Schema(base: .derived)

    /// No schema: everything is accepted, and checked by decoding only.
    public static let anything = Schema(base: .anything)

    /// A JSON Schema as text.
    public static func text(_ schema: String) -> Schema { Schema(base: .text(schema)) }

    /// Describes a top-level member for people. Derived schemas only.
    public func describe(_ member: String, _ description: String) -> Schema {
        self.noting(member, "description", .string(description))
    }

    /// Bounds a top-level number. Derived schemas only. The host checks it; a handler that must be sure checks again.
    public func range(_ member: String, _ range: ClosedRange<Int>) -> Schema {
        self.noting(member, "minimum", .integer(range.lowerBound))
            .noting(member, "maximum", .integer(range.upperBound))
    }

    /// Says what an absent top-level member means. Derived schemas only.
    public func defaultValue(_ member: String, _ value: some Encodable) -> Schema {
        self.noting(member, "default", JSON(encoding: value))
    }

    private func noting(_ member: String, _ key: String, _ value: JSON) -> Schema {
        var copy = self
        copy.notes.append((member, key, value))
        return copy
    }

    /// The schema's text, nil for "anything".
    func text(derivedFrom recorded: RecordedType?) -> String? {
        switch self.base {
        case .anything: return nil
        case .text(let text): return text
        case .derived:
            guard let recorded else { return nil }
            return recorded.schema(notes: self.notes).text
        }
    }
}
