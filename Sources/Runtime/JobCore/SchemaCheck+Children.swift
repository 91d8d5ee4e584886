// Keywords for members of objects and elements of lists.
extension SchemaCheck {
    mutating func members(
        _ rules: SchemaNode.Members, _ keys: [String], _ first: Int, _ place: Int, _ reports: Bool,
        _ isValidSoFar: Bool,
        _ marks: inout [Bool]
    ) -> Bool {
        var isValid = counts(rules, keys, place, reports)
        if !isValid && !reports { return false }
        for (position, key) in keys.enumerated() {
            guard spend(1 + key.utf8.count / 32) else { return false }
            let child = first + position
            var isKnown = false
            if let schema = rules.properties[ExactText(key)] {
                isKnown = true
                isValid = fits(schema, child, reports: reports) && isValid
            }
            for (pattern, schema) in rules.patterns where matches(pattern, key) {
                isKnown = true
                isValid = fits(schema, child, reports: reports) && isValid
            }
            if !isKnown, let additional = rules.additional {
                isKnown = true
                if schema.nodes[additional].always == false {
                    isValid = note(child, "additionalProperties", reports, reports ? unknownWords(key, rules) : "")
                } else {
                    isValid = fits(additional, child, reports: reports) && isValid
                }
            }
            if isKnown && !marks.isEmpty { marks[position] = true }
            if let names = rules.propertyNames { isValid = check(name: position, of: place, names, reports) && isValid }
            if !isValid && !reports { return false }
        }
        for (name, schema) in rules.dependentSchemas where keys.contains(where: { isSameText($0, name) }) {
            isValid = evaluate(schema, place, reports: reports, &marks) && isValid
            if !isValid && !reports { return false }
        }
        // After a fault, what was looked at is not certain, and a second complaint helps nobody.
        if isValid, isValidSoFar, let unevaluated = rules.unevaluated {
            for (position, key) in keys.enumerated() where !marks[position] {
                if schema.nodes[unevaluated].always == false {
                    isValid = note(
                        first + position, "unevaluatedProperties", reports, reports ? unknownWords(key, rules) : "")
                } else {
                    isValid = fits(unevaluated, first + position, reports: reports) && isValid
                }
                marks[position] = true
                if !isValid && !reports { return false }
            }
        }
        return isValid
    }

    private mutating func counts(
        _ rules: SchemaNode.Members, _ keys: [String], _ place: Int, _ reports: Bool
    ) -> Bool {
        var isValid = true
        func has(_ name: String) -> Bool { keys.contains { isSameText($0, name) } }
        for name in rules.required {
            guard spend(1 + keys.count / 8) else { return false }
            if has(name) { continue }
            var words = "is missing"
            // A misspelt name is both: unknown there, missing here.
            let strangers = keys.filter { rules.properties[ExactText($0)] == nil }
            if reports, strangers.count <= 50, let near = NearMatches.find(name, among: strangers, limit: 1).first {
                words += "; there is \(JSONText.quoted(near))"
            }
            isValid = note(place, "required", under: name, reports, words)
        }
        if let least = rules.minimum, keys.count < least {
            isValid = note(
                place, "minProperties", reports,
                "must have at least \(SchemaWords.count(least, "member", "members")), not \(keys.count)")
        }
        if let most = rules.maximum, keys.count > most {
            isValid = note(
                place, "maxProperties", reports,
                "must have at most \(SchemaWords.count(most, "member", "members")), not \(keys.count)")
        }
        for (name, required) in rules.dependentRequired {
            guard spend(1 + keys.count * (1 + required.count) / 8) else { return false }
            if !has(name) { continue }
            for other in required where !has(other) {
                isValid = note(
                    place, "dependentRequired", under: other, reports,
                    "is missing: it is needed where \(JSONText.quoted(name)) is")
            }
        }
        return isValid
    }

    private func unknownWords(_ key: String, _ rules: SchemaNode.Members) -> String {
        if let near = NearMatches.find(key, among: rules.names, limit: 1).first {
            return "is not known here; did you mean \(JSONText.quoted(near))?"
        }
        guard !rules.names.isEmpty else { return "is not allowed here" }
        let shown = rules.names.prefix(12).map { JSONText.quoted($0) }
        let rest = rules.names.count > shown.count ? ["\(rules.names.count - shown.count) more"] : []
        let names = shown + rest
        return "is not known here; known \(names.count == 1 ? "is" : "are") \(names.joined(separator: ", "))"
    }

    /// A name is checked like a text that stands where its member stands.
    private mutating func check(name position: Int, of place: Int, _ schema: Int, _ reports: Bool) -> Bool {
        guard let key = value.pushName(position, of: place) else { return true }
        var marks: [Bool] = []
        let (isValid, problems) = trial(schema, key, &marks)
        value.popName()
        if isValid { return true }
        if reports {
            add(
                problems.map {
                    SchemaProblem(pointer: $0.pointer, keyword: "propertyNames", words: "its name " + $0.words)
                })
        }
        return false
    }

    mutating func elements(
        _ rules: SchemaNode.Elements, _ first: Int, _ count: Int, _ place: Int, _ reports: Bool, _ isValidSoFar: Bool,
        _ marks: inout [Bool]
    ) -> Bool {
        var isValid = true
        if let least = rules.minimum, count < least {
            isValid = note(
                place, "minItems", reports,
                "must have at least \(SchemaWords.count(least, "element", "elements")), not \(count)")
        }
        if let most = rules.maximum, count > most {
            isValid = note(
                place, "maxItems", reports,
                "must have at most \(SchemaWords.count(most, "element", "elements")), not \(count)")
        }
        if !isValid && !reports { return false }
        for position in 0..<count {
            guard let schema = position < rules.prefix.count ? rules.prefix[position] : rules.rest else { break }
            if self.schema.nodes[schema].always == false {
                isValid = note(
                    first + position, "items", reports,
                    "is one too many: at most \(SchemaWords.count(rules.prefix.count, "element is", "elements are")) allowed"
                )
                if !isGivenUp && reports { break }
            } else {
                isValid = fits(schema, first + position, reports: reports) && isValid
            }
            if !isValid && !reports || isGivenUp { return false }
            if !marks.isEmpty { marks[position] = true }
        }
        if rules.isUnique, let (one, other) = equalElements(first, count) {
            isValid = note(first + other, "uniqueItems", reports, "is the same as element \(one), and all must differ")
            if !reports { return false }
        }
        if let contains = rules.contains {
            isValid = check(contains, rules, first, count, place, reports, &marks) && isValid
            if !isValid && !reports { return false }
        }
        if isValid, isValidSoFar, let unevaluated = rules.unevaluated {
            for position in 0..<count where !marks[position] {
                if schema.nodes[unevaluated].always == false {
                    isValid = note(first + position, "unevaluatedItems", reports, "is not allowed here")
                } else {
                    isValid = fits(unevaluated, first + position, reports: reports) && isValid
                }
                marks[position] = true
                if !isValid && !reports { return false }
            }
        }
        return isValid
    }

    private mutating func check(
        _ contains: Int, _ rules: SchemaNode.Elements, _ first: Int, _ count: Int, _ place: Int, _ reports: Bool,
        _ marks: inout [Bool]
    ) -> Bool {
        var fitting = 0
        for position in 0..<count where fits(contains, first + position, reports: false) {
            fitting += 1
            if !marks.isEmpty { marks[position] = true }
        }
        let wanted = schema.nodes[contains].title.map { " (\(SchemaWords.short($0)))" } ?? ""
        if fitting < rules.minContains {
            let least = SchemaWords.count(rules.minContains, "element", "elements")
            return note(
                place, rules.minContains == 1 ? "contains" : "minContains", reports,
                "must have at least \(least) of the asked kind\(wanted), not \(fitting)")
        }
        if let most = rules.maxContains, fitting > most {
            return note(
                place, "maxContains", reports,
                "must have at most \(SchemaWords.count(most, "element", "elements")) of the asked kind\(wanted), not \(fitting)"
            )
        }
        return true
    }
}

extension IndexedJSON {
    /// Adds the name of a member as a node of its own, for the time of a check. - Returns: its place.
    fileprivate mutating func pushName(_ position: Int, of place: Int) -> Int? {
        guard case .object(let keys, _) = nodes[place].content else { return nil }
        return push(Node(content: .string(keys[position]), parent: place, position: position))
    }

    fileprivate mutating func popName() { pop() }
}
