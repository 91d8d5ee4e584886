import CYaml
import JobCore

/// A value from a file, with the place where it begins.
indirect enum PlacedValue {
    case scalar(JSONValue, Place)
    case list([PlacedValue], Place)
    case object([(key: String, keyPlace: Place, value: PlacedValue)], Place)

    /// Both from 1.
    struct Place: Equatable {
        var line: Int
        var column: Int
    }

    /// All of it in one place.
    init(_ json: JSONValue, at place: Place) {
        switch json {
        case .array(let items): self = .list(items.map { PlacedValue($0, at: place) }, place)
        case .object(let members):
            self = .object(members.map { ($0.key, place, PlacedValue($0.value, at: place)) }, place)
        default: self = .scalar(json, place)
        }
    }

    var place: Place {
        switch self {
        case .scalar(_, let place), .list(_, let place), .object(_, let place): place
        }
    }

    var json: JSONValue {
        switch self {
        case .scalar(let value, _): value
        case .list(let items, _): .array(items.map(\.json))
        case .object(let members, _): .object(members.map { JSONMember($0.key, $0.value.json) })
        }
    }
}

/// Reads YAML 1.2 as far as it says what JSON can say: libyaml's documents, with the core schema's plain scalars. JSON is YAML.
///
/// Words such as `yes` and `on` are texts, as in YAML 1.2. Anchors and aliases are understood; what they unfold to is bounded. Refused are
/// keys that stand twice, keys that are no texts, tags, and merge keys (`<<`).
struct YAMLReader {
    struct Fault: Error {
        var detail: String
        var place: PlacedValue.Place
    }

    /// Values of one file, aliases unfolded.
    private static let mostValues = 200_000
    private static let deepest = 100

    private var values = 0

    /// All documents of a text; an empty one is none.
    static func documents(_ bytes: [UInt8]) throws(Fault) -> [PlacedValue] {
        if bytes.isEmpty { return [] }
        // In a place of its own: libyaml keeps the parser's address in it. It is initialised before it is used, and freed once, after
        // libyaml has given up what it holds.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else {
            throw Fault(detail: "there is no memory to read it", place: .init(line: 1, column: 1))
        }
        defer { yaml_parser_delete(parser) }
        let read: Result<[PlacedValue], Fault> = bytes.withUnsafeBufferPointer { buffer in
            // The bytes stay where they are until the parser is done with them.
            yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            do throws(Fault) {
                return .success(try Self.load(parser))
            } catch {
                return .failure(error)
            }
        }
        return try read.get()
    }

    private static func load(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Fault) -> [PlacedValue] {
        var reader = YAMLReader()
        var documents: [PlacedValue] = []
        while true {
            var document = yaml_document_t()
            guard yaml_parser_load(parser, &document) == 1 else { throw Self.fault(of: parser.pointee) }
            defer { yaml_document_delete(&document) }
            guard let root = yaml_document_get_root_node(&document) else { return documents }
            documents.append(try reader.value(root, in: &document, depth: 0))
        }
    }

    private static func fault(of parser: yaml_parser_t) -> Fault {
        let problem = parser.problem.map { String(cString: $0) } ?? "it is no YAML"
        let context = parser.context.map { String(cString: $0) + ": " } ?? ""
        let mark = parser.problem_mark
        return Fault(detail: context + problem, place: .init(line: Int(mark.line) + 1, column: Int(mark.column) + 1))
    }

    private mutating func value(
        _ node: UnsafeMutablePointer<yaml_node_t>, in document: inout yaml_document_t, depth: Int
    ) throws(Fault) -> PlacedValue {
        let place = Self.place(node)
        values += 1
        guard values <= Self.mostValues, depth <= Self.deepest else {
            throw Fault(detail: "it has more than \(Self.mostValues) values, or is too deep", place: place)
        }
        switch node.pointee.type {
        case YAML_SCALAR_NODE: return .scalar(try Self.scalar(node), place)
        case YAML_SEQUENCE_NODE:
            try Self.check(node, tag: "seq")
            var items: [PlacedValue] = []
            for index in 0..<pawl_yaml_count(node) {
                items.append(try child(pawl_yaml_item(node, index), &document, depth, place))
            }
            return .list(items, place)
        default:
            try Self.check(node, tag: "map")
            var members: [(key: String, keyPlace: PlacedValue.Place, value: PlacedValue)] = []
            var lines: [String: Int] = [:]
            for index in 0..<pawl_yaml_pairs(node) {
                let key = try child(pawl_yaml_key(node, index), &document, depth, place)
                guard case .scalar(let name, let keyPlace) = key else {
                    throw Fault(detail: "a key must be a text", place: key.place)
                }
                let text = name.text ?? name.json
                if text == "<<" { throw Fault(detail: "merge keys are not understood", place: keyPlace) }
                if let first = lines.updateValue(keyPlace.line, forKey: text) {
                    throw Fault(detail: "\(text) stands here and in line \(first)", place: keyPlace)
                }
                members.append((text, keyPlace, try child(pawl_yaml_value(node, index), &document, depth, place)))
            }
            return .object(members, place)
        }
    }

    private mutating func child(
        _ number: Int32, _ document: inout yaml_document_t, _ depth: Int, _ place: PlacedValue.Place
    ) throws(Fault) -> PlacedValue {
        guard let node = yaml_document_get_node(&document, number) else {
            throw Fault(detail: "a value is missing", place: place)
        }
        return try value(node, in: &document, depth: depth + 1)
    }

    private static func place(_ node: UnsafeMutablePointer<yaml_node_t>) -> PlacedValue.Place {
        .init(line: Int(node.pointee.start_mark.line) + 1, column: Int(node.pointee.start_mark.column) + 1)
    }

    private static let core = "tag:yaml.org,2002:"

    /// Nil: none was written; libyaml gives every node one.
    private static func tag(_ node: UnsafeMutablePointer<yaml_node_t>) -> String {
        guard let bytes = node.pointee.tag else { return "" }
        return String(cString: UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self))
    }

    private static func check(_ node: UnsafeMutablePointer<yaml_node_t>, tag name: String) throws(Fault) {
        let tag = tag(node)
        guard tag == core + name else { throw Fault(detail: "the tag \(tag) is not understood", place: place(node)) }
    }

    private static func scalar(_ node: UnsafeMutablePointer<yaml_node_t>) throws(Fault) -> JSONValue {
        var length = 0
        let bytes = UnsafeBufferPointer(start: pawl_yaml_scalar(node, &length), count: length)
        let text = String(decoding: bytes, as: UTF8.self)
        // libyaml says `str` of every scalar without a tag.
        try check(node, tag: "str")
        return pawl_yaml_is_plain(node) == 1 ? PlainScalar.value(text) : .string(text)
    }
}

/// What a scalar without quotes means by the core schema of YAML 1.2 (10.3.2).
enum PlainScalar {
    static func value(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .boolean(true)
        case "false", "False", "FALSE": return .boolean(false)
        default: return number(text).map { .number($0) } ?? .string(text)
        }
    }

    /// As JSON writes it; nil if it is none. Infinities and what is no number stay texts: JSON has no word for them.
    private static func number(_ text: String) -> String? {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
            return Int64(text.dropFirst(2), radix: radix).flatMap { text.dropFirst(2).first == "-" ? nil : String($0) }
        }
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        func digits() -> Substring {
            let run = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(run.count)
            return run
        }
        let whole = digits()
        var fraction: Substring?
        if rest.first == "." {
            rest = rest.dropFirst()
            fraction = digits()
        }
        guard !whole.isEmpty || fraction?.isEmpty == false else { return nil }
        var exponent = ""
        if let mark = rest.first, mark == "e" || mark == "E" {
            rest = rest.dropFirst()
            if let sign = rest.first, sign == "-" || sign == "+" {
                exponent = String(sign)
                rest = rest.dropFirst()
            }
            let power = digits()
            guard !power.isEmpty else { return nil }
            exponent = "e" + exponent + power
        }
        guard rest.isEmpty else { return nil }
        // JSON writes no zeros in front, and a digit on both sides of a point.
        let plain = whole.drop { $0 == "0" }
        let tail = fraction.map { $0.isEmpty ? "" : "." + $0 } ?? ""
        return (isNegative ? "-" : "") + (plain.isEmpty ? "0" : String(plain)) + tail + exponent
    }
}
