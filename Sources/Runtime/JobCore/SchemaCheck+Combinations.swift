// Keywords that apply other schemas to the same value.
extension SchemaCheck {
    mutating func combination(
        _ rules: SchemaNode.Combination, _ place: Int, _ reports: Bool, _ marks: inout [Bool]
    ) -> Bool {
        var isValid = true
        for schemas in [rules.references, rules.all] {
            for schema in schemas {
                isValid = evaluate(schema, place, reports: reports, &marks) && isValid
                if !isValid && !reports || isGivenUp { return false }
            }
        }
        if !rules.any.isEmpty {
            isValid = any(rules.any, place, reports, &marks) && isValid
            if !isValid && !reports || isGivenUp { return false }
        }
        if !rules.one.isEmpty {
            isValid = one(rules.one, place, reports, &marks) && isValid
            if !isValid && !reports || isGivenUp { return false }
        }
        if let not = rules.not, fits(not, place, reports: false) {
            isValid = note(
                place, "not", reports, reports ? "must not be \(formWords(not)), as \(described(place)) is" : "")
            if !reports { return false }
        }
        if let condition = rules.condition {
            let holds = evaluate(condition, place, reports: false, &marks)
            if isGivenUp { return false }
            if let schema = holds ? rules.then : rules.otherwise {
                isValid = evaluate(schema, place, reports: reports, &marks) && isValid
            }
        }
        return isValid
    }

    private mutating func any(_ forms: [Int], _ place: Int, _ reports: Bool, _ marks: inout [Bool]) -> Bool {
        var isValid = false
        for form in forms {
            isValid = evaluate(form, place, reports: false, &marks) || isValid
            // What is evaluated counts for all that fit; without that, one is enough.
            if isValid && !schema.needsMarks || isGivenUp { break }
        }
        if !isValid && reports { complain("anyOf", forms, place) }
        return isValid
    }

    private mutating func one(_ forms: [Int], _ place: Int, _ reports: Bool, _ marks: inout [Bool]) -> Bool {
        var fitting: [Int] = []
        for form in forms {
            if evaluate(form, place, reports: false, &marks) { fitting.append(form) }
            if fitting.count > 1 || isGivenUp { break }
        }
        if fitting.count > 1 {
            return note(
                place, "oneOf", reports,
                reports
                    ? "fits both \(formWords(fitting[0])) and \(formWords(fitting[1])), where exactly one form is allowed"
                    : "")
        }
        if fitting.isEmpty && reports { complain("oneOf", forms, place) }
        return fitting.count == 1
    }

    /// No form fits. If all but one are plainly out of question, what that one misses is what the person wants to know.
    private mutating func complain(_ keyword: String, _ forms: [Int], _ place: Int) {
        var attempts: [[SchemaProblem]] = []
        var marks: [Bool] = []
        for form in forms {
            if isGivenUp { return }
            attempts.append(trial(form, place, &marks).problems)
        }
        let here = value.pointer(to: place)
        let close = attempts.filter { problems in
            !problems.contains {
                $0.keyword == "const" || $0.keyword == "enum" || $0.keyword == "false"
                    || ($0.keyword == "type" && $0.pointer == here)
            }
        }
        if let problems = close.first, close.count == 1, !problems.isEmpty {
            add(problems)
        } else if forms.count == 1, let problems = attempts.first, !problems.isEmpty {
            add(problems)
        } else {
            note(
                place, keyword, true,
                "is \(described(place)), which is none of the allowed forms: \(SchemaWords.either(named(forms)))")
        }
    }

    private func named(_ forms: [Int]) -> [String] {
        var names: [String] = []
        for form in forms.prefix(8) {
            let name = formWords(form)
            if !names.contains(name) { names.append(name) }
        }
        return names + (forms.count > 8 ? ["\(forms.count - 8) more"] : [])
    }

    /// A schema in few words.
    private func formWords(_ index: Int) -> String {
        var node = schema.nodes[index]
        for _ in 0..<8 {
            if let title = node.title { return SchemaWords.short(title) }
            if let constant = node.constant { return constant.words }
            if let enumeration = node.enumeration {
                return SchemaWords.either(enumeration.prefix(6).map(\.words) + (enumeration.count > 6 ? ["…"] : []))
            }
            if let types = node.types {
                if types == .object, let members = node.members {
                    if let (name, words) = tag(of: members) {
                        return "an object whose \(JSONText.quoted(name)) is \(words)"
                    }
                    let names = members.required.isEmpty ? members.names : members.required
                    if !names.isEmpty {
                        return "an object with " + names.prefix(4).map { JSONText.quoted($0) }.joined(separator: ", ")
                            + (names.count > 4 ? ", …" : "")
                    }
                }
                return types.words
            }
            if let members = node.members, !members.required.isEmpty {
                return "what has " + members.required.prefix(4).map { JSONText.quoted($0) }.joined(separator: ", ")
            }
            guard let next = node.combination?.references.first else { break }
            node = schema.nodes[next]
        }
        return node.pointer.isEmpty ? "the whole schema" : "the form at \(node.pointer)"
    }

    /// The member by which forms of a choice are told apart.
    private func tag(of members: SchemaNode.Members) -> (name: String, words: String)? {
        for name in members.names {
            guard let index = members.properties[ExactText(name)] else { continue }
            if let constant = schema.nodes[index].constant { return (name, constant.words) }
        }
        return nil
    }
}
