/// Walks once over `{"items": [{…}, …], …}` and says where everything stands, some elements at a time: of a body of many megabytes
/// nothing is copied, and whoever walks can stop for others in between.
package struct JSONListWalk: Sendable {
    /// A member of an element: the bytes of its key between the quotes, as they are written, and those of its value.
    package struct Member: Sendable {
        package var key: Range<Int>
        package var value: Range<Int>
    }

    /// Elements, and the members of all of them one after the other.
    package struct Piece: Sendable {
        package struct Element: Sendable {
            package var range: Range<Int>
            /// Into `members`; nil if it is no object.
            package var members: Range<Int>?
        }

        package var elements: [Element] = []
        package var members: [Member] = []
    }

    private enum Place: Sendable { case outside, inside, behind }

    package let bytes: [UInt8]
    private let list: [UInt8]
    private var position = 0
    private var place = Place.outside
    /// Members of the object other than the list, in their order.
    package private(set) var others: [(key: String, value: String)] = []
    /// How often the list was there, and whether it was one.
    package private(set) var lists = 0
    package private(set) var isList = true
    /// Whether the text is an object at all.
    package private(set) var isObject = true

    /// - Parameters:
    ///   - bytes: UTF-8, checked by the caller.
    ///   - list: the member that holds the elements.
    package init(_ bytes: [UInt8], list: String) {
        self.bytes = bytes
        self.list = Array(list.utf8)
    }

    /// The next elements, at most `limit`; empty at the end of the text. Throws where the text is no JSON.
    package mutating func next(_ limit: Int) throws(JSONFault) -> Piece {
        var copy = self
        let result: Result<Piece, JSONFault> = bytes.withUnsafeBufferPointer { bytes in
            do throws(JSONFault) {
                return .success(try copy.walk(bytes, limit))
            } catch {
                return .failure(error)
            }
        }
        self = copy
        return try result.get()
    }

    package func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private mutating func walk(_ bytes: UnsafeBufferPointer<UInt8>, _ limit: Int) throws(JSONFault) -> Piece {
        var scanner = JSONScanner(bytes, from: position)
        defer { position = scanner.position }
        var piece = Piece()
        if place == .outside, position == 0 {
            scanner.skipSpace()
            guard scanner.next == UInt8(ascii: "{") else {
                _ = try scanner.document()
                isObject = false
                place = .behind
                return piece
            }
            _ = scanner.take(UInt8(ascii: "{"))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "}")) { return try end(&scanner, piece) }
        }
        while place != .behind {
            if place == .inside {
                try elements(&scanner, &piece, limit)
                if place == .inside { return piece }
                if try !goesOn(&scanner) { return try end(&scanner, piece) }
            }
            try member(&scanner)
            if place == .outside, try !goesOn(&scanner) { return try end(&scanner, piece) }
        }
        return piece
    }

    private mutating func end(_ scanner: inout JSONScanner, _ piece: Piece) throws(JSONFault) -> Piece {
        try scanner.end()
        place = .behind
        return piece
    }

    /// Behind a member: whether another one follows.
    private func goesOn(_ scanner: inout JSONScanner) throws(JSONFault) -> Bool {
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "}")) { return false }
        guard scanner.take(UInt8(ascii: ",")) else { throw scanner.fault("expected a comma or the end of the object") }
        scanner.skipSpace()
        return true
    }

    private mutating func member(_ scanner: inout JSONScanner) throws(JSONFault) {
        guard scanner.next == UInt8(ascii: "\"") else { throw scanner.fault("expected a key in quotes") }
        let key = try scanner.string()
        scanner.skipSpace()
        guard scanner.take(UInt8(ascii: ":")) else { throw scanner.fault("expected a colon after the key") }
        scanner.skipSpace()
        guard bytes[key].elementsEqual(list) else {
            let start = scanner.position
            try scanner.value(depth: 1)
            others.append((scanner.unescaped(key), scanner.text(start..<scanner.position)))
            return
        }
        lists += 1
        guard scanner.next == UInt8(ascii: "[") else {
            isList = false
            try scanner.value(depth: 1)
            return
        }
        _ = scanner.take(UInt8(ascii: "["))
        scanner.skipSpace()
        if !scanner.take(UInt8(ascii: "]")) { place = .inside }
    }

    private mutating func elements(
        _ scanner: inout JSONScanner, _ piece: inout Piece, _ limit: Int
    ) throws(JSONFault) {
        while piece.elements.count < limit {
            let start = scanner.position
            var members: Range<Int>?
            if scanner.next == UInt8(ascii: "{") {
                let first = piece.members.count
                var found = piece.members
                piece.members = []
                try scanner.members(depth: 2) { (scanner, key) throws(JSONFault) in
                    let value = scanner.position
                    try scanner.value(depth: 3)
                    found.append(Member(key: key, value: value..<scanner.position))
                }
                piece.members = found
                members = first..<found.count
            } else {
                try scanner.value(depth: 2)
            }
            piece.elements.append(Piece.Element(range: start..<scanner.position, members: members))
            scanner.skipSpace()
            if scanner.take(UInt8(ascii: "]")) {
                place = .outside
                return
            }
            guard scanner.take(UInt8(ascii: ",")) else {
                throw scanner.fault("expected a comma or the end of the array")
            }
            scanner.skipSpace()
        }
    }
}
