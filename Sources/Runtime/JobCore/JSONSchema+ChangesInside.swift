// Comparison of what stands inside objects and lists, and of combined schemas.
extension SchemaComparison {
    mutating func compareMembers(_ a: SchemaNode.Members, _ b: SchemaNode.Members, _ pointer: String) {
        for name in a.names {
            let path = pointer + "/" + IndexedJSON.pointerStep(name)
            guard let was = a.properties[ExactText(name)] else { continue }
            if let now = b.properties[ExactText(name)] {
                compare(was, now, at: path)
            } else if old[was].always != false {
                let isClosed = b.additional.map { new[$0].always == false } ?? false
                note(
                    path, isClosed ? .narrows : .widens,
                    isClosed ? "is not known any more" : "is not described any more")
            }
        }
        let wasClosed = a.additional.map { old[$0].always == false } ?? false
        for name in b.names where a.properties[ExactText(name)] == nil {
            let path = pointer + "/" + IndexedJSON.pointerStep(name)
            let isNeeded = b.required.contains { isSameText($0, name) }
            if isNeeded { continue }  // told below
            // Who used a name that nobody had described has used it at their own risk.
            note(path, wasClosed ? .widens : .remark, "is new, and need not be there")
        }
        compareRequired(a, b, pointer)
        compareOptional(a.additional, b.additional, at: pointer + "/*", "other members")
        compareOptional(a.propertyNames, b.propertyNames, at: pointer, "the names of members")
        compareOptional(a.unevaluated, b.unevaluated, at: pointer + "/*", "members not named elsewhere")
        compareBound(a.minimum ?? 0, b.minimum ?? 0, isLeast: true, pointer, "the least number of members") { "\($0)" }
        compareBound(a.maximum, b.maximum, isLeast: false, pointer, "the greatest number of members") { "\($0)" }
        for was in a.patterns {
            if let now = b.patterns.first(where: { $0.pattern.source == was.pattern.source }) {
                compare(was.schema, now.schema, at: pointer + "/*")
            } else {
                note(
                    pointer, .differs,
                    "members matching \(SchemaWords.short(was.pattern.source)) are not described any more")
            }
        }
        for now in b.patterns where !a.patterns.contains(where: { $0.pattern.source == now.pattern.source }) {
            note(pointer, .differs, "members matching \(SchemaWords.short(now.pattern.source)) are described now")
        }
        compareDependent(a, b, pointer)
    }

    private mutating func compareRequired(_ a: SchemaNode.Members, _ b: SchemaNode.Members, _ pointer: String) {
        for name in b.required where !a.required.contains(where: { isSameText($0, name) }) {
            let isNew = a.properties[ExactText(name)] == nil
            note(
                pointer + "/" + IndexedJSON.pointerStep(name), .narrows,
                isNew ? "is new and must be there" : "must be there now")
        }
        for name in a.required where !b.required.contains(where: { isSameText($0, name) }) {
            note(pointer + "/" + IndexedJSON.pointerStep(name), .widens, "need not be there any more")
        }
    }

    private mutating func compareDependent(_ a: SchemaNode.Members, _ b: SchemaNode.Members, _ pointer: String) {
        for now in b.dependentRequired {
            let was = a.dependentRequired.first { isSameText($0.name, now.name) }?.required ?? []
            let added = now.required.filter { name in !was.contains { isSameText($0, name) } }
            if !added.isEmpty {
                let names = added.map { JSONText.quoted($0) }.joined(separator: ", ")
                note(pointer + "/" + IndexedJSON.pointerStep(now.name), .narrows, "needs \(names) beside it now")
            }
        }
        for was in a.dependentRequired {
            let now = b.dependentRequired.first { isSameText($0.name, was.name) }?.required ?? []
            let gone = was.required.filter { name in !now.contains { isSameText($0, name) } }
            if !gone.isEmpty {
                let names = gone.map { JSONText.quoted($0) }.joined(separator: ", ")
                note(
                    pointer + "/" + IndexedJSON.pointerStep(was.name), .widens,
                    "does not need \(names) beside it any more")
            }
        }
        for now in b.dependentSchemas {
            if let was = a.dependentSchemas.first(where: { isSameText($0.name, now.name) }) {
                compare(was.schema, now.schema, at: pointer)
            } else {
                note(pointer + "/" + IndexedJSON.pointerStep(now.name), .narrows, "asks more of the whole object now")
            }
        }
        for was in a.dependentSchemas where !b.dependentSchemas.contains(where: { isSameText($0.name, was.name) }) {
            note(pointer + "/" + IndexedJSON.pointerStep(was.name), .widens, "asks less of the whole object now")
        }
    }

    /// A schema that may be missing, which is the same as one that takes all.
    private mutating func compareOptional(_ was: Int?, _ now: Int?, at pointer: String, _ name: String) {
        switch (was, now) {
        case (nil, nil): break
        case (let was?, let now?): compare(was, now, at: pointer)
        case (nil, let now?):
            if new[now].always == false {
                note(pointer, .narrows, "\(name) are not allowed any more")
            } else if !new[now].allowsAll {
                note(pointer, .narrows, "\(name) are restricted now")
            }
        case (let was?, nil):
            if !old[was].allowsAll { note(pointer, .widens, "\(name) are not restricted any more") }
        }
    }

    mutating func compareElements(_ a: SchemaNode.Elements, _ b: SchemaNode.Elements, _ pointer: String) {
        for position in 0..<max(a.prefix.count, b.prefix.count) {
            let was = position < a.prefix.count ? a.prefix[position] : a.rest
            let now = position < b.prefix.count ? b.prefix[position] : b.rest
            compareOptional(was, now, at: "\(pointer)/\(position)", "elements here")
        }
        compareOptional(
            a.rest, b.rest, at: pointer + "/*", a.prefix.isEmpty && b.prefix.isEmpty ? "elements" : "further elements")
        compareOptional(a.unevaluated, b.unevaluated, at: pointer + "/*", "elements not described elsewhere")
        compareBound(a.minimum ?? 0, b.minimum ?? 0, isLeast: true, pointer, "the least number of elements") { "\($0)" }
        compareBound(a.maximum, b.maximum, isLeast: false, pointer, "the greatest number of elements") { "\($0)" }
        if a.isUnique != b.isUnique {
            note(
                pointer, b.isUnique ? .narrows : .widens,
                b.isUnique ? "elements must differ now" : "elements may repeat now")
        }
        if a.contains != nil || b.contains != nil {
            let wasLeast = a.contains == nil ? 0 : a.minContains
            let isLeast = b.contains == nil ? 0 : b.minContains
            compareBound(wasLeast, isLeast, isLeast: true, pointer, "the least number of elements of a kind") {
                "\($0)"
            }
            compareBound(
                a.contains.flatMap { _ in a.maxContains }, b.contains.flatMap { _ in b.maxContains }, isLeast: false,
                pointer,
                "the greatest number of elements of a kind"
            ) { "\($0)" }
            if let was = a.contains, let now = b.contains, !isEqual(was, now) {
                note(pointer, .differs, "the kind of elements that must be there is another")
            }
        }
    }

    mutating func compareCombinations(_ a: SchemaNode.Combination, _ b: SchemaNode.Combination, _ pointer: String) {
        compareAll(a.references + a.all, b.references + b.all, pointer)
        compareForms(a.any, b.any, pointer, isExclusive: false)
        compareForms(a.one, b.one, pointer, isExclusive: true)
        switch (a.not, b.not) {
        case (nil, nil): break
        case (nil, _?): note(pointer, .narrows, "a form is excluded now")
        case (_?, nil): note(pointer, .widens, "no form is excluded any more")
        case (let was?, let now?): if !isEqual(was, now) { note(pointer, .differs, "another form is excluded now") }
        }
        let (was, now) = ([a.condition, a.then, a.otherwise], [b.condition, b.then, b.otherwise])
        var isSame = true
        for (was, now) in zip(was, now) {
            if let was, let now { isSame = isSame && isEqual(was, now) } else { isSame = isSame && was == now }
        }
        if !isSame { note(pointer, .differs, "the rules under a condition (if, then, else) are others") }
    }

    /// Each adds a rule.
    private mutating func compareAll(_ was: [Int], _ now: [Int], _ pointer: String) {
        if was.count == now.count {
            for (was, now) in zip(was, now) { compare(was, now, at: pointer) }
            return
        }
        let gone = was.filter { was in !now.contains { isEqual(was, $0) } }
        let added = now.filter { now in !was.contains { isEqual($0, now) } }
        if !added.isEmpty {
            note(
                pointer, gone.isEmpty ? .narrows : .differs,
                "must also fit \(added.count == 1 ? "another schema" : "\(added.count) other schemas") now")
        }
        if !gone.isEmpty && added.isEmpty { note(pointer, .widens, "need not fit all of the schemas any more") }
    }

    /// Each is another way to fit.
    private mutating func compareForms(_ was: [Int], _ now: [Int], _ pointer: String, isExclusive: Bool) {
        if was.isEmpty && now.isEmpty { return }
        if was.isEmpty {
            note(pointer, .narrows, "must fit one of \(now.count) forms now")
            return
        }
        if now.isEmpty {
            note(pointer, .widens, "need not fit one of \(was.count) forms any more")
            return
        }
        var gone = was.filter { was in !now.contains { isEqual(was, $0) } }
        var added = now.filter { now in !was.contains { isEqual($0, now) } }
        // What is left of both in the same number is probably the same forms, changed.
        if gone.count == added.count {
            while let was = gone.popLast(), let now = added.popLast() { compare(was, now, at: pointer) }
            return
        }
        if !gone.isEmpty {
            note(pointer, .narrows, "\(gone.count) of its forms \(gone.count == 1 ? "is" : "are") not allowed any more")
        }
        // With `oneOf`, a new form may take what another took, which then fits twice.
        if !added.isEmpty {
            note(
                pointer, isExclusive ? .differs : .widens,
                "\(added.count) more \(added.count == 1 ? "form is" : "forms are") allowed now")
        }
    }

    /// Whether two schemas say the same. What is being compared further up counts as the same here.
    private mutating func isEqual(_ was: Int, _ now: Int) -> Bool {
        var trial = branch()
        trial.compare(was, now, at: "")
        spend(as: trial)
        return trial.changes.isEmpty
    }
}
