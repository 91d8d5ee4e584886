internal import CDemangle
internal import Glibc

/// Names as their authors wrote them.
package enum Demangling {
    /// The function's name for people: of C++ and Rust (legacy mangling) with its parameters, of Swift with labels
    /// and without modules and types. A name that is not mangled stays as it is.
    package static func plain(_ name: String) -> String {
        if name.hasPrefix("$s") || name.hasPrefix("$S") || name.hasPrefix("_$s") || name.hasPrefix("$e") {
            return swift(name).map(SwiftNames.simplified) ?? name
        }
        if name.hasPrefix("_Z") { return cxx(name).map(withoutHash) ?? name }
        return name
    }

    private static func swift(_ name: String) -> String? {
        guard let text = swift_demangle(name, name.utf8.count, nil, nil, 0) else { return nil }
        defer { free(text) }
        // What it cannot read comes back as it was.
        let plain = String(cString: text)
        return plain == name ? nil : plain
    }

    private static func cxx(_ name: String) -> String? {
        var status: Int32 = 0
        guard let text = __cxa_demangle(name, nil, nil, &status) else { return nil }
        defer { free(text) }
        return status == 0 ? String(cString: text) : nil
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
