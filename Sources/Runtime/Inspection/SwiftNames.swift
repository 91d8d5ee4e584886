/// Swift's demangled names carry modules, types and effects of everything; people read `Trap.run(_:_:)`. Pure.
enum SwiftNames {
    /// `static M.Box.(run in _69…)<A where …>(A, with: Int) async -> B` becomes `Box.run(_:with:)`.
    static func simplified(_ name: String) -> String {
        var text = name[...]
        var isWitness = false
        while let rest = Self.withoutPrefix(text) {
            isWitness = isWitness || text.hasPrefix("protocol witness for ")
            text = rest
        }
        if text.hasPrefix("reabstraction thunk") { return "reabstraction thunk" }
        if isWitness, let (method, type) = Self.split(text, at: " in conformance ") {
            let member = Self.entity(method)
            let owner = Self.entity(type.prefix { $0 != " " })
            return owner + "." + (Self.components(member).last ?? member)
        }
        if ["closure #", "implicit closure #", "default argument "].contains(where: { text.hasPrefix($0) }),
            let (head, outer) = Self.split(text, at: " in ") ?? Self.split(text, at: " of ")
        {
            let words = head.split(separator: " ").prefix { !$0.hasPrefix("(") && !$0.hasPrefix("@") }
            return words.joined(separator: " ") + " in " + Self.simplified(String(outer))
        }
        return Self.entity(text)
    }

    private static let prefixes = [
        "static ", "partial apply forwarder for ", "partial apply for ", "protocol witness for ", "merged ", "@objc ",
        "@nonobjc ", "dynamic ", "async function pointer to ", "dispatch thunk of ", "override ",
    ]

    private static func withoutPrefix(_ text: Substring) -> Substring? {
        for prefix in Self.prefixes where text.hasPrefix(prefix) { return text.dropFirst(prefix.count) }
        for word in [
            "generic specialization ", "function signature specialization ",
            "generic not re-abstracted specialization ",
        ]
        where text.hasPrefix(word) {
            return Self.split(text, at: " of ")?.1
        }
        // Parts of asynchronous functions: `(2) await resume partial function for M.f()`.
        if text.hasPrefix("("), let end = text.firstIndex(of: ")"),
            text[text.index(after: text.startIndex)..<end].allSatisfy(\.isNumber)
        {
            return Self.split(text, at: " partial function for ")?.1
        }
        if text.hasPrefix("(extension in "), let end = text.firstIndex(of: ":") {
            return text[text.index(after: end)...]
        }
        return nil
    }

    /// Around the first `separator` that is in no bracket.
    private static func split(_ text: Substring, at separator: String) -> (Substring, Substring)? {
        var nesting = Nesting()
        var index = text.startIndex
        while index < text.endIndex {
            if nesting.depth == 0, text[index...].hasPrefix(separator) {
                return (text[..<index], text[index...].dropFirst(separator.count))
            }
            nesting.pass(text[index])
            index = text.index(after: index)
        }
        return nil
    }

    /// Without module, generic arguments, types and effects.
    private static func entity(_ text: Substring) -> String {
        var out = ""
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if character == " " { break }
            if character == "<" && !(out.isEmpty || out.hasSuffix(".")) || character == "(" {
                let end = Self.closing(text, index)
                let inside = text[text.index(after: index)..<end]
                if character == "(" {
                    if let (name, _) = Self.split(inside, at: " in _") {
                        out += name
                    } else {
                        out += Self.labels(inside)
                    }
                }
                index = end < text.endIndex ? text.index(after: end) : end
                continue
            }
            out.append(character)
            index = text.index(after: index)
        }
        let parts = Self.components(out)
        return parts.count > 1 ? parts.dropFirst().joined(separator: ".") : out
    }

    /// At the dots before the argument list.
    private static func components(_ name: String) -> [String] {
        let head = name.prefix { $0 != "(" }
        var parts = head.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        parts[parts.count - 1] += name.dropFirst(head.count)
        return parts
    }

    /// Where the bracket at `start` is closed; the end where it is not.
    private static func closing(_ text: Substring, _ start: Substring.Index) -> Substring.Index {
        var nesting = Nesting()
        var index = start
        while index < text.endIndex {
            nesting.pass(text[index])
            if nesting.depth == 0 { return index }
            index = text.index(after: index)
        }
        return index
    }

    /// `Int, with: String` becomes `(_:with:)`.
    private static func labels(_ arguments: Substring) -> String {
        if arguments.isEmpty { return "()" }
        var labels = "("
        var rest: Substring? = arguments
        while let part = rest {
            let parts = Self.split(part, at: ", ")
            let argument = parts?.0 ?? part
            let label = argument.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
            labels += (argument.dropFirst(label.count).hasPrefix(": ") ? label : "_") + ":"
            rest = parts?.1
        }
        return labels + ")"
    }

    /// Brackets that are open; the `>` of `->` closes none.
    private struct Nesting {
        var depth = 0
        private var last: Character = " "

        mutating func pass(_ character: Character) {
            switch character {
            case "(", "<", "[": self.depth += 1
            case ")", "]": self.depth -= 1
            case ">": if self.last != "-" { self.depth -= 1 }
            default: break
            }
            self.last = character
        }
    }
}
