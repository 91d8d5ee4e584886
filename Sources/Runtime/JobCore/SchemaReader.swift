/// Reads a schema document into nodes, following references inside it.
struct SchemaReader {
    /// Of one document; a bound against texts that are all schema.
    private static let nodeLimit = 20_000

    let document: IndexedJSON
    let assertFormats: Bool
    private var nodes: [SchemaNode?] = []
    /// By place in the document.
    private var known: [Int: Int] = [:]
    /// Places whose schemas are named but not read yet. A list and no recursion: the document says how deep it goes.
    private var waiting: [(place: Int, node: Int)] = []
    private var names = SchemaNames()
    private(set) var needsMarks = false

    init(_ value: JSONValue, assertFormats: Bool) {
        document = IndexedJSON(value)
        self.assertFormats = assertFormats
    }

    func fault(_ place: Int, _ words: String) -> JSONSchemaFault {
        JSONSchemaFault(pointer: document.pointer(to: place), words: words)
    }

    mutating func read() throws(JSONSchemaFault) -> (nodes: [SchemaNode], needsMarks: Bool) {
        if let place = document.member("$schema", of: 0) { try checkDialect(place) }
        names = try SchemaNames(document)
        _ = try schema(at: 0)
        while let next = waiting.popLast() { nodes[next.node] = try node(at: next.place) }
        let nodes = nodes.compactMap(\.self)
        try refuseEndless(nodes)
        return (nodes, needsMarks)
    }

    private func checkDialect(_ place: Int) throws(JSONSchemaFault) {
        guard case .string(let name) = document.nodes[place].content else { throw fault(place, "must be a text") }
        // Older drafts are read as this one; what would mean something else in them is refused where it stands.
        let known = [
            "json-schema.org/draft/2020-12/schema", "json-schema.org/draft/2019-09/schema",
            "json-schema.org/draft-07/schema", "json-schema.org/draft-06/schema",
        ]
        var bare = Substring(name)
        for prefix in ["https://", "http://"] where bare.hasPrefix(prefix) { bare = bare.dropFirst(prefix.count) }
        if bare.hasSuffix("#") { bare = bare.dropLast() }
        guard known.contains(String(bare)) else {
            throw fault(place, "\(SchemaWords.short(name)) is another language; known is https://\(known[0])")
        }
    }

    /// The node of the schema at a place.
    mutating func schema(at place: Int) throws(JSONSchemaFault) -> Int {
        if let node = known[place] { return node }
        guard nodes.count < Self.nodeLimit else {
            throw fault(place, "more than \(Self.nodeLimit) schemas in one document")
        }
        nodes.append(nil)
        known[place] = nodes.count - 1
        waiting.append((place, nodes.count - 1))
        return nodes.count - 1
    }

    private mutating func node(at place: Int) throws(JSONSchemaFault) -> SchemaNode {
        let pointer = document.pointer(to: place)
        switch document.nodes[place].content {
        case .boolean(let value): return SchemaNode(pointer: pointer, always: value)
        case .object: break
        default: throw fault(place, "a schema is an object, true or false")
        }
        for old in ["dependencies", "additionalItems", "$recursiveRef"] where document.member(old, of: place) != nil {
            throw fault(place, "\(old) is of an older draft and means nothing here")
        }
        let preset = document.member("default", of: place).map { document.json(of: $0) }
        let title = document.member("title", of: place).flatMap { document.string(at: $0) }
        return SchemaNode(
            pointer: pointer, types: try types(place), enumeration: try enumeration(place),
            constant: document.member("const", of: place).map(constant), numbers: try numbers(place),
            texts: try texts(place), members: try members(place), elements: try elements(place),
            combination: try combination(place), preset: preset, title: title)
    }

    /// Schemas that lead back to themselves without going deeper into the value would never end.
    private func refuseEndless(_ nodes: [SchemaNode]) throws(JSONSchemaFault) {
        var state = [UInt8](repeating: 0, count: nodes.count)  // 1: on the way, 2: done
        for start in nodes.indices where state[start] == 0 {
            var stack: [(node: Int, next: [Int])] = [(start, inPlace(nodes[start]))]
            state[start] = 1
            while let top = stack.indices.last {
                guard let child = stack[top].next.popLast() else {
                    state[stack[top].node] = 2
                    stack.removeLast()
                    continue
                }
                if state[child] == 1 {
                    throw JSONSchemaFault(
                        pointer: nodes[child].pointer, words: "leads back to itself without going deeper into the value"
                    )
                }
                guard state[child] == 0 else { continue }
                state[child] = 1
                stack.append((child, inPlace(nodes[child])))
            }
        }
    }

    private func inPlace(_ node: SchemaNode) -> [Int] {
        (node.combination?.inPlace ?? []) + (node.members?.dependentSchemas.map(\.schema) ?? [])
    }

    // MARK: Keywords for values of any type

    private func types(_ place: Int) throws(JSONSchemaFault) -> SchemaTypes? {
        guard let at = document.member("type", of: place) else { return nil }
        let named = document.string(at: at) != nil ? [at] : Array(document.children(of: at))
        guard !named.isEmpty else { throw fault(at, "must be the name of a type, or a list of them") }
        var types: SchemaTypes = []
        for place in named {
            guard let name = document.string(at: place) else { throw fault(place, "must be the name of a type") }
            guard let type = SchemaTypes(name: name) else {
                throw fault(
                    place,
                    "\(JSONText.quoted(SchemaWords.short(name))) is no type; types are null, boolean, object, array, string, number and integer"
                )
            }
            types.formUnion(type)
        }
        return types
    }

    private func enumeration(_ place: Int) throws(JSONSchemaFault) -> [SchemaNode.Constant]? {
        guard let at = document.member("enum", of: place) else { return nil }
        guard case .array = document.nodes[at].content else { throw fault(at, "must be a list of values") }
        return document.children(of: at).map(constant)
    }

    private func constant(_ place: Int) -> SchemaNode.Constant {
        SchemaNode.Constant(value: document.subtree(place), words: SchemaWords.short(document.json(of: place)))
    }

    private func numbers(_ place: Int) throws(JSONSchemaFault) -> SchemaNode.Numbers? {
        var numbers = SchemaNode.Numbers()
        func number(_ keyword: String) throws(JSONSchemaFault) -> ExactNumber? {
            guard let at = document.member(keyword, of: place) else { return nil }
            guard case .number(let number, let written) = document.nodes[at].content else {
                throw fault(at, "must be a number")
            }
            numbers.written[keyword] = written
            return number
        }
        numbers.minimum = try number("minimum")
        numbers.maximum = try number("maximum")
        numbers.exclusiveMinimum = try number("exclusiveMinimum")
        numbers.exclusiveMaximum = try number("exclusiveMaximum")
        numbers.multipleOf = try number("multipleOf")
        if let step = numbers.multipleOf, !step.isUsableStep, let at = document.member("multipleOf", of: place) {
            throw fault(at, "must be above 0, with at most 19 digits")
        }
        return numbers.written.isEmpty ? nil : numbers
    }

    private func texts(_ place: Int) throws(JSONSchemaFault) -> SchemaNode.Texts? {
        var texts = SchemaNode.Texts()
        texts.minLength = try count("minLength", of: place)
        texts.maxLength = try count("maxLength", of: place)
        if let at = document.member("pattern", of: place) {
            guard let source = document.string(at: at) else { throw fault(at, "must be a text") }
            texts.pattern = try pattern(source, at)
        }
        if let at = document.member("format", of: place) {
            texts.format = document.string(at: at)
            if assertFormats { texts.assertedFormat = texts.format.flatMap(SchemaFormat.init(rawValue:)) }
        }
        return texts.minLength == nil && texts.maxLength == nil && texts.pattern == nil && texts.format == nil
            ? nil : texts
    }

    func pattern(_ source: String, _ place: Int) throws(JSONSchemaFault) -> SchemaPattern {
        do {
            return try SchemaPattern(parsing: source)
        } catch {
            throw fault(
                place,
                "the pattern \(SchemaWords.short(JSONText.quoted(source))) cannot be used: \(error.words) (at \(error.offset))"
            )
        }
    }

    /// A count of things; nil if the keyword is not there.
    func count(_ keyword: String, of place: Int) throws(JSONSchemaFault) -> Int? {
        guard let at = document.member(keyword, of: place) else { return nil }
        guard case .number(let number, _) = document.nodes[at].content, number.isInteger, !number.isNegative else {
            throw fault(at, "must be a whole number from 0")
        }
        // More than any value has is no bound at all, or one that nothing meets.
        return number.integer ?? Int.max
    }

    func names(_ keyword: String, of place: Int) throws(JSONSchemaFault) -> [String]? {
        guard let at = document.member(keyword, of: place) else { return nil }
        return try names(at)
    }

    func names(_ at: Int) throws(JSONSchemaFault) -> [String] {
        guard case .array = document.nodes[at].content else { throw fault(at, "must be a list of names") }
        var names: [String] = []
        for place in document.children(of: at) {
            guard let name = document.string(at: place) else { throw fault(place, "must be a text") }
            names.append(name)
        }
        return names
    }

    mutating func marksAreNeeded() { needsMarks = true }

    /// The place that a reference means.
    func target(_ reference: String, from place: Int) throws(JSONSchemaFault) -> Int {
        guard let target = names.resolve(reference, from: place, in: document) else {
            throw fault(
                place,
                "\(JSONText.quoted(SchemaWords.short(reference))) is not in this document, and only what is in it can be used"
            )
        }
        return target
    }
}

extension IndexedJSON {
    func string(at place: Int) -> String? {
        guard case .string(let text) = nodes[place].content else { return nil }
        return text
    }

    /// The value at a place as a tree.
    func value(_ place: Int) -> JSONValue {
        switch nodes[place].content {
        case .null: .null
        case .boolean(let value): .boolean(value)
        case .number(_, let written): .number(written)
        case .string(let text): .string(text)
        case .array: .array(children(of: place).map(value))
        case .object(let keys, let first):
            .object(keys.enumerated().map { JSONMember($0.element, value(first + $0.offset)) })
        }
    }

    func json(of place: Int) -> String { value(place).json }

    func subtree(_ place: Int) -> IndexedJSON { IndexedJSON(value(place)) }
}
