/// The question that a preview answers, as JSON: `kind` with `spec` (or `at`, `interval_ms`, `expression`), `timezone`, `from`,
/// `count`, `starts_at`, `ends_at`, `p95_ms`, and a schedule's options (`ScheduleOptions.memberNames`).
package struct PreviewRequest: Sendable {
    package var timetable: Timetable
    package var zoneName: String
    package var from: WallTime
    package var count: Int
    package var p95: Duration?

    package static let memberNames =
        [
            "kind", "spec", "at", "interval_ms", "expression", "timezone", "from", "count", "starts_at", "ends_at",
            "p95_ms",
        ] + ScheduleOptions.memberNames
    package static let countRange: ClosedRange<Int64> = 1...100

    package init(
        timetable: Timetable, zoneName: String, from: WallTime, count: Int = 10, p95: Duration? = nil
    ) {
        self.timetable = timetable
        self.zoneName = zoneName
        self.from = from
        self.count = count
        self.p95 = p95
    }

    /// - Parameters:
    ///   - now: where `from` is missing.
    ///   - zone: rules by IANA name; nil for an unknown one.
    package init(
        _ value: JSONValue, now: WallTime, zone: (String) -> (any ZoneRules)?
    ) throws(FieldFault) {
        guard case .object(let members) = value else {
            throw FieldFault(pointer: "", code: "wrong_type", detail: "must be an object")
        }
        for member in members where !Self.memberNames.contains(member.key) {
            throw FieldFault(pointer: "/" + member.key, code: "unknown_field", detail: "unknown field \(member.key)")
        }
        guard let kind = value["kind"]?.text else {
            throw FieldFault(
                pointer: "/kind", code: "required",
                detail: "must be one of " + ScheduleSpec.kinds.joined(separator: ", "))
        }
        let given = value["timezone"]?.text
        var name = given ?? "UTC"
        var rules = try Self.rules(name, "/timezone", zone)
        let options = try ScheduleOptions(value)
        let spec = try Self.spec(kind, value, now, rules, name)
        if case .onCalendar(let event) = spec, let own = event.zone, own != name {
            guard given == nil else {
                throw FieldFault(
                    pointer: "/timezone", code: "exclusive", detail: "the calendar event names the zone \(own) itself")
            }
            name = own
            rules = try Self.rules(own, "/spec", zone)
        }
        var count = 10
        if let given = value["count"] { count = try given.integer(in: Self.countRange, at: "/count") }
        var p95: Duration?
        if let given = value["p95_ms"] {
            p95 = .milliseconds(try given.integer(in: 0...1_000_000_000_000, at: "/p95_ms"))
        }
        self.init(
            timetable: Timetable(
                spec: spec, zone: rules, options: options, start: try Self.time(value["starts_at"], "/starts_at"),
                end: try Self.time(value["ends_at"], "/ends_at")),
            zoneName: name, from: try Self.time(value["from"], "/from") ?? now, count: count, p95: p95)
    }

    private static func spec(
        _ kind: String, _ value: JSONValue, _ now: WallTime, _ rules: any ZoneRules, _ zoneName: String
    ) throws(FieldFault) -> ScheduleSpec {
        let short = [
            ("at", "at"), ("interval_ms", "every_ms"), ("expression", kind == "rrule" ? "rule" : "expression"),
        ]
        let given = short.compactMap { field, member in value[field].map { JSONMember(member, $0) } }
        guard let spec = value["spec"] ?? (given.isEmpty ? nil : .object(given)) else {
            throw FieldFault(pointer: "/spec", code: "required", detail: "is missing")
        }
        do throws(FieldFault) {
            return try ScheduleSpec(kind: kind, spec: spec, now: now, zone: rules, zoneName: zoneName)
        } catch {
            throw error.under(value["spec"] == nil ? "" : "/spec")
        }
    }

    private static func rules(
        _ name: String, _ pointer: String, _ zone: (String) -> (any ZoneRules)?
    ) throws(FieldFault) -> any ZoneRules {
        if let advice = ZoneName.advice(name) {
            throw FieldFault(pointer: pointer, code: "zone_abbreviation", detail: advice)
        }
        guard let rules = zone(name) else {
            throw FieldFault(
                pointer: pointer, code: "unknown_zone", detail: "\(name) is no IANA time zone such as Europe/Berlin")
        }
        return rules
    }

    private static func time(_ value: JSONValue?, _ pointer: String) throws(FieldFault) -> WallTime? {
        guard let value, value != .null else { return nil }
        guard let time = value.text.flatMap({ WallTime(rfc3339: $0) }) else {
            throw FieldFault(
                pointer: pointer, code: "bad_time", detail: "must be a time as in RFC 3339, with Z or an offset")
        }
        return time
    }

    /// `{sentence, normalized, runs, warnings}`.
    package var answer: JSONValue {
        let preview = SchedulePreview(timetable, zoneName: zoneName, from: from, count: count, p95: p95)
        var members = preview.members
        members.insert(JSONMember("normalized", normalized), at: 1)
        return .object(members)
    }

    /// `{kind, spec, timezone, …}`: complete, in the shape in which a schedule is kept.
    package var normalized: JSONValue {
        let spec = (try? JSONValue(parsing: timetable.spec.json)) ?? .null
        return .object(
            [
                JSONMember("kind", .string(timetable.spec.kind)), JSONMember("spec", spec),
                JSONMember("timezone", .string(zoneName)),
            ] + timetable.options.members)
    }

    /// One line of JSON for one: `answer`, or `{"error": {pointer, code, detail}}`.
    package static func answer(
        line: String, now: WallTime, zone: (String) -> (any ZoneRules)?
    ) -> JSONValue {
        do {
            return try PreviewRequest(try JSONValue(parsing: line), now: now, zone: zone).answer
        } catch {
            let fault = error as? FieldFault ?? FieldFault(pointer: "", code: "bad_json", detail: "\(error)")
            return .object([
                JSONMember(
                    "error",
                    .object([
                        JSONMember("pointer", .string(fault.pointer)), JSONMember("code", .string(fault.code)),
                        JSONMember("detail", .string(fault.detail)),
                    ]))
            ])
        }
    }
}
