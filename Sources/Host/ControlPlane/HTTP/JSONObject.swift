import JobCore

/// Writes a JSON object member by member. Names are ours and need no escaping.
struct JSONObject: Sendable {
    private var members = ""

    init() {}

    /// The object as text.
    var text: String { "{" + members + "}" }

    /// A value that is JSON already.
    mutating func raw(_ name: StaticString, _ json: String) {
        if !members.isEmpty { members += "," }
        members += "\"\(name)\":"
        members += json
    }

    mutating func string(_ name: StaticString, _ value: String?) { raw(name, value.map(JSONText.quoted) ?? "null") }
    mutating func bool(_ name: StaticString, _ value: Bool) { raw(name, value ? "true" : "false") }
    mutating func time(_ name: StaticString, _ value: WallTime?) {
        raw(name, value.map { "\"\($0.rfc3339)\"" } ?? "null")
    }
    mutating func int(_ name: StaticString, _ value: (some BinaryInteger)?) {
        raw(name, value.map { String($0) } ?? "null")
    }
    mutating func double(_ name: StaticString, _ value: Double?) {
        raw(name, value.map { JSONObject.number($0) } ?? "null")
    }
    mutating func object(_ name: StaticString, _ value: JSONObject?) { raw(name, value?.text ?? "null") }
    mutating func array(_ name: StaticString, _ values: some Sequence<String>) {
        raw(name, "[" + values.joined(separator: ",") + "]")
    }
    mutating func strings(_ name: StaticString, _ values: some Sequence<String>) {
        array(name, values.map(JSONText.quoted))
    }

    /// Whole numbers without a fraction; JSON knows no infinity.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}
