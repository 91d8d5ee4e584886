// Keywords that hold schemas: of members, of elements, and of the same value.
extension SchemaReader {
    private mutating func optional(_ keyword: String, of place: Int) throws(JSONSchemaFault) -> Int? {
        guard let at = document.member(keyword, of: place) else { return nil }
        return try schema(at: at)
    }

    private mutating func list(_ keyword: String, of place: Int) throws(JSONSchemaFault) -> [Int] {
        guard let at = document.member(keyword, of: place) else { return [] }
        guard case .array(_, let count) = document.nodes[at].content, count > 0 else {
            throw fault(at, "must be a list of at least one schema")
        }
        var schemas: [Int] = []
        for place in document.children(of: at) { schemas.append(try schema(at: place)) }
        return schemas
    }

    /// The members of an object of schemas.
    private mutating func table(_ keyword: String, of place: Int) throws(JSONSchemaFault) -> [(key: String, at: Int)] {
        guard let at = document.member(keyword, of: place) else { return [] }
        guard case .object(let keys, let first) = document.nodes[at].content else {
            throw fault(at, "must be an object")
        }
        return keys.enumerated().map { ($0.element, first + $0.offset) }
    }

    mutating func members(_ place: Int) throws(JSONSchemaFault) -> SchemaNode.Members? {
        let keywords = [
            "properties", "required", "patternProperties", "additionalProperties", "propertyNames", "minProperties",
            "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
        ]
        guard keywords.contains(where: { document.member($0, of: place) != nil }) else { return nil }
        var members = SchemaNode.Members()
        for (key, at) in try table("properties", of: place) {
            members.properties[ExactText(key)] = try schema(at: at)
            members.names.append(key)
        }
        members.required = try names("required", of: place) ?? []
        for (key, at) in try table("patternProperties", of: place) {
            members.patterns.append((try pattern(key, at), try schema(at: at)))
        }
        members.additional = try optional("additionalProperties", of: place)
        members.propertyNames = try optional("propertyNames", of: place)
        members.minimum = try count("minProperties", of: place)
        members.maximum = try count("maxProperties", of: place)
        for (key, at) in try table("dependentRequired", of: place) {
            members.dependentRequired.append((key, try names(at)))
        }
        for (key, at) in try table("dependentSchemas", of: place) {
            members.dependentSchemas.append((key, try schema(at: at)))
        }
        members.unevaluated = try optional("unevaluatedProperties", of: place)
        if members.unevaluated != nil { marksAreNeeded() }
        return members
    }

    mutating func elements(_ place: Int) throws(JSONSchemaFault) -> SchemaNode.Elements? {
        let keywords = [
            "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
            "unevaluatedItems",
        ]
        guard keywords.contains(where: { document.member($0, of: place) != nil }) else { return nil }
        var elements = SchemaNode.Elements()
        if let at = document.member("items", of: place) {
            if case .array = document.nodes[at].content {
                throw fault(at, "a list here is of an older draft: call it prefixItems")
            }
            elements.rest = try schema(at: at)
        }
        elements.prefix = try list("prefixItems", of: place)
        elements.contains = try optional("contains", of: place)
        elements.minContains = try count("minContains", of: place) ?? 1
        elements.maxContains = try count("maxContains", of: place)
        elements.minimum = try count("minItems", of: place)
        elements.maximum = try count("maxItems", of: place)
        if let at = document.member("uniqueItems", of: place) {
            guard case .boolean(let value) = document.nodes[at].content else {
                throw fault(at, "must be true or false")
            }
            elements.isUnique = value
        }
        elements.unevaluated = try optional("unevaluatedItems", of: place)
        if elements.unevaluated != nil { marksAreNeeded() }
        return elements
    }

    mutating func combination(_ place: Int) throws(JSONSchemaFault) -> SchemaNode.Combination? {
        var combination = SchemaNode.Combination()
        for keyword in ["$ref", "$dynamicRef"] {
            guard let at = document.member(keyword, of: place) else { continue }
            guard let reference = document.string(at: at) else { throw fault(at, "must be a text") }
            combination.references.append(try schema(at: try target(reference, from: at)))
        }
        combination.all = try list("allOf", of: place)
        combination.any = try list("anyOf", of: place)
        combination.one = try list("oneOf", of: place)
        combination.not = try optional("not", of: place)
        combination.condition = try optional("if", of: place)
        // Without a condition they mean nothing, but must be schemas.
        let then = try optional("then", of: place)
        let otherwise = try optional("else", of: place)
        if combination.condition != nil { (combination.then, combination.otherwise) = (then, otherwise) }
        return combination.inPlace.isEmpty ? nil : combination
    }
}
