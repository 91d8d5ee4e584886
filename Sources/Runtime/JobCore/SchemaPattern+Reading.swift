/// A pattern as it is written, before it becomes a program.
indirect enum PatternTree: Sendable {
    case empty
    case scalar(UInt32)
    case set(ScalarSet)
    case start, end
    case boundary(isInside: Bool)
    case sequence([PatternTree])
    case choice([PatternTree])
    /// `most` nil: without end.
    case repetition(PatternTree, least: Int, most: Int?)
    case look(PatternTree, isNegative: Bool)
}

/// Reads ECMA-262's pattern syntax. Beyond the strict `u` grammar it takes `\` before any sign that is no letter or digit, and
/// `{`, `}` and `]` as themselves, as most schemas are written for looser readers.
struct PatternReader {
    private static let depthLimit = 64

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ source: String) { scalars = Array(source.unicodeScalars) }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func fault(_ words: String, at offset: Int? = nil) -> PatternFault {
        PatternFault(offset: offset ?? position, words: words)
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }

    mutating func pattern() throws(PatternFault) -> PatternTree {
        let tree = try choice()
        if position < scalars.count { throw fault("a ) without its (") }
        return tree
    }

    private mutating func choice() throws(PatternFault) -> PatternTree {
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternFault) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let start = position
            let part = try atom()
            parts.append(try quantified(part, from: start))
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func atom() throws(PatternFault) -> PatternTree {
        guard let scalar = next else { return .empty }
        position += 1
        switch scalar {
        case "^": return .start
        case "$": return .end
        case ".": return .set(ScalarSet(ScalarSet.lineEnds, isNegated: true))
        case "(": return try group()
        case "[": return try .set(bracket())
        case "\\": return try escape()
        case "*", "+", "?": throw fault("nothing stands before \(scalar) that could be repeated", at: position - 1)
        default: return .scalar(scalar.value)
        }
    }

    private mutating func group() throws(PatternFault) -> PatternTree {
        let start = position - 1
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw fault("groups are nested deeper than \(Self.depthLimit)") }
        var isNegative: Bool?
        if take("?=") {
            isNegative = false
        } else if take("?!") {
            isNegative = true
        } else if take("?<=") || take("?<!") {
            throw fault("look-behind is not supported", at: start)
        } else if take("?<") {
            while let scalar = next, scalar != ">" && scalar != ")" { _ = take(scalar) }
            guard take(">") else { throw fault("the group's name does not end", at: start) }
        } else if !take("?:"), next == "?" {
            throw fault("unknown kind of group", at: start)
        }
        let tree = try choice()
        guard take(")") else { throw fault("the group that begins here does not end", at: start) }
        return isNegative.map { .look(tree, isNegative: $0) } ?? tree
    }

    private mutating func quantified(_ part: PatternTree, from start: Int) throws(PatternFault) -> PatternTree {
        let place = position
        var bounds: (least: Int, most: Int?)
        switch next {
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "?": bounds = (0, 1)
        case "{":
            guard let counted = try counts() else { return part }
            bounds = counted
            position -= 1
        default: return part
        }
        position += 1
        switch part {
        case .start, .end, .boundary, .look: throw fault("this cannot be repeated", at: place)
        default: break
        }
        // Whether it takes as much or as little as it can does not matter for whether it is found.
        _ = take("?")
        if let next, "*+?".unicodeScalars.contains(next) { throw fault("one repetition after another") }
        return .repetition(part, least: bounds.least, most: bounds.most)
    }

    /// `{n}`, `{n,}` or `{n,m}`; nil if the brace stands for itself.
    private mutating func counts() throws(PatternFault) -> (least: Int, most: Int?)? {
        let start = position
        position += 1
        guard let least = count() else {
            position = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = count() }
        guard take("}") else {
            position = start
            return nil
        }
        if let most, most < least { throw fault("the bounds are the wrong way round", at: start) }
        return (least, most)
    }

    private mutating func count() -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = min((value ?? 0) * 10 + Int(scalar.value - 0x30), 1_000_000)
            position += 1
        }
        return value
    }

    // MARK: Escapes and classes

    private mutating func escape() throws(PatternFault) -> PatternTree {
        if let (ranges, properties) = try classEscape() { return .set(ScalarSet(ranges, properties)) }
        switch next {
        case "b", "B":
            defer { position += 1 }
            return .boundary(isInside: next == "B")
        case let digit? where ("1"..."9").contains(digit):
            throw fault("a reference back to a group is not supported", at: position - 1)
        case "k": throw fault("a reference back to a group is not supported", at: position - 1)
        default: return .scalar(try scalarEscape())
        }
    }

    /// `\d` and its like, behind the backslash; nil for other escapes.
    private mutating func classEscape() throws(PatternFault) -> ([ClosedRange<UInt32>], [ScalarSet.Property])? {
        let ranges: [ClosedRange<UInt32>]
        switch next {
        case "d": ranges = ScalarSet.digits
        case "D": ranges = ScalarSet.inverted(ScalarSet.digits)
        case "w": ranges = ScalarSet.word
        case "W": ranges = ScalarSet.inverted(ScalarSet.word)
        case "s": ranges = ScalarSet.space
        case "S": ranges = ScalarSet.inverted(ScalarSet.space)
        case "p", "P":
            let isNegated = next == "P"
            position += 1
            return ([], [ScalarSet.Property(isNegated: isNegated, test: try property())])
        default: return nil
        }
        position += 1
        return (ranges, [])
    }

    private mutating func property() throws(PatternFault) -> @Sendable (Unicode.Scalar) -> Bool {
        let start = position
        guard take("{") else { throw fault("\\p needs a name in braces") }
        var name = ""
        while let scalar = next, scalar != "}" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take("}") else { throw fault("the name in braces does not end", at: start) }
        guard let test = UnicodeClass.test(named: name) else {
            throw fault("the Unicode class \(name) is not supported", at: start)
        }
        return test
    }

    private mutating func scalarEscape() throws(PatternFault) -> UInt32 {
        guard let scalar = next else { throw fault("the pattern ends after a \\") }
        position += 1
        switch scalar {
        case "t": return 0x09
        case "n": return 0x0A
        case "v": return 0x0B
        case "f": return 0x0C
        case "r": return 0x0D
        case "0":
            if let next, ("0"..."9").contains(next) { throw fault("octal escapes are not supported") }
            return 0
        case "c":
            guard let letter = next, ("a"..."z").contains(letter) || ("A"..."Z").contains(letter) else {
                throw fault("\\c needs a letter")
            }
            position += 1
            return letter.value % 32
        case "x": return try hex(2)
        case "u": return try unicodeEscape()
        default:
            if scalar.isASCII, ScalarSet.isWord(scalar.value), scalar != "_" {
                throw fault("unknown escape \\\(scalar)", at: position - 2)
            }
            return scalar.value
        }
    }

    private mutating func unicodeEscape() throws(PatternFault) -> UInt32 {
        if take("{") {
            var value: UInt32 = 0
            let start = position
            while let scalar = next, let digit = Self.digit(scalar) {
                value = min(value * 16 + digit, 0x110000)
                position += 1
            }
            guard position > start, take("}"), value <= 0x10FFFF else {
                throw fault("this is no code point", at: start)
            }
            return value
        }
        let first = try hex(4)
        let place = position
        if (0xD800...0xDBFF).contains(first), take("\\u"), let second = try? hex(4), (0xDC00...0xDFFF).contains(second)
        {
            return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        }
        if (0xD800...0xDBFF).contains(first) { position = place }
        return first
    }

    private mutating func hex(_ count: Int) throws(PatternFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let scalar = next, let digit = Self.digit(scalar) else {
                throw fault("a hexadecimal digit is missing")
            }
            value = value * 16 + digit
            position += 1
        }
        return value
    }

    private static func digit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "a"..."f": scalar.value - 0x61 + 10
        case "A"..."F": scalar.value - 0x41 + 10
        default: nil
        }
    }

    private mutating func bracket() throws(PatternFault) -> ScalarSet {
        let start = position - 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        var properties: [ScalarSet.Property] = []
        while !take("]") {
            guard next != nil else { throw fault("the class that begins here does not end", at: start) }
            guard let low = try classAtom(&ranges, &properties) else { continue }
            // A hyphen before the end stands for itself.
            guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                ranges.append(low...low)
                continue
            }
            let place = position
            position += 1
            guard let high = try classAtom(&ranges, &properties) else {
                ranges += [low...low, 0x2D...0x2D]
                continue
            }
            guard low <= high else { throw fault("the range is the wrong way round", at: place) }
            ranges.append(low...high)
        }
        return ScalarSet(ranges, properties, isNegated: isNegated)
    }

    /// One scalar of a class; nil if a whole class stood there, which is then in `ranges` or `properties`.
    private mutating func classAtom(
        _ ranges: inout [ClosedRange<UInt32>], _ properties: inout [ScalarSet.Property]
    ) throws(PatternFault) -> UInt32? {
        guard let scalar = next else { throw fault("the class does not end") }
        guard take("\\") else {
            position += 1
            return scalar.value
        }
        if let (moreRanges, moreProperties) = try classEscape() {
            ranges += moreRanges
            properties += moreProperties
            return nil
        }
        if take("b") { return 0x08 }
        return try scalarEscape()
    }
}

/// Turns a read pattern into a program.
struct PatternWriter {
    /// Counted repetitions are written out, so a few signs can ask for very many steps.
    private static let sizeLimit = 20_000

    var program: [SchemaPattern.Instruction] = []
    var sets: [ScalarSet] = []
    /// Repetitions of what leaves nothing in the program cost time as well.
    private var writes = 0

    mutating func write(_ tree: PatternTree) throws(PatternFault) {
        writes += 1
        guard writes <= Self.sizeLimit, program.count <= Self.sizeLimit else {
            throw PatternFault(
                offset: 0, words: "the pattern is too large: its repetitions come to over \(Self.sizeLimit) steps")
        }
        switch tree {
        case .empty: break
        case .scalar(let scalar): program.append(.scalar(scalar))
        case .set(let set):
            program.append(.set(sets.count))
            sets.append(set)
        case .start: program.append(.start)
        case .end: program.append(.end)
        case .boundary(let isInside): program.append(.boundary(isInside: isInside))
        case .sequence(let parts): for part in parts { try write(part) }
        case .choice(let branches): try writeChoice(branches)
        case .repetition(let part, let least, let most): try writeRepetition(part, least, most)
        case .look(let part, let isNegative):
            let place = program.count
            program.append(.found)
            try write(part)
            program.append(.found)
            program[place] = .look(isNegative: isNegative, next: program.count)
        }
    }

    private mutating func writeChoice(_ branches: [PatternTree]) throws(PatternFault) {
        var jumps: [Int] = []
        for (index, branch) in branches.enumerated() {
            let isLast = index == branches.count - 1
            let split = program.count
            if !isLast { program.append(.found) }
            try write(branch)
            if isLast { break }
            jumps.append(program.count)
            program.append(.found)
            program[split] = .split(split + 1, program.count)
        }
        for jump in jumps { program[jump] = .jump(program.count) }
    }

    private mutating func writeRepetition(_ part: PatternTree, _ least: Int, _ most: Int?) throws(PatternFault) {
        for _ in 0..<least { try write(part) }
        guard let most else {
            let split = program.count
            program.append(.found)
            try write(part)
            program.append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in 0..<most - least {
            splits.append(program.count)
            program.append(.found)
            try write(part)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }
}
