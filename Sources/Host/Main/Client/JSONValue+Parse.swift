extension JSONValue {
    /// Why a text is no JSON, and where.
    struct ParseError: Error, CustomStringConvertible {
        /// Offset in bytes from the start of the text.
        let offset: Int
        let reason: String
        var description: String { "\(self.reason) at byte \(self.offset)" }
    }

    /// Parses one JSON document (RFC 8259); nothing but white space may follow it.
    init(parsing bytes: [UInt8]) throws(ParseError) {
        var parser = Parser(bytes: bytes)
        self = try parser.document()
    }

    init(parsing text: String) throws(ParseError) {
        try self.init(parsing: Array(text.utf8))
    }
}

/// Recursive descent over the bytes of one document.
private struct Parser {
    let bytes: [UInt8]
    var index = 0
    var depth = 0
    /// Deeper documents are refused: the parser's stack is the program's.
    static let maximumDepth = 256

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONValue.ParseError) -> JSONValue {
        let value = try self.value()
        self.skipSpace()
        guard self.index == self.bytes.count else { throw self.failure("something follows the end of the document") }
        return value
    }

    private mutating func value() throws(JSONValue.ParseError) -> JSONValue {
        self.skipSpace()
        guard let byte = self.peek else { throw self.failure("the document ends too early") }
        switch byte {
        case UInt8(ascii: "{"):
            return try self.nested { (p: inout Parser) throws(JSONValue.ParseError) in try p.members() }
        case UInt8(ascii: "["):
            return try self.nested { (p: inout Parser) throws(JSONValue.ParseError) in try p.items() }
        case UInt8(ascii: "\""): return .string(try self.string())
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "n"): return try self.word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try self.number()
        default: throw self.failure("no value starts with this character")
        }
    }

    private mutating func nested(
        _ body: (inout Parser) throws(JSONValue.ParseError) -> JSONValue
    ) throws(JSONValue.ParseError) -> JSONValue {
        self.depth += 1
        guard self.depth <= Self.maximumDepth else { throw self.failure("nested too deeply") }
        self.index += 1
        let value = try body(&self)
        self.depth -= 1
        return value
    }

    private mutating func members() throws(JSONValue.ParseError) -> JSONValue {
        var members: [JSONValue.Member] = []
        self.skipSpace()
        if self.take("}") { return .object([]) }
        while true {
            self.skipSpace()
            guard self.peek == UInt8(ascii: "\"") else { throw self.failure("a member's name must be a string") }
            let name = try self.string()
            self.skipSpace()
            guard self.take(":") else { throw self.failure("expected ':'") }
            members.append(.init(name: name, value: try self.value()))
            self.skipSpace()
            if self.take(",") { continue }
            guard self.take("}") else { throw self.failure("expected ',' or '}'") }
            return .object(members)
        }
    }

    private mutating func items() throws(JSONValue.ParseError) -> JSONValue {
        var items: [JSONValue] = []
        self.skipSpace()
        if self.take("]") { return .array([]) }
        while true {
            items.append(try self.value())
            self.skipSpace()
            if self.take(",") { continue }
            guard self.take("]") else { throw self.failure("expected ',' or ']'") }
            return .array(items)
        }
    }

    private mutating func string() throws(JSONValue.ParseError) -> String {
        self.index += 1
        var text: [UInt8] = []
        while let byte = self.peek {
            self.index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw self.failure("a string is not valid UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try self.escape(into: &text)
            case 0..<0x20: throw self.failure("an unescaped control character in a string")
            default: text.append(byte)
            }
        }
        throw self.failure("a string does not end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONValue.ParseError) {
        guard let byte = self.peek else { throw self.failure("a string does not end") }
        self.index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try self.hex4()
            if (0xD800..<0xDC00).contains(code), self.take("\\") {
                guard self.take("u") else { throw self.failure("half of a surrogate pair") }
                let low = try self.hex4()
                guard (0xDC00..<0xE000).contains(low) else { throw self.failure("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw self.failure("half of a surrogate pair") }
            text.append(contentsOf: Array(String(scalar).utf8))
        default: throw self.failure("an unknown escape in a string")
        }
    }

    private mutating func hex4() throws(JSONValue.ParseError) -> UInt32 {
        guard self.index + 4 <= self.bytes.count else { throw self.failure("a string does not end") }
        var code: UInt32 = 0
        for byte in self.bytes[self.index..<self.index + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw self.failure("four hex digits expected")
            }
            code = code << 4 | UInt32(digit)
        }
        self.index += 4
        return code
    }

    private mutating func number() throws(JSONValue.ParseError) -> JSONValue {
        let start = self.index
        _ = self.take("-")
        if !self.take("0") { guard self.digits() else { throw self.failure("a digit expected") } }
        if self.take(".") { guard self.digits() else { throw self.failure("a digit expected after '.'") } }
        if self.take("e") || self.take("E") {
            if !self.take("+") { _ = self.take("-") }
            guard self.digits() else { throw self.failure("a digit expected in the exponent") }
        }
        return .number(String(decoding: self.bytes[start..<self.index], as: UTF8.self))
    }

    /// Skips digits; false when there is none.
    private mutating func digits() -> Bool {
        let start = self.index
        while let byte = self.peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { self.index += 1 }
        return self.index > start
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONValue.ParseError) -> JSONValue {
        guard self.bytes[self.index...].starts(with: word.utf8) else { throw self.failure("an unknown word") }
        self.index += word.utf8.count
        return value
    }

    private mutating func skipSpace() {
        while let byte = self.peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { self.index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard self.peek == UInt8(ascii: character) else { return false }
        self.index += 1
        return true
    }

    private var peek: UInt8? { self.index < self.bytes.count ? self.bytes[self.index] : nil }

    private func failure(_ reason: String) -> JSONValue.ParseError { .init(offset: self.index, reason: reason) }
}
