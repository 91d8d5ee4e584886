import FoundationEssentials

/// Finds out what a `Decodable` type reads, by letting it decode made-up values and writing down what it asks for.
///
/// Array, set, dictionary and optional members of a type seen again inside itself are recorded as "anything", so that
/// recursive types end.
enum TypeRecorder {
    enum Refusal: Error {
        /// The type contains itself, and here its value is needed.
        case recursive
        /// The type's own `init(from:)` does what a recording cannot follow.
        case notRecordable
    }

    /// A made-up value of `type` and the type's shape.
    ///
    /// - Parameter outer: the types that are being recorded around this one.
    static func record<T: Decodable>(_ type: T.Type, within outer: [any Any.Type] = []) throws -> (T, RecordedType) {
        if let (value, shape) = try self.known(type, outer), let value = value as? T { return (value, shape) }
        guard !outer.contains(where: { $0 == type }) else { throw Refusal.recursive }
        let sink = RecordingSink()
        let value = try T(from: RecordingDecoder(sink: sink, outer: outer + [type]))
        var shape = sink.shape
        if let type = type as? any HasDefaults.Type { shape = try self.withDefaults(of: type, shape) }
        if let type = type as? any Annotated.Type { shape = try shape.noted(type.notes, of: "\(T.self)") }
        return (value, shape)
    }

    /// The shape with the values of `Self()` as defaults.
    private static func withDefaults<T: HasDefaults>(of type: T.Type, _ shape: RecordedType) throws -> RecordedType {
        guard case .object(let members) = shape else { return shape }
        let scan = JSONScan(bytes: Array(try Coders.encoder().encode(T())))
        var notes: [String: Note] = [:]
        // What is nil is not encoded, and needs no default.
        for member in scan.members(at: 0) ?? [] where members.contains(where: { $0.name == member.name }) {
            let text = String(decoding: scan.bytes[member.value], as: UTF8.self)
            notes[member.name] = Note().adding("default", .raw(text))
        }
        return try shape.noted(notes, of: "\(T.self)")
    }

    /// As `record`, for places where a recursive type may stay unknown.
    static func recordShape<T: Decodable>(_ type: T.Type, within outer: [any Any.Type]) throws -> RecordedType {
        do {
            return try self.record(type, within: outer).1
        } catch Refusal.recursive {
            return .anything
        }
    }

    /// Types whose own `init(from:)` says too little.
    private static func known(_ type: any Any.Type, _ outer: [any Any.Type]) throws -> (Any, RecordedType)? {
        switch type {
        case let type as any SelfDescribing.Type: return self.described(type)
        case is Bool.Type: return (false, .bool)
        case is String.Type: return ("", .string(format: nil, example: ""))
        case is Double.Type: return (Double(1), .number)
        case is Float.Type: return (Float(1), .number)
        case is Decimal.Type: return (Decimal(1), .number)
        case is Data.Type: return (Data(), .base64)
        case is Date.Type:
            return (Date(timeIntervalSince1970: 0), .string(format: "date-time", example: "1970-01-01T00:00:00Z"))
        case is UUID.Type:
            let example = UUID()
            return (example, .string(format: "uuid", example: example.uuidString))
        case is URL.Type:
            let example = "https://example.org/"
            return URL(string: example).map { ($0, .string(format: "uri", example: example)) }
        case let type as any FixedWidthInteger.Type: return self.integer(type)
        case let type as any RecordableContainer.Type: return try type.record(within: outer)
        case let type as any (CaseIterable & RawRepresentable).Type: return self.choice(type)
        default: return nil
        }
    }

    private static func integer<I: FixedWidthInteger>(_ type: I.Type) -> (Any, RecordedType) {
        // Every JSON reader knows 64 bits; naming their bounds would only be noise.
        let isWide = I.bitWidth >= 64
        let minimum = isWide && I.isSigned ? nil : String(I.min)
        return (I(1), .integer(minimum: minimum, maximum: isWide ? nil : String(I.max)))
    }

    private static func described<T: SelfDescribing>(_ type: T.Type) -> (Any, RecordedType) {
        // The example's JSON where it has one; the coders are warmed with it.
        let example = (T.example as? any Encodable).map { JSON(encoding: $0) } ?? .null
        return (T.example, .described(schema: .raw(T.jsonSchema), example: example))
    }

    private static func choice<C: CaseIterable & RawRepresentable>(_ type: C.Type) -> (Any, RecordedType)? {
        let values = C.allCases.compactMap { value -> JSON? in
            guard let raw = value.rawValue as? any Encodable else { return nil }
            return JSON(encoding: raw)
        }
        return C.allCases.first.map { ($0, .choice(values)) }
    }
}

/// The standard library's containers, recorded by what they hold.
private protocol RecordableContainer {
    static func record(within outer: [any Any.Type]) throws -> (Any, RecordedType)
}

extension Array: RecordableContainer where Element: Decodable {
    static func record(within outer: [any Any.Type]) throws -> (Any, RecordedType) {
        ([Element](), .array(try TypeRecorder.recordShape(Element.self, within: outer)))
    }
}

extension Set: RecordableContainer where Element: Decodable {
    static func record(within outer: [any Any.Type]) throws -> (Any, RecordedType) {
        (Set<Element>(), .array(try TypeRecorder.recordShape(Element.self, within: outer)))
    }
}

extension Dictionary: RecordableContainer where Key: Decodable, Value: Decodable {
    static func record(within outer: [any Any.Type]) throws -> (Any, RecordedType) {
        let value = try TypeRecorder.recordShape(Value.self, within: outer)
        let empty = [Key: Value]()
        switch Key.self {
        case is String.Type: return (empty, .dictionary(value))
        case is Int.Type: return (empty, .dictionary(value, keys: .object([("pattern", .string("^-?[0-9]+$"))])))
        case is any CodingKeyRepresentable.Type:
            guard case .choice(let choices) = try TypeRecorder.recordShape(Key.self, within: outer) else {
                return (empty, .dictionary(value))
            }
            return (empty, .dictionary(value, keys: .object([("enum", .array(choices))])))
        // Swift writes any other dictionary as an array of keys and values in turn.
        default: return (empty, .array(.anything))
        }
    }
}

extension Optional: RecordableContainer where Wrapped: Decodable {
    static func record(within outer: [any Any.Type]) throws -> (Any, RecordedType) {
        (Wrapped?.none as Any, .nullable(try TypeRecorder.recordShape(Wrapped.self, within: outer)))
    }
}
