internal import CDemangle
internal import Glibc

/// Names as their authors wrote them.
package enum Demangling {
    /// The function's name for people: of C++ and Rust (legacy mangling) with its parameters, of Swift without the standard
    /// library's module. A name that is not mangled stays as it is.
    package static func plain(_ name: String) -> String {
        if name.hasPrefix("$s") || name.hasPrefix("$S") || name.hasPrefix("_$s") || name.hasPrefix("$e") {
            return swift(name).map(shorten) ?? name
        }
        if name.hasPrefix("_Z") { return cxx(name).map(withoutHash) ?? name }
        return name
    }

    private static func swift(_ name: String) -> String? {
        guard let text = swift_demangle(name, name.utf8.count, nil, nil, 0) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    private static func cxx(_ name: String) -> String? {
        var status: Int32 = 0
        guard let text = __cxa_demangle(name, nil, nil, &status) else { return nil }
        defer { free(text) }
        return status == 0 ? String(cString: text) : nil
    }

    /// `Swift.Int` is `Int` to everybody who reads a stack.
    private static func shorten(_ name: String) -> String {
        var out = ""
        var rest = name[...]
        while let range = rest.firstRange(of: "Swift.") {
            let before = rest[..<range.lowerBound].last ?? out.last
            out += rest[..<range.lowerBound]
            // `MySwift.` is another module.
            if let before, before.isLetter || before.isNumber || before == "_" || before == "." { out += "Swift." }
            rest = rest[range.upperBound...]
        }
        return out + rest
    }

    /// Rust's legacy names end in a hash: `::h0123456789abcdef`.
    private static func withoutHash(_ name: String) -> String {
        guard let range = name.range(of: "::h", backwards: 16) else { return name }
        return String(name[..<range])
    }
}

extension String {
    /// Where `suffix` begins, if exactly `digits` hexadecimal digits follow it to the end.
    fileprivate func range(of suffix: String, backwards digits: Int) -> String.Index? {
        let tail = self.utf8.suffix(digits)
        guard tail.count == digits, tail.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            return nil
        }
        let head = self[..<tail.startIndex]
        guard head.hasSuffix(suffix) else { return nil }
        return head.index(head.endIndex, offsetBy: -suffix.count)
    }
}
