import JobCore
import JobStore

/// A schedule as somebody would write it down: what a client said, without what is usual, and nothing that happens to it.
enum ScheduleDefinition {
    /// In the form of the body of `POST /schedules`.
    static func json(_ input: ScheduleInput) -> JSONValue {
        var members: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONMember(name, value)) }
        }
        func text(_ name: String, _ value: String?) { add(name, value.map { .string($0) }) }
        func number(_ name: String, _ value: (some BinaryInteger)?) { add(name, value.map { .number(String($0)) }) }
        func parsed(_ json: String?) -> JSONValue? { json.flatMap { try? JSONValue(parsing: $0) } }
        text("name", input.name)
        text("job", input.job)
        text("kind", input.spec.kind)
        add("spec", parsed(input.spec.json))
        if input.timezone != "UTC" { text("timezone", input.timezone) }
        if let args = parsed(input.args), args != .object([]) { add("args", args) }
        text("queue", input.queue)
        number("priority", input.priority)
        number("attempts", input.attempts)
        add("backoff", parsed(input.backoff?.json))
        number("timeout_ms", input.timeout?.wholeMilliseconds)
        number("queue_ms", input.queueTime?.wholeMilliseconds)
        text("title", input.title)
        text("description", input.description)
        if !input.labels.isEmpty { add("labels", parsed(JSONText.object(input.labels))) }
        text("owner", input.owner)
        text("starts_at", input.startsAt?.rfc3339)
        text("ends_at", input.endsAt?.rfc3339)
        number("max_runs", input.maxRuns)
        if !input.isEnabled { add("enabled", .boolean(false)) }
        let usual = JSONValue.object(ScheduleOptions().members)
        for option in input.options.members where option.value != usual[option.key] {
            add(option.key, option.key == "catch_up" ? withoutNulls(option.value) : option.value)
        }
        return .object(members)
    }

    private static func withoutNulls(_ value: JSONValue) -> JSONValue {
        guard case .object(let members) = value else { return value }
        return .object(members.filter { $0.value != .null })
    }

    /// What of a schedule is changed by a merge patch. Its long form of the specification gives way to a short one.
    static func merged(_ input: ScheduleInput, _ patch: JSONValue) -> JSONValue {
        var present = json(input)
        if ["kind", "at", "interval_ms", "expression"].contains(where: { patch[$0] != nil }),
            case .object(let members) = present
        {
            present = .object(members.filter { $0.key != "spec" })
        }
        return present.merging(patch)
    }

    /// Names of the members in which two definitions differ, in order of appearance.
    static func differences(_ old: JSONValue, _ new: JSONValue) -> [String] {
        guard case .object(let before) = old, case .object(let after) = new else { return [] }
        var names: [String] = []
        for member in before + after where !names.contains(member.key) && old[member.key] != new[member.key] {
            names.append(member.key)
        }
        return names
    }
}
