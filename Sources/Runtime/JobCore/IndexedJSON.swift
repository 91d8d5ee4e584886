/// A JSON value laid out in one array, each node with its way back: what schemas are read from and values are checked in.
///
/// Of repeated keys only the last is there. Numbers are exact, texts are compared scalar by scalar.
struct IndexedJSON: Sendable {
    enum Content: Sendable {
        case null
        case boolean(Bool)
        case number(ExactNumber, written: String)
        case string(String)
        /// The elements are the nodes `first..<first + count`.
        case array(first: Int, count: Int)
        /// The members' values are the nodes from `first` on, in the order of `keys`.
        case object(keys: [String], first: Int)
    }

    struct Node: Sendable {
        var content: Content
        /// -1 at the top.
        var parent: Int
        /// Among its siblings.
        var position: Int
    }

    private(set) var nodes: [Node]

    init(_ value: JSONValue) {
        nodes = [Node(content: .null, parent: -1, position: 0)]
        fill(0, value)
    }

    private mutating func fill(_ index: Int, _ value: JSONValue) {
        switch value {
        case .null: break
        case .boolean(let value): nodes[index].content = .boolean(value)
        case .number(let text): nodes[index].content = .number(ExactNumber(json: text), written: text)
        case .string(let text): nodes[index].content = .string(text)
        case .array(let elements):
            let first = reserve(elements.count, under: index)
            nodes[index].content = .array(first: first, count: elements.count)
            for (position, element) in elements.enumerated() { fill(first + position, element) }
        case .object(let members):
            let members = Self.withoutRepeated(members)
            let first = reserve(members.count, under: index)
            nodes[index].content = .object(keys: members.map(\.key), first: first)
            for (position, member) in members.enumerated() { fill(first + position, member.value) }
        }
    }

    private mutating func reserve(_ count: Int, under parent: Int) -> Int {
        let first = nodes.count
        for position in 0..<count { nodes.append(Node(content: .null, parent: parent, position: position)) }
        return first
    }

    private static func withoutRepeated(_ members: [JSONMember]) -> [JSONMember] {
        if members.count < 2 { return members }
        var places: [ExactText: Int] = [:]
        places.reserveCapacity(members.count)
        for (index, member) in members.enumerated() { places[ExactText(member.key)] = index }
        if places.count == members.count { return members }
        return members.enumerated().filter { places[ExactText($0.element.key)] == $0.offset }.map(\.element)
    }

    /// Adds a node that no other knows, until `pop()`.
    mutating func push(_ node: Node) -> Int {
        nodes.append(node)
        return nodes.count - 1
    }

    mutating func pop() { nodes.removeLast() }

    /// The nodes below, in order.
    func children(of index: Int) -> Range<Int> {
        switch nodes[index].content {
        case .array(let first, let count): first..<first + count
        case .object(let keys, let first): first..<first + keys.count
        default: 0..<0
        }
    }

    /// The value of a member; nil for what is no object or has none of this name.
    func member(_ key: String, of index: Int) -> Int? {
        guard case .object(let keys, let first) = nodes[index].content else { return nil }
        let place = keys.firstIndex { isSameText($0, key) }
        return place.map { first + $0 }
    }

    /// The JSON pointer of a node.
    func pointer(to index: Int) -> String {
        var steps: [String] = []
        var index = index
        while nodes[index].parent >= 0 {
            let parent = nodes[index].parent
            if case .object(let keys, _) = nodes[parent].content {
                steps.append(Self.pointerStep(keys[nodes[index].position]))
            } else {
                steps.append(String(nodes[index].position))
            }
            index = parent
        }
        return steps.reversed().map { "/" + $0 }.joined()
    }

    static func pointerStep(_ key: String) -> String {
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return key }
        var step = ""
        for scalar in key.unicodeScalars {
            switch scalar {
            case "~": step += "~0"
            case "/": step += "~1"
            default: step.unicodeScalars.append(scalar)
            }
        }
        return step
    }

    /// The node at the end of the steps of a pointer, already unescaped.
    func node(at steps: [String]) -> Int? {
        var index = 0
        for step in steps {
            switch nodes[index].content {
            case .object:
                guard let next = member(step, of: index) else { return nil }
                index = next
            case .array(let first, let count):
                guard let place = Int(step), String(place) == step, (0..<count).contains(place) else { return nil }
                index = first + place
            default: return nil
            }
        }
        return index
    }

    /// What looking at a node costs beyond a step, because its own text is long.
    private func weight(_ index: Int) -> Int {
        switch nodes[index].content {
        case .string(let text): text.utf8.count / 32
        case .number(_, let written): written.utf8.count / 32
        default: 0
        }
    }

    /// Equality as JSON Schema has it: numbers by value, members in any order. `cost` counts the nodes that were compared.
    static func areEqual(
        _ a: IndexedJSON, _ indexA: Int, _ b: IndexedJSON, _ indexB: Int, cost: inout Int
    ) -> Bool {
        cost += 1 + a.weight(indexA)
        switch (a.nodes[indexA].content, b.nodes[indexB].content) {
        case (.null, .null): return true
        case (.boolean(let x), .boolean(let y)): return x == y
        case (.number(let x, _), .number(let y, _)): return x == y
        case (.string(let x), .string(let y)): return isSameText(x, y)
        case (.array(let firstA, let count), .array(let firstB, let countB)):
            return count == countB
                && (0..<count).allSatisfy { areEqual(a, firstA + $0, b, firstB + $0, cost: &cost) }
        case (.object(let keys, let firstA), .object(let keysB, let firstB)):
            guard keys.count == keysB.count else { return false }
            // Usually in the same order; a table only if not.
            var places: [ExactText: Int]?
            for (place, key) in keys.enumerated() {
                var other = place
                if !isSameText(keysB[place], key) {
                    if places == nil {
                        cost += keysB.count
                        places = Dictionary(
                            keysB.enumerated().map { (ExactText($0.element), $0.offset) },
                            uniquingKeysWith: { _, last in last })
                    }
                    guard let found = places?[ExactText(key)] else { return false }
                    other = found
                }
                guard areEqual(a, firstA + place, b, firstB + other, cost: &cost) else { return false }
            }
            return true
        default: return false
        }
    }

    /// Equal values have equal hashes.
    func hash(of index: Int, cost: inout Int) -> Int {
        cost += 1 + weight(index)
        var hasher = Hasher()
        switch nodes[index].content {
        case .null: hasher.combine(0)
        case .boolean(let value): hasher.combine(value)
        case .number(let number, _): hasher.combine(number)
        case .string(let text): hasher.combine(ExactText(text))
        case .array(let first, let count):
            hasher.combine(count)
            for child in first..<first + count { hasher.combine(hash(of: child, cost: &cost)) }
        case .object(let keys, let first):
            // The order of members must not matter.
            var sum = keys.count
            for (place, key) in keys.enumerated() {
                var member = Hasher()
                member.combine(ExactText(key))
                member.combine(hash(of: first + place, cost: &cost))
                sum &+= member.finalize()
            }
            hasher.combine(sum)
        }
        return hasher.finalize()
    }
}

/// Same scalars: Swift's `==` also takes texts for equal that differ in composition (é in one or two scalars).
func isSameText(_ a: String, _ b: String) -> Bool {
    a == b && a.unicodeScalars.elementsEqual(b.unicodeScalars)
}

/// A text as key of a table, equal only to the same scalars.
struct ExactText: Hashable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: ExactText, b: ExactText) -> Bool { isSameText(a.text, b.text) }

    // Composed and decomposed texts may share a hash; equality tells them apart.
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
