/// What a JSON text is at its top.
package enum JSONKind: String, Sendable {
    case object, array, string, number, boolean, null
}

/// Why a text is no JSON, and where.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// In bytes from the start of the text.
    package let offset: Int
    package let problem: String

    package init(offset: Int, problem: String) {
        self.offset = offset
        self.problem = problem
    }

    package var description: String { "\(problem) at byte \(offset)" }
}

/// Walks over JSON text without building anything: args are kept as text and looked at once (decisions: json, not jsonb).
///
/// Strict RFC 8259: no comments, no trailing commas, no NaN, control characters escaped, nothing after the value. Repeated
/// keys are legal and stay. What it accepts, Postgres' type `json` accepts too. UTF-8 is the caller's care (`String` is).
struct JSONScanner {
    /// Deeper nesting is refused: it serves no args and would cost stack.
    static let depthLimit = 128

    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    func fault(_ problem: String) -> JSONFault { JSONFault(offset: position, problem: problem) }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// The whole text is one value and white space around it.
    mutating func document() throws(JSONFault) -> JSONKind {
        skipSpace()
        let kind = try value(depth: 0)
        try end()
        return kind
    }

    mutating func end() throws(JSONFault) {
        skipSpace()
        if position < bytes.count { throw fault("unexpected text after the value") }
    }

    @discardableResult
    mutating func value(depth: Int) throws(JSONFault) -> JSONKind {
        guard let byte = next else { throw fault("the text ends where a value should be") }
        switch byte {
        case UInt8(ascii: "{"):
            try members(depth: depth) { (scanner, _) throws(JSONFault) in try scanner.value(depth: depth + 1) }
            return .object
        case UInt8(ascii: "["):
            try elements(depth: depth) { scanner throws(JSONFault) in try scanner.value(depth: depth + 1) }
            return .array
        case UInt8(ascii: "\""):
            _ = try string()
            return .string
        case UInt8(ascii: "t"):
            try literal("true")
            return .boolean
        case UInt8(ascii: "f"):
            try literal("false")
            return .boolean
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            _ = try number()
            return .number
        default:
            throw fault("a value cannot begin so")
        }
    }

    /// Walks over an object. `member` is called at each value, with the raw bytes of its key between the quotes.
    mutating func members(
        depth: Int, _ member: (inout JSONScanner, Range<Int>) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        guard depth < Self.depthLimit else { throw fault("nested deeper than \(Self.depthLimit)") }
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return }
        while true {
            guard next == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fault("expected a colon after the key") }
            skipSpace()
            try member(&self, key)
            skipSpace()
            if take(UInt8(ascii: "}")) { return }
            guard take(UInt8(ascii: ",")) else { throw fault("expected a comma or the end of the object") }
            skipSpace()
        }
    }

    /// Walks over an array.
    mutating func elements(
        depth: Int, _ element: (inout JSONScanner) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        guard depth < Self.depthLimit else { throw fault("nested deeper than \(Self.depthLimit)") }
        position += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return }
        while true {
            try element(&self)
            skipSpace()
            if take(UInt8(ascii: "]")) { return }
            guard take(UInt8(ascii: ",")) else { throw fault("expected a comma or the end of the array") }
            skipSpace()
        }
    }

    /// The raw bytes between the quotes.
    mutating func string() throws(JSONFault) -> Range<Int> {
        position += 1
        let start = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return start..<position
            case UInt8(ascii: "\\"):
                position += 1
                try escape()
            case 0..<0x20:
                throw fault("a control character in a string must be escaped")
            default:
                position += 1
            }
        }
        throw fault("the string does not end")
    }

    private mutating func escape() throws(JSONFault) {
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard let byte = next, hexDigit(byte) != nil else { throw fault("\\u needs four hexadecimal digits") }
                position += 1
            }
        default:
            throw fault("unknown escape in a string")
        }
    }

    mutating func number() throws(JSONFault) -> Range<Int> {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return start..<position
    }

    private mutating func digits() throws(JSONFault) {
        guard let first = next, (0x30...0x39).contains(first) else { throw fault("a digit is missing") }
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    }

    mutating func literal(_ word: StaticString) throws(JSONFault) {
        for index in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[index]) {
            throw fault("expected \(word)")
        }
    }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// The characters that a string's raw bytes stand for. A surrogate without its partner becomes U+FFFD.
    func unescaped(_ range: Range<Int>) -> String {
        guard bytes[range].contains(UInt8(ascii: "\\")) else { return text(range) }
        var units: [UInt8] = []
        var surrogates: [UInt16] = []
        var index = range.lowerBound
        func flush() {
            guard !surrogates.isEmpty else { return }
            units += Array(String(decoding: surrogates, as: UTF16.self).utf8)
            surrogates = []
        }
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "\\") else {
                flush()
                units.append(bytes[index])
                index += 1
                continue
            }
            let escape = bytes[index + 1]
            index += 2
            if escape == UInt8(ascii: "u") {
                surrogates.append(bytes[index..<index + 4].reduce(0) { $0 << 4 | UInt16(hexDigit($1) ?? 0) })
                index += 4
                continue
            }
            flush()
            switch escape {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            default: units.append(escape)
            }
        }
        flush()
        return String(decoding: units, as: UTF8.self)
    }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}
