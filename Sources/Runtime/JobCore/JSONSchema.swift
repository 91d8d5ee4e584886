/// A schema of JSON Schema 2020-12, read once and then used from any thread.
///
/// Covers all validation and applicator keywords; references stay inside the document. `format` is a remark unless it is asked
/// for; `content…`, `$vocabulary` and unknown keywords are ignored. Patterns: see `SchemaPattern`. Numbers are compared as they
/// are written, without rounding. Nothing in a schema or value takes more stack or time than the bounds named here.
package struct JSONSchema: Sendable {
    /// The text is kept for display and as key of caches.
    package let text: String
    let nodes: [SchemaNode]
    /// Whether any `unevaluated…` stands in it, so that what is evaluated must be kept.
    let needsMarks: Bool

    /// Larger texts are refused: no schema of args needs more, and reading one takes its time.
    package static let textLimit = 1 << 20

    /// What one validation may cost unless said otherwise: a fifth of a second at worst, for a hostile schema.
    package static let defaultWork = 2_000_000

    /// - Parameter assertFormats: whether `format` refuses values (see `SchemaFormat`).
    package init(parsing text: String, assertFormats: Bool = false) throws(JSONSchemaFault) {
        guard text.utf8.count <= Self.textLimit else {
            throw JSONSchemaFault(pointer: "", words: "the schema is larger than \(Self.textLimit >> 10) KiB")
        }
        let value: JSONValue
        do {
            value = try JSONValue(parsing: text)
        } catch {
            throw JSONSchemaFault(pointer: "", words: "the schema is no JSON: \(error)")
        }
        var reader = SchemaReader(value, assertFormats: assertFormats)
        (nodes, needsMarks) = try reader.read()
        self.text = text
    }

    /// What is wrong with `value`; nothing if it fits.
    /// - Parameters:
    ///   - limit: at most this many problems are named.
    ///   - work: steps after which the check is given up, which is a problem with keyword `limit`; a step is a member or a sign
    ///     of a pattern, four are a schema applied to a value; up to 100 ns each.
    package func validate(_ value: JSONValue, limit: Int = 20, work: Int = defaultWork) -> [SchemaProblem] {
        var check = SchemaCheck(self, IndexedJSON(value), limit: limit, work: work)
        return check.problems()
    }

    /// As `validate(_:limit:work:)`, for text.
    package func validate(
        json: String, limit: Int = 20, work: Int = defaultWork
    ) throws(JSONFault) -> [SchemaProblem] {
        validate(try JSONValue(parsing: json), limit: limit, work: work)
    }
}

/// The types of values. `integer` is set together with `number` where all numbers are allowed.
struct SchemaTypes: OptionSet, Sendable {
    let rawValue: UInt8

    static let null = SchemaTypes(rawValue: 1)
    static let boolean = SchemaTypes(rawValue: 2)
    static let object = SchemaTypes(rawValue: 4)
    static let array = SchemaTypes(rawValue: 8)
    static let string = SchemaTypes(rawValue: 16)
    static let integer = SchemaTypes(rawValue: 32)
    static let fraction = SchemaTypes(rawValue: 64)
    static let number: SchemaTypes = [.integer, .fraction]
    static let all = SchemaTypes(rawValue: 127)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init?(name: String) {
        switch name {
        case "null": self = .null
        case "boolean": self = .boolean
        case "object": self = .object
        case "array": self = .array
        case "string": self = .string
        case "integer": self = .integer
        case "number": self = .number
        default: return nil
        }
    }

    init(of content: IndexedJSON.Content) {
        switch content {
        case .null: self = .null
        case .boolean: self = .boolean
        case .number(let number, _): self = number.isInteger ? .integer : .fraction
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }

    /// "an object or null".
    var words: String {
        var names: [String] = []
        if contains(.object) { names.append("an object") }
        if contains(.array) { names.append("a list") }
        if contains(.string) { names.append("a text") }
        if contains(.number) {
            names.append("a number")
        } else if contains(.integer) {
            names.append("a whole number")
        } else if contains(.fraction) {
            names.append("a number with a fraction")
        }
        if contains(.boolean) { names.append("true or false") }
        if contains(.null) { names.append("null") }
        return SchemaWords.either(names)
    }
}

/// One schema of the document; other schemas are named by their place in `JSONSchema.nodes`.
final class SchemaNode: Sendable {
    /// A value that a schema names, for comparison.
    struct Constant: Sendable {
        let value: IndexedJSON
        let words: String
    }

    struct Numbers: Sendable {
        var minimum: ExactNumber?
        var maximum: ExactNumber?
        var exclusiveMinimum: ExactNumber?
        var exclusiveMaximum: ExactNumber?
        var multipleOf: ExactNumber?
        /// As they stand in the schema, by keyword.
        var written: [String: String] = [:]
    }

    struct Texts: Sendable {
        var minLength: Int?
        var maxLength: Int?
        var pattern: SchemaPattern?
        /// The format's name; `isFormatAsserted` says whether it counts.
        var format: String?
        var assertedFormat: SchemaFormat?
    }

    struct Members: Sendable {
        var properties: [ExactText: Int] = [:]
        /// In the order of the schema.
        var names: [String] = []
        var required: [String] = []
        var patterns: [(pattern: SchemaPattern, schema: Int)] = []
        var additional: Int?
        var propertyNames: Int?
        var minimum: Int?
        var maximum: Int?
        var dependentRequired: [(name: String, required: [String])] = []
        var dependentSchemas: [(name: String, schema: Int)] = []
        var unevaluated: Int?
    }

    struct Elements: Sendable {
        var prefix: [Int] = []
        var rest: Int?
        var contains: Int?
        var minContains = 1
        var maxContains: Int?
        var minimum: Int?
        var maximum: Int?
        var isUnique = false
        var unevaluated: Int?
    }

    struct Combination: Sendable {
        var references: [Int] = []
        var all: [Int] = []
        var any: [Int] = []
        var one: [Int] = []
        var not: Int?
        var condition: Int?
        var then: Int?
        var otherwise: Int?

        /// All that look at the same value.
        var inPlace: [Int] {
            references + all + any + one + [not, condition, then, otherwise].compactMap(\.self)
        }
    }

    /// Where it stands, as a JSON pointer into the schema.
    let pointer: String
    /// The schemas `true` and `false`.
    let always: Bool?
    let types: SchemaTypes?
    let enumeration: [Constant]?
    let constant: Constant?
    let numbers: Numbers?
    let texts: Texts?
    let members: Members?
    let elements: Elements?
    let combination: Combination?
    /// `default`, as text; `title`.
    let preset: String?
    let title: String?

    init(pointer: String, always: Bool) {
        (self.pointer, self.always) = (pointer, always)
        (types, enumeration, constant, numbers, texts) = (nil, nil, nil, nil, nil)
        (members, elements, combination, preset, title) = (nil, nil, nil, nil, nil)
    }

    init(
        pointer: String, types: SchemaTypes?, enumeration: [Constant]?, constant: Constant?, numbers: Numbers?,
        texts: Texts?,
        members: Members?, elements: Elements?, combination: Combination?, preset: String?, title: String?
    ) {
        (self.pointer, self.always) = (pointer, nil)
        self.types = types
        self.enumeration = enumeration
        self.constant = constant
        self.numbers = numbers
        self.texts = texts
        self.members = members
        self.elements = elements
        self.combination = combination
        self.preset = preset
        self.title = title
    }
}

/// How things are put to people.
enum SchemaWords {
    /// "a, b or c".
    static func either(_ names: [String]) -> String {
        guard names.count > 1 else { return names.first ?? "nothing" }
        return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }

    /// A value in a sentence, cut where it gets long.
    static func short(_ json: String) -> String {
        json.unicodeScalars.count <= 60 ? json : String(String.UnicodeScalarView(json.unicodeScalars.prefix(57))) + "…"
    }

    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(number) \(number == 1 ? one : many)"
    }
}
