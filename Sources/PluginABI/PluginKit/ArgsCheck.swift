import FoundationEssentials

/// Any JSON value, read back for saying what is wrong with it.
enum JSONValue: Decodable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A whole number beyond 63 bits.
    case natural(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
            return
        }
        // A failed try says only that the value is of another type; the last one throws.
        if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .natural(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}

extension RecordedType {
    /// The first thing in `value` that does not fit, or nil. In plainer words than the decoder's, which for a number out of
    /// range only knows that "the data was not valid JSON".
    func mismatch(_ value: JSONValue, at pointer: String = "") -> InvalidInput? {
        switch (self, value) {
        case (.anything, _), (.described, _), (.nullable, .null): return nil
        case (.bool, .bool), (.string, .string), (.base64, .string): return nil
        case (.number, .integer), (.number, .natural), (.number, .number): return nil
        case (.integer(let minimum, let maximum), .integer(let number)):
            let tooSmall = minimum.flatMap(Int64.init).map { number < $0 } ?? false
            let tooLarge = maximum.flatMap(Int64.init).map { number > $0 } ?? false
            guard tooSmall || tooLarge else { return nil }
            return InvalidInput(pointer, "must be \(minimum ?? "…") to \(maximum ?? "…")")
        // Beyond 63 bits: only what is natural and unbounded holds it.
        case (.integer("0", nil), .natural): return nil
        case (.integer, .natural), (.integer, .number):
            return InvalidInput(pointer, "must be a whole number of its type's range")
        case (.nullable(let type), _): return type.mismatch(value, at: pointer)
        case (.choice(let choices), .string(let text)):
            guard !choices.contains(where: { $0.text == JSON.string(text).text }) else { return nil }
            return InvalidInput(pointer, "must be one of \(choices.map(\.text).joined(separator: ", "))")
        case (.array(let element), .array(let values)):
            for (index, value) in values.enumerated() {
                if let found = element.mismatch(value, at: "\(pointer)/\(index)") { return found }
            }
            return nil
        case (.dictionary(let type, _), .object(let values)):
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                if let found = type.mismatch(value, at: pointer + InvalidInput.pointer(to: key)) { return found }
            }
            return nil
        case (.object(let members), .object(let values)):
            for member in members {
                let place = pointer + InvalidInput.pointer(to: member.name)
                if let value = values[member.name] {
                    if let found = member.type.mismatch(value, at: place) { return found }
                } else if member.isRequired {
                    return InvalidInput(place, "is missing")
                }
            }
            return nil
        default: return InvalidInput(pointer, "must be \(self.words)")
        }
    }

    private var words: String {
        switch self {
        case .bool: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .string(nil, _): "a string"
        case .string(let format?, _): "a string (\(format))"
        case .base64: "a base64 string"
        case .choice(let choices): "one of \(choices.map(\.text).joined(separator: ", "))"
        case .array: "an array"
        case .dictionary, .object: "an object"
        case .nullable(let type): "\(type.words) or null"
        case .described, .anything: "anything"
        }
    }
}

extension Ending {
    /// Says what is wrong with args that could not be decoded.
    ///
    /// - Parameter shape: the shape of the args' type, where it is known.
    init(undecodable json: Data, as shape: RecordedType?, _ error: any Error) {
        // An initialiser of the author's own may refuse in its own words.
        if let input = error as? InvalidInput {
            self = .failed(Failure(invalid: input))
            return
        }
        let value: JSONValue
        do {
            value = try Coders.decoder().decode(JSONValue.self, from: json)
        } catch {
            self = .failed(Failure(invalid: InvalidInput("", "is not valid JSON")))
            return
        }
        let input =
            shape?.mismatch(value) ?? (error as? DecodingError).map { InvalidInput($0) }
            ?? InvalidInput("", String(describing: error))
        self = .failed(Failure(invalid: input))
    }
}
