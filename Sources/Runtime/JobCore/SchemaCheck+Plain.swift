// Keywords that look at a value without its children, and uniqueItems.
extension SchemaCheck {
    mutating func plain(_ node: SchemaNode, _ place: Int, _ reports: Bool) -> Bool {
        let content = value.nodes[place].content
        if let types = node.types, types.intersection(SchemaTypes(of: content)).isEmpty {
            // All else about it would be beside the point.
            return note(place, "type", reports, reports ? "must be \(types.words), not \(described(place))" : "")
        }
        var isValid = true
        if let constant = node.constant, !isEqual(place, constant) {
            isValid = note(place, "const", reports, reports ? "must be \(constant.words), not \(described(place))" : "")
        }
        if let enumeration = node.enumeration, !isAny(place, of: enumeration) {
            isValid = note(place, "enum", reports, reports ? choiceWords(enumeration, place) : "")
        }
        switch content {
        case .number(let number, let written):
            if let numbers = node.numbers { isValid = check(number, written, numbers, place, reports) && isValid }
        case .string(let text):
            if let texts = node.texts { isValid = check(text, texts, place, reports) && isValid }
        default: break
        }
        return isValid
    }

    private mutating func isEqual(_ place: Int, _ constant: SchemaNode.Constant) -> Bool {
        var cost = 0
        defer { spend(cost) }
        return IndexedJSON.areEqual(value, place, constant.value, 0, cost: &cost)
    }

    private mutating func isAny(_ place: Int, of enumeration: [SchemaNode.Constant]) -> Bool {
        for constant in enumeration {
            if isEqual(place, constant) { return true }
            if isGivenUp { return false }
        }
        return false
    }

    private func choiceWords(_ enumeration: [SchemaNode.Constant], _ place: Int) -> String {
        let shown = enumeration.prefix(12).map(\.words)
        let more =
            enumeration.count > shown.count ? [SchemaWords.count(enumeration.count - shown.count, "more", "more")] : []
        var words = "must be "
        words += enumeration.count == 1 ? shown[0] : "one of " + SchemaWords.either(shown + more)
        if enumeration.isEmpty { words = "no value is allowed" }
        words += ", not \(described(place))"
        if case .string(let text) = value.nodes[place].content {
            let texts = enumeration.compactMap { $0.value.string(at: 0) }
            if let near = NearMatches.find(text, among: texts, limit: 1).first {
                words += "; did you mean \(JSONText.quoted(near))?"
            }
        }
        return words
    }

    private mutating func check(
        _ number: ExactNumber, _ written: String, _ rules: SchemaNode.Numbers, _ place: Int, _ reports: Bool
    ) -> Bool {
        spend(written.utf8.count / 32)
        var isValid = true
        func allowed(_ keyword: String) -> String { SchemaWords.short(rules.written[keyword] ?? "") }
        let shown = SchemaWords.short(written)
        if let bound = rules.minimum, number < bound {
            isValid = note(place, "minimum", reports, "must be at least \(allowed("minimum")), not \(shown)")
        }
        if let bound = rules.exclusiveMinimum, number <= bound {
            isValid = note(
                place, "exclusiveMinimum", reports, "must be above \(allowed("exclusiveMinimum")), not \(shown)")
        }
        if let bound = rules.maximum, number > bound {
            isValid = note(place, "maximum", reports, "must be at most \(allowed("maximum")), not \(shown)")
        }
        if let bound = rules.exclusiveMaximum, number >= bound {
            isValid = note(
                place, "exclusiveMaximum", reports, "must be below \(allowed("exclusiveMaximum")), not \(shown)")
        }
        if let step = rules.multipleOf, !number.isMultiple(of: step) {
            isValid = note(place, "multipleOf", reports, "must be a multiple of \(allowed("multipleOf")), not \(shown)")
        }
        return isValid
    }

    private mutating func check(
        _ text: String, _ rules: SchemaNode.Texts, _ place: Int, _ reports: Bool
    ) -> Bool {
        var isValid = true
        if rules.minLength != nil || rules.maxLength != nil {
            spend(text.utf8.count / 32)
            let length = text.unicodeScalars.count
            if let least = rules.minLength, length < least {
                let allowed = SchemaWords.count(least, "character", "characters")
                isValid = note(
                    place, "minLength", reports,
                    least == 1 ? "must not be empty" : "must have at least \(allowed), not \(length)")
            }
            if let most = rules.maxLength, length > most {
                let allowed = SchemaWords.count(most, "character", "characters")
                isValid = note(place, "maxLength", reports, "must have at most \(allowed), not \(length)")
            }
        }
        if let pattern = rules.pattern, !matches(pattern, text) {
            isValid = note(
                place, "pattern", reports,
                reports ? "must match the pattern \(SchemaWords.short(pattern.source)), unlike \(described(place))" : ""
            )
        }
        if let format = rules.assertedFormat, !format.accepts(text) {
            spend(text.utf8.count / 8)
            isValid = note(
                place, "format", reports, reports ? "must be \(format.words), unlike \(described(place))" : "")
        }
        return isValid
    }

    mutating func matches(_ pattern: SchemaPattern, _ text: String) -> Bool {
        var left = work
        let outcome = pattern.search(text, work: &left)
        spend(outcome == .exhausted ? work + 1 : work - left + text.utf8.count / 32 + 1)
        return outcome == .matches
    }

    /// The places of two elements that are equal.
    mutating func equalElements(_ first: Int, _ count: Int) -> (Int, Int)? {
        var cost = 0
        defer { spend(cost) }
        var places: [Int: [Int]] = [:]
        for element in first..<first + count {
            let hash = value.hash(of: element, cost: &cost)
            for other in places[hash] ?? [] where IndexedJSON.areEqual(value, other, value, element, cost: &cost) {
                return (other - first, element - first)
            }
            places[hash, default: []].append(element)
            if cost > work { return nil }
        }
        return nil
    }

    /// "the text \"x\"", "a list of 3".
    func described(_ place: Int) -> String {
        switch value.nodes[place].content {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number(_, let written): "the number \(SchemaWords.short(written))"
        case .string(let text):
            text.isEmpty ? "an empty text" : "the text \(JSONText.quoted(SchemaWords.short(text)))"
        case .array(_, let count): count == 0 ? "an empty list" : "a list of \(count)"
        case .object(let keys, _): keys.isEmpty ? "an empty object" : "an object"
        }
    }
}
