import JobCore

/// Settings as a person writes them (`limits.wall=30s`), as the API takes them (`{"limits": {"wall_ms": 30000}}`). Pure.
struct SettingsPatch {
    private enum Kind { case duration, size, number, flag, word, list, policy }

    /// By the name a person types: the API's group and member, and how its value is written.
    private static let names: [String: (group: String?, member: String, kind: Kind)] = {
        var names: [String: (group: String?, member: String, kind: Kind)] = [:]
        for name in ["wall", "cpu", "cancel_grace", "term_grace", "queue", "start", "no_progress"] {
            names["limits.\(name)"] = ("limits", "\(name)_ms", .duration)
        }
        for name in ["memory", "output", "file"] { names["limits.\(name)"] = ("limits", "\(name)_bytes", .size) }
        for name in ["open_files", "processes"] { names["limits.\(name)"] = ("limits", name, .number) }
        for name in ["mode", "sandbox", "output_policy", "log_policy"] {
            names["execution.\(name)"] = ("execution", name, .word)
        }
        for name in ["network", "quarantine"] { names["execution.\(name)"] = ("execution", name, .flag) }
        for name in ["niceness", "pool_runs", "pool_ahead", "log_retention_days"] {
            names["execution.\(name)"] = ("execution", name, .number)
        }
        for name in ["read_paths", "write_paths"] { names["execution.\(name)"] = ("execution", name, .list) }
        names["execution.pool_age"] = ("execution", "pool_age_ms", .duration)
        names["execution.pool_growth"] = ("execution", "pool_growth_bytes", .size)
        let numbers = [
            "attempts", "priority", "retention_days", "failed_retention_days", "concurrency", "host_concurrency",
        ]
        for name in numbers {
            names[name] = (nil, name, .number)
        }
        names["queue"] = (nil, "queue", .word)
        names["backoff"] = (nil, "backoff", .policy)
        return names
    }()

    private var groups: [String: [JSONMember]] = [:]
    private var own: [JSONMember] = []

    /// The body of the request; an empty object where nothing was set.
    var json: JSONValue {
        .object(
            ["limits", "execution"].compactMap { name in self.groups[name].map { JSONMember(name, .object($0)) } }
                + self.own)
    }

    /// - Parameter change: `name=value`; the API's own names (`limits.wall_ms=30000`) are understood too.
    mutating func set(_ change: String) throws(ClientFailure) {
        guard let equals = change.firstIndex(of: "=") else {
            throw ClientFailure(exit: .usage, message: "\"\(change)\" changes nothing: write name=value.")
        }
        let name = String(change[..<equals])
        let text = String(change[change.index(after: equals)...])
        guard let place = Self.names[name] ?? Self.exact(name) else {
            let near = NearMatches.find(name, among: Self.names.keys.sorted())
            throw ClientFailure(
                exit: .usage, message: "There is no setting \"\(name)\".",
                details: near.isEmpty
                    ? ["see: pawl jobs settings --help"] : ["did you mean \(near.joined(separator: ", "))?"])
        }
        let member = JSONMember(place.member, try Self.value(text, place.kind, name))
        if let group = place.group {
            self.groups[group, default: []].removeAll { $0.key == member.key }
            self.groups[group, default: []].append(member)
        } else {
            self.own.removeAll { $0.key == member.key }
            self.own.append(member)
        }
    }

    private static func exact(_ name: String) -> (group: String?, member: String, kind: Kind)? {
        Self.names.values.first { place in place.group.map { "\($0).\(place.member)" == name } ?? false }
            .map { ($0.group, $0.member, $0.kind == .duration || $0.kind == .size ? .number : $0.kind) }
    }

    private static func value(_ text: String, _ kind: Kind, _ name: String) throws(ClientFailure) -> JSONValue {
        if text == "default" { return .null }
        func refused(_ expected: String) -> ClientFailure {
            ClientFailure(exit: .usage, message: "\(name)=\(text) is not right.", details: ["expected \(expected)"])
        }
        switch kind {
        case .duration:
            guard let value = Format.parseDuration(text) else {
                throw refused("a duration: 500ms, 30s, 10m, 2h, or default")
            }
            return .int(value)
        case .size:
            guard let value = Format.parseSize(text) else {
                throw refused("a size: 65536, 64K, 512M, 2GiB, or default")
            }
            return .int(value)
        case .number:
            guard let value = Int64(text) else { throw refused("a whole number, or default") }
            return .int(value)
        case .flag:
            switch text {
            case "on", "true", "yes": return .boolean(true)
            case "off", "false", "no": return .boolean(false)
            default: throw refused("on, off, or default")
            }
        case .word: return .string(text)
        case .policy: return try BackoffText(text).json
        case .list: return .array(text.isEmpty ? [] : text.split(separator: ",").map { .string(String($0)) })
        }
    }

    /// The name a person types for a member of the API.
    static func shown(_ group: String, _ member: String) -> String {
        Self.names.first { $0.value.group == group && $0.value.member == member }?.key ?? "\(group).\(member)"
    }

    /// The value as a person reads it.
    static func words(_ member: JSONMember) -> String {
        switch member.value {
        case .null: "-"
        case .boolean(let flag): flag ? "on" : "off"
        case .array(let elements): elements.isEmpty ? "-" : elements.map { $0.text ?? $0.json }.joined(separator: ",")
        case .number:
            member.key.hasSuffix("_ms")
                ? Format.span(milliseconds: member.value.integer ?? 0)
                : member.key.hasSuffix("_bytes") ? Format.bytes(member.value.integer ?? 0) : member.value.json
        default: member.value.text ?? member.value.json
        }
    }
}
