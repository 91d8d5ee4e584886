extension JSONSchema {
    /// What differs between two schemas of the same thing, for people; nil is a handler without one, which takes everything.
    ///
    /// Compares rule by rule and follows references. Where two forms cannot be compared so (`not`, `if`, another pattern), the
    /// change counts as breaking: whether it hurts anybody, only real values can say.
    /// - Parameter role: who breaks; see `SchemaRole`.
    package static func changes(
        from old: JSONSchema?, to new: JSONSchema?, role: SchemaRole = .arguments
    ) -> [SchemaChange] {
        if old?.text == new?.text { return [] }
        // Without a schema, everything is allowed: the same as `true`.
        let anything = [SchemaNode(pointer: "", always: true)]
        var comparison = SchemaComparison(old: old?.nodes ?? anything, new: new?.nodes ?? anything, role: role)
        if old == nil {
            comparison.note("", .narrows, "is described now; before, everything was taken")
        } else if new == nil {
            comparison.note("", .widens, "is not described any more; everything is taken")
        } else {
            comparison.compare(0, 0, at: "")
        }
        return comparison.changes
    }
}

/// Walks over two schemas of the same values side by side.
struct SchemaComparison {
    /// What a change does to the set of values that fit.
    enum Effect {
        case narrows, widens
        /// Neither can be excluded.
        case differs
        /// The set stays.
        case remark
    }

    /// Enough for every schema that a person wrote; what lies beyond is not told.
    private static let changeLimit = 200
    private static let depthLimit = 200

    let old: [SchemaNode]
    let new: [SchemaNode]
    let role: SchemaRole
    private(set) var changes: [SchemaChange] = []
    private var seen: Set<Pair> = []
    /// Pairs that may still be looked at: schemas that lead into each other have more of them than anybody can wait for.
    private var budget = 50_000
    private var depth = 0

    private struct Pair: Hashable {
        let old: Int
        let new: Int
    }

    init(old: [SchemaNode], new: [SchemaNode], role: SchemaRole) {
        (self.old, self.new, self.role) = (old, new, role)
    }

    mutating func note(_ pointer: String, _ effect: Effect, _ words: String) {
        guard changes.count < Self.changeLimit else { return }
        let isBreaking =
            switch effect {
            case .narrows: role == .arguments
            case .widens: role == .result
            case .differs: true
            case .remark: false
            }
        let change = SchemaChange(pointer: pointer, words: words, isBreaking: isBreaking)
        if !changes.contains(change) { changes.append(change) }
    }

    /// For a comparison whose changes are not to be told.
    func branch() -> SchemaComparison {
        var branch = self
        branch.changes = []
        return branch
    }

    mutating func spend(as branch: SchemaComparison) { budget = branch.budget }

    /// References that say nothing else are what they point to.
    private func followed(_ index: Int, in nodes: [SchemaNode]) -> Int {
        var index = index
        while let combination = nodes[index].combination, combination.references.count == 1,
            combination.inPlace.count == 1, nodes[index].isReference
        {
            index = combination.references[0]
        }
        return index
    }

    mutating func compare(_ oldIndex: Int, _ newIndex: Int, at pointer: String) {
        let (oldIndex, newIndex) = (followed(oldIndex, in: old), followed(newIndex, in: new))
        // A pair that was met before was told where it was met.
        guard seen.insert(Pair(old: oldIndex, new: newIndex)).inserted else { return }
        budget -= 1
        depth += 1
        defer { depth -= 1 }
        guard budget > 0, depth <= Self.depthLimit else {
            note(pointer, .differs, "is too entwined to be compared further")
            return
        }
        let (a, b) = (old[oldIndex], new[newIndex])
        if a.always != nil || b.always != nil {
            compareExtremes(a, b, pointer)
            return
        }
        compareTypes(a, b, pointer)
        compareChoices(a, b, pointer)
        compareNumbers(a.numbers ?? .init(), b.numbers ?? .init(), pointer)
        compareTexts(a.texts ?? .init(), b.texts ?? .init(), pointer)
        compareMembers(a.members ?? .init(), b.members ?? .init(), pointer)
        compareElements(a.elements ?? .init(), b.elements ?? .init(), pointer)
        compareCombinations(a.combination ?? .init(), b.combination ?? .init(), pointer)
        if a.preset != b.preset {
            note(
                pointer, .remark,
                "its default is now \(b.preset.map(SchemaWords.short) ?? "gone"), was \(a.preset.map(SchemaWords.short) ?? "none")"
            )
        }
    }

    private mutating func compareExtremes(_ a: SchemaNode, _ b: SchemaNode, _ pointer: String) {
        let (isAll, isAllNow) = (a.allowsAll, b.allowsAll)
        switch (a.always, b.always) {
        case (false?, false?): break
        case (_, false?): note(pointer, .narrows, "is not allowed any more")
        case (false?, _): note(pointer, .widens, "is allowed now")
        default:
            if isAll && !isAllNow { note(pointer, .narrows, "is restricted now; before, anything was taken") }
            if !isAll && isAllNow { note(pointer, .widens, "takes anything now") }
        }
    }

    private mutating func compareTypes(_ a: SchemaNode, _ b: SchemaNode, _ pointer: String) {
        let (was, now) = (a.types ?? .all, b.types ?? .all)
        if was == now { return }
        let effect: Effect = now.isSubset(of: was) ? .narrows : was.isSubset(of: now) ? .widens : .differs
        let (wasWords, nowWords) = (was == .all ? "anything" : was.words, now == .all ? "anything" : now.words)
        note(pointer, effect, "must be \(nowWords), was \(wasWords)")
    }

    private mutating func compareChoices(_ a: SchemaNode, _ b: SchemaNode, _ pointer: String) {
        let was = a.constant.map { [$0] } ?? a.enumeration
        let now = b.constant.map { [$0] } ?? b.enumeration
        switch (was, now) {
        case (nil, nil): break
        case (nil, let now?): note(pointer, .narrows, "must be \(words(now)) now; was free")
        case (let was?, nil): note(pointer, .widens, "is free now; was \(words(was))")
        case (let was?, let now?):
            let gone = was.filter { !now.hasEqual($0) }
            let added = now.filter { !was.hasEqual($0) }
            if !gone.isEmpty { note(pointer, .narrows, "\(words(gone)) is not allowed any more") }
            if !added.isEmpty { note(pointer, .widens, "\(words(added)) is allowed now") }
        }
    }

    private func words(_ constants: [SchemaNode.Constant]) -> String {
        SchemaWords.either(
            constants.prefix(8).map(\.words) + (constants.count > 8 ? ["\(constants.count - 8) more"] : []))
    }

    // MARK: Bounds

    /// A bound that values must not go below (`isLeast`) or above. nil: none.
    mutating func compareBound<T: Comparable>(
        _ was: T?, _ now: T?, isLeast: Bool, _ pointer: String, _ name: String, _ show: (T) -> String
    ) {
        switch (was, now) {
        case (nil, let now?): note(pointer, .narrows, "\(name) is \(show(now)) now; there was none")
        case (let was?, nil): note(pointer, .widens, "\(name) is gone; it was \(show(was))")
        case (let was?, let now?) where was != now:
            note(pointer, (now > was) == isLeast ? .narrows : .widens, "\(name) is \(show(now)), was \(show(was))")
        default: break
        }
    }

    private mutating func compareNumbers(_ a: SchemaNode.Numbers, _ b: SchemaNode.Numbers, _ pointer: String) {
        let bounds: [(WritableKeyPath<SchemaNode.Numbers, ExactNumber?>, String, Bool, String)] = [
            (\.minimum, "minimum", true, "the least value"), (\.maximum, "maximum", false, "the greatest value"),
            (\.exclusiveMinimum, "exclusiveMinimum", true, "the bound below"),
            (\.exclusiveMaximum, "exclusiveMaximum", false, "the bound above"),
        ]
        for (path, keyword, isLeast, name) in bounds {
            let (was, now) = (a[keyPath: path], b[keyPath: path])
            compareBound(was, now, isLeast: isLeast, pointer, name) { number in
                SchemaWords.short((number == now ? b.written[keyword] : a.written[keyword]) ?? "")
            }
        }
        guard a.multipleOf != b.multipleOf else { return }
        let shown = SchemaWords.short(b.written["multipleOf"] ?? "")
        switch (a.multipleOf, b.multipleOf) {
        case (_?, nil): note(pointer, .widens, "need not be a multiple of anything now")
        case (let was?, let now?) where now.isMultiple(of: was):
            note(pointer, .narrows, "must be a multiple of \(shown) now")
        case (let was?, let now?) where was.isMultiple(of: now):
            note(pointer, .widens, "must only be a multiple of \(shown) now")
        case (nil, _): note(pointer, .narrows, "must be a multiple of \(shown) now")
        default: note(pointer, .differs, "must be a multiple of \(shown) now")
        }
    }

    private mutating func compareTexts(_ a: SchemaNode.Texts, _ b: SchemaNode.Texts, _ pointer: String) {
        compareBound(a.minLength ?? 0, b.minLength ?? 0, isLeast: true, pointer, "the least length") { "\($0)" }
        compareBound(a.maxLength, b.maxLength, isLeast: false, pointer, "the greatest length") { "\($0)" }
        switch (a.pattern?.source, b.pattern?.source) {
        case (let was, let now) where was == now: break
        case (nil, let now?): note(pointer, .narrows, "must match the pattern \(SchemaWords.short(now)) now")
        case (let was?, nil): note(pointer, .widens, "need not match the pattern \(SchemaWords.short(was)) any more")
        case (_, let now): note(pointer, .differs, "must match another pattern now: \(SchemaWords.short(now ?? ""))")
        }
        if a.format != b.format {
            let effect: Effect = a.assertedFormat == b.assertedFormat ? .remark : .differs
            note(pointer, effect, "its format is \(b.format ?? "free") now, was \(a.format ?? "free")")
        }
    }
}

extension SchemaNode {
    /// Whether nothing but a reference stands here.
    var isReference: Bool {
        types == nil && enumeration == nil && constant == nil && numbers == nil && texts == nil && members == nil
            && elements == nil && combination != nil && preset == nil
    }

    var allowsAll: Bool {
        always
            ?? (types == nil && enumeration == nil && constant == nil && numbers == nil && texts?.isRemark ?? true
                && members == nil && elements == nil && combination == nil)
    }
}

extension SchemaNode.Texts {
    /// Only a format that is not asserted.
    fileprivate var isRemark: Bool { minLength == nil && maxLength == nil && pattern == nil && assertedFormat == nil }
}

extension [SchemaNode.Constant] {
    fileprivate func hasEqual(_ constant: SchemaNode.Constant) -> Bool {
        var cost = 0
        return contains { IndexedJSON.areEqual($0.value, 0, constant.value, 0, cost: &cost) }
    }
}
