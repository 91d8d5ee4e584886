/// What references of a document can mean: its `$id`s, `$anchor`s and pointers. Nothing outside it.
struct SchemaNames {
    /// The place of each part with an `$id`, by its absolute name; the top is also there under its own base.
    private var resources: [ExactText: Int] = [:]
    /// By place of the resource, then name.
    private var anchors: [Int: [ExactText: Int]] = [:]
    private var dynamic: Set<ExactText> = []
    /// The base of each resource.
    private var bases: [Int: String] = [0: ""]

    init() {}

    init(_ document: IndexedJSON) throws(JSONSchemaFault) {
        // Parents come before their children, so a resource's base is known before the ones inside it.
        for place in document.nodes.indices {
            guard case .object = document.nodes[place].content, !Self.isData(place, in: document) else { continue }
            if let at = document.member("$id", of: place), let id = document.string(at: at) {
                let outer = bases[resource(of: place, in: document, isInclusive: false)] ?? ""
                var name = Self.resolved(id, against: outer)
                if name.hasSuffix("#") { name.removeLast() }
                bases[place] = name
                resources[ExactText(name)] = place
            }
            for keyword in ["$anchor", "$dynamicAnchor"] {
                guard let at = document.member(keyword, of: place), let anchor = document.string(at: at) else {
                    continue
                }
                let resource = resource(of: place, in: document, isInclusive: true)
                anchors[resource, default: [:]][ExactText(anchor)] = place
                if keyword == "$dynamicAnchor", !dynamic.insert(ExactText(anchor)).inserted {
                    throw JSONSchemaFault(
                        pointer: document.pointer(to: at),
                        words: "a second $dynamicAnchor of this name: extending one schema by another is not supported")
                }
            }
        }
    }

    /// Values inside `const`, `enum`, `default` and `examples` are no schemas, and names under `properties` no keywords.
    private static func isData(_ place: Int, in document: IndexedJSON) -> Bool {
        var place = place
        var isName = false
        while document.nodes[place].parent >= 0 {
            let parent = document.nodes[place].parent
            if case .object(let keys, _) = document.nodes[parent].content {
                let key = keys[document.nodes[place].position]
                // A member of `properties` and its like may have any name.
                isName = document.nodes[parent].parent >= 0 && isTable(parent, in: document)
                if !isName, ["const", "enum", "default", "examples"].contains(key) { return true }
            }
            place = parent
        }
        return false
    }

    private static func isTable(_ place: Int, in document: IndexedJSON) -> Bool {
        guard case .object(let keys, _) = document.nodes[document.nodes[place].parent].content else { return false }
        return ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"].contains(
            keys[document.nodes[place].position])
    }

    /// The nearest resource that a place belongs to.
    private func resource(of place: Int, in document: IndexedJSON, isInclusive: Bool) -> Int {
        var place = isInclusive ? place : document.nodes[place].parent
        while place > 0 {
            if bases[place] != nil { return place }
            place = document.nodes[place].parent
        }
        return 0
    }

    /// The place that `reference`, standing at `place`, means; nil if it is not in the document.
    func resolve(_ reference: String, from place: Int, in document: IndexedJSON) -> Int? {
        let hash = reference.unicodeScalars.firstIndex(of: "#")
        let name = hash.map { String(reference[..<$0]) } ?? reference
        let fragment = hash.map { String(reference[reference.unicodeScalars.index(after: $0)...]) } ?? ""
        var target = resource(of: place, in: document, isInclusive: true)
        if !name.isEmpty {
            let wanted = Self.resolved(name, against: bases[target] ?? "")
            guard let found = resources[ExactText(wanted)] else { return nil }
            target = found
        }
        guard let fragment = Self.unescaped(fragment) else { return nil }
        if fragment.isEmpty { return target }
        guard fragment.hasPrefix("/") else { return anchors[target]?[ExactText(fragment)] }
        let steps =
            document.steps(to: target)
            + fragment.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(Self.step)
        return document.node(at: steps)
    }

    /// `~1` and `~0` of a pointer's step.
    private static func step(_ text: Substring) -> String {
        var step = ""
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                step += scalar == "0" ? "~" : scalar == "1" ? "/" : "~" + String(scalar)
                isEscaped = false
            } else if scalar == "~" {
                isEscaped = true
            } else {
                step.unicodeScalars.append(scalar)
            }
        }
        return step
    }

    /// `%2F` and its like; nil if they are none.
    private static func unescaped(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// A name against a base, as far as names inside one document need it (RFC 3986, 5.2, without `..`).
    private static func resolved(_ name: String, against base: String) -> String {
        if name.isEmpty { return base }
        // A scheme: letters before the first colon.
        if let colon = name.unicodeScalars.firstIndex(of: ":"),
            name.unicodeScalars[..<colon].allSatisfy({
                $0.isASCII && ($0.properties.isAlphabetic || "+-.0123456789".unicodeScalars.contains($0))
            })
        {
            return name
        }
        guard let authority = base.firstRange(of: "://") else { return name }
        let path = base[authority.upperBound...]
        if name.hasPrefix("/") { return base[..<(path.firstIndex(of: "/") ?? base.endIndex)] + name }
        guard let slash = path.lastIndex(of: "/") else { return base + "/" + name }
        return base[...slash] + name
    }
}

extension IndexedJSON {
    /// The unescaped steps from the top to a place.
    fileprivate func steps(to place: Int) -> [String] {
        var steps: [String] = []
        var place = place
        while nodes[place].parent >= 0 {
            let parent = nodes[place].parent
            if case .object(let keys, _) = nodes[parent].content {
                steps.append(keys[nodes[place].position])
            } else {
                steps.append(String(nodes[place].position))
            }
            place = parent
        }
        return steps.reversed()
    }
}
