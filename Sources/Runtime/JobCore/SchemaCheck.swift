/// One validation: walks schema and value together and notes what does not fit.
///
/// In reporting mode it goes on after a fault, elsewhere (inside `not`, `contains` and the like) it stops at the first.
struct SchemaCheck {
    /// Schemas inside schemas, on the way down. Far above what a value of 128 levels needs, far below the stack's end.
    private static let depthLimit = 400

    let schema: JSONSchema
    var value: IndexedJSON
    private var limit: Int
    private(set) var work: Int
    private var found: [SchemaProblem] = []
    private var depth = 0
    /// Why the check was given up.
    private var givenUp: String?

    init(_ schema: JSONSchema, _ value: IndexedJSON, limit: Int, work: Int) {
        (self.schema, self.value, self.limit, self.work) = (schema, value, max(1, limit), work)
    }

    mutating func problems() -> [SchemaProblem] {
        var marks: [Bool] = []
        let isValid = evaluate(0, 0, reports: true, &marks)
        if let givenUp {
            return Array(found.prefix(limit - 1)) + [SchemaProblem(pointer: "", keyword: "limit", words: givenUp)]
        }
        return isValid ? [] : found
    }

    // MARK: For the keywords' own files

    var isGivenUp: Bool { givenUp != nil }

    /// Takes from the work that is left. - Returns: false if none is left.
    @discardableResult
    mutating func spend(_ steps: Int) -> Bool {
        work -= steps
        if work < 0, givenUp == nil { givenUp = "the check was given up: this schema takes too long for this value" }
        return givenUp == nil
    }

    /// Notes a problem with the value at a place, if this is a reporting evaluation. - Returns: false, for brevity.
    @discardableResult
    mutating func note(
        _ place: Int, _ keyword: String, under step: String? = nil, _ reports: Bool, _ words: String
    ) -> Bool {
        if reports, found.count < limit, givenUp == nil {
            let pointer = value.pointer(to: place) + (step.map { "/" + IndexedJSON.pointerStep($0) } ?? "")
            let problem = SchemaProblem(pointer: pointer, keyword: keyword, words: words)
            // Several ways through a schema may meet the same keyword.
            if !found.contains(problem) { found.append(problem) }
        }
        return false
    }

    /// Evaluates with a list of problems of its own.
    mutating func trial(_ node: Int, _ place: Int, _ marks: inout [Bool]) -> (isValid: Bool, problems: [SchemaProblem])
    {
        let outer = (found, limit)
        (found, limit) = ([], min(limit, 8))
        defer { (found, limit) = outer }
        let isValid = evaluate(node, place, reports: true, &marks)
        return (isValid, found)
    }

    mutating func add(_ problems: [SchemaProblem]) {
        for problem in problems where found.count < limit && !found.contains(problem) { found.append(problem) }
    }

    /// Whether the value at `place` fits; `marks` takes which of its children were looked at, if it does.
    mutating func evaluate(_ index: Int, _ place: Int, reports: Bool, _ marks: inout [Bool]) -> Bool {
        // Where as much is wrong as is told, there is nothing more to find out.
        guard spend(4), !reports || found.count < limit else { return false }
        let node = schema.nodes[index]
        if let always = node.always {
            return always || note(place, "false", reports, "nothing is allowed here")
        }
        depth += 1
        defer { depth -= 1 }
        if depth > Self.depthLimit {
            givenUp =
                givenUp ?? "the check was given up: schemas lead into each other more than \(Self.depthLimit) deep"
            return false
        }
        var own: [Bool] = []
        if schema.needsMarks {
            let count = value.children(of: place).count
            spend(count / 8)
            own = Array(repeating: false, count: count)
        }
        var isValid = plain(node, place, reports)
        if !isValid && !reports { return false }
        if let combination = node.combination {
            isValid = self.combination(combination, place, reports, &own) && isValid
            if !isValid && !reports { return false }
        }
        switch value.nodes[place].content {
        case .object(let keys, let first):
            guard let rules = node.members else { break }
            isValid = members(rules, keys, first, place, reports, isValid, &own) && isValid
        case .array(let first, let count):
            guard let rules = node.elements else { break }
            isValid = elements(rules, first, count, place, reports, isValid, &own) && isValid
        default: break
        }
        if isValid && !marks.isEmpty {
            for (child, isSeen) in own.enumerated() where isSeen { marks[child] = true }
        }
        return isValid && givenUp == nil
    }

    /// Evaluates a child, whose own children are of no interest here.
    mutating func fits(_ node: Int, _ place: Int, reports: Bool) -> Bool {
        var marks: [Bool] = []
        return evaluate(node, place, reports: reports, &marks)
    }
}
