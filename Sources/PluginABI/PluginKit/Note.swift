/// What a type cannot say about one of its members: words for people, and bounds that the host checks when a run is created.
///
/// ```swift
/// struct Args: Codable, Annotated {
///     var path: String
///     var top: Int?
///     static let notes: [String: Note] = [
///         "path": Note("The file to read").length(1...4096),
///         "top": Note("How many words").range(1...1000),
///     ]
/// }
/// ```
///
/// Each call adds a keyword of JSON Schema. A bound that does not fit the member's type (a length of a number) says nothing
/// about it, as JSON Schema has it.
public struct Note: Sendable, ExpressibleByStringLiteral {
    private(set) var keywords: [(key: String, value: JSON)] = []

    /// Without words.
    public init() {}

    /// One sentence for people.
    public init(_ description: String) {
        self.keywords = [("description", .string(description))]
    }

    public init(stringLiteral description: String) {
        self.init(description)
    }

    /// Bounds of a number, both included.
    public func range(_ range: ClosedRange<Int>) -> Note {
        self.adding("minimum", .integer(range.lowerBound)).adding("maximum", .integer(range.upperBound))
    }

    /// Bounds of a number, both included. They must be finite.
    public func range(_ range: ClosedRange<Double>) -> Note {
        self.adding("minimum", JSON(encoding: range.lowerBound)).adding("maximum", JSON(encoding: range.upperBound))
    }

    /// The smallest number allowed.
    public func range(_ range: PartialRangeFrom<Int>) -> Note {
        self.adding("minimum", .integer(range.lowerBound))
    }

    /// The largest number allowed.
    public func range(_ range: PartialRangeThrough<Int>) -> Note {
        self.adding("maximum", .integer(range.upperBound))
    }

    /// How long a text may be, in Unicode scalars.
    public func length(_ range: ClosedRange<Int>) -> Note {
        self.adding("minLength", .integer(range.lowerBound)).adding("maxLength", .integer(range.upperBound))
    }

    /// How many elements an array may have.
    public func count(_ range: ClosedRange<Int>) -> Note {
        self.adding("minItems", .integer(range.lowerBound)).adding("maxItems", .integer(range.upperBound))
    }

    /// An array without equal elements.
    public func unique() -> Note { self.adding("uniqueItems", .bool(true)) }

    /// A regular expression that a text must contain a match of: ECMA 262, anchored only by `^` and `$` of its own.
    public func matching(_ pattern: String) -> Note { self.adding("pattern", .string(pattern)) }

    /// What the text is: `"email"`, `"hostname"`, …
    public func format(_ format: String) -> Note { self.adding("format", .string(format)) }

    /// What an absent member means. The member is filled in before the args are decoded, so that it need not be optional.
    public func defaultValue(_ value: some Encodable) -> Note { self.adding("default", JSON(encoding: value)) }

    /// What people see in a form that asks for the args.
    public func examples(_ values: (any Encodable)...) -> Note {
        self.adding("examples", .array(values.map { JSON(encoding: $0) }))
    }

    /// Any other keyword of JSON Schema 2020-12.
    public func keyword(_ name: String, _ value: some Encodable) -> Note { self.adding(name, JSON(encoding: value)) }

    func adding(_ key: String, _ value: JSON) -> Note {
        var copy = self
        copy.keywords.removeAll { $0.key == key }
        copy.keywords.append((key, value))
        return copy
    }

    func merging(_ other: Note) -> Note {
        other.keywords.reduce(self) { $0.adding($1.key, $1.value) }
    }
}

/// A type of args or of a result, or a part of one, that says more about its members.
public protocol Annotated {
    /// By the members' names in JSON. A name that the type does not have refuses the plugin, with words: a note that nobody
    /// reads would be worse than none.
    static var notes: [String: Note] { get }
}

/// A type of args, or a part of one, whose members have default values in Swift.
///
/// ```swift
/// struct Args: Codable, HasDefaults {
///     var name = "world"
///     var times = 1
/// }
/// ```
///
/// What is absent takes its value from `Self()`; the schema names those values and requires no member that has one. Without
/// this Swift's synthesised decoder ignores default values and refuses absent members.
public protocol HasDefaults: Codable {
    init()
}

/// A type that derivation cannot look into: an enumeration with values, or an initialiser that checks what it decodes. It
/// describes itself, wherever it stands.
public protocol SelfDescribing: Decodable {
    /// A JSON Schema as text.
    static var jsonSchema: String { get }
    /// Any value of the type, for deriving what is around it.
    static var example: Self { get }
}
