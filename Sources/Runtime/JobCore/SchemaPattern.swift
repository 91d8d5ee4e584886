/// A regular expression of a schema: ECMA-262 with the `u` flag, less what needs backtracking.
///
/// Runs as a set of states that walk over the text side by side, so that no pattern takes more time than its size times the
/// text's length; look-aheads are looked up where they stand. `\1`, `\k` and look-behind are refused when it is read.
struct SchemaPattern: Sendable {
    enum Outcome: Sendable {
        case matches, differs
        /// The allowed work was used up before it was certain.
        case exhausted
    }

    /// One step of the program; numbers are places in it.
    enum Instruction: Sendable {
        case scalar(UInt32)
        case set(Int)
        case split(Int, Int)
        case jump(Int)
        case start, end
        case boundary(isInside: Bool)
        /// The look-ahead's own program begins behind it and ends in `found`.
        case look(isNegative: Bool, next: Int)
        case found
    }

    /// As it was written.
    let source: String
    private let program: [Instruction]
    private let sets: [ScalarSet]

    init(parsing source: String) throws(PatternFault) {
        var reader = PatternReader(source)
        let tree = try reader.pattern()
        var writer = PatternWriter()
        try writer.write(tree)
        writer.program.append(.found)
        self.source = source
        program = writer.program
        sets = writer.sets
    }

    /// Whether it is found anywhere in `text`.
    /// - Parameter work: what may still be spent; less what was.
    func search(_ text: String, work: inout Int) -> Outcome {
        let scalars = text.unicodeScalars.map(\.value)
        var isAnchored = false
        if case .start = program[0] { isAnchored = true }
        guard let found = run(from: 0, at: 0, isAnchored: isAnchored, scalars, &work) else { return .exhausted }
        return found ? .matches : .differs
    }

    /// Nil: out of work.
    private func run(from entry: Int, at start: Int, isAnchored: Bool, _ text: [UInt32], _ work: inout Int) -> Bool? {
        var threads = Threads(capacity: program.count)
        var next = Threads(capacity: program.count)
        var stack: [Int] = []
        var position = start
        while true {
            if !isAnchored || position == start {
                switch add(entry, to: &threads, at: position, text, &stack, &work) {
                case nil: return nil
                case true?: return true
                case false?: break
                }
            }
            guard position < text.count else { return false }
            if threads.places.isEmpty && isAnchored { return false }
            let scalar = text[position]
            next.clear()
            for place in threads.places {
                let isTaken =
                    switch program[place] {
                    case .scalar(let wanted): wanted == scalar
                    case .set(let set): sets[set].contains(scalar)
                    default: false
                    }
                guard isTaken else { continue }
                switch add(place + 1, to: &next, at: position + 1, text, &stack, &work) {
                case nil: return nil
                case true?: return true
                case false?: break
                }
            }
            work -= threads.places.count + 1
            if work < 0 { return nil }
            swap(&threads, &next)
            position += 1
        }
    }

    /// Adds the state at `place` and all that are reached from it without a scalar. True: the pattern is found.
    private func add(
        _ place: Int, to threads: inout Threads, at position: Int, _ text: [UInt32], _ stack: inout [Int],
        _ work: inout Int
    ) -> Bool? {
        stack.removeAll(keepingCapacity: true)
        stack.append(place)
        while let place = stack.popLast() {
            guard threads.mark(place) else { continue }
            work -= 1
            if work < 0 { return nil }
            switch program[place] {
            case .scalar, .set: threads.places.append(place)
            case .jump(let target): stack.append(target)
            case .split(let first, let second):
                stack.append(second)
                stack.append(first)
            case .start: if position == 0 { stack.append(place + 1) }
            case .end: if position == text.count { stack.append(place + 1) }
            case .boundary(let isInside):
                let before = position > 0 && ScalarSet.isWord(text[position - 1])
                let after = position < text.count && ScalarSet.isWord(text[position])
                if (before == after) == isInside { stack.append(place + 1) }
            case .look(let isNegative, let target):
                guard let found = run(from: place + 1, at: position, isAnchored: true, text, &work) else { return nil }
                if found != isNegative { stack.append(target) }
            case .found: return true
            }
        }
        return false
    }

    /// The states that wait for the next scalar, each once.
    private struct Threads {
        var places: [Int] = []
        private var marks: [UInt32]
        private var round: UInt32 = 1

        init(capacity: Int) { marks = Array(repeating: 0, count: capacity) }

        mutating func clear() {
            places.removeAll(keepingCapacity: true)
            round += 1
        }

        mutating func mark(_ place: Int) -> Bool {
            if marks[place] == round { return false }
            marks[place] = round
            return true
        }
    }
}

/// Why a pattern is none that this validator knows.
struct PatternFault: Error, Equatable {
    /// In scalars from its start.
    let offset: Int
    let words: String
}

/// What one place of a pattern takes.
struct ScalarSet: Sendable {
    /// A class by Unicode's tables.
    struct Property: Sendable {
        var isNegated: Bool
        var test: @Sendable (Unicode.Scalar) -> Bool
    }

    private var ranges: [ClosedRange<UInt32>] = []
    private var properties: [Property] = []
    private var isNegated = false
    /// The first 128 scalars, looked up.
    private var low: (UInt64, UInt64) = (0, 0)

    init(_ ranges: [ClosedRange<UInt32>], _ properties: [Property] = [], isNegated: Bool = false) {
        self.ranges = ranges.sorted { $0.lowerBound < $1.lowerBound }
        self.properties = properties
        self.isNegated = isNegated
        for scalar in UInt32(0)..<64 where decide(scalar) { low.0 |= 1 << UInt64(scalar) }
        for scalar in UInt32(64)..<128 where decide(scalar) { low.1 |= 1 << UInt64(scalar - 64) }
    }

    func contains(_ scalar: UInt32) -> Bool {
        if scalar < 64 { return low.0 >> UInt64(scalar) & 1 == 1 }
        if scalar < 128 { return low.1 >> UInt64(scalar - 64) & 1 == 1 }
        return decide(scalar)
    }

    private func decide(_ scalar: UInt32) -> Bool {
        for range in ranges {
            if range.lowerBound > scalar { break }
            if range.upperBound >= scalar { return !isNegated }
        }
        if !properties.isEmpty, let value = Unicode.Scalar(scalar),
            properties.contains(where: { $0.test(value) != $0.isNegated })
        {
            return !isNegated
        }
        return isNegated
    }

    static func isWord(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }

    static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
    /// WhiteSpace and LineTerminator of ECMA-262.
    static let space: [ClosedRange<UInt32>] = [
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ]
    /// What `.` does not take.
    static let lineEnds: [ClosedRange<UInt32>] = [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029]

    /// All that `ranges` leave out.
    static func inverted(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
            next = max(next, range.upperBound + 1)
        }
        if next <= 0x10FFFF { result.append(next...0x10FFFF) }
        return result
    }
}
