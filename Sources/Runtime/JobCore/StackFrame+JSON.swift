extension StackFrame {
    /// The JSON form, as in tables and API, without what is not known. Addresses are texts: a JSON number is a double to most
    /// readers.
    package var jsonValue: JSONValue {
        var members = [JSONMember("address", .string(HexAddress.text(address)))]
        func add(_ key: String, _ value: JSONValue?) { if let value { members.append(JSONMember(key, value)) } }
        add("function", function.map { .string($0) })
        add("file", file.map { .string($0) })
        add("line", line.map { .number(String($0)) })
        add("module", module.map { .string($0) })
        add("build_id", buildID.map { .string($0) })
        add("offset", offset.map { .string(HexAddress.text($0)) })
        if isInlined { add("inlined", .boolean(true)) }
        return .object(members)
    }

    /// What is missing or of another kind is left empty.
    package init(_ value: JSONValue) {
        self.init(
            address: HexAddress.read(value["address"]) ?? 0, module: value["module"]?.text,
            buildID: value["build_id"]?.text, offset: HexAddress.read(value["offset"]),
            function: value["function"]?.text, file: value["file"]?.text,
            line: value["line"]?.integer.map { Int(clamping: $0) }, isInlined: value["inlined"] == .boolean(true))
    }
}

/// Addresses in JSON: `"0x7f…"`.
package enum HexAddress {
    package static func text(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }

    /// Nil for what is no such text.
    package static func read(_ value: JSONValue?) -> UInt64? {
        guard let text = value?.text, text.hasPrefix("0x") else { return nil }
        return UInt64(text.dropFirst(2), radix: 16)
    }
}
